"""Thumbnails of training records in audit.json: whether, and how."""

import base64
import io

from qmia_tf.errors import InputError

AUTO, ON, OFF = CHOICES = ("auto", "on", "off")
# Pixels a side. 24 pictures of that size, of noise even, are below 230 kB.
LARGEST = 48


def wanted(choice: str, *, published: bool) -> bool:
    """Whether audit.json is to hold pictures.

    They show training records, and reports are passed on more easily than
    data; so by default only records that everybody has are shown.

    Raises: InputError if it is another choice.
    """
    if choice not in CHOICES:
        raise InputError(
            f"pictures must be one of {', '.join(CHOICES)}, got {choice!r}"
        )
    return choice == ON or (choice == AUTO and published)


def as_png(image) -> str:
    """Packs an image into a PNG file, in base64.

    Args:
        image: uint8 [H, W, C]. Of one or two channels the first is shown as
            gray, of more the first three as colours. What is larger than
            LARGEST pixels is made smaller, keeping its shape.
    """
    from PIL import Image

    pixels = image[..., :3] if image.shape[2] > 2 else image[..., 0]
    picture = Image.fromarray(pixels)
    shrunk = LARGEST / max(picture.size)
    if shrunk < 1:
        size = [max(1, round(side * shrunk)) for side in picture.size]
        picture = picture.resize(size, Image.Resampling.BOX)
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
