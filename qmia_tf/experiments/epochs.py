"""What the models of a run answered, epoch by epoch."""

import pathlib
import re

from qmia_tf import outputs, queries, runs
from qmia_tf.errors import InputError

CHECKPOINTS = "checkpoints"
FOLDER = "epochs"
NAME = re.compile(r"epoch_(\d+)\.keras")


def kept(run_dir, config) -> dict[int, pathlib.Path]:
    """Lists the models of a run by epoch, the trained one last.

    Args:
        run_dir: the run directory.
        config: the run's configuration.
    Returns: {epoch: file}. The last epoch is model.keras, also where a
        checkpoint was kept of it.
    Raises: InputError if the run is not trained.
    """
    run_dir = pathlib.Path(run_dir)
    if not (run_dir / runs.MODEL).exists():
        raise InputError(
            f"{run_dir} has no {runs.MODEL}: train it first, with "
            "scripts/train.py"
        )
    path_by_epoch = {}
    for path in (run_dir / CHECKPOINTS).glob("epoch_*.keras"):
        match = NAME.fullmatch(path.name)
        if match:
            path_by_epoch[int(match[1])] = path
    path_by_epoch[config["recipe"]["epochs"]] = run_dir / runs.MODEL
    return dict(sorted(path_by_epoch.items()))


def answers(run_dir, models, dataset, split, *, progress=None):
    """Asks models of a run about every record, unless that is done.

    Args:
        run_dir: where outputs/keras.npz and outputs/epochs/ go.
        models: {epoch: file}, as kept gives them.
        dataset: the run's Dataset.
        split: the run's Split.
        progress: callable that takes a line of text, or None.
    Yields: (epoch, Outputs in record order), one at a time.
    Raises: InputError if a model cannot be loaded or does not fit the data.
    """
    for place, (epoch, file) in enumerate(models.items(), start=1):
        if progress:
            progress(
                f"{pathlib.Path(run_dir).name}: epoch {epoch}, model {place} "
                f"of {len(models)}"
            )
        path = queries.answer(_query(file), dataset, split, run_dir=run_dir)
        yield epoch, outputs.load(path).in_record_order()


def _query(file):
    trained = file.name == runs.MODEL
    target = runs.TRAINED if trained else file.stem

    def open_model():
        from qmia_tf.targets.keras_models import KerasTarget

        return KerasTarget(file, name=target)

    name = target if trained else f"{FOLDER}/{target}"
    return queries.Query(name, file, outputs.KERAS, open_model)
