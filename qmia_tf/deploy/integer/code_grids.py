"""The codes and scales of an integer file's tensors. NumPy only.

Pixels, sums and logits; those of weights and activations are their
quantizers' own grids.
"""

import dataclasses
import functools
import math
from fractions import Fraction

import numpy as np

from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import Grid, activation_grid, residual_grid

# Of pixels, and of an average of activations.
UNIT_GRID = Grid(1.0 / 255.0, -128, -128, 127)
FINEST = 127 * 255  # steps to 1 of the finest residual grid


def logits_grid(low: float, high: float) -> Grid:
    """Returns the int8 grid that spans a range of logits and holds zero."""
    if not (np.isfinite([low, high]).all() and low <= high):
        raise InputError(f"logits range from {low} to {high}: no grid")
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32(max(high - low, 1e-6) / 255.0))
    zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    return Grid(scale, zero, -128, 127)


def branch_grid(activation_bits: int, *, projection: bool) -> Grid:
    """Returns grids.residual_grid as int8 kernels have it, from -128 on.

    The trained layer stops at -127; at either end the sum with the shortcut
    (a convolution, if projection) is clipped to 0.
    """
    grid = residual_grid(activation_bits, projection=projection)
    return dataclasses.replace(grid, low=-128)


def sum_grid(
    first: float, second: float, bits: int | None
) -> tuple[tuple[int, int, int], Grid]:
    """Finds the common unit of two scales and of their sum's grid.

    Args:
        first: scale of one addend: 1/n, or 1/(c n) or k/n, n = 2**b - 1.
        second: scale of the other.
        bits: 1..8, of the activation behind the sum; None clips to [0, 1]
            without rounding, on the finest grid of the two.
    Returns: both inputs' and the output's scale as multiples of one unit, and
        the output's grid.
    Raises: InputError if int8 cannot hold the sum exactly.
    """
    if bits is not None:
        grid = activation_grid(bits)
        return sum_units(first, second, grid.scale), grid
    top = _common(_fraction(first), _fraction(second)).denominator
    units = sum_units(first, second, 1.0 / top)
    if top > 255:
        raise InputError(f"the sum has {top} levels, int8 holds 255")
    return units, Grid(1.0 / top, 127 - top, 127 - top, 127)


def sum_units(
    first: float, second: float, target: float
) -> tuple[int, int, int]:
    """Finds the common unit of three scales: two addends' and the sum's.

    Each is 1/n, 1/(c n) or k/n, n = 2**b - 1.

    Returns: the three as multiples of one unit.
    Raises: InputError if a sum could lie half-way between two codes.
    """
    scales = [_fraction(scale) for scale in (first, second, target)]
    unit = functools.reduce(_common, scales)
    units = tuple(int(scale / unit) for scale in scales)
    if units[2] % 2 == 0:
        raise InputError("a sum could lie half-way between two codes")
    return units


def _fraction(scale):
    fraction = Fraction(scale).limit_denominator(FINEST)
    if abs(float(fraction) / scale - 1.0) > 1e-12:
        raise InputError(f"{scale} is no scale of a quantized activation")
    return fraction


def _common(first, second):
    """The largest number that both are whole multiples of."""
    denominator = math.lcm(first.denominator, second.denominator)
    parts = math.gcd(int(first * denominator), int(second * denominator))
    return Fraction(parts, denominator)
