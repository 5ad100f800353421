"""Queries many images; a killed process goes on where it was."""

import json
import pathlib
import time

import numpy as np

from qmia_tf import files, terminal
from qmia_tf.errors import InputError

SECONDS_BETWEEN_SAVES = 20.0


def query_all(target, images, *, classes, partial, key, progress=True):
    """Queries every image, batch by batch.

    Outputs are kept in a file, so that a killed process goes on there. Its
    batches are the same, so the outputs are as well.

    Args:
        target: tflite_target.TFLiteTarget.
        images: uint8 [N, height, width, channels].
        classes: int, the columns that outputs must have.
        partial: file for the outputs so far; its owner deletes it.
        key: dict of JSON types that says what is queried; a file with another
            key is not used.
        progress: shows a bar.
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
    text = json.dumps(key, sort_keys=True)
    files.write_npz(path, key=np.array(text), answers=outputs)


def _restore(path, key, outputs):
    """Fills outputs with what was saved; returns the number of rows."""
    if not pathlib.Path(path).is_file():
        return 0
    try:
        stored = files.read_npz(path)
    except InputError:
        return 0
    if str(stored.get("key")) != json.dumps(key, sort_keys=True):
        return 0
    rows = stored["answers"]
    outputs[: len(rows)] = rows
    return len(rows)
