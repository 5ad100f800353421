"""Pixels, and the ranges of numbers that networks take them as."""

import math

import numpy as np

from qmia_tf.errors import option

UNIT, BYTES, SIGNED = "0..1", "0..255", "-1..1"
INPUT_RANGES = (UNIT, BYTES, SIGNED)
LIMITS = {UNIT: (0, 1), BYTES: (0, 255), SIGNED: (-1, 1)}
# What stands for a range that the model itself says.
AUTO = "auto"
PIXEL_STEPS = 255


def scale_to_unit(images: np.ndarray) -> np.ndarray:
    """Turns uint8 pixels into float32 pixels / 255."""
    return images.astype(np.float32) / np.float32(PIXEL_STEPS)


def scale_to_range(images: np.ndarray, input_range: str) -> np.ndarray:
    """Turns pixels into the float32 numbers of a range.

    Args:
        images: numbers of 0..255 [N, ...], of any type.
        input_range: "0..1": x / 255; "0..255": x; "-1..1": x / 127.5 - 1.
    """
    if input_range == UNIT:
        return scale_to_unit(images)
    values = images.astype(np.float32)
    return values if input_range == BYTES else values / np.float32(127.5) - 1


def range_option(*input_ranges: str) -> str:
    """Names the option that gives one of some ranges, for messages."""
    return option("input_range", *(LIMITS[name] for name in input_ranges))


def range_limits(input_range: str | tuple) -> tuple[float, float]:
    """Reads a range as users give it: (low, high), or text as "0..255".

    Raises: ValueError if it is neither, or low is not below high.
    """
    ends = input_range
    if isinstance(input_range, str):
        ends = input_range.split("..")
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{input_range!r} is no range") from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{input_range!r} is no range from low to high")
    return low, high


def range_name(input_range: str | tuple) -> str:
    """Gives a range, such as (0, 255), its name in INPUT_RANGES.

    Raises: ValueError if it is none of them.
    """
    limits = range_limits(input_range)
    for name, known in LIMITS.items():
        if limits == known:
            return name
    raise ValueError(f"{input_range!r} is none of {', '.join(INPUT_RANGES)}")
