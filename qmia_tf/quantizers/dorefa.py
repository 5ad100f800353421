"""DoReFa's quantizers of weights, activations and gradients.

Each has its value and, beside it, its gradient: straight through the rounding.
quantizer.py makes a tf.custom_gradient of the two.

The forward of each, and its backward where that is more than dy, are each one
XLA kernel (1-bit weights apart): the work is element-wise, and XLA makes one
pass over memory of what would be five TensorFlow ops. Only what the gradient
needs is kept.

float32 carries 24 bits. The quantizers therefore round for 1..24 bits; at
25..32 bits weights and gradients pass unchanged and activations are clipped
but not rounded (`resolves` tells which; the layers warn about 25..31).

Source: DoReFa-Net, arXiv:1606.06160; Kowalski, Famili, Lao, ICIP 2022.
"""

import dataclasses

import tensorflow as tf

from qmia_tf.quantizers import grids
from qmia_tf.quantizers.grids import check_bits, resolves, steps
from qmia_tf.quantizers.quantizer import Quantizer, WeightQuantizer, fused


@dataclasses.dataclass(frozen=True)
class DoReFaActivations(Quantizer):
    """Clips to [0, 1] and rounds to the grid i/n, n = 2**bits - 1.

    value: round(clip(x, 0, 1) n) / n        gradient: dy where 0 <= x <= 1

    Args:
        bits: 1..32; at 25..32 x is clipped and not rounded.
    Source: DoReFa-Net, section 2.5 (f_a of eq. 11 behind a clip).
    """

    name = "dorefa_activations"

    def value(self, x):
        """Returns values in [0, 1], and where x was inside."""
        n = steps(self.bits) if resolves(self.bits) else None
        return _activations(x, n=n)

    def gradient(self, dy, inside):
        """Passes dy where x was inside."""
        return masked(dy, inside)

    @property
    def grid(self):
        """The grid as int8 kernels have it, or from code 0 above 8 bits."""
        return grids.activation_grid(self.bits) if resolves(self.bits) else None


@dataclasses.dataclass(frozen=True)
class DoReFaWeights(WeightQuantizer):
    """Quantizes weights to 2**bits levels, symmetric about zero.

    u = tanh(w) / (2 m) + 1/2,  m = max |tanh(w)| over the whole tensor
    value, bits > 1: 2 round(n u) / n - 1, n = 2**bits - 1, computed as
        code (1 / n) from the odd integer code = 2 round(n u) - n
    value, bits = 1: E sign(w), E = mean |w|, sign(0) = 1
    gradient, bits > 1: dy (1 - tanh(w)**2) / m, and with detach_max=False
        what flows through m as well; bits = 1: dy

    Args:
        bits: 1..32; at 25..32 w passes unchanged.
        detach_max: True takes m as a constant in the gradient. False is the
            authors' own gradient; it differs at the largest weight alone.
    Source: Kowalski et al., eq. 3; DoReFa-Net, eq. 7 (1 bit) and eq. 9.
    """

    detach_max: bool = True
    name = "dorefa"

    def value(self, w):
        """Returns values in [-1, 1] above 1 bit, with w and m."""
        if self.bits == 1:
            scale = tf.reduce_mean(tf.abs(w))
            return (tf.where(w >= 0, scale, -scale),)
        value, peak = _weights_forward(w, n=steps(self.bits))
        return value, w, peak

    def gradient(self, dy, *kept):
        """Returns what flows back to w."""
        if self.bits == 1:
            return dy
        if self.detach_max:
            return _weights_gradient(dy, *kept)
        return _weights_gradient_full(dy, *kept)

    @property
    def grid(self):
        """The odd codes; their scale is 1 / n, the tensor's own at 1 bit."""
        if not resolves(self.bits):
            return None
        n = int(steps(self.bits))
        return grids.Grid(1.0 / n, 0, -n, n, step=2)

    def scale(self, w, value):
        """Returns 1 / n, or E at 1 bit."""
        del w
        if self.bits == 1:
            return tf.reduce_max(tf.abs(value))
        return tf.constant(1.0 / steps(self.bits), tf.float32)


def quantize_gradients(x, seed, *, bits: int) -> tf.Tensor:
    """Passes x unchanged and quantizes the gradient that flows back.

    value: x
    gradient: 2 m (round(n z) / n - 1/2),  m = max |dy| of each sample,
        z = clip(dy / (2 m) + 1/2 + s / n, 0, 1), s uniform in [-1/2, 1/2)

    Args:
        x: float tensor [batch, ...].
        seed: int32 tensor [2], fresh for each step; the noise s is a
            function of it.
        bits: 1..32; at 25..32 the gradient passes unchanged.
    Raises: InputError if bits is outside 1..32.
    Source: DoReFa-Net, eq. 12.
    """
    check_bits(bits, "bits")
    if not resolves(bits):
        return tf.identity(x)
    n = steps(bits)

    @tf.custom_gradient
    def quantize(x, seed):
        return tf.identity(x), lambda dy: (_stochastic(dy, seed, n=n), None)

    return quantize(x, seed)


@fused
def _activations(x, *, n):
    return clip_round(x, n), inside_unit(x)


@fused
def masked(dy, inside):
    """Passes a gradient where a bool tensor of its shape is true."""
    return tf.where(inside, dy, tf.zeros_like(dy))


def clip_round(x, n):
    """Clips to [0, 1] and rounds to i/n; n None clips only. Not fused."""
    x = tf.clip_by_value(x, 0.0, 1.0)
    if n is None:
        return x
    # Half precision cannot hold n; and a product with 1/n is the same float
    # everywhere, while XLA and converters rewrite a quotient.
    wide = tf.cast(x, tf.float32) if x.dtype.size < 4 else x
    return tf.cast(tf.round(wide * n) * (1.0 / n), x.dtype)


def inside_unit(x):
    """Where x lies in [0, 1], ends included. Not fused."""
    return (x >= 0) & (x <= 1)


@fused
def _weights_forward(w, *, n):
    # tanh is monotone: the peak needs one tanh, not one for every weight.
    peak = tf.tanh(_largest(w))
    unit = tf.tanh(w) * tf.math.divide_no_nan(0.5, peak) + 0.5
    return (2.0 * tf.round(n * unit) - n) * (1.0 / n), peak


def _largest(w):
    # max |w| without a pass that writes |w|, which XLA would not fuse.
    return tf.maximum(tf.reduce_max(w), -tf.reduce_min(w))


@fused
def _weights_gradient(dy, w, peak):
    t = tf.tanh(w)
    return dy * (1.0 - t * t) * tf.math.divide_no_nan(1.0, peak)


@fused
def _weights_gradient_full(dy, w, peak):
    t = tf.tanh(w)
    inverse = tf.math.divide_no_nan(1.0, peak)
    at_peak = tf.cast(tf.abs(w) == _largest(w), w.dtype)
    through_peak = -tf.reduce_sum(dy * t) * inverse * inverse
    share = tf.sign(w) * at_peak / tf.reduce_sum(at_peak)
    return (dy * inverse + through_peak * share) * (1.0 - t * t)


@fused
def _stochastic(dy, seed, *, n):
    dtype = dy.dtype
    dy = tf.cast(dy, tf.float32)
    axes = list(range(1, dy.shape.rank))
    peak = tf.reduce_max(tf.abs(dy), axis=axes, keepdims=True)
    noise = tf.random.stateless_uniform(tf.shape(dy), seed, -0.5, 0.5)
    unit = tf.math.divide_no_nan(dy, 2.0 * peak) + 0.5 + noise / n
    unit = clip_round(unit, n)
    return tf.cast((unit - 0.5) * 2.0 * peak, dtype)
