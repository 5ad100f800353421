"""What a .tflite file holds, read from the flatbuffer without a runtime."""

import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

TYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.UINT8: np.uint8,
}
KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclasses.dataclass
class Tensor:
    dtype: type
    shape: tuple
    values: np.ndarray | None
    scales: np.ndarray
    zero_points: np.ndarray


@dataclasses.dataclass
class Op:
    name: str
    inputs: list
    outputs: list


def read(content):
    """Returns the ops of the first subgraph, their tensors in them."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    names = {
        code: name
        for name, code in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    graph = model.subgraphs[0]
    tensors = [_tensor(model, tensor) for tensor in graph.tensors]
    return [
        Op(
            names[model.operatorCodes[op.opcodeIndex].builtinCode],
            [tensors[index] for index in op.inputs if index >= 0],
            [tensors[index] for index in op.outputs],
        )
        for op in graph.operators
    ]


def kernels(content):
    """Returns (data, stored weights, output) of every convolution."""
    ops = read(content)
    stored = {
        id(op.outputs[0]): op.inputs[0] for op in ops if op.name == "DEQUANTIZE"
    }
    return [
        (
            op.inputs[0],
            stored.get(id(op.inputs[1]), op.inputs[1]),
            op.outputs[0],
        )
        for op in ops
        if op.name in KERNELS
    ]


def _tensor(model, tensor):
    dtype = TYPES[tensor.type]
    data = model.buffers[tensor.buffer].data
    values = None
    if data is not None:
        raw = np.asarray(data, np.uint8).tobytes()
        values = np.frombuffer(raw, dtype).reshape(tensor.shape)
    grid = tensor.quantization
    known = grid is not None and grid.scale is not None
    return Tensor(
        dtype,
        tuple(tensor.shape),
        values,
        np.asarray(grid.scale) if known else np.zeros(0),
        np.asarray(grid.zeroPoint) if known else np.zeros(0),
    )
