"""What attacks and the blind baseline know of records without any model."""

import numpy as np

from qmia_tf.data.records import Records

# A linear model of more features than that learns nothing from some records.
MOST_FEATURES = 256
CELLS = 4
# Images a block: floats of 32x32x3 images take 25 MB.
BLOCK = 1024


def of_records(records: Records) -> np.ndarray | None:
    """Describes records: images by image_features, others by their numbers.

    Returns: float64 [N, F]; None if there are more than MOST_FEATURES.
    """
    if records.is_images:
        return image_features(records.values)
    rows = records.values.reshape(len(records.values), -1)
    return rows.astype(np.float64) if rows.shape[1] <= MOST_FEATURES else None


def image_features(images: np.ndarray) -> np.ndarray:
    """Colour, coarse shape and texture of images.

    Of each channel the mean and the spread; of the grey image (the mean of
    the channels) a thumbnail of CELLS x CELLS averages, and the mean absolute
    difference between neighbours in a column and in a row.

    Args:
        images: uint8 [N, H, W, C], H and W 2 or more.
    Returns: float64 [N, 2C + 18], of pixels in 0..1; a thumbnail of an image
        with fewer than CELLS rows or columns has fewer cells.
    Raises: ValueError if the images are not uint8 or not four-dimensional.
    Source: ours; Bertran et al., arXiv:2307.03694, train a network instead.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            "images must be uint8 [N, H, W, C], got "
            f"{images.dtype} {images.shape}"
        )
    starts = range(0, max(len(images), 1), BLOCK)
    return np.concatenate([_describe(images[s : s + BLOCK]) for s in starts])


def _describe(images):
    pixels = images / 255.0
    grey = pixels.mean(axis=3)
    edges = [np.abs(np.diff(grey, axis=axis)) for axis in (1, 2)]
    return np.column_stack(
        [
            pixels.mean(axis=(1, 2)),
            pixels.std(axis=(1, 2)),
            _thumbnail(grey),
            *(edge.mean(axis=(1, 2)) for edge in edges),
        ]
    )


def _thumbnail(grey):
    cells = grey
    for axis in (1, 2):
        size = grey.shape[axis]
        starts = np.unique(np.arange(CELLS) * size // CELLS)
        sizes = np.diff(np.append(starts, size))
        shape = [1, 1, 1]
        shape[axis] = -1
        cells = np.add.reduceat(cells, starts, axis) / sizes.reshape(shape)
    return cells.reshape(len(grey), cells.shape[1] * cells.shape[2])
