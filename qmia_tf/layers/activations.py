"""Layers that quantize activations and residual branches."""

import keras
import tensorflow as tf

from qmia_tf import quantizers
from qmia_tf.layers.config_fields import ElementwiseLayer
from qmia_tf.quantizers.dorefa import DoReFaActivations
from qmia_tf.quantizers.grids import (
    FLOAT_BITS,
    check_layer_bits,
    residual_grid,
    steps,
)
from qmia_tf.quantizers.residual import ResidualBranch, quantize_sum


@keras.saving.register_keras_serializable("qmia_tf")
class Quantize(ElementwiseLayer):
    """Quantizes its inputs, any shape.

    Args:
        quantizer: a quantizers.quantizer.Quantizer, or the configuration of
            one that quantizers.serialize returned.
    """

    def __init__(self, quantizer, **kwargs):
        super().__init__(**kwargs)
        self.quantizer = quantizers.get(quantizer)

    def call(self, inputs):
        """Quantizes inputs, any shape."""
        return self.quantizer(inputs)

    def get_config(self):
        """Returns the arguments that make this layer again."""
        quantizer = quantizers.serialize(self.quantizer)
        return {**super().get_config(), "quantizer": quantizer}


@keras.saving.register_keras_serializable("qmia_tf")
class DoReFaActivation(ElementwiseLayer):
    """Clips to [0, 1] and rounds to 2**bits levels; at 32 bits it is ReLU.

    See quantizers.dorefa.DoReFaActivations. Put a batch norm in front: without
    one most units sit at an end of the clip and pass no gradient.

    Args:
        bits: 1..32.
        clip: at 32 bits, keeps the clip to [0, 1] (without rounding).
    Raises: InputError if bits is outside 1..32.
    """

    config_fields = ("bits", "clip")

    def __init__(self, bits: int, *, clip: bool = False, **kwargs):
        super().__init__(**kwargs)
        check_layer_bits(bits, "bits")
        self.bits = bits
        self.clip = clip
        self.quantizer = DoReFaActivations(bits)

    def call(self, inputs):
        """Quantizes inputs, any shape."""
        if self.bits == FLOAT_BITS and not self.clip:
            return tf.nn.relu(inputs)
        return self.quantizer(inputs)


@keras.saving.register_keras_serializable("qmia_tf")
class ResidualQuantizer(ElementwiseLayer):
    """Rounds a residual branch to an int8 grid that cannot tie in the sum.

    The arguments are those of quantizers.residual.ResidualBranch.

    Raises: InputError if activation_bits is outside 1..8.
    """

    config_fields = ("activation_bits", "projection", "linear")

    def __init__(
        self,
        activation_bits: int,
        *,
        projection: bool = False,
        linear: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.activation_bits = activation_bits
        self.projection = projection
        self.linear = linear
        self.quantizer = ResidualBranch(activation_bits, projection, linear)
        self.scale = self.quantizer.grid.scale

    def call(self, inputs):
        """Quantizes inputs, any shape."""
        return self.quantizer(inputs)


@keras.saving.register_keras_serializable("qmia_tf")
class DoReFaAdd(ElementwiseLayer):
    """The end of a residual block: rounded branch, sum, activation.

    value: A(s + R(branch)); R is ResidualQuantizer's, A DoReFaActivation's,
        and s is R(shortcut) for a projection, else the shortcut itself
    gradient: see residual.quantize_sum

    One pass over memory in place of the three layers that it stands for.

    Args:
        activation_bits: 1..8.
        projection: whether the shortcut is a convolution.
        rounded: False clips to [0, 1] without rounding, as the last block
            of a network does.
    Raises: InputError if activation_bits is outside 1..8.
    """

    config_fields = ("activation_bits", "projection", "rounded")

    def __init__(
        self,
        activation_bits: int,
        *,
        projection: bool = False,
        rounded: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.activation_bits = activation_bits
        self.projection = projection
        self.rounded = rounded
        self.scale = residual_grid(activation_bits, projection=projection).scale

    def call(self, inputs):
        """Takes [shortcut, branch], two tensors of one shape."""
        shortcut, branch = inputs
        return quantize_sum(
            shortcut,
            branch,
            scale=self.scale,
            steps=steps(self.activation_bits) if self.rounded else None,
            projection=self.projection,
        )
