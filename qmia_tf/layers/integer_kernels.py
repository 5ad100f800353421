"""Integer convolutions and dense layers: levels in, levels out.

A kernel sums integers and adds an int32 bias; its sum goes through

    level = clip(round(float32(sum) multiplier), low, high)

with halves to the even neighbour, which is XNNPACK's requantization.
"""

import dataclasses

import keras
import tensorflow as tf

from qmia_tf.layers import portable_convolutions
from qmia_tf.layers.levels import as_grid, for_inference, limits
from qmia_tf.quantizers.dorefa import fused


class _IntegerKernel(keras.layers.Layer):
    """What convolutions and dense layers on levels share.

    Args:
        kernel_shape: as the Keras layer's kernel.
        channels: int, output channels.
        input_scale: float, of the levels that come in.
        grid: grids.Grid of the levels that go out, or its fields.
        wide: sums may reach 2**24, so they are made in float64.

    Weights: kernel int8, bias int32 [channels], weight_scales float32
    [channels], multipliers float32 [channels].
    """

    def __init__(
        self,
        kernel_shape,
        channels,
        *,
        input_scale,
        grid,
        wide=False,
        **kwargs,
    ):
        super().__init__(**for_inference(kwargs))
        self.kernel_shape = tuple(kernel_shape)
        self.channels = channels
        self.input_scale = float(input_scale)
        self.grid = as_grid(grid)
        self.wide = wide

    def build(self, input_shape):
        """Makes the weights."""
        del input_shape
        vector = (self.channels,)
        self.kernel = self._weight("kernel", self.kernel_shape, "int8")
        self.bias = self._weight("bias", vector, "int32")
        self.weight_scales = self._weight("weight_scales", vector, "float32")
        self.multipliers = self._weight("multipliers", vector, "float32")

    def _weight(self, name, shape, dtype):
        return self.add_weight(
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            autocast=False,
            name=name,
        )

    def call(self, inputs):
        """Takes levels, gives levels."""
        dtype = tf.float64 if self.wide else tf.float32
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), dtype)
        sums = self._sums(tf.cast(inputs, dtype), kernel)
        return _requantize(
            sums,
            tf.convert_to_tensor(self.bias),
            tf.convert_to_tensor(self.multipliers),
            **limits(self.grid),
        )

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {
            **super().get_config(),
            "kernel_shape": self.kernel_shape,
            "channels": self.channels,
            "input_scale": self.input_scale,
            "grid": dataclasses.asdict(self.grid),
            "wide": self.wide,
        }


class _Windows(_IntegerKernel):
    """A kernel that slides over height and width."""

    def __init__(
        self, *args, strides=(1, 1), padding="same", dilation_rate=(1, 1), **kw
    ):
        super().__init__(*args, **kw)
        self.strides = tuple(strides)
        self.padding = padding
        self.dilation_rate = tuple(dilation_rate)

    def compute_output_shape(self, input_shape):
        """Returns [batch, height, width, channels]."""
        # Without this Keras traces the layer to find out, the slower way.
        sizes = []
        for size, taps, stride, rate in zip(
            input_shape[1:3],
            self.kernel_shape,
            self.strides,
            self.dilation_rate,
            strict=False,
        ):
            cut = (taps - 1) * rate if self.padding == "valid" else 0
            sizes.append(None if size is None else -((cut - size) // stride))
        return (input_shape[0], *sizes, self.channels)

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {
            **super().get_config(),
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
        }


@keras.saving.register_keras_serializable("qmia_tf")
class IntegerConv2D(_Windows):
    """An int8 CONV_2D; kernel [height, width, inputs, channels]."""

    def _sums(self, inputs, kernel):
        return tf.nn.conv2d(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding.upper(),
            dilations=self.dilation_rate,
        )


@keras.saving.register_keras_serializable("qmia_tf")
class IntegerDepthwiseConv2D(_Windows):
    """An int8 DEPTHWISE_CONV_2D; kernel [height, width, inputs, multiple]."""

    def _sums(self, inputs, kernel):
        return portable_convolutions.depthwise_conv2d(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        )


@keras.saving.register_keras_serializable("qmia_tf")
class IntegerDense(_IntegerKernel):
    """An int8 FULLY_CONNECTED; kernel [inputs, channels]."""

    def _sums(self, inputs, kernel):
        return tf.matmul(inputs, kernel)

    def compute_output_shape(self, input_shape):
        """Returns [batch, channels]."""
        return (*input_shape[:-1], self.channels)


@fused
def _requantize(sums, bias, multipliers, *, low, high):
    exact = sums + tf.cast(bias, sums.dtype)
    scaled = tf.cast(exact, tf.float32) * multipliers
    return tf.clip_by_value(tf.round(scaled), low, high)
