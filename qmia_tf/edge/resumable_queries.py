"""Queries many images; a killed process goes on where it was."""

import json
import time
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
    outputs = np.empty((len(images), classes), np.float32)
    start = done = _restore(partial, key, outputs)
    saved = time.monotonic()
    bar = terminal.bar(
        total=len(images),
        initial=done,
        unit="image",
        desc=target.info["target"],
        shown=progress,
    )
    try:
        with bar:
            while done < len(images):
                stop = min(done + target.batch_size, len(images))
                outputs[done:stop] = _rows(target, images[done:stop], classes)
                bar.update(stop - done)
                done = stop
                if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                    _save(partial, key, outputs[:done])
                    saved = time.monotonic()
    except KeyboardInterrupt:
        _save(partial, key, outputs[:done])
        raise
    return outputs, start


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
