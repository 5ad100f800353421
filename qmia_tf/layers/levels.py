"""Levels: the codes of a grid less its zero point, integers in float32."""

import dataclasses

import keras
import tensorflow as tf

from qmia_tf.quantizers.dorefa import fused
from qmia_tf.quantizers.grids import Grid


@keras.saving.register_keras_serializable("qmia_tf")
class ToLevels(keras.layers.Layer):
    """Rounds floats to the levels of a grid.

    value: clip(round(x / scale), low - zero_point, high - zero_point)

    Args:
        grid: grids.Grid, or its fields as a dict.
    """

    def __init__(self, grid, **kwargs):
        super().__init__(**for_inference(kwargs))
        self.grid = as_grid(grid)

    def call(self, inputs):
        """Takes floats of any shape."""
        return _round_levels(
            inputs, inverse=1.0 / self.grid.scale, **limits(self.grid)
        )

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {**super().get_config(), "grid": dataclasses.asdict(self.grid)}


@keras.saving.register_keras_serializable("qmia_tf")
class FromLevels(keras.layers.Layer):
    """Turns levels into floats: level * scale.

    Args:
        scale: float > 0.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**for_inference(kwargs))
        self.scale = float(scale)

    def call(self, inputs):
        """Takes levels of any shape."""
        return inputs * tf.constant(self.scale, tf.float32)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {**super().get_config(), "scale": self.scale}


@fused
def _round_levels(x, *, inverse, low, high):
    return tf.clip_by_value(tf.round(x * inverse), low, high)


def limits(grid):
    """Returns a grid's ends as levels, floats, by the names low and high."""
    return {
        "low": float(grid.low - grid.zero_point),
        "high": float(grid.high - grid.zero_point),
    }


def as_grid(grid):
    """Returns a grids.Grid, which may be given as the dict of its fields."""
    return grid if isinstance(grid, Grid) else Grid(**grid)


def for_inference(kwargs):
    """Returns a layer's arguments for inference in float32."""
    # Levels are float32 whatever policy the trained network had.
    return {**kwargs, "trainable": False, "dtype": "float32"}
