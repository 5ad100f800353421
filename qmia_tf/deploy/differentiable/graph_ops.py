"""The ops of classification networks besides layers, in TensorFlow.

Each function takes a Call and gives the op's result in units of the output's
levels, before an activation and rounding. MOVES only move levels: their
results are not rounded again where the two grids are one.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.deploy.differentiable.file_graph import FileOp, FileTensor
from qmia_tf.deploy.differentiable.file_layers import PADDINGS
from qmia_tf.deploy.differentiable.rounding_gradients import (
    AWAY,
    EVEN_CODE,
    EVEN_LEVEL,
    straight_through_round,
)

INF = np.inf
_KINDS = schema.ActivationFunctionType
# Fused activations that clip: the least and the most.
CLIPS = {
    _KINDS.NONE: (-INF, INF),
    _KINDS.RELU: (0.0, INF),
    _KINDS.RELU6: (0.0, 6.0),
    _KINDS.RELU_N1_TO_1: (-1.0, 1.0),
}
DTYPES = {
    schema.TensorType.FLOAT32: tf.float32,
    schema.TensorType.INT32: tf.int32,
    schema.TensorType.INT64: tf.int64,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One op while a network runs.

    Attributes:
        op: the op.
        data: its inputs: float32 levels, or what is no float as it is.
        tensors: what the file says of them.
        output: what it says of the output.
        batch: how many records are run, a scalar; file_batch: how many the
            shapes in the file are of.
    """

    op: FileOp
    data: list
    tensors: list[FileTensor]
    output: FileTensor
    batch: tf.Tensor
    file_batch: int

    @property
    def x(self):
        """The levels of the first input."""
        return self.data[0]

    def ratio(self, index: int = 0) -> np.float32:
        """Levels of the output in one level of an input."""
        return self.tensors[index].scale / self.output.scale

    def constant(self, index: int) -> np.ndarray:
        """The content of an input that must be a constant."""
        if self.tensors[index].content is None:
            raise NotImplementedError(f"input {index} is computed")
        return self.tensors[index].content

    def axes(self, index: int = 1) -> list[int]:
        """The axes in an input."""
        return list(map(int, self.constant(index).reshape(-1)))

    def option(self, name: str, default=None):
        """An option of the op."""
        return self.op.option(name, default)


@dataclasses.dataclass(frozen=True)
class GraphOp:
    """How an op is computed.

    Attributes:
        compute: Call -> result in units of the output's levels.
        moves: whether it only moves levels.
        halves: how its kernel rounds halves.
        clip: the least and the most of it, an activation op.
    """

    compute: Callable
    moves: bool = False
    halves: str = EVEN_LEVEL
    clip: tuple[float, float] = (-INF, INF)


def _of_values(function):
    """An op that computes on the values of its inputs."""

    def compute(call):
        # Less than a rounding error may separate a value from its level.
        values = [
            x if tensor.scale == 1 else x * tensor.scale
            for x, tensor in zip(call.data, call.tensors, strict=True)
        ]
        result = function(call, *values)
        return result if call.output.scale == 1 else result / call.output.scale

    return compute


def _add(call):
    return call.data[0] * call.ratio(0) + call.data[1] * call.ratio(1)


def _subtract(call):
    return call.data[0] * call.ratio(0) - call.data[1] * call.ratio(1)


def _multiply(call):
    factor = call.ratio(0) * call.tensors[1].scale
    return call.data[0] * call.data[1] * factor


def _same_grid(function):
    """An op of several inputs, each in units of the output first."""

    def compute(call):
        parts = [
            x if call.ratio(index) == 1 else x * call.ratio(index)
            for index, x in enumerate(call.data)
        ]
        return function(call, parts)

    return compute


def _first(call):
    return call.x if call.ratio() == 1 else call.x * call.ratio()


def _moving(function):
    """An op that moves its first input's levels."""
    return GraphOp(
        lambda call: function(
            dataclasses.replace(call, data=[_first(call), *call.data[1:]])
        ),
        moves=True,
    )


def _pooled(pool):
    def compute(call):
        pooled = pool(
            call.x,
            ksize=(call.option("filterHeight"), call.option("filterWidth")),
            strides=(call.option("strideH"), call.option("strideW")),
            padding=PADDINGS[call.option("padding")].upper(),
        )
        return pooled if call.ratio() == 1 else pooled * call.ratio()

    return compute


def _reduced(reduce):
    def compute(call):
        keepdims = bool(call.option("keepDims"))
        reduced = reduce(call.x, axis=call.axes(), keepdims=keepdims)
        return reduced if call.ratio() == 1 else reduced * call.ratio()

    return compute


def _padded(call):
    value = 0.0
    if len(call.data) > 2:
        value = float(call.tensors[2].values().reshape(()))
        value /= float(call.output.scale)
    return tf.pad(call.x, call.constant(1), constant_values=value)


def _reshaped(call):
    if len(call.data) > 1 and call.tensors[1].content is None:
        return tf.reshape(call.x, call.data[1])
    shape = list(call.output.shape)
    if len(call.data) > 1:
        shape = call.axes()
    elif call.option("newShape") is not None:
        shape = list(map(int, call.option("newShape")))
    if -1 in shape[1:] or shape[0] > 0:
        # Fixed sizes are of the batch that the file was made for.
        shape[0] = call.output.shape[0] // call.file_batch * call.batch
    return tf.reshape(call.x, shape)


def _squeezed(call):
    axes = call.option("squeezeDims")
    if axes is None or not len(axes):
        sizes = enumerate(call.tensors[0].shape)
        axes = [axis for axis, size in sizes if axis and size == 1]
    return tf.squeeze(call.x, [int(axis) for axis in axes])


def _strided_slice(call):
    fields = ("beginMask", "endMask", "ellipsisMask", "newAxisMask")
    masks = [call.option(name, 0) for name in (*fields, "shrinkAxisMask")]
    return tf.strided_slice(call.x, *call.data[1:], *masks)


def _concatenated(call, parts):
    return tf.concat(parts, call.option("axis"))


def _softmax(call, x):
    return tf.nn.softmax(x * call.option("beta", 1.0))


def _prelu(call, x, alpha):
    return tf.where(x > 0, x, x * alpha)


OPS = {
    "ADD": GraphOp(_add),
    "SUB": GraphOp(_subtract),
    "MUL": GraphOp(_multiply),
    "DIV": GraphOp(_of_values(lambda call, x, y: x / y)),
    "MINIMUM": GraphOp(_same_grid(lambda call, parts: tf.minimum(*parts))),
    "MAXIMUM": GraphOp(_same_grid(lambda call, parts: tf.maximum(*parts))),
    "CONCATENATION": GraphOp(_same_grid(_concatenated), moves=True),
    "QUANTIZE": GraphOp(_first),
    "DEQUANTIZE": GraphOp(_first),
    "AVERAGE_POOL_2D": GraphOp(_pooled(tf.nn.avg_pool2d), halves=AWAY),
    "MAX_POOL_2D": GraphOp(_pooled(tf.nn.max_pool2d), moves=True),
    "MEAN": GraphOp(_reduced(tf.reduce_mean), halves=EVEN_CODE),
    "SUM": GraphOp(_reduced(tf.reduce_sum), halves=EVEN_CODE),
    "REDUCE_MAX": GraphOp(_reduced(tf.reduce_max), moves=True),
    "RELU": GraphOp(_first, clip=CLIPS[_KINDS.RELU]),
    "RELU6": GraphOp(_first, clip=CLIPS[_KINDS.RELU6]),
    "RELU_N1_TO_1": GraphOp(_first, clip=CLIPS[_KINDS.RELU_N1_TO_1]),
    "RELU_0_TO_1": GraphOp(_first, clip=(0.0, 1.0)),
    "LEAKY_RELU": GraphOp(
        _of_values(
            lambda call, x: tf.nn.leaky_relu(x, call.option("alpha", 0.0))
        )
    ),
    "PRELU": GraphOp(_of_values(_prelu)),
    "HARD_SWISH": GraphOp(
        _of_values(lambda call, x: x * (tf.nn.relu6(x + 3.0) / 6.0))
    ),
    "LOGISTIC": GraphOp(_of_values(lambda call, x: tf.sigmoid(x))),
    "TANH": GraphOp(_of_values(lambda call, x: tf.tanh(x))),
    "SOFTMAX": GraphOp(_of_values(_softmax)),
    "ROUND": GraphOp(_of_values(lambda call, x: straight_through_round(x))),
    "PAD": _moving(_padded),
    "PADV2": _moving(_padded),
    "RESHAPE": _moving(_reshaped),
    "SQUEEZE": _moving(_squeezed),
    "EXPAND_DIMS": _moving(lambda call: tf.expand_dims(call.x, *call.axes())),
    "TRANSPOSE": _moving(lambda call: tf.transpose(call.x, call.axes())),
    "STRIDED_SLICE": _moving(_strided_slice),
    "CAST": GraphOp(lambda call: tf.cast(call.x, _dtype(call)), moves=True),
    "SHAPE": GraphOp(lambda call: tf.shape(call.x, _dtype(call)), moves=True),
    "PACK": GraphOp(
        lambda call: tf.stack(call.data, call.option("axis", 0)), moves=True
    ),
}


def _dtype(call):
    return tf.as_dtype(call.output.dtype)
