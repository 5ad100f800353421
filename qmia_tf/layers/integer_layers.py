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

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from qmia_tf.layers.integer_kernels import (
    IntegerConv2D,
    IntegerDense,
    IntegerDepthwiseConv2D,
)
from qmia_tf.layers.levels import (
    FromLevels,
    ToLevels,
    as_grid,
    for_inference,
    limits,
)
from qmia_tf.quantizers.dorefa import fused
from qmia_tf.quantizers.grids import Grid

__all__ = [
    "SOFTMAX_GRID",
    "FromLevels",
    "IntegerAdd",
    "IntegerConv2D",
    "IntegerDense",
    "IntegerDepthwiseConv2D",
    "IntegerSoftmax",
    "ToLevels",
]

SOFTMAX_GRID = Grid(1.0 / 256.0, -128, -128, 127)


@keras.saving.register_keras_serializable("qmia_tf")
class IntegerAdd(keras.layers.Layer):
    """An int8 ADD whose sums never lie half-way between two levels.

    value: clip(round((first * units[0] + second * units[1]) / units[2]))

    Args:
        scales: the two inputs' scales.
        units: (first, second, output) scales as multiples of one unit, three
            integers >= 1.
        grid: grids.Grid of the levels that go out, or its fields.
    """

    def __init__(self, scales, units, grid, **kwargs):
        super().__init__(**for_inference(kwargs))
        self.scales = tuple(float(scale) for scale in scales)
        self.units = tuple(int(unit) for unit in units)
        self.grid = as_grid(grid)

    def call(self, inputs):
        """Takes [first, second], levels of one shape."""
        first, second = inputs
        return _add(first, second, units=self.units, **limits(self.grid))

    def compute_output_shape(self, input_shape):
        """Returns the shape of either input."""
        return input_shape[0]

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {
            **super().get_config(),
            "scales": self.scales,
            "units": self.units,
            "grid": dataclasses.asdict(self.grid),
        }


@keras.saving.register_keras_serializable("qmia_tf")
class IntegerSoftmax(keras.layers.Layer):
    """An int8 SOFTMAX: levels of logits to levels of 1/256, 0 to 255.

    value: round(e_i / sum(e) 256), halves up, e_i = exp(-scale (max -
        level_i)) from a table of 256 floats, summed one class after the other

    Args:
        input_scale: float > 0, of the logits' levels.
    """

    def __init__(self, input_scale, **kwargs):
        super().__init__(**for_inference(kwargs))
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

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {**super().get_config(), "input_scale": self.input_scale}


@fused
def _add(first, second, *, units, low, high):
    total = first * float(units[0]) + second * float(units[1])
    # No tie is possible, so a product may stand for the quotient.
    return tf.clip_by_value(tf.round(total * (1.0 / units[2])), low, high)
