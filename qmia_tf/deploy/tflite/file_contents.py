"""What a .tflite file really holds: its ops, types, scales and sizes.

Read from the file through LiteRT, not from what the converter was asked for.
"""

import collections
import pathlib
import re

import numpy as np

from qmia_tf import files, quiet
from qmia_tf.deploy.tflite.interpreter import Interpreter

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# What Keras 3 and tf_keras call the ops that become these.
KERNEL_OPS = ("convolution", "MatMul", "Conv2D", "depthwise")


def describe(path) -> dict:
    """Says what a .tflite file holds.

    Returns: file, sha256, size_bytes; ops {name: count}; flex (names of ops
        that need TensorFlow); delegated, the number of ops that the default
        kernels hand to XNNPACK, and left {name: count}, those that they do
        not; layers (one a convolution or fully connected op, see `_layer`);
        input and output (shape, dtype, scale, zero_point; -1 marks a size
        that may change).
    Raises: InputError if the file cannot be run.
    """
    path = pathlib.Path(path)
    # Without delegates, because a delegate hides the ops that it took over.
    interpreter = Interpreter(path, kernels="builtin")
    ops = interpreter.ops()
    tensors = {entry["index"]: entry for entry in interpreter.tensors()}
    made_by = {index: op for op in ops for index in op["outputs"]}
    counts = _counted(ops)
    delegated = _delegated(path, ops)
    return {
        "file": path.name,
        "sha256": files.sha256(path),
        "size_bytes": path.stat().st_size,
        "ops": counts,
        "flex": sorted(name for name in counts if name.startswith("Flex")),
        "delegated": len(delegated),
        "left": _counted(op for op in ops if op["index"] not in delegated),
        "layers": [
            _layer(op, tensors, made_by)
            for op in ops
            if op["op_name"] in CONVOLUTIONS
        ],
        "input": _port(interpreter.input),
        "output": _port(interpreter.output),
    }


def _counted(ops):
    counts = collections.Counter(op["op_name"] for op in ops)
    return dict(sorted(counts.items()))


def _delegated(path, ops):
    """Finds the ops that the default kernels hand to XNNPACK.

    LiteRT puts one op behind the file's own for each part that it hands
    over; which ops that part stands for follows from its inputs and outputs.
    """
    with quiet.without_messages(show_if_it_fails=False):
        parts = Interpreter(path).ops()[len(ops) :]
    made_by = {index: op for op in ops for index in op["outputs"]}
    op_indices = set()
    for part in parts:
        inputs = set(part["inputs"])
        to_trace = list(part["outputs"])
        while to_trace:
            index = to_trace.pop()
            op = made_by.get(index)
            if index in inputs or op is None or op["index"] in op_indices:
                continue
            op_indices.add(op["index"])
            to_trace += list(op["inputs"])
    return op_indices


def _layer(op, tensors, made_by):
    """Describes a convolution: types, scales and zero points.

    Weights are described as the file stores them, before a DEQUANTIZE.

    Returns: op, name (the Keras layer's, as far as the file tells); input,
        weights, output (types); input_scale, input_zero_point, output_scale,
        output_zero_point and weight_scales (count, min, max), each None for
        floats.
    """
    data, kernel = (tensors[index] for index in op["inputs"][:2])
    output = tensors[op["outputs"][0]]
    name = layer_name(kernel["name"], output["name"])
    source = made_by.get(kernel["index"])
    if source is not None and source["op_name"] == "DEQUANTIZE":
        kernel = tensors[source["inputs"][0]]
    scales = kernel["quantization_parameters"]["scales"]
    spread = None
    if len(scales):
        spread = {
            "count": len(scales),
            "min": float(scales.min()),
            "max": float(scales.max()),
        }
    return {
        "op": op["op_name"],
        "name": name,
        "input": _type(data),
        "weights": _type(kernel),
        "output": _type(output),
        **_grid("input", data),
        "weight_scales": spread,
        **_grid("output", output),
    }


def layer_name(*texts):
    """Gives the Keras layer of a convolution, from names of its tensors.

    The converter writes model/layer/op, and several with ; between where ops
    were fused. Keras 3 has put a number behind the model's and the layer's
    name, tfmot a quant_ in front of the layer's; int8_file writes layer/kernel.
    """
    names = [name.split("/") for text in texts for name in text.split(";")]
    scoped = [parts for parts in names if len(parts) > 2]
    kernels = [parts for parts in scoped if parts[-1].startswith(KERNEL_OPS)]
    if not scoped:
        return names[0][0]
    first = (kernels or scoped)[0]
    if re.search(r"_\d+$", first[0]):
        return re.sub(r"_\d+$", "", first[-2])
    return first[-2].removeprefix("quant_")


def _type(tensor):
    return np.dtype(tensor["dtype"]).name


def _grid(side, tensor):
    scales = tensor["quantization_parameters"]["scales"]
    zeros = tensor["quantization_parameters"]["zero_points"]
    known = len(scales) == 1
    return {
        f"{side}_scale": float(scales[0]) if known else None,
        f"{side}_zero_point": int(zeros[0]) if known else None,
    }


def _port(port):
    return {
        "shape": list(port.shape),
        "dtype": np.dtype(port.dtype).name,
        "scale": port.step,
        "zero_point": port.zero_point,
    }
