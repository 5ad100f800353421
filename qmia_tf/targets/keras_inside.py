"""The last layer of a Keras 3 model: its logits, and what enters it."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from qmia_tf.errors import InputError
from qmia_tf.models import graph as graphs
from qmia_tf.models import keras_calls

# What outputs pass through unchanged: layers, and operations on tensors.
ENDINGS = (
    *("Reshape", "Flatten", "Identity", "Dropout", "Cast"),
    *("Squeeze", "ExpandDims", "Copy"),
)
# Names of activations and of operations; the second is tf.nn.softmax.
SOFTMAXES, SIGMOIDS = ("softmax", "softmax_v2"), ("sigmoid",)


@dataclasses.dataclass(frozen=True, eq=False)
class LastLayer:
    """The last layer that computes, of a model of one graph.

    Attributes:
        call: graphs.Call of the layer.
        result: the tensor before a softmax layer; None where the layer's own
            activation is the softmax, or there is none.
        one_unit: whether it gives one number a record, for a sigmoid.
    """

    call: graphs.Call
    result: Any
    one_unit: bool

    @property
    def facts(self) -> dict:
        """What is said of it; see Inside.info."""
        return {
            "op": f"{self.call.kind} {self.call.name!r}",
            "numbers": "floats",
            "step": 0.0,
            "zero_point": 0,
            "has_bias": bool(self.call.layer.use_bias),
            "one_unit": self.one_unit,
        }


def activation_name(operation: Any) -> str:
    """The name of a layer's activation, else of the operation's class."""
    activation = getattr(operation, "activation", None)
    return getattr(activation, "__name__", type(operation).__name__).lower()


def is_passed(operation: Any) -> bool:
    """Whether an operation changes only the type or the shape of outputs."""
    activation = getattr(operation, "activation", None)
    if type(operation).__name__ == "Activation":
        return activation is keras.activations.linear
    return type(operation).__name__ in ENDINGS


def find(model: Any) -> LastLayer:
    """Finds the last layer.

    Raises: InputError that names the layer that is not understood.
    """
    if keras_calls.library_of(model) != "keras":
        raise InputError("the layers of models of tf_keras are not read")
    graph = graphs.read(model)
    tensor, result, ending = graph.outputs[0], None, None
    while True:
        call = graph.maker(tensor)
        if not call.inputs:
            raise InputError("no layer computes its output")
        name = activation_name(call.layer)
        if isinstance(
            call.layer, (keras.layers.Dense, keras.layers.Conv2D)
        ) or graphs.has_graph(call.layer):
            break
        if ending is None and name in (*SOFTMAXES, *SIGMOIDS):
            ending, result = name, call.inputs[0]
        elif not is_passed(call.layer) or len(call.inputs) != 1:
            break
        tensor = call.inputs[0]
    what = f"its last layer {call.name!r} ({call.kind})"
    units = _units(call, what)
    own = None if name == "linear" else name
    if own not in (None, *SOFTMAXES, *SIGMOIDS) or (own and ending):
        raise InputError(f"{what} has the activation {own}")
    is_sigmoid = (own or ending) in SIGMOIDS
    if is_sigmoid and units != 1:
        raise InputError(f"it ends in {units} sigmoids")
    return LastLayer(call, result, units == 1)


def _units(call, what):
    """The number of logits of a layer that is understood."""
    layer = call.layer
    shape = tuple(call.inputs[0].shape)
    if isinstance(layer, keras.layers.Dense):
        is_known, units = len(shape) == 2, layer.units
    elif isinstance(layer, keras.layers.Conv2D):
        units = layer.filters
        # Of one place there are as many numbers as channels.
        is_known = tuple(layer.kernel_size) == (1, 1) and (
            sorted(shape[1:], key=lambda size: size or 0)[:2] == [1, 1]
        )
    else:
        is_known, units = False, 0
    if not is_known:
        raise InputError(
            f"{what} is not understood: a Dense layer, or a 1x1 Conv2D at one "
            "place, is needed"
        )
    return units


def function(model: Any, last: LastLayer, entry: tf.TensorSpec) -> Callable:
    """Compiles a model that shows its inside.

    Args:
        entry: of its input.
    Returns: tensor [B, ...] -> the outputs, as the model gives them, the
        logits [B, C] and what enters the last layer [B, F].
    """
    graph = graphs.read(model)
    seen = [graph.outputs[0], last.call.inputs[0]]
    if last.result is not None:
        seen.append(last.result)
    probe = keras.Model(graph.inputs[0], seen)
    options = keras_calls.inference_options(model)

    def call(x):
        outputs, entered, *logits = probe(x, **options)
        if not logits:
            with _linear(last.call.layer):
                logits = [last.call.layer(entered)]
        return outputs, logits[0], entered

    return tf.function(call, input_signature=[entry])


@contextlib.contextmanager
def _linear(layer) -> Iterator[None]:
    """Takes a layer's activation away while it is traced."""
    activation = layer.activation
    layer.activation = keras.activations.linear
    try:
        yield
    finally:
        layer.activation = activation
