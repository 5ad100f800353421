"""Layers that quantize activations and residual branches."""

import keras
import tensorflow as tf

from qmia_tf.quantizers import dorefa, residual
from qmia_tf.quantizers.grids import (
    FLOAT_BITS,
    check_layer_bits,
    linear_grid,
    residual_grid,
    steps,
)


@keras.saving.register_keras_serializable("qmia_tf")
class DoReFaActivation(keras.layers.Layer):
    """Clips to [0, 1] and rounds to 2**bits levels; at 32 bits it is ReLU.

    value: round(clip(x, 0, 1) n) / n, n = 2**bits - 1
    gradient: dy where 0 <= x <= 1

    Put a batch norm in front: without one most units sit at an end of the
    clip and pass no gradient.

    Args:
        bits: int in 1..32.
        clip: at 32 bits, keeps the clip to [0, 1] (without rounding).
    Raises: InputError if bits is outside 1..32.
    Source: DoReFa-Net, section 2.5.
    """

    def __init__(self, bits, *, clip=False, **kwargs):
        super().__init__(**kwargs)
        check_layer_bits(bits, "bits")
        self.bits = bits
        self.clip = clip

    def call(self, inputs):
        """Quantizes inputs, any shape."""
        if self.bits == FLOAT_BITS and not self.clip:
            return tf.nn.relu(inputs)
        return dorefa.quantize_activations(inputs, bits=self.bits)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {**super().get_config(), "bits": self.bits, "clip": self.clip}


@keras.saving.register_keras_serializable("qmia_tf")
class ResidualQuantizer(keras.layers.Layer):
    """Rounds a residual branch to an int8 grid that cannot tie in the sum.

    value: clip(round(x / s), -127, 127) s, s = grids.residual_grid(...)
    gradient: dy where |x| <= 127 s

    With linear=True it is for a tensor that is read by more than one sum:
    s = grids.linear_grid(...).scale and codes reach down to -128, as int8
    kernels have them.

    Args:
        activation_bits: int in 1..8, of the activation behind the sum, or
            of those around a linear tensor.
        projection: whether the shortcut is a convolution.
        linear: whether the tensor is read by other layers than a sum and
            its activation.
    Raises: InputError if activation_bits is outside 1..8.
    """

    def __init__(
        self, activation_bits, *, projection=False, linear=False, **kwargs
    ):
        super().__init__(**kwargs)
        self.activation_bits = activation_bits
        self.projection = projection
        self.linear = linear
        if linear:
            grid = linear_grid(activation_bits)
        else:
            grid = residual_grid(activation_bits, projection=projection)
        self.scale, self._low = grid.scale, grid.low

    def call(self, inputs):
        """Quantizes inputs, any shape."""
        return residual.quantize_residual(
            inputs, scale=self.scale, low=self._low
        )

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {
            **super().get_config(),
            "activation_bits": self.activation_bits,
            "projection": self.projection,
            "linear": self.linear,
        }


@keras.saving.register_keras_serializable("qmia_tf")
class DoReFaAdd(keras.layers.Layer):
    """The end of a residual block: rounded branch, sum, activation.

    value: A(s + R(branch)); R is ResidualQuantizer's, A DoReFaActivation's,
        and s is R(shortcut) for a projection, else the shortcut itself
    gradient: see residual.quantize_sum

    One pass over memory in place of the three layers that it stands for.

    Args:
        activation_bits: int in 1..8.
        projection: whether the shortcut is a convolution.
        rounded: False clips to [0, 1] without rounding, as the last block
            of a network does.
    Raises: InputError if activation_bits is outside 1..8.
    """

    def __init__(
        self, activation_bits, *, projection=False, rounded=True, **kwargs
    ):
        super().__init__(**kwargs)
        self.activation_bits = activation_bits
        self.projection = projection
        self.rounded = rounded
        self.scale = residual_grid(activation_bits, projection=projection).scale

    def call(self, inputs):
        """Takes [shortcut, branch], two tensors of one shape."""
        shortcut, branch = inputs
        return residual.quantize_sum(
            shortcut,
            branch,
            scale=self.scale,
            steps=steps(self.activation_bits) if self.rounded else None,
            projection=self.projection,
        )

    def compute_output_shape(self, input_shape):
        """Returns the shape of either input."""
        return input_shape[0]

    def get_config(self):
        """Returns the arguments that make this layer again."""
        return {
            **super().get_config(),
            "activation_bits": self.activation_bits,
            "projection": self.projection,
            "rounded": self.rounded,
        }
