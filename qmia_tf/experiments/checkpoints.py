"""The outputs of the models of a run, by epoch."""

import pathlib

from qmia_tf.data.records import Records
from qmia_tf.run_dir import CHECKPOINT_NAME, RunDir
from qmia_tf.targets import queries, run_targets

FOLDER = "epochs"


def kept_models(run_dir, config) -> dict[int, pathlib.Path]:
    """Lists the models of a run by epoch, the trained one last.

    Args:
        run_dir: the run directory.
        config: the run's configuration.
    Returns: {epoch: file}. The last epoch is model.keras, also where a
        checkpoint was kept of it.
    Raises: InputError if the run is not trained.
    """
    run_dir = RunDir(run_dir)
    model = run_dir.require_model()
    path_by_epoch = run_dir.kept_checkpoints()
    path_by_epoch[config["recipe"]["epochs"]] = model
    return dict(sorted(path_by_epoch.items()))


def query_epochs(run_dir, models, records: Records, *, progress=None):
    """Queries models of a run about every record, unless that is done.

    Args:
        run_dir: where outputs/keras.npz and outputs/epochs/ go.
        models: {epoch: file}, as kept_models gives them.
        records: the run's Records.
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
        model_outputs = queries.query(_model(file), records, run_dir=run_dir)
        yield epoch, model_outputs.in_record_order()


def _model(file):
    if not CHECKPOINT_NAME.fullmatch(file.name):
        return run_targets.keras_model(file)
    name = file.stem
    return run_targets.keras_model(
        file, name=name, path_name=f"{FOLDER}/{name}"
    )
