"""The layers of a .tflite file: convolutions and dense layers with weights.

Between ops flow levels: codes less their zero point, in float32; floats are
levels of scale 1. A layer's sum of levels is that of integers, exact up to
2**24, so that its codes are those of LiteRT's default kernels.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.deploy.differentiable.file_graph import FileOp, FileTensor
from qmia_tf.deploy.differentiable.rounding_gradients import (
    straight_through_round,
)
from qmia_tf.layers import portable_convolutions

PADDINGS = {schema.Padding.SAME: "same", schema.Padding.VALID: "valid"}
CONV, DEPTHWISE, DENSE = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"
LAYERS = (CONV, DEPTHWISE, DENSE)
BYTE = 255.0


@dataclasses.dataclass(frozen=True, eq=False)
class FileLayer:
    """A convolution or a dense layer, with its dequantized weights.

    Attributes:
        name: the Keras layer's, as far as the file tells.
        op: its op.
        kernel: tf.Variable float32, [height, width, channels / groups,
            filters], depthwise [height, width, channels, multiple], dense
            [inputs, units].
        bias: tf.Variable float32 [filters]; zeros where the file has none.
        scales: float32 of the kernel's codes, one or a filter's; None of
            floats.
        is_dynamic: whether the file rounds this layer's float inputs, each
            record to a grid of its own.
        places: how often the kernel lies on a record.
    """

    name: str
    op: FileOp
    kernel: tf.Variable
    bias: tf.Variable
    scales: np.ndarray | None
    is_dynamic: bool
    places: int

    @property
    def depth(self) -> int:
        """How many inputs a sum is of."""
        is_depthwise = self.op.name == DEPTHWISE
        return math.prod(self.kernel.shape[: 2 if is_depthwise else -1])

    @property
    def seen(self) -> int:
        """How many inputs all sums of a place are of, without groups."""
        is_depthwise = self.op.name == DEPTHWISE
        return math.prod(self.kernel.shape[: 3 if is_depthwise else -1])

    @property
    def trainable_weights(self) -> list[tf.Variable]:
        """Kernel and bias."""
        return [self.kernel, self.bias]

    @property
    def windows(self) -> dict:
        """Strides, padding and dilation, as arguments of a convolution."""
        option = self.op.option
        return {
            "strides": (option("strideH"), option("strideW")),
            "padding": PADDINGS[option("padding")],
            "dilation_rate": (
                option("dilationHFactor") or 1,
                option("dilationWFactor") or 1,
            ),
        }

    def groups(self, channels: int) -> int:
        """How many groups the channels of the input form."""
        is_conv = self.op.name == CONV
        return channels // self.kernel.shape[2] if is_conv else 1

    def inputs(self, x):
        """The levels that are summed, of those that come in."""
        return _rounded_by_record(x) if self.is_dynamic else x

    def call(self, x, scale, output_scale):
        """Sums the input's levels, in units of the output's levels.

        Args:
            x: of `inputs`.
            scale: of the input.
            output_scale: of the output.
        """
        kernel, factor = self.kernel, scale / output_scale
        if self.scales is not None:
            kernel = straight_through_round(kernel / self._kernel_scales)
            factor = scale * self.scales / output_scale
        sums = self._sums(x, kernel)
        if self.scales is None or self.is_dynamic:
            return sums * factor + self.bias / output_scale
        levels = straight_through_round(self.bias / (scale * self.scales))
        return (sums + levels) * factor

    @property
    def _kernel_scales(self):
        if self.op.name == DEPTHWISE and self.scales.size > 1:
            return self.scales.reshape(self.kernel.shape[2:])
        return self.scales

    def _sums(self, x, kernel):
        if self.op.name == DENSE:
            if not self.op.option("keepNumDims"):
                x = tf.reshape(x, (-1, kernel.shape[0]))
            return tf.matmul(x, kernel)
        if self.op.name == DEPTHWISE:
            return portable_convolutions.depthwise_conv2d(
                x, kernel, **self.windows
            )
        groups = self.groups(x.shape[-1])
        # TensorFlow's own kernels have no gradients of groups.
        parts = zip(
            tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True
        )
        sums = [
            portable_convolutions.conv2d(*part, **self.windows)
            for part in parts
        ]
        return sums[0] if groups == 1 else tf.concat(sums, -1)


@dataclasses.dataclass(frozen=True, eq=False)
class LayerCall:
    """A layer while a network runs.

    Attributes:
        layer: the layer.
        inputs: the values that it sums.
        sums: its sums, in units of the output's levels.
        output_scale: of the output.
    """

    layer: FileLayer
    inputs: tf.Tensor
    sums: tf.Tensor
    output_scale: np.float32


def make_layer(
    op: FileOp,
    source: FileTensor,
    kernel: FileTensor,
    bias: FileTensor | None,
    *,
    output: FileTensor,
    name: str,
    places: int,
) -> FileLayer:
    """Makes the layer of an op from the file's constants."""
    # Converters leave out a bias of zeros.
    zeros = np.zeros(math.prod(output.shape[-1:]), np.float32)
    return FileLayer(
        name=name,
        places=places,
        op=op,
        kernel=_variable(_as_keras(op.name, kernel.values(), source)),
        bias=_variable(zeros if bias is None else bias.values().reshape(-1)),
        scales=kernel.scales if kernel.is_quantized else None,
        is_dynamic=kernel.is_quantized and not source.is_quantized,
    )


def _variable(values):
    return tf.Variable(values, trainable=True, dtype=tf.float32)


def _as_keras(name, kernel, source):
    """Lays a kernel out as Keras does."""
    if name == CONV:
        return kernel.transpose(1, 2, 3, 0)
    if name == DENSE:
        return kernel.T
    return kernel.reshape(*kernel.shape[1:3], source.shape[-1], -1)


def _rounded_by_record(x):
    """Rounds floats to 8 bits between a record's own ends, straight through.

    What LiteRT's kernels do with the input of a layer of int8 weights.
    """
    rows = tf.stop_gradient(tf.reshape(x, (tf.shape(x)[0], -1)))
    low = tf.minimum(tf.reduce_min(rows, axis=1), 0.0)
    high = tf.maximum(tf.reduce_max(rows, axis=1), 0.0)
    scale = (high - low) / BYTE
    scale = tf.where(scale > 0, scale, tf.ones_like(scale))
    scale = tf.reshape(scale, (-1, *[1] * (len(x.shape) - 1)))
    return straight_through_round(x / scale) * scale
