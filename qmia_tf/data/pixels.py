"""The pixels that every network of this library is trained on: 0..1."""

import numpy as np

PIXEL_STEPS = 255


def as_unit(images):
    """Turns uint8 pixels into float32 pixels / 255.

    Args:
        images: uint8, any shape.
    Returns: float32, shaped like images, values in [0, 1].
    """
    return images.astype(np.float32) / np.float32(PIXEL_STEPS)
