"""What a job that trains a model needs around it."""

import contextlib
import gc
import sys
from collections.abc import Iterator

from qmia_tf import locks, quiet

# A worker whose parent was killed notices within a second or so.
ORPHAN_SECONDS = 10


@contextlib.contextmanager
def writing(folder) -> Iterator[None]:
    """Has TensorFlow started, makes this the folder's only writer, tidies up.

    Waits for a worker of a killed call, which ends by itself.

    Args:
        folder: of the run.
    Raises: InputError as locks.writing.
    """
    if "tensorflow" not in sys.modules:
        # In a worker, which nobody started it in.
        quiet.start_tensorflow()
    with locks.writing(folder, wait=ORPHAN_SECONDS):
        yield
    free_memory()


def free_memory() -> None:
    """Frees the graphs of models that are done with."""
    import keras

    keras.utils.clear_session()
    gc.collect()
