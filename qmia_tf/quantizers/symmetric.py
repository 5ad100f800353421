"""The symmetric weight quantizer of the first and the last layer."""

import dataclasses

import tensorflow as tf

from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import Grid, resolves
from qmia_tf.quantizers.quantizer import WeightQuantizer, fused


@dataclasses.dataclass(frozen=True)
class SymmetricWeights(WeightQuantizer):
    """Rounds weights to a symmetric grid with one scale an output channel.

    Integers from -top to top, as TFLite's int8 kernels take them.

    value: round(w / s) s, s = max |w| / top of each output channel,
        top = 2**(bits - 1) - 1; s = 1 for a channel that is all zero
    gradient: dy (straight-through)

    Args:
        bits: 2..32; at 25..32 w passes unchanged.
        channel_axes: the axes of w that make up the output channels.
    """

    channel_axes: tuple[int, ...] = (-1,)
    name = "symmetric"

    def __post_init__(self):
        super().__post_init__()
        if self.bits < 2:
            raise InputError("a symmetric grid needs bits in 2..32, got 1")
        object.__setattr__(self, "channel_axes", tuple(self.channel_axes))

    def along(self, channel_axes):
        """Returns this quantizer for kernels with these output channels."""
        return dataclasses.replace(self, channel_axes=channel_axes)

    @property
    def grid(self):
        """The codes, of scale 1: each channel has its own."""
        if not resolves(self.bits):
            return None
        top = 2 ** (self.bits - 1) - 1
        return Grid(1.0, 0, -top, top)

    def value(self, w):
        """Returns the weights on their channels' grids."""
        return (_round_channels(w, quantizer=self),)

    def scale(self, w, value):
        """Returns s, of w's rank, 1 along every other axis."""
        del value
        rank = w.shape.rank
        kept_axes = {axis % rank for axis in self.channel_axes}
        axes = [axis for axis in range(rank) if axis not in kept_axes]
        peak = tf.reduce_max(tf.abs(w), axis=axes, keepdims=True)
        scale = peak / float(2 ** (self.bits - 1) - 1)
        return tf.where(peak > 0, scale, tf.ones_like(peak))


@fused
def _round_channels(w, *, quantizer):
    scale = quantizer.scale(w, None)
    return tf.round(w / scale) * scale
