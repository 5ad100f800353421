"""Record risk of a target of a run."""

from qmia_tf import outputs
from qmia_tf.auditing import record_risk
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration, reference_outputs
from qmia_tf.run_dir import TRAINED, RunDir


def of_run(
    run_dir, *, target: str = TRAINED, **options
) -> record_risk.RecordRisks:
    """Measures the record risk from the stored outputs of a target.

    Args:
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
    return record_risk.measure(
        target_outputs,
        references=reference_outputs.load(
            reference_outputs.of_run(run_dir), target, fingerprint=expected
        ),
        run=run_dir.name,
        **options,
    )
