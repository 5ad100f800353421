"""Writes a .tflite file op by op, so that every number in it is ours.

TFLite's converter derives scales, biases and fusions from a float graph, each
with roundings and conditions of its own. Written directly, a file holds the
very codes, int32 biases and float32 scales that it is given. Needs NumPy,
flatbuffers and ai-edge-litert's schema.
"""

from collections.abc import Callable, Iterable, Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.deploy.tflite.model_file import IDENTIFIER
from qmia_tf.quantizers.grids import Grid

SCHEMA_VERSION = 3
TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.int32): schema.TensorType.INT32,
}


class Writer:
    """A .tflite file that grows by tensors and ops, named by their indices.

    Args:
        description: text for the file's own description.
    """

    def __init__(self, description: str):
        self.description = description
        self._buffers = [schema.BufferT()]
        self._tensors = []
        self._codes = []
        self._ops = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int | None],
        dtype,
        grid: Grid | None = None,
    ) -> int:
        """Adds a tensor that an op computes, or an input.

        The shape is that of one record, without the batch, whose size may
        change, as may every size that is None. Floats have no grid.
        """
        tensor = self._tensor(name, [size or 1 for size in (1, *shape)], dtype)
        tensor.shapeSignature = [size or -1 for size in (None, *shape)]
        if grid is not None:
            scales, zeros = [grid.scale], [grid.zero_point]
            tensor.quantization = _quantization(scales, zeros, 0)
        return len(self._tensors) - 1

    def constant(
        self,
        name: str,
        values: np.ndarray,
        *,
        scales: np.ndarray | None = None,
        axis: int = 0,
    ) -> int:
        """Adds a constant of float32, int8 or int32.

        The scales are those of the channels along axis, their zero points 0;
        plain numbers have none.
        """
        tensor = self._tensor(name, values.shape, values.dtype)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        tensor.buffer = len(self._buffers)
        self._buffers.append(buffer)
        if scales is not None:
            zeros = np.zeros(len(scales))
            tensor.quantization = _quantization(scales, zeros, axis)
        return len(self._tensors) - 1

    def op(
        self,
        name: str,
        inputs: Iterable[int],
        outputs: Iterable[int],
        *,
        version: int = 1,
        options: str | None = None,
        **fields,
    ) -> None:
        """Adds an op, named as in the schema, for example "CONV_2D".

        Which version a type needs is the schema's. The options are one of its
        tables, for example "Conv2DOptions", the fields that one's.
        """
        op = schema.OperatorT()
        builtin = getattr(schema.BuiltinOperator, name)
        op.opcodeIndex = self._code(builtin, version)
        op.inputs, op.outputs = list(inputs), list(outputs)
        if options is not None:
            op.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            op.builtinOptions = getattr(schema, f"{options}T")()
            for field, value in fields.items():
                setattr(op.builtinOptions, field, value)
        self._ops.append(op)

    def to_bytes(
        self, inputs: dict[str, int], outputs: dict[str, int]
    ) -> bytes:
        """Returns the file; the names are those of its one signature."""
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors, graph.operators = self._tensors, self._ops
        graph.inputs = list(inputs.values())
        graph.outputs = list(outputs.values())
        model = schema.ModelT()
        model.version = SCHEMA_VERSION
        model.description = self.description
        model.operatorCodes = self._codes
        model.subgraphs = [graph]
        model.buffers = self._buffers
        model.signatureDefs = [_signature(inputs, outputs)]
        return pack(model)

    def _tensor(self, name, shape, dtype):
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = [int(size) for size in shape]
        tensor.type = TYPES[np.dtype(dtype)]
        tensor.buffer = 0
        self._tensors.append(tensor)
        return tensor

    def _code(self, builtin, version):
        for index, code in enumerate(self._codes):
            if (code.builtinCode, code.version) == (builtin, version):
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = builtin
        # Readers from before 2020 know the first 127 only, by this field.
        code.deprecatedBuiltinCode = min(builtin, 127)
        code.version = version
        self._codes.append(code)
        return len(self._codes) - 1


def pack(model: schema.ModelT) -> bytes:
    """Returns the .tflite file of a model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def unpack(content: bytes) -> schema.ModelT:
    """Returns the model of a .tflite file."""
    return schema.ModelT.InitFromPackedBuf(content, 0)


def with_outputs(
    content: bytes, wanted: Callable[[schema.TensorT], bool]
) -> bytes:
    """Returns a .tflite file with other outputs, its ops unchanged.

    What a delegate computes between its ends is not to be seen from outside;
    as an output it is.
    """
    model = unpack(content)
    (graph,) = model.subgraphs
    op_outputs = [index for op in graph.operators for index in op.outputs]
    return with_output_indices(
        model,
        [index for index in op_outputs if wanted(graph.tensors[index])],
    )


def with_output_indices(model: schema.ModelT, indices: list[int]) -> bytes:
    """Returns the file of a model of one graph with these outputs."""
    (graph,) = model.subgraphs
    graph.outputs = indices
    model.signatureDefs = []
    return pack(model)


def is_int8(tensor: schema.TensorT) -> bool:
    """Tells whether a tensor holds int8 codes."""
    return tensor.type == schema.TensorType.INT8


def _quantization(scales, zero_points, axis):
    quantization = schema.QuantizationParametersT()
    quantization.scale = np.asarray(scales, np.float32)
    quantization.zeroPoint = np.asarray(zero_points, np.int64)
    quantization.quantizedDimension = axis
    return quantization


def _signature(inputs, outputs):
    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.inputs = _signature_tensors(inputs)
    signature.outputs = _signature_tensors(outputs)
    signature.subgraphIndex = 0
    return signature


def _signature_tensors(tensors):
    maps = [schema.TensorMapT() for _ in tensors]
    for entry, (name, index) in zip(maps, tensors.items(), strict=True):
        entry.name, entry.tensorIndex = name, index
    return maps
