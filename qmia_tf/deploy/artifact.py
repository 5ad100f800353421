"""What a .tflite file really holds: its ops, types and sizes.

Read from the file through LiteRT, not from what the converter was asked for.
"""

import collections
import pathlib

import numpy as np

from qmia_tf import runs
from qmia_tf.deploy.interpreter import Interpreter

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def describe(path):
    """Says what a .tflite file holds.

    Args:
        path: the file.
    Returns: dict: file, sha256, size_bytes, ops {name: count}, flex (names of
        ops that need TensorFlow), layers (for each convolution and fully
        connected op the types of its input, weights and output), input and
        output (shape, dtype, scale, zero_point; -1 marks a size that may
        change).
    Raises: InputError if the file cannot be run.
    """
    path = pathlib.Path(path)
    # Without delegates, because a delegate hides the ops that it took over.
    interpreter = Interpreter(path, kernels="builtin")
    ops = interpreter.ops()
    types = {entry["index"]: entry["dtype"] for entry in interpreter.tensors()}
    counts = collections.Counter(op["op_name"] for op in ops)
    return {
        "file": path.name,
        "sha256": runs.sha256(path),
        "size_bytes": path.stat().st_size,
        "ops": dict(sorted(counts.items())),
        "flex": sorted(name for name in counts if name.startswith("Flex")),
        "layers": [
            _layer(op, types) for op in ops if op["op_name"] in CONVOLUTIONS
        ],
        "input": _port(interpreter.input),
        "output": _port(interpreter.output),
    }


def _layer(op, types):
    data, weights = op["inputs"][:2]
    return {
        "op": op["op_name"],
        "input": np.dtype(types[data]).name,
        "weights": np.dtype(types[weights]).name,
        "output": np.dtype(types[op["outputs"][0]]).name,
    }


def _port(port):
    return {
        "shape": list(port.shape),
        "dtype": np.dtype(port.dtype).name,
        "scale": port.step,
        "zero_point": port.zero_point,
    }
