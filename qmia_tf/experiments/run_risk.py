"""Record risk of a target of a run."""

import numpy as np

from qmia_tf import outputs
from qmia_tf.attacks.losses import losses
from qmia_tf.auditing import record_risk
from qmia_tf.data.dataset import Dataset
from qmia_tf.errors import InputError
from qmia_tf.experiments import (
    checkpoints,
    configuration,
    reference_outputs,
    training_run,
)
from qmia_tf.run_dir import TRAINED, RunDir
from qmia_tf.statistics import loss_traces


def of_run(
    run_dir,
    *,
    target: str = TRAINED,
    dataset: Dataset | None = None,
    **options,
) -> record_risk.RecordRisks:
    """Measures the record risk from the stored outputs of a target.

    Args:
        dataset: of the run; only record_risk.LOSS_TRACE needs it, which
            queries the epochs that were kept.
        **options: of record_risk.measure.
    Raises: InputError if the run or the target's outputs are not there, or are
        about other data, or as record_risk.measure.
    """
    run_dir = RunDir(run_dir)
    config = configuration.read(run_dir)
    path = run_dir.require_outputs(target)
    target_outputs = outputs.load(path)
    expected = config["dataset"].get("fingerprint")
    got = target_outputs.info.get("fingerprint")
    if got and expected and got != expected:
        raise InputError(
            f"{path}: the outputs are about data with fingerprint {got}, the "
            f"run is about {expected}: query the target with the run's data"
        )
    if options.get("score") == record_risk.LOSS_TRACE:
        options["losses"] = _losses(
            run_dir, config, dataset, target_outputs.in_record_order()
        )
    return record_risk.measure(
        target_outputs,
        references=reference_outputs.load(
            reference_outputs.of_run(run_dir), target, fingerprint=expected
        ),
        run=run_dir.name,
        **options,
    )


def _losses(run_dir, config, dataset, target_outputs):
    """The losses [E, N] of the records after each epoch that was kept."""
    if target_outputs.target != TRAINED:
        raise InputError(
            f"score {record_risk.LOSS_TRACE!r} is about the Keras model, whose "
            f"epochs were kept: leave out --target={target_outputs.target}"
        )
    models = checkpoints.kept_models(run_dir, config)
    if len(models) < loss_traces.FEWEST:
        # Refused by their number, before any is queried.
        return np.empty((len(models), 0))
    records = training_run.records_of(run_dir, dataset, config)
    rows = []
    for _, answered in checkpoints.query_epochs(run_dir, models, records):
        if not np.array_equal(answered.record_ids, target_outputs.record_ids):
            raise InputError(
                f"{run_dir}: its epochs were queried about other records than "
                "its outputs: query both anew, with qmia attack"
            )
        rows.append(losses(answered))
    return np.stack(rows)
