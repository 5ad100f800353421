"""Quantized models against full precision, trained alike; the controls."""

from paper import plans, rounded_outputs
from paper.measures import (
    CHANGE,
    MEASURES,
    change_over_seeds,
    changes_over_records,
    full_precision_run,
    groups,
    model_title,
    place_of,
    with_full_precision,
)
from paper.paper_comparison import PLACE, SEEDS, missing
from paper.stored_results import FinishedRun
from qmia_tf.report.run_list import title
from qmia_tf.report.tables import Column, Table
from qmia_tf.run_dir import TRAINED
from qmia_tf.statistics.intervals import Estimate

CHANGED = (
    "accuracy",
    "gap",
    "confidence",
    "confidence_auc",
    "margin_auc",
    "likelihood_auc",
    "quantile_auc",
    "strongest",
)
MINUS = (
    "Each model minus the full-precision Keras model that was trained on the "
    "same members with the same seed. Differences are in points, of AUC as "
    "they are.",
    "Confidence: the paper's attack, with a held-out threshold. Margin, "
    "likelihood (of the margin), quantile: stronger attacks with one model and "
    "no reference models. Strongest: the attack whose AUC has the highest "
    "lower limit on the calibration half. Its balanced accuracy is on the "
    "other half. It may be another attack in either model. It is left out "
    "where one of the two was audited before all of these attacks existed.",
)
ITSELF = "After a comma: an artefact of that model, minus the model itself."
BY_RECORD = (
    "Intervals over records: 95 % for these two models, compared record by "
    "record. The quantile attack's AUC is compared as if the two were "
    "independent, so its interval is wider than it need be. So is every AUC "
    "where the table of matches says unpaired."
)
OVER_SEEDS = (
    "Intervals over seeds: Student's 95 % between pairs of runs. With two "
    "seeds they say little: look at the runs seed by seed."
)
CONTROLS = {
    "w32a32_clip": "the clip without rounding",
    "w8a8": "mild rounding, trained",
    "w2a2": "coarse rounding, trained",
}
ARTEFACTS = {
    rounded_outputs.TARGET: "its outputs rounded as an int8 softmax rounds",
    "int8_ptq": "rounding after training, no retraining",
    "tfmot_int8": "tfmot's quantization-aware fine-tuning",
}


def changes(finished: list[FinishedRun]) -> Table:
    """Each model minus full precision, mean over the seeds."""
    rows = []
    for runs in groups(finished).values():
        run_pairs = with_full_precision(runs, finished)
        if run_pairs:
            place = place_of(runs[0].job)
            rows.append([*place, *_change(run_pairs, TRAINED)])
    columns = [*PLACE, SEEDS, Column("interval", "interval"), *_columns()]
    notes = [*MINUS, OVER_SEEDS, BY_RECORD, *missing(finished)]
    name = "Change against full precision"
    return Table("changes", name, columns, rows, notes)


def changes_by_seed(finished: list[FinishedRun]) -> Table:
    """The same, one row a run, with intervals over records."""
    rows = []
    for finished_run in finished:
        full_run = full_precision_run(finished_run, finished)
        if full_run is None:
            continue
        change_by_key = changes_over_records(
            finished_run, finished_run.run.target(TRAINED), full_run
        )
        changes = [change_by_key.get(key) for key in CHANGED]
        job = finished_run.job
        rows.append([*place_of(job), job.seed, *changes])
    columns = [*PLACE, Column("seed", "seed", "count"), *_columns()]
    notes = [*MINUS, BY_RECORD]
    return Table("changes_by_seed", "Seed by seed", columns, rows, notes)


def controls(finished: list[FinishedRun], paths: dict) -> Table:
    """The models that isolate one cause: clip, rounding, retraining."""
    rows = []
    for (dataset, regime, model), runs in groups(finished).items():
        place = [title(dataset), regime]
        run_pairs = with_full_precision(runs, finished)
        if model in CONTROLS and run_pairs:
            cells = [*place, model_title(model), CONTROLS[model]]
            rows.append([*cells, *_change(run_pairs, TRAINED)])
        for target, text in ARTEFACTS.items():
            if target != rounded_outputs.TARGET and model != plans.FULL:
                continue
            own = [(x, x) for x in runs if x.run.target(target) is not None]
            if own:
                cells = [*place, f"{model_title(model)}, {target}", text]
                rows.append([*cells, *_change(own, target)])
    columns = [
        *PLACE,
        Column("what it isolates", "isolates"),
        SEEDS,
        Column("interval", "interval"),
        *_columns(),
    ]
    notes = [
        *MINUS,
        ITSELF,
        OVER_SEEDS,
        BY_RECORD,
        *map(_path_note, sorted(paths.items())),
    ]
    return Table("controls", "The controls", columns, rows, notes)


def _columns():
    return [
        Column(
            MEASURES[key][0].removesuffix(" %"),
            f"{key}_change",
            CHANGE[MEASURES[key][1]],
        )
        for key in CHANGED
    ]


def change(
    run_pairs: list[tuple[FinishedRun, FinishedRun]], key: str, target=TRAINED
) -> Estimate | None:
    """One measure's change, over seeds or, of one seed, over records.

    Args:
        run_pairs: one a seed, the second of full precision.
        key: of MEASURES.
        target: the artefact of the first; of the second the Keras model.
    """
    ours = [finished_run.run.target(target) for finished_run, _ in run_pairs]
    mean = change_over_seeds(
        ours, [full_run.run.target(TRAINED) for _, full_run in run_pairs], key
    )
    if len(run_pairs) > 1:
        return mean
    return (
        changes_over_records(run_pairs[0][0], ours[0], run_pairs[0][1]).get(key)
        or mean
    )


def _change(run_pairs, target):
    """Number of pairs, the kind of interval, and each of CHANGED."""
    kind = "seeds" if len(run_pairs) > 1 else "records"
    return [
        len(run_pairs),
        kind,
        *(change(run_pairs, key, target) for key in CHANGED),
    ]


def _path_note(item):
    dataset, check = item
    equal = (
        "all are equal, bit for bit"
        if not check["differ"]
        else f"{check['differ']:,} differ, by {check['largest']:.1e} at most"
    )
    return (
        f"{title(dataset)}: (32, 32) is made of the DoReFa layers. The same "
        f"network of Keras' own layers ({check['layers']} replaced), trained "
        f"for {check['steps']} steps on the same batches: of "
        f"{check['weights']:,} weights {equal}."
    )
