"""Records cut into batches, and batches filled up to one size."""

import numpy as np

from qmia_tf import terminal


def pad_batch(batch, size):
    """Repeats the first record until a batch is as large as the others.

    XLA compiles a quantized network for every size of batch.

    Args:
        batch: array [B, ...], B >= 1.
        size: int.
    Returns: array [max(B, size), ...], the batch first.
    """
    missing = size - len(batch)
    if missing <= 0:
        return batch
    return np.concatenate([batch, np.repeat(batch[:1], missing, axis=0)])


def in_batches(records, predict_batch, *, size, name, progress=False):
    """Calls a function on `size` records at a time, under a bar.

    Args:
        records: array [N, ...], N >= 1.
        predict_batch: callable, array [B, ...] -> array [B, classes].
        size: int >= 1.
        name: what the bar is called.
        progress: shows a bar after two seconds.
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
