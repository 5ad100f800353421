"""Average pooling that stays on the grid of its input."""

import math

import keras
import tensorflow as tf

from qmia_tf.errors import InputError
from qmia_tf.quantizers.dorefa import fused


@keras.saving.register_keras_serializable("qmia_tf")
class RoundedAveragePooling2D(keras.layers.AveragePooling2D):
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
        scale: float > 0, of the grid: 1 / n behind a DoReFaActivation.
    Raises: InputError if scale is not above 0.
    """

    def __init__(
        self, pool_size, *, scale, strides=None, padding="valid", **kwargs
    ):
        super().__init__(pool_size, strides=strides, padding=padding, **kwargs)
        if not scale > 0:
            raise InputError(f"scale must be above 0, got {scale!r}")
        self.scale = float(scale)

    def call(self, inputs):
        """Takes values on the grid [batch, height, width, channels]."""
        nudge = 0.25 / math.prod(self.pool_size)
        means = super().call(_levels(inputs, scale=self.scale))
        return _values(means, scale=self.scale, nudge=nudge)

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {**super().get_config(), "scale": self.scale}


def _levels(x, *, scale):
    """Gives levels, integers, which float32 sums exactly.

    value: round(x / scale)        gradient: dy / scale
    """

    @tf.custom_gradient
    def levels(x):
        return _round_scaled(x, by=1.0 / scale), lambda dy: dy * (1.0 / scale)

    return levels(x)


def _values(means, *, scale, nudge):
    """Rounds means and gives values.

    value: round(means + nudge) scale        gradient: dy scale
    """

    @tf.custom_gradient
    def values(means):
        return _round_nudged(
            means, scale=scale, nudge=nudge
        ), lambda dy: dy * scale

    return values(means)


@fused
def _round_scaled(x, *, by):
    return tf.round(x * by)


@fused
def _round_nudged(means, *, scale, nudge):
    return tf.round(means + nudge) * scale
