"""The jobs of a sweep: make a run, attack it."""

import time

from qmia_tf import files
from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.experiments import model_job
from qmia_tf.experiments.sweep_plan import (
    ATTACK,
    AUDIT_OPTIONS,
    EXPORT,
    QUERY,
    RECORD,
    TRAIN,
    PlannedRun,
    Steps,
    read_record,
)

QUERY_OPTIONS = ("kernels", "num_threads")


def make_run(data: DatasetCache, *, planned: PlannedRun, steps: Steps) -> None:
    """Trains a run, exports it, and queries it, as far as that is left.

    Args:
        data: where its data set is from.
        planned: the run.
        steps: how far it goes.
    """
    from qmia_tf.experiments import run

    place, dataset = planned.place, planned.run.load(data)

    def export():
        run.export_run(place, lambda: dataset, schemes=steps.schemes)
        run.compare_run(place, dataset)

    def query():
        given = {x: y for x, y in steps.attack.items() if x in QUERY_OPTIONS}
        run.query_run(place, dataset, **given)

    work = {
        TRAIN: lambda: model_job.train(
            place,
            dataset,
            planned.run.config(dataset),
            tensorboard_every=steps.tensorboard_every,
        ),
        EXPORT: export,
        QUERY: query,
    }
    with model_job.writing(place):
        for stage in planned.left:
            if stage in work:
                _do(planned, stage, steps, work[stage])


def attack_run(
    data: DatasetCache, *, planned: PlannedRun, steps: Steps
) -> None:
    """Attacks a run; arguments as of make_run."""
    from qmia_tf.experiments import run

    place, dataset = planned.place, planned.run.load(data)
    given = {**AUDIT_OPTIONS, **steps.attack}
    with model_job.writing(place):
        _do(
            planned,
            ATTACK,
            steps,
            lambda: run.attack_run(
                place, dataset, parent=planned.parent, **given
            ),
        )


def _do(planned, stage, steps, work):
    """Does a stage, and notes in stages.json that it is done, and with what."""
    place, started = planned.place, time.monotonic()
    work()
    record = read_record(place)
    before = steps.stages[: steps.stages.index(stage)]
    seconds = record.get("seconds", {})
    record["seconds"] = {
        **{name: seconds[name] for name in before if name in seconds},
        stage: round(time.monotonic() - started, 1),
    }
    if stage == EXPORT:
        schemes = {*record.get("schemes", []), *steps.schemes}
        record["schemes"] = sorted(schemes)
    if stage == ATTACK:
        record["attack"] = steps.audit_options
        record["parent"] = planned.parent and planned.parent.name
        record["audit_sha256"] = files.sha256(place.audit)
    files.write_json(place.path / RECORD, record)
