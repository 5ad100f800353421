"""The integer side of every grid: codes, scales, zero points.

A quantized tensor is scale * (codes - zero_point). This module says which
codes, scale and zero point belong to which bit width. NumPy only.
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

    def codes(self) -> np.ndarray:
        """Returns every code in use, ascending, int64 [levels]."""
        return np.arange(self.low, self.high + 1, self.step, dtype=np.int64)

    def values(self) -> np.ndarray:
        """Returns the value of every code, float64 [levels]."""
        return self.scale * (self.codes() - self.zero_point)


def check_bits(bits: int, name: str):
    """Checks a bit width.

    Args:
        name: what to call it in the message.
    Raises: InputError if bits is not an integer in 1..32.
    """
    if not isinstance(bits, (int, np.integer)) or isinstance(bits, bool):
        raise InputError(f"{name} must be an integer in 1..32, got {bits!r}")
    if not 1 <= bits <= FLOAT_BITS:
        raise InputError(f"{name} must be in 1..32, got {bits}")


def check_layer_bits(bits: int, name: str):
    """Checks a layer's bit width, and says where float32 sets the limit.

    Raises: InputError as check_bits does. Warns at 25..31.
    """
    check_bits(bits, name)
    if not resolves(bits) and bits != FLOAT_BITS:
        warnings.warn(
            f"{name}={bits}: float32 carries 24 bits, so nothing is rounded; "
            "use 32 to say so",
            stacklevel=4,
        )


def resolves(bits: int) -> bool:
    """Tells whether float32 holds every level of a bits-wide grid (<= 24)."""
    return bits <= RESOLVED_BITS


def steps(bits: int) -> float:
    """Returns n = 2**bits - 1, the number of steps from 0 to 1."""
    return float(2**bits - 1)


def activation_grid(bits: int) -> Grid:
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


def residual_grid(activation_bits: int, *, projection: bool) -> Grid:
    """Returns the int8 grid of a residual branch that cannot tie in the ADD.

    The sum (j s + i/n) n must never be half-way between two integers: its
    scale s is 1/(c n) with c odd, or a whole multiple of 1/n. Beside an
    identity shortcut it is the finest of these whose range 127 s is 1 or
    more; beside a projection the one whose range is nearest to 2.

    Args:
        activation_bits: 1..8.
        projection: whether the shortcut is a convolution, not the identity.
    Raises: InputError outside 1..8.
    """
    n = _residual_steps(activation_bits)
    multiples = np.concatenate(
        [1.0 / np.arange(INT8_MAX, 1, -2), np.arange(1.0, INT8_MAX)]
    )
    if projection:
        multiple = _reaching_two(multiples, n)
    else:
        multiple = multiples[np.argmax(INT8_MAX * multiples / n >= 1.0)]
    return Grid(float(multiple) / n, 0, -INT8_MAX, INT8_MAX)


def linear_grid(activation_bits: int) -> Grid:
    """Returns the int8 grid of a tensor without an activation.

    Such a tensor (a linear bottleneck, say) has both signs and is read by
    convolutions, sums and concatenations. Its scale is k/n or 1/(k n), k odd:
    neither a sum on its own grid nor one with activations of as many bits
    can lie half-way between two codes, whichever of the two grids the sum is
    rounded to. Its range 127 s is the one nearest to 2.

    Args:
        activation_bits: 1..8, of the activations around it.
    Raises: InputError outside 1..8.
    """
    n = _residual_steps(activation_bits)
    odd = np.arange(1.0, INT8_MAX + 1, 2)
    multiple = _reaching_two(np.concatenate([1.0 / odd[:0:-1], odd]), n)
    return Grid(float(multiple) / n, 0, INT8_MIN, INT8_MAX)


def _reaching_two(multiples, n):
    reach = INT8_MAX * multiples / n
    return multiples[np.argmin(np.abs(np.log(reach / 2.0)))]


def steps_of_scale(scale: float) -> int:
    """Returns the smallest n for which scale is a whole multiple of 1/n."""
    return Fraction(scale).limit_denominator(2**24).denominator


def _residual_steps(activation_bits):
    check_bits(activation_bits, "activation_bits")
    if activation_bits > 8:
        raise InputError(
            "a residual grid needs activation_bits in 1..8, got "
            f"{activation_bits}; use residual_bits=32"
        )
    return int(steps(activation_bits))
