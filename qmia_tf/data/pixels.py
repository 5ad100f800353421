"""The pixels that every network of this library is trained on: 0..1."""

import numpy as np

UNIT, BYTES, SIGNED = "0..1", "0..255", "-1..1"
PIXELS = (UNIT, BYTES, SIGNED)
LIMITS = {UNIT: (0, 1), BYTES: (0, 255), SIGNED: (-1, 1)}
PIXEL_STEPS = 255


def as_unit(images):
    """Turns uint8 pixels into float32 pixels / 255.

    Args:
        images: uint8, any shape.
    Returns: float32, shaped like images, values in [0, 1].
    """
    return images.astype(np.float32) / np.float32(PIXEL_STEPS)


def in_range(images, pixels) -> np.ndarray:
    """Turns pixels into float32 numbers.

    Args:
        images: numbers of 0..255 [N, ...], of any type.
        pixels: "0..1": x / 255; "0..255": x; "-1..1": x / 127.5 - 1.
    """
    if pixels == UNIT:
        return as_unit(images)
    values = images.astype(np.float32)
    return values if pixels == BYTES else values / np.float32(127.5) - 1
