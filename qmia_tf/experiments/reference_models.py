"""Reference models: trained like the target, on other records.

Attacks such as LiRA and RMIA compare how sure the target is of a record with
how sure models are that were, or were not, trained on it. Each reference run
is an ordinary run directory, RUN/references/rNN, with the configuration of
the run and a split of its own. They come in pairs that share a split seed and
swap its sides, so that each record trains exactly half of the models.
"""

import copy
import pathlib

import numpy as np

from qmia_tf import locks
from qmia_tf.data.dataset import Dataset
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration
from qmia_tf.run_dir import COMPUTED, RunDir


def plan(config: dict, count: int) -> list[dict]:
    """Gives the configurations of the reference runs.

    Number n follows from the run's configuration and n alone, so more can be
    trained later.

    Raises: InputError if count is not 2, 4, ...
    """
    if count < 2 or count % 2:
        raise InputError(
            f"reference models come in pairs: count must be 2, 4, ..., got "
            f"{count}"
        )
    planned = []
    for number in range(count):
        reference_config = copy.deepcopy(config)
        # Each reference says itself how it was computed.
        reference_config.pop(COMPUTED, None)
        entropy = [config["seed"], config["split"]["seed"], number // 2]
        split_seed, seed = np.random.SeedSequence(entropy).generate_state(2)
        reference_config["split"]["seed"] = int(split_seed)
        reference_config["split"]["complement"] = bool(number % 2)
        reference_config["seed"] = (int(seed) + number % 2) % 2**32
        planned.append(reference_config)
    return planned


def train(
    run_dir,
    dataset: Dataset,
    *,
    count: int = 8,
    schemes=(),
    num_threads: int = 2,
    progress=None,
) -> list[pathlib.Path]:
    """Trains reference models of a run and queries them about every record.

    Goes on where it was: a finished model is not trained again, and outputs
    that are there stay.

    Args:
        run_dir: its model need not be trained yet.
        count: 2 or more and even.
        schemes: export schemes whose .tflite files are made and queried as
            well, so that a file is compared with files.
    Returns: the reference run directories.
    Raises: InputError as training_run.train_run and query_run, or if another
        process works on one of them.
    """
    from qmia_tf.experiments import run, training_run

    run_dir = RunDir(run_dir)
    folders = []
    for number, config in enumerate(plan(configuration.read(run_dir), count)):
        folder = run_dir.reference(number).path
        if progress:
            progress(f"reference {number + 1} of {count}: {folder}")
        with locks.writing(folder):
            training_run.train_run(folder, dataset, config)
            if schemes:
                run.export_run(folder, lambda: dataset, schemes=schemes)
            run.query_run(
                folder, dataset, num_threads=num_threads, progress=progress
            )
        _forget()
        folders.append(folder)
    return folders


def _forget():
    """Frees the graphs of a model that is done."""
    import gc

    import keras

    keras.backend.clear_session()
    gc.collect()
