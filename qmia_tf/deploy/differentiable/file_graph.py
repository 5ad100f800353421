"""The tensors and ops of a .tflite file, read from its flatbuffer.

Needs NumPy and ai-edge-litert's schema only.
"""

import dataclasses
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.deploy.tflite import bounds, flatbuffer
from qmia_tf.deploy.tflite.ports import Port
from qmia_tf.errors import InputError

TYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT64: np.int64,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT16: np.int16,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.BOOL: np.bool_,
}


def _names(kinds) -> dict[int, str]:
    return {
        number: name
        for name, number in vars(kinds).items()
        if isinstance(number, int)
    }


OP_NAMES = _names(schema.BuiltinOperator)
TYPE_NAMES = _names(schema.TensorType)


@dataclasses.dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor of a file.

    Attributes:
        name: in the file.
        dtype: NumPy type.
        shape: of the file; an open size is 1.
        is_open: whether the first size, the batch, may change.
        scales: float32 [1] or [channels]; empty of plain numbers.
        zero_points: int64, as many.
        axis: the channels' axis, of several scales.
        content: what a constant holds, None of others.
    """

    name: str
    dtype: type
    shape: tuple[int, ...]
    is_open: bool
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    content: np.ndarray | None

    @property
    def is_quantized(self) -> bool:
        """Whether its integers are codes of values."""
        return self.scales.size > 0 and np.issubdtype(self.dtype, np.integer)

    @property
    def scale(self) -> np.float32:
        """Distance of neighbouring codes; 1 of plain numbers."""
        return self.scales[0] if self.is_quantized else np.float32(1)

    @property
    def levels(self) -> tuple[int, int]:
        """The lowest and highest code, less the zero point."""
        limits, zero = np.iinfo(self.dtype), int(self.zero_points[0])
        return int(limits.min) - zero, int(limits.max) - zero

    @property
    def channel_scales(self) -> np.ndarray:
        """The scales in a shape that goes with the content."""
        return self._along_axis(self.scales)

    def values(self) -> np.ndarray:
        """What the content stands for: float32, or plain integers."""
        if not self.is_quantized:
            is_float = np.issubdtype(self.dtype, np.floating)
            return self.content.astype(np.float32 if is_float else self.dtype)
        levels = self.content.astype(np.int64) - self._along_axis(
            self.zero_points
        )
        return levels.astype(np.float32) * self.channel_scales

    def port(self, index: int) -> Port:
        """This tensor as the input or output of its file."""
        batch = -1 if self.is_open else self.shape[0]
        return Port(
            index=index,
            shape=(batch, *self.shape[1:]),
            dtype=self.dtype,
            step=float(self.scale) if self.is_quantized else 0.0,
            zero_point=int(self.zero_points[0]) if self.is_quantized else 0,
        )

    def _along_axis(self, numbers):
        if numbers.size == 1:
            return numbers
        shape = [1] * len(self.shape)
        shape[self.axis] = -1
        return numbers.reshape(shape)


@dataclasses.dataclass(frozen=True, eq=False)
class FileOp:
    """An op of a file.

    Attributes:
        index: its place in the file.
        name: of the schema, such as "CONV_2D"; a custom op's own.
        inputs: indices of tensors, -1 of those left out.
        outputs: likewise.
        options: its options in the schema, None if it has none.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any

    def option(self, name: str, default=None):
        """One of its options; the default where it has none."""
        return getattr(self.options, name, default)


@dataclasses.dataclass(frozen=True, eq=False)
class FileGraph:
    """The one graph of a file, from one input to one output.

    Attributes:
        source: what messages call the file.
        tensors: in the file's order.
        ops: in the order in which they are run.
        input: index of a tensor.
        output: likewise.
    """

    source: str
    tensors: list[FileTensor]
    ops: list[FileOp]
    input: int
    output: int

    def refusal(self, reason: str) -> InputError:
        """The error of a file that cannot be made differentiable."""
        return InputError(
            f"{self.source} cannot be made differentiable: {reason}"
        )


def read(content: bytes, source) -> FileGraph:
    """Reads the graph of a .tflite file.

    Raises: InputError if the file is damaged, or has several subgraphs,
        inputs or outputs, or a tensor of a type that is not understood.
    """
    bounds.check(content, source)
    model = flatbuffer.unpack(content)
    graph = FileGraph(str(source), [], [], 0, 0)
    if len(model.subgraphs) != 1:
        raise graph.refusal(
            f"it has {len(model.subgraphs)} subgraphs, and one is needed"
        )
    (main,) = model.subgraphs
    for what, ends in (("input", main.inputs), ("output", main.outputs)):
        if len(ends) != 1:
            raise graph.refusal(f"it has {len(ends)} {what}s, one is needed")
    tensors = [
        _tensor(graph, tensor, model.buffers[tensor.buffer])
        for tensor in main.tensors
    ]
    operators = [] if main.operators is None else main.operators
    return dataclasses.replace(
        graph,
        tensors=tensors,
        ops=[_op(model, index, op) for index, op in enumerate(operators)],
        input=int(main.inputs[0]),
        output=int(main.outputs[0]),
    )


def _op(model, index, op):
    code = model.operatorCodes[op.opcodeIndex]
    # Older files know the second field only.
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = code.customCode or OP_NAMES.get(builtin, f"op code {builtin}")
    return FileOp(
        index=index,
        name=name.decode(errors="replace") if isinstance(name, bytes) else name,
        inputs=_indices(op.inputs),
        outputs=_indices(op.outputs),
        options=op.builtinOptions,
    )


def _indices(vector):
    return () if vector is None else tuple(map(int, vector))


def _tensor(graph, tensor, buffer):
    name = (tensor.name or b"").decode(errors="replace")
    dtype = TYPES.get(tensor.type)
    grid = tensor.quantization
    if dtype is None or tensor.sparsity is not None or tensor.isVariable:
        kind = TYPE_NAMES.get(tensor.type, tensor.type)
        kind = "sparse" if tensor.sparsity is not None else kind
        kind = "a variable" if tensor.isVariable else kind
        raise graph.refusal(f"its tensor {name!r} is {kind}")
    if grid is not None and grid.details is not None:
        raise graph.refusal(f"its tensor {name!r} is quantized in blocks")
    shape, signature = _indices(tensor.shape), _indices(tensor.shapeSignature)
    content = None
    if buffer.data is not None and len(buffer.data):
        raw = np.asarray(buffer.data, np.uint8).tobytes()
        content = np.frombuffer(raw, dtype).reshape(shape)
    has_scales = grid is not None and grid.scale is not None
    return FileTensor(
        name=name,
        dtype=dtype,
        shape=shape,
        is_open=bool(signature) and signature[0] == -1,
        scales=np.asarray(grid.scale if has_scales else (), np.float32),
        zero_points=np.asarray(grid.zeroPoint if has_scales else (), np.int64),
        axis=grid.quantizedDimension if has_scales else 0,
        content=content,
    )


def as_floats(tensor: FileTensor, name: str) -> FileTensor:
    """The float32 constant that a DEQUANTIZE makes of a stored one."""
    none = np.zeros(0)
    return dataclasses.replace(
        tensor,
        name=name,
        dtype=np.float32,
        content=tensor.values(),
        scales=none,
        zero_points=none,
    )
