"""A .tflite file as a TensorFlow graph that gradients pass through."""

import struct
from typing import TYPE_CHECKING

from qmia_tf.deploy.differentiable.code_agreement import Agreement, compare
from qmia_tf.errors import FileFailure, InputError

# What reading a damaged flatbuffer may end in.
DAMAGE = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    struct.error,
)

if TYPE_CHECKING:
    from qmia_tf.deploy.differentiable.file_network import FileNetwork


def load(source) -> "FileNetwork":
    """Reads a .tflite file into a graph of its dequantized weights.

    Codes are rounded as the file rounds them; gradients pass the rounding
    straight through. TensorFlow is imported by this call.

        from qmia_tf.deploy import differentiable

        network = differentiable.load("model.tflite")
        with tf.GradientTape() as tape:
            losses = network.losses(images, labels)
        gradients = tape.jacobian(losses, network.trainable_weights["conv"])

    Args:
        source: path of a .tflite file, or its bytes.
    Raises: InputError that names what the file has and the graph cannot: an
        op, a type, several subgraphs, inputs or outputs.
    """
    from qmia_tf.deploy.differentiable import file_graph, file_network
    from qmia_tf.deploy.tflite import model_file

    if isinstance(source, bytes):
        content, name = source, "the .tflite file"
    else:
        content, name = model_file.read(source), source
    try:
        return file_network.FileNetwork(file_graph.read(content, name))
    except InputError:
        raise
    except DAMAGE as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FileFailure(
            f"{name} cannot be made differentiable: it is damaged ({reason}): "
            "export it again"
        ) from error


def agreement(network: "FileNetwork", interpreter, values) -> Agreement:
    """Measures how far a graph's outputs are from its file's.

        interpreter = IsolatedInterpreter(path, limits=BY_SIZES)
        print(differentiable.agreement(network, interpreter, codes))

    Args:
        network: of `load`.
        interpreter: of the same file, tflite.interpreter.Interpreter or
            tflite.isolation.IsolatedInterpreter under the kernels in question.
        values: [N, ...] of the input's own type, at most a batch.
    """
    return compare(
        network(values).numpy(),
        interpreter.output.dequantize(interpreter.run(values)),
        step=interpreter.output_step,
    )
