"""What a model says of the range of its input."""

import numpy as np
from numpy.typing import ArrayLike

from qmia_tf.data.pixels import BYTES, LIMITS, UNIT
from qmia_tf.deploy.tflite import input_clipping

# By how much the ends of a quantized input may miss a range: what a
# calibration saw, and where the code of zero lies.
TOLERANCE = 0.03
# What float32 and a decimal or two leave of a scale.
ROUNDED = 1e-3
# How wide the numbers are that networks like, such as 0..1 or -2.1..2.6.
NARROWEST, WIDEST = 0.5, 8.0


def range_of_codes(dtype: np.dtype, step: float, zero_point: int) -> str | None:
    """Reads the range of pixels off the scale of a quantized input.

    Returns: one of INPUT_RANGES whose ends the codes' ends are; None if they
        are those of none, or the scale says only the largest absolute value.
    """
    if np.iinfo(dtype).bits > 16 or is_symmetric(dtype, step, zero_point):
        return None
    low, high = input_clipping.limits(dtype, step, zero_point)
    for input_range, (least, most) in LIMITS.items():
        slack = TOLERANCE * (most - least)
        if abs(low - least) <= slack and abs(high - most) <= slack:
            return input_range
    return None


def is_symmetric(dtype: np.dtype, step: float, zero_point: int) -> bool:
    """Whether codes are symmetric: the scale is made of one number.

    Then 0..1 and -1..1 have the same one. An asymmetric -1..1 in int8 has
    its zero at -0.5, which rounds to 0 too, but 255 steps, not 254.
    """
    if np.dtype(dtype).kind != "i" or zero_point != 0:
        return False
    return dtype != np.int8 or abs(step * 255 / 2 - 1) > ROUNDED


def range_of_rescaling(scale: ArrayLike) -> str | None:
    """Reads the range off a layer that multiplies pixels by `scale`.

    255 scale is how wide the numbers behind it are if pixels are 0..255,
    and scale if they are 0..1.

    Returns: one of INPUT_RANGES, None if both or neither can be meant.
    """
    scale = np.abs(np.asarray(scale, np.float64))
    if np.all((scale * 255 >= NARROWEST) & (scale * 255 <= WIDEST)):
        return BYTES
    if np.all((scale >= NARROWEST) & (scale <= WIDEST)):
        return UNIT
    return None


def range_of_moments(mean: ArrayLike, variance: ArrayLike) -> str | None:
    """Reads the range off a layer that subtracts mean, divides by spread.

    Args:
        mean: of the pixels of one channel or all.
        variance: likewise.
    Returns: one of INPUT_RANGES; None if several can be meant.
    """
    mean, spread = np.asarray(mean), np.sqrt(np.asarray(variance))
    if mean.min() < 0 or mean.max() > 255:
        return None
    if mean.max() > 1.5:
        return BYTES
    # Pixels of 0..255 with a mean below 1 and such a spread would be black.
    if 0.02 < mean.max() <= 1 and 0.02 < spread.max() <= 0.5:
        return UNIT
    return None
