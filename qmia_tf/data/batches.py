"""Records in the shape and the batches that a model takes. NumPy only."""

from collections.abc import Callable, Sequence

import numpy as np

from qmia_tf import terminal


def reshape_images(images: np.ndarray, shape: Sequence) -> np.ndarray | None:
    """Adds or drops an axis of one channel; None if the images do not fit.

    Args:
        images: [N, ...].
        shape: of one image; None or -1 marks a size that may change.
    """
    own = tuple(images.shape[1:])
    for candidate in (own, (*own, 1), own[:-1] if own[-1:] == (1,) else own):
        if len(candidate) == len(shape) and all(
            expected in (None, -1, size)
            for size, expected in zip(candidate, shape, strict=True)
        ):
            return images.reshape(len(images), *candidate)
    return None


def pad_batch(batch: np.ndarray, size: int) -> np.ndarray:
    """Repeats the first record until a batch is as large as the others.

    XLA compiles a quantized network for every size of batch.
    """
    missing = size - len(batch)
    if missing <= 0:
        return batch
    return np.concatenate([batch, np.repeat(batch[:1], missing, axis=0)])


def in_batches(
    records: np.ndarray,
    predict_batch: Callable[[np.ndarray], np.ndarray],
    *,
    size: int,
    name: str,
    progress: bool = False,
) -> np.ndarray:
    """Calls a function on `size` records at a time, under a bar of a name.

    Args:
        records: [N, ...], N >= 1.
        predict_batch: [B, ...] -> [B, classes].
    Returns: float32 [N, classes].
    """
    bar = terminal.bar(
        total=len(records), unit="image", desc=name, shown=progress
    )
    outputs = None
    with bar:
        for start in range(0, len(records), size):
            chunk = records[start : start + size]
            rows = predict_batch(chunk)
            if outputs is None:
                shape = (len(records), *rows.shape[1:])
                outputs = np.empty(shape, np.float32)
            outputs[start : start + len(chunk)] = rows
            bar.update(len(chunk))
    return outputs
