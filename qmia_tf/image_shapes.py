"""Images in the shape that a model takes. NumPy only."""


def fitted(images, shape):
    """Gives images the shape of a model's input.

    Args:
        images: array [N, ...].
        shape: of one image; None or -1 marks a size that may change.
    Returns: array [N, ...], an axis of one channel added or dropped; None if
        they do not fit.
    """
    own = tuple(images.shape[1:])
    for found in (own, (*own, 1), own[:-1] if own[-1:] == (1,) else own):
        if len(found) == len(shape) and all(
            wanted in (None, -1, size)
            for size, wanted in zip(found, shape, strict=True)
        ):
            return images.reshape(len(images), *found)
    return None
