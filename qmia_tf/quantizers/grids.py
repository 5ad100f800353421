"""The integer side of every grid: codes, scales, zero points.

A quantized tensor is scale * (codes - zero_point). This module says which
codes, scale and zero point belong to which bit width, which pairs of bit
widths the int8 kernels of TFLite carry exactly, and how to move between
codes and values. NumPy only.

Source: facts on DoReFa's code book: q = (2 i - n) / n, n = 2**bits - 1, so
the codes are the 2**bits odd integers of [-n, n] and zero is never a code.
"""

import dataclasses
import warnings
from fractions import Fraction

import numpy as np

from qmia_tf.errors import InputError

FLOAT_BITS = 32
RESOLVED_BITS = 24
INT8_MAX = 127
INT8_MIN = -128


@dataclasses.dataclass(frozen=True)
class Grid:
    """An evenly spaced set of values: scale * (code - zero_point).

    Attributes:
        scale: distance of neighbouring codes, > 0.
        zero_point: the code of the value 0.
        low: smallest code, inclusive.
        high: largest code, inclusive.
        step: distance of the codes in use (2 for DoReFa's odd weights).
    """

    scale: float
    zero_point: int
    low: int
    high: int
    step: int = 1

    def codes(self):
        """Returns every code in use, ascending, int64 [levels]."""
        return np.arange(self.low, self.high + 1, self.step, dtype=np.int64)

    def values(self):
        """Returns the value of every code, float64 [levels]."""
        return self.scale * (self.codes() - self.zero_point)


def check_bits(bits, name):
    """Checks a bit width.

    Args:
        bits: int in 1..32.
        name: what to call it in the message.
    Raises: InputError if bits is not an integer in 1..32.
    """
    if not isinstance(bits, (int, np.integer)) or isinstance(bits, bool):
        raise InputError(f"{name} must be an integer in 1..32, got {bits!r}")
    if not 1 <= bits <= FLOAT_BITS:
        raise InputError(f"{name} must be in 1..32, got {bits}")


def check_layer_bits(bits, name):
    """Checks a layer's bit width, and says where float32 sets the limit.

    Args:
        bits: int in 1..32.
        name: what to call it in the message.
    Raises: InputError if bits is not an integer in 1..32. Warns at 25..31.
    """
    check_bits(bits, name)
    if not resolves(bits) and bits != FLOAT_BITS:
        warnings.warn(
            f"{name}={bits}: float32 carries 24 bits, so nothing is rounded; "
            "use 32 to say so",
            stacklevel=4,
        )


def resolves(bits):
    """Tells whether float32 holds every level of a bits-wide grid (<= 24)."""
    return bits <= RESOLVED_BITS


def steps(bits):
    """Returns n = 2**bits - 1, the number of steps from 0 to 1."""
    return float(2**bits - 1)


def weight_grid(bits):
    """Returns DoReFa's weight grid for bits in 2..24: odd codes, scale 1/n.

    Raises: InputError outside 1..24. At 1 bit the codes are -1 and 1 and the
        scale is the tensor's own mean |w|: weight_codes gives it.
    """
    check_bits(bits, "weight_bits")
    if not resolves(bits):
        raise InputError(f"weights of {bits} bits are floats: no grid")
    n = int(steps(bits))
    return Grid(1.0 / n, 0, -n, n, step=2)


def activation_grid(bits):
    """Returns the activation grid i/n on int8's codes (bits <= 8) or from 0.

    Up to 8 bits the zero point is 127 - n: the largest code is 127 and int8
    saturation clips at 1.0 for free, fused RELU at 0.

    Raises: InputError outside 1..24.
    """
    check_bits(bits, "activation_bits")
    if not resolves(bits):
        raise InputError(f"activations of {bits} bits are floats: no grid")
    n = int(steps(bits))
    zero = INT8_MAX - n if bits <= 8 else 0
    return Grid(1.0 / n, zero, zero, zero + n)


def residual_grid(activation_bits, *, projection):
    """Returns the int8 grid of a residual branch that cannot tie in the ADD.

    The sum (j s + i/n) n must never be half-way between two integers: its
    scale s is 1/(c n) with c odd, or a whole multiple of 1/n. Beside an
    identity shortcut it is the finest of these whose range 127 s is 1 or
    more; beside a projection the one whose range is nearest to 2.

    Args:
        activation_bits: int in 1..8.
        projection: whether the shortcut is a convolution, not the identity.
    Raises: InputError outside 1..8.
    """
    n = _residual_steps(activation_bits)
    multiples = np.concatenate(
        [1.0 / np.arange(INT8_MAX, 1, -2), np.arange(1.0, INT8_MAX)]
    )
    reach = INT8_MAX * multiples / n
    if projection:
        multiple = multiples[np.argmin(np.abs(np.log(reach / 2.0)))]
    else:
        multiple = multiples[np.argmax(reach >= 1.0)]
    return Grid(float(multiple) / n, 0, -INT8_MAX, INT8_MAX)


def linear_grid(activation_bits):
    """Returns the int8 grid of a tensor without an activation.

    Such a tensor (a linear bottleneck, say) has both signs and is read by
    convolutions, sums and concatenations. Its scale is k/n or 1/(k n), k odd:
    neither a sum on its own grid nor one with activations of as many bits
    can lie half-way between two codes, whichever of the two grids the sum is
    rounded to. Its range 127 s is the one nearest to 2.

    Args:
        activation_bits: int in 1..8, of the activations around it.
    Raises: InputError outside 1..8.
    """
    n = _residual_steps(activation_bits)
    odd = np.arange(1.0, INT8_MAX + 1, 2)
    multiples = np.concatenate([1.0 / odd[:0:-1], odd])
    reach = INT8_MAX * multiples / n
    multiple = multiples[np.argmin(np.abs(np.log(reach / 2.0)))]
    return Grid(float(multiple) / n, 0, INT8_MIN, INT8_MAX)


def steps_of_scale(scale):
    """Returns the smallest n for which scale is a whole multiple of 1/n.

    Args:
        scale: float > 0, of an activation_grid or linear_grid.
    """
    return Fraction(scale).limit_denominator(2**24).denominator


def _residual_steps(activation_bits):
    check_bits(activation_bits, "activation_bits")
    if activation_bits > 8:
        raise InputError(
            "a residual grid needs activation_bits in 1..8, got "
            f"{activation_bits}; use residual_bits=32"
        )
    return int(steps(activation_bits))


def weight_codes(values, bits):
    """Recovers the integer codes of quantized weights.

    Args:
        values: float array, any shape, on DoReFa's grid of that many bits.
        bits: int in 1..24.
    Returns: (codes int32 shaped like values, scale float).
    Raises: InputError if a value is off the grid, which means that it was
        not made by quantize_weights with these bits.
    """
    values = np.asarray(values, np.float64)
    grid = weight_grid(bits)
    off_grid = InputError(f"the weights are not on the {bits}-bit DoReFa grid")
    if not np.isfinite(values).all():
        raise off_grid
    scale = float(np.abs(values).max(initial=0.0)) if bits == 1 else grid.scale
    # The layer multiplies by 1/n as float32 has it, which matters at 24 bits.
    exact = values / np.float32(scale) if scale else np.ones_like(values)
    codes = 2.0 * np.rint((exact - 1.0) / 2.0) + 1.0
    # float32 places a value within half a unit in the last place.
    slack = 1e-3 + np.abs(exact) * 2.0**-23
    if (np.abs(codes - exact) > slack).any() or (
        np.abs(codes).max(initial=0) > grid.high
    ):
        raise off_grid
    return codes.astype(np.int32), scale


def weight_values(codes, bits, scale=None):
    """Returns the float32 weights of integer codes, bit for bit the layer's.

    value: float32(code) * float32(1 / n); at 1 bit code * scale.

    Args:
        codes: integer array, any shape.
        bits: int in 1..24.
        scale: float, needed at 1 bit only.
    Returns: float32 array shaped like codes.
    """
    codes = np.asarray(codes, np.float32)
    if bits == 1:
        return codes * np.float32(scale)
    return codes * np.float32(1.0 / steps(bits))


def int8_exact(weight_bits, activation_bits):
    """Tells whether stock int8 kernels carry this pair exactly.

    Weights need codes in [-127, 127] (1..7 bits), activations 2**a - 1 <= 255
    steps (1..8 bits).
    """
    check_bits(weight_bits, "weight_bits")
    check_bits(activation_bits, "activation_bits")
    return weight_bits <= 7 and activation_bits <= 8
