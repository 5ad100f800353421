"""How many numbers a quantized input cannot hold. Needs NumPy only."""

import numpy as np

from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.errors import InputError

# More of the numbers other than 0 is no outlier, and further outside than
# that part of what the input holds is no rounding.
NOTICEABLE, MARGIN = 0.05, 0.1
# So much wider than what enters is no inexact calibration.
WIDER = 1.5
# What float32 and a decimal or two leave of a scale.
ROUNDED = 1e-3


def limits(dtype, step: float, zero_point: int) -> tuple[float, float]:
    """The smallest and the largest number that codes of a type stand for."""
    ends = np.iinfo(dtype)
    low, high = (
        (code - zero_point) * step for code in (int(ends.min), int(ends.max))
    )
    return float(low), float(high)


def shares_outside(
    values: np.ndarray, low: float, high: float
) -> tuple[float, float]:
    """The shares of numbers that are clipped below and above.

    Zeros are left out, which are background, and what is outside low..high
    by no more than MARGIN of the width.
    """
    values = values[values != 0]
    if not values.size:
        return 0.0, 0.0
    slack = MARGIN * (high - low)
    return (
        float(np.mean(values < low - slack)),
        float(np.mean(values > high + slack)),
    )


def is_wider(dtype, step: float, zero_point: int) -> bool:
    """Whether an input was made for a wider range than 0 to 1.

    Symmetric codes say the largest absolute value only, so that half of them
    may be idle; an asymmetric -1..1 in int8 has its zero at -0.5, which
    rounds to 0 too, but 255 steps, not 254.
    """
    low, high = limits(dtype, step, zero_point)
    if np.dtype(dtype).kind == "i" and zero_point == 0:
        is_half = dtype == np.int8 and abs(step * 255 / 2 - 1) <= ROUNDED
        low = low if is_half else 0.0
    return high - low > WIDER


def require_unit_pixels(images: np.ndarray, port, name: str) -> None:
    """Refuses a ports.Port that cannot hold the pixels of images / 255.

    Raises: InputError with the target's name if it cannot, or holds more than
        0 to 1.
    """
    if port.step == 0 or port.is_pixels:
        return
    grid = port.dtype, port.step, port.zero_point
    low, high = limits(*grid)
    share = max(shares_outside(scale_to_unit(images), low, high))
    why = None
    if share >= NOTICEABLE:
        why = f"{100 * share:.0f} % of the pixels / 255 lie outside"
    elif is_wider(*grid):
        why = "pixels / 255 fill 0 to 1 only"
    if why:
        raise InputError(
            f"target {name!r} takes numbers of {low:.4g} to {high:.4g}, and "
            f"{why}: is it a file of pixels in 0..1? qmia audit takes "
            "others"
        )
