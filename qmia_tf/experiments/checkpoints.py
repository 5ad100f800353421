"""The outputs of the models of a run, by epoch."""

import pathlib
from collections.abc import Iterator

from qmia_tf.data.records import Records
from qmia_tf.outputs import Outputs
from qmia_tf.run_dir import CHECKPOINT_NAME, RunDir
from qmia_tf.targets import queries, run_targets

FOLDER = "epochs"


def kept_models(run_dir, config: dict) -> dict[int, pathlib.Path]:
    """Lists the models of a run by epoch, the trained one last.

    Returns: by epoch. The last is model.keras, also where a checkpoint was kept
        of it.
    Raises: InputError if the run is not trained.
    """
    run_dir = RunDir(run_dir)
    model = run_dir.require_model()
    path_by_epoch = run_dir.kept_checkpoints()
    path_by_epoch[config["recipe"]["epochs"]] = model
    return dict(sorted(path_by_epoch.items()))


def query_epochs(
    run_dir, models: dict[int, pathlib.Path], records: Records, *, progress=None
) -> Iterator[tuple[int, Outputs]]:
    """Queries models of a run about every record, unless that is done.

    Args:
        models: as kept_models gives them.
    Yields: (epoch, Outputs in record order), one at a time.
    Raises: InputError if a model cannot be loaded or does not fit the data.
    """
    for place, (epoch, file) in enumerate(models.items(), start=1):
        if progress:
            progress(
                f"{pathlib.Path(run_dir).name}: epoch {epoch}, model {place} "
                f"of {len(models)}"
            )
        model_outputs = queries.query(_model(file), records, run_dir=run_dir)
        yield epoch, model_outputs.in_record_order()


def _model(file):
    if not CHECKPOINT_NAME.fullmatch(file.name):
        return run_targets.keras_model(file)
    name = file.stem
    return run_targets.keras_model(
        file, name=name, path_name=f"{FOLDER}/{name}"
    )
