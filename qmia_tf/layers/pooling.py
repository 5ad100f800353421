"""Average pooling that stays on the grid of its input."""

import math

import keras
import tensorflow as tf

from qmia_tf.errors import InputError
from qmia_tf.layers.config_fields import ConfigFields
from qmia_tf.quantizers.quantizer import fused


@keras.saving.register_keras_serializable("qmia_tf")
class RoundedAveragePooling2D(ConfigFields, keras.layers.AveragePooling2D):
    """Averages values on a grid and rounds the average to that grid.

    value: round(average(x / scale) + 1 / (4 count)) scale, count the places
        of a window
    gradient: that of the average (straight-through)

    The quarter of a step of the sum is what makes halves go up: an average
    of four codes is half-way between two codes one time in four, and kernels
    do not agree on where it goes then. With it nothing can tie.

    Args:
        pool_size, strides, padding, **kwargs: as for
            keras.layers.AveragePooling2D.
        scale: of the grid, > 0: 1 / n behind a DoReFaActivation.
    Raises: InputError if scale is not above 0.
    """

    config_fields = ("scale",)

    def __init__(
        self,
        pool_size,
        *,
        scale: float,
        strides=None,
        padding="valid",
        **kwargs,
    ):
        super().__init__(pool_size, strides=strides, padding=padding, **kwargs)
        if not scale > 0:
            raise InputError(f"scale must be above 0, got {scale!r}")
        self.scale = float(scale)

    def call(self, inputs):
        """Takes values on the grid [batch, height, width, channels]."""
        # Levels are integers, which float32 sums exactly.
        levels = _rounded(inputs, into=1.0 / self.scale, out=1.0, nudge=0.0)
        nudge = 0.25 / math.prod(self.pool_size)
        means = super().call(levels)
        return _rounded(means, into=1.0, out=self.scale, nudge=nudge)


def _rounded(x, *, into, out, nudge):
    """Scales, rounds and scales.

    value: round(x into + nudge) out        gradient: dy into out
    """

    @tf.custom_gradient
    def rounded(x):
        value = _round_scaled(x, into=into, out=out, nudge=nudge)
        return value, lambda dy: dy * (into * out)

    return rounded(x)


@fused
def _round_scaled(x, *, into, out, nudge):
    return tf.round(x * into + nudge) * out
