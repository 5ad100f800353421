"""The symmetric weight quantizer of the first and the last layer.

Integers from -top to top with one scale an output channel, as TFLite's int8
kernels take them; the forward is one XLA kernel, as in dorefa.py.
"""

import tensorflow as tf

from qmia_tf.errors import InputError
from qmia_tf.quantizers.dorefa import fused
from qmia_tf.quantizers.grids import check_bits, resolves


def symmetric_scale(w, *, bits, channel_axes=(-1,)):
    """Returns each output channel's scale: max |w| / (2**(bits - 1) - 1).

    Args:
        w: float tensor, any shape.
        bits: int in 2..24.
        channel_axes: the axes of w that make up the output channels.
    Returns: tensor of w's rank, 1 along every other axis; 1 for a channel
        that is all zero.
    """
    rank = w.shape.rank
    kept_axes = {axis % rank for axis in channel_axes}
    axes = [axis for axis in range(rank) if axis not in kept_axes]
    peak = tf.reduce_max(tf.abs(w), axis=axes, keepdims=True)
    scale = peak / float(2 ** (bits - 1) - 1)
    return tf.where(peak > 0, scale, tf.ones_like(peak))


def quantize_symmetric(w, *, bits, channel_axes=(-1,)):
    """Rounds weights to a symmetric grid with one scale an output channel.

    value: round(w / s) s, s = symmetric_scale(w)
    gradient: dy (straight-through)

    Args:
        w: float tensor, any shape.
        bits: int in 2..32; at 25..32 w passes unchanged.
        channel_axes: the axes of w that make up the output channels.
    Returns: tensor shaped like w.
    Raises: InputError if bits is outside 2..32.
    """
    check_bits(bits, "bits")
    if bits < 2:
        raise InputError("a symmetric grid needs 2 bits or more, got 1")
    if not resolves(bits):
        return tf.identity(w)

    @tf.custom_gradient
    def quantize(w):
        return _round_channels(
            w, bits=bits, channel_axes=tuple(channel_axes)
        ), lambda dy: dy

    return quantize(w)


@fused
def _round_channels(w, *, bits, channel_axes):
    scale = symmetric_scale(w, bits=bits, channel_axes=channel_axes)
    return tf.round(w / scale) * scale
