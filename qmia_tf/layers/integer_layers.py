"""Layers that compute what TFLite's int8 kernels compute, bit for bit.

Between them flow levels: codes less their zero point, integers in float32. A
convolution sums integers, adds an int32 bias, and its sum goes through

    level = clip(round(float32(sum) multiplier), low, high)

where multiplier is float32 (input scale * weight scale) / output scale, one an
output channel, and halves go to the even neighbour. That is XNNPACK's
requantization, LiteRT's default kernels; its other kernels round twice.

These layers are for inference. A network of them is made by
`deploy.integer.integer_network.fold`.
"""

import keras
import numpy as np
import tensorflow as tf

from qmia_tf.layers import portable_convolutions
from qmia_tf.layers.config_fields import ElementwiseLayer
from qmia_tf.quantizers.grids import Grid
from qmia_tf.quantizers.quantizer import fused

SOFTMAX_GRID = Grid(1.0 / 256.0, -128, -128, 127)


class _IntegerLayer(ElementwiseLayer):
    def __init__(self, **kwargs):
        # Levels are float32 whatever policy the trained network had.
        kwargs |= {"trainable": False, "dtype": "float32"}
        super().__init__(**kwargs)


def _grid(grid):
    return grid if isinstance(grid, Grid) else Grid(**grid)


def _limits(grid):
    """Returns a grid's ends as levels."""
    return {
        "low": float(grid.low - grid.zero_point),
        "high": float(grid.high - grid.zero_point),
    }


@keras.saving.register_keras_serializable("qmia_tf")
class ToLevels(_IntegerLayer):
    """Rounds floats to the levels of a grid.

    value: clip(round(x / scale), low - zero_point, high - zero_point)

    Args:
        grid: grids.Grid, or its fields as a dict.
    """

    config_fields = ("grid",)

    def __init__(self, grid: Grid | dict, **kwargs):
        super().__init__(**kwargs)
        self.grid = _grid(grid)

    def call(self, inputs):
        """Takes floats of any shape."""
        inverse = 1.0 / self.grid.scale
        return _round_levels(inputs, inverse=inverse, **_limits(self.grid))


@keras.saving.register_keras_serializable("qmia_tf")
class FromLevels(_IntegerLayer):
    """Turns levels into floats: level * scale."""

    config_fields = ("scale",)

    def __init__(self, scale: float, **kwargs):
        super().__init__(**kwargs)
        self.scale = float(scale)

    def call(self, inputs):
        """Takes levels of any shape."""
        return inputs * tf.constant(self.scale, tf.float32)


class _IntegerKernel(_IntegerLayer):
    """What convolutions and dense layers on levels share.

    Args:
        kernel_shape: as the Keras layer's kernel.
        channels: of the output.
        input_scale: of the levels that come in.
        grid: grids.Grid of the levels that go out, or its fields.
        wide: sums may reach 2**24, so they are made in float64.

    Weights: kernel int8, bias int32 [channels], weight_scales float32
    [channels], multipliers float32 [channels].
    """

    config_fields = ("kernel_shape", "channels", "input_scale", "grid", "wide")

    def __init__(
        self,
        kernel_shape: tuple[int, ...],
        channels: int,
        *,
        input_scale: float,
        grid: Grid | dict,
        wide: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_shape = tuple(kernel_shape)
        self.channels = channels
        self.input_scale = float(input_scale)
        self.grid = _grid(grid)
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
            **_limits(self.grid),
        )


class _Windows(_IntegerKernel):
    """A kernel that slides over height and width."""

    config_fields = ("strides", "padding", "dilation_rate")

    def __init__(
        self, *args, strides=(1, 1), padding="same", dilation_rate=(1, 1), **kw
    ):
        super().__init__(*args, **kw)
        self.strides = tuple(strides)
        self.padding = padding
        self.dilation_rate = tuple(dilation_rate)

    def compute_output_shape(self, input_shape):
        """Returns [batch, height, width, channels]."""
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


@keras.saving.register_keras_serializable("qmia_tf")
class IntegerAdd(_IntegerLayer):
    """An int8 ADD whose sums never lie half-way between two levels.

    value: clip(round((first * units[0] + second * units[1]) / units[2]))

    Args:
        scales: the two inputs' scales.
        units: (first, second, output) scales as multiples of one unit, three
            integers >= 1.
        grid: grids.Grid of the levels that go out, or its fields.
    """

    config_fields = ("scales", "units", "grid")

    def __init__(self, scales, units, grid: Grid | dict, **kwargs):
        super().__init__(**kwargs)
        self.scales = tuple(float(scale) for scale in scales)
        self.units = tuple(int(unit) for unit in units)
        self.grid = _grid(grid)

    def call(self, inputs):
        """Takes [first, second], levels of one shape."""
        first, second = inputs
        return _add(first, second, units=self.units, **_limits(self.grid))


@keras.saving.register_keras_serializable("qmia_tf")
class IntegerSoftmax(_IntegerLayer):
    """An int8 SOFTMAX: levels of logits to levels of 1/256, 0 to 255.

    value: round(e_i / sum(e) 256), halves up, e_i = exp(-scale (max -
        level_i)) from a table of 256 floats, summed one class after the other

    Args:
        input_scale: of the logits' levels, > 0.
    """

    config_fields = ("input_scale",)

    def __init__(self, input_scale: float, **kwargs):
        super().__init__(**kwargs)
        self.input_scale = float(input_scale)
        self.grid = SOFTMAX_GRID
        below = -np.float32(self.input_scale) * np.arange(256, dtype="float32")
        # NumPy's float32 exp is a last bit off now and then, other than the C
        # library's, and not the same on every machine.
        self._table = np.exp(below.astype(np.float64)).astype(np.float32)

    def call(self, inputs):
        """Takes levels [batch, classes]."""
        top = tf.reduce_max(inputs, axis=-1, keepdims=True)
        powers = tf.gather(self._table, tf.cast(top - inputs, tf.int32))
        # In the kernel's order: another one may differ in the last bit.
        total = tf.foldl(tf.add, tf.transpose(powers))[:, tf.newaxis]
        inverse = 1.0 / (total * tf.constant(1.0 / 256.0))
        scaled = powers * inverse
        # Halves go up here, other than everywhere else. Adding 0.5 before the
        # floor would round the largest float below 0.5 up as well.
        whole = tf.floor(scaled)
        whole += tf.cast(scaled - whole >= 0.5, tf.float32)
        return tf.minimum(whole, 255.0)


@fused
def _round_levels(x, *, inverse, low, high):
    return tf.clip_by_value(tf.round(x * inverse), low, high)


@fused
def _requantize(sums, bias, multipliers, *, low, high):
    exact = sums + tf.cast(bias, sums.dtype)
    scaled = tf.cast(exact, tf.float32) * multipliers
    return tf.clip_by_value(tf.round(scaled), low, high)


@fused
def _add(first, second, *, units, low, high):
    total = first * float(units[0]) + second * float(units[1])
    # No tie is possible, so a product may stand for the quotient.
    return tf.clip_by_value(tf.round(total * (1.0 / units[2])), low, high)
