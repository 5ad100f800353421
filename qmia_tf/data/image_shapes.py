"""Images and other records in the shape that a model takes. NumPy only."""

import numpy as np

from qmia_tf.errors import InputError


def reshape_images(images, shape):
    """Gives images the shape of a model's input.

    Args:
        images: array [N, ...].
        shape: of one image; None or -1 marks a size that may change.
    Returns: array [N, ...], an axis of one channel added or dropped; None if
        they do not fit.
    """
    own = tuple(images.shape[1:])
    for candidate in (own, (*own, 1), own[:-1] if own[-1:] == (1,) else own):
        if len(candidate) == len(shape) and all(
            expected in (None, -1, size)
            for size, expected in zip(candidate, shape, strict=True)
        ):
            return images.reshape(len(images), *candidate)
    return None


def require_shape(images, shape, name):
    """Gives uint8 images the shape of a model's input.

    Args:
        images: uint8 [N, height, width, channels], N >= 1.
        shape: of one image; None or -1 marks a size that may change.
        name: of the target, for the error.
    Returns: uint8 [N, ...].
    Raises: InputError if they are no such images or do not fit.
    """
    fits = reshape_images(images, shape)
    are_images = images.ndim == 4 or (images.ndim == 3 and fits is not None)
    if images.dtype != np.uint8 or not are_images or not len(images):
        raise InputError(
            "images must be uint8 [N, height, width, channels], got "
            f"{images.dtype} {list(images.shape)}"
        )
    if fits is None:
        raise InputError(
            f"target {name!r} takes images of {list(shape)}, got "
            f"{list(images.shape[1:])}: is it a model of this data set?"
        )
    return fits


def reshape_records(values, shape, name) -> np.ndarray:
    """Gives records the shape of a model's input.

    Args:
        values: array [N, ...].
        shape: of one record; None or -1 where it is open.
        name: the target's.
    Returns: array [N, ...]; an axis of one channel is added or dropped.
    Raises: InputError if they are of another shape.
    """
    shaped = reshape_images(values, shape)
    if shaped is None:
        raise InputError(
            f"target {name!r} takes records of {list(shape)}, got "
            f"{list(values.shape[1:])}: is it a model of this data?"
        )
    return shaped
