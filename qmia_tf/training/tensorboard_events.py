"""An event file of TensorBoard that goes on where a training goes on.

A training that was killed repeats the steps behind its last checkpoint. Here
what an earlier process wrote of them is dropped first, so that no step is
there twice.
"""

import pathlib
import re

from qmia_tf import extras, files

# Marks the files that are ours; TensorBoard reads any name with "tfevents".
SUFFIX = ".qmia_tf"


def require():
    """Raises InputError unless the tensorboard package is installed."""
    extras.require("tensorboard", "--tensorboard")


class EventLog:
    """Scalars of one training.

    Args:
        folder: of the event files; others in it are left alone.
        done: the steps whose scalars stay, >= 0; later ones are dropped.
    Raises: InputError if the tensorboard package is missing or the folder
        cannot be written.
    """

    def __init__(self, folder, *, done: int = 0):
        require()
        import tensorflow as tf

        folder = pathlib.Path(folder)
        files.require_writable(folder)
        _keep(folder, done)
        self._writer = tf.summary.create_file_writer(
            str(folder), filename_suffix=SUFFIX
        )

    def write(self, step: int, scalars: dict[str, float | None]):
        """Writes the scalars of a step by tag, but None, at once."""
        import tensorflow as tf

        with self._writer.as_default(step):
            for tag, value in scalars.items():
                if value is not None:
                    tf.summary.scalar(tag, value)
        self._writer.flush()

    def close(self):
        """Closes the file."""
        self._writer.close()


def read(folder) -> list[tuple[str, int, float]]:
    """Reads (tag, step, value) of a log, in the order they were written."""
    import tensorflow as tf

    return [
        (value.tag, event.step, float(tf.make_ndarray(value.tensor)))
        for path in _files(folder)
        for event in map(_parsed, _records(path))
        for value in event.summary.value
    ]


def _files(folder):
    paths = pathlib.Path(folder).glob(f"events.out.tfevents.*{SUFFIX}")
    # Their names have the second they were opened in, and a number that rises.
    return sorted(
        paths, key=lambda x: [int(n) for n in re.findall(r"\d+", x.name)]
    )


def _keep(folder, done):
    """Leaves one file with the steps up to `done`, or none."""
    import tensorflow as tf

    paths = _files(folder)
    if not paths:
        return
    records = [
        record
        for path in paths
        for record in _records(path)
        if not _parsed(record).summary.value or _parsed(record).step <= done
    ]
    with (
        files.atomic(paths[0]) as temporary,
        tf.io.TFRecordWriter(str(temporary)) as writer,
    ):
        for record in records:
            writer.write(record)
    for path in paths[1:]:
        path.unlink()


def _records(path):
    """Yields the records of a file up to where it was cut off."""
    import tensorflow as tf

    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    try:
        yield from records
    except tf.errors.DataLossError:
        return


def _parsed(record):
    import tensorflow as tf

    return tf.compat.v1.Event.FromString(record)
