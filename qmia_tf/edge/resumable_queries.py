"""Queries many images; a killed process goes on where it was."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from qmia_tf import files, terminal
from qmia_tf.errors import InputError
from qmia_tf.targets import Target

SECONDS_BETWEEN_SAVES = 20.0


def query_all(
    target: Target,
    images: np.ndarray,
    *,
    classes: int,
    partial: Path,
    key: dict,
    progress: bool = True,
) -> tuple[np.ndarray, int]:
    """Queries every image, batch by batch.

    Outputs are kept in a file, so that a killed process goes on there. Its
    batches are the same, so the outputs are as well.

    Args:
        images: uint8 [N, height, width, channels].
        classes: the columns that outputs must have.
        partial: file for the outputs so far; its owner deletes it.
        key: JSON types that say what is queried; a file with another key is
            not used.
    Returns: float32 [N, classes] probabilities, and int, how many of them
        an earlier process gave.
    Raises: InputError if the images do not fit, or the outputs.
    """
    return compute_rows(
        lambda part: _rows(target, images[part], classes),
        len(images),
        width=classes,
        size=target.batch_size,
        name=target.info["target"],
        partial=partial,
        key=key,
        progress=progress,
    )


def compute_rows(
    compute: Callable[[slice], np.ndarray],
    count: int,
    *,
    width: int,
    size: int,
    name: str,
    partial: Path,
    key: dict,
    progress: bool = True,
) -> tuple[np.ndarray, int]:
    """Computes rows of numbers about records, `size` records at a time.

    Args:
        compute: a slice of the records -> float [B, width].
        count: how many records there are.
        name: of the bar.
        partial, key, progress: as of query_all.
    Returns: float32 [count, width], and int, how many rows an earlier
        process computed.
    """
    rows = np.empty((count, width), np.float32)
    start = done = _restore(partial, key, rows)
    saved = time.monotonic()
    bar = terminal.bar(
        total=count, initial=done, unit="image", desc=name, shown=progress
    )
    try:
        with bar:
            while done < count:
                part = slice(done, min(done + size, count))
                rows[part] = compute(part)
                bar.update(part.stop - done)
                done = part.stop
                if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                    _save(partial, key, rows[:done])
                    saved = time.monotonic()
    except KeyboardInterrupt:
        _save(partial, key, rows[:done])
        raise
    return rows, start


def _rows(target, chunk, classes):
    rows = target.predict(chunk)
    if rows.shape != (len(chunk), classes):
        raise InputError(
            f"target {target.info['target']!r} outputs {list(rows.shape)}, "
            f"expected [{len(chunk)}, {classes}]: is it a model of this data?"
        )
    return rows


def _save(path, key, outputs):
    files.write_npz(path, key=json.dumps(key, sort_keys=True), answers=outputs)


def _restore(path, key, outputs):
    """Fills outputs with what was saved; returns the number of rows."""
    try:
        stored = files.read_npz(path)
    except InputError:
        return 0
    if str(stored.get("key")) != json.dumps(key, sort_keys=True):
        return 0
    rows = stored["answers"]
    outputs[: len(rows)] = rows
    return len(rows)
