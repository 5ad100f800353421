"""What a job that trains a model needs around it."""

import contextlib
import functools
import gc
import sys
from collections.abc import Iterator

from qmia_tf import locks, quiet

# A worker whose parent was killed notices within a second or so.
ORPHAN_SECONDS = 10
# Small networks take less time for an epoch than for its checkpoint.
CHECKPOINT_SECONDS = 5


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
        try:
            yield
        finally:
            free_memory()


def train(folder, dataset, config, *, tensorboard_every: int = 0) -> None:
    """Trains a model, or goes on, at the least cost of one among many.

    Models of one network that follow each other in a process share what
    TensorFlow made of the training step. The weights are those of a model
    trained alone, up to what docs/decisions.md says of queries before. A kill
    costs the epoch it falls in, and of shorter epochs those of a few seconds.

    Args and Raises: as training_run.train_run.
    """
    from qmia_tf.experiments import training_run

    training_run.train_run(
        folder,
        dataset,
        config,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        kept=kept_trainer(),
        tensorboard_every=tensorboard_every,
    )


@functools.cache
def kept_trainer():
    """The KeptTrainer of this process."""
    from qmia_tf.training.kept_trainer import KeptTrainer

    return KeptTrainer()


def free_memory() -> None:
    """Frees the graphs of models that are done with."""
    import keras

    keras.utils.clear_session()
    gc.collect()
