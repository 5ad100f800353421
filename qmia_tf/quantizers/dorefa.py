"""DoReFa's quantizers: pure functions with hand-written gradients.

Each is a tf.custom_gradient. Its forward, and its backward where that is more
than dy, are each one XLA kernel (1-bit weights apart): the work is
element-wise, and XLA makes one pass over memory of what would be five
TensorFlow ops. Only what the gradient needs is kept.

float32 carries 24 bits. The quantizers therefore round for 1..24 bits; at
25..32 bits weights and gradients pass unchanged and activations are clipped
but not rounded (`resolves` tells which; the layers warn about 25..31).

Source: DoReFa-Net, arXiv:1606.06160; Kowalski, Famili, Lao, ICIP 2022.
"""

import functools

import tensorflow as tf

from qmia_tf.quantizers.grids import check_bits, resolves, steps


def fused(function):
    """Makes one XLA kernel of function(*tensors, **constants).

    A kernel is compiled once for every set of shapes, types and constants;
    in a larger graph it is one node of it.
    """

    @functools.cache
    def kernel(signature, constants):
        bound = functools.partial(function, **dict(constants))
        return tf.function(bound, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def call(*tensors, **constants):
        tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
        signature = tuple(
            (
                tensor.dtype,
                *(tensor.shape if tensor.shape.rank is not None else ("?",)),
            )
            for tensor in tensors
        )
        return kernel(signature, tuple(constants.items()))(*tensors)

    return call


def quantize_activations(x, *, bits):
    """Clips x to [0, 1] and rounds it to the grid i/n, n = 2**bits - 1.

    value: round(clip(x, 0, 1) n) / n        gradient: dy where 0 <= x <= 1

    Args:
        x: float tensor, any shape.
        bits: int in 1..32; at 25..32 x is clipped and not rounded.
    Returns: tensor shaped like x, values in [0, 1].
    Raises: ValueError if bits is outside 1..32.
    Source: DoReFa-Net, section 2.5 (f_a of eq. 11 behind a clip).
    """
    check_bits(bits, "bits")
    n = steps(bits) if resolves(bits) else None

    @tf.custom_gradient
    def quantize(x):
        value, inside = _activations(x, n=n)
        return value, lambda dy: masked(dy, inside)

    return quantize(x)


def quantize_weights(w, *, bits, detach_max=True):
    """Quantizes weights to 2**bits levels, symmetric about zero.

    u = tanh(w) / (2 m) + 1/2,  m = max |tanh(w)| over the whole tensor
    value, bits > 1: 2 round(n u) / n - 1, n = 2**bits - 1, computed as
        code (1 / n) from the odd integer code = 2 round(n u) - n
    value, bits = 1: E sign(w), E = mean |w|, sign(0) = 1
    gradient, bits > 1: dy (1 - tanh(w)**2) / m, and with detach_max=False
        what flows through m as well; bits = 1: dy

    Args:
        w: float tensor, any shape.
        bits: int in 1..32; at 25..32 w passes unchanged.
        detach_max: True takes m as a constant in the gradient. False is the
            authors' own gradient; it differs at the largest weight alone.
    Returns: tensor shaped like w; values in [-1, 1] for bits in 2..24.
    Raises: ValueError if bits is outside 1..32.
    Source: Kowalski et al., eq. 3; DoReFa-Net, eq. 7 (1 bit) and eq. 9.
    """
    check_bits(bits, "bits")
    if not resolves(bits):
        return tf.identity(w)
    if bits == 1:
        return _binarize(w)
    n = steps(bits)

    @tf.custom_gradient
    def quantize(w):
        value, peak = _weights_forward(w, n=n)
        backward = _weights_gradient if detach_max else _weights_gradient_full
        return value, lambda dy: backward(dy, w, peak)

    return quantize(w)


def quantize_gradients(x, seed, *, bits):
    """Passes x unchanged and quantizes the gradient that flows back.

    value: x
    gradient: 2 m (round(n z) / n - 1/2),  m = max |dy| of each sample,
        z = clip(dy / (2 m) + 1/2 + s / n, 0, 1), s uniform in [-1/2, 1/2)

    Args:
        x: float tensor [batch, ...].
        seed: int32 tensor [2], fresh for each step; the noise s is a
            function of it.
        bits: int in 1..32; at 25..32 the gradient passes unchanged.
    Returns: x.
    Raises: ValueError if bits is outside 1..32.
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


@tf.custom_gradient
def _binarize(w):
    scale = tf.reduce_mean(tf.abs(w))
    return tf.where(w >= 0, scale, -scale), lambda dy: dy


@fused
def _round_unit(x, *, n):
    return _levels(x, n)


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
    return x if n is None else _levels(x, n)


def _levels(x, n):
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
