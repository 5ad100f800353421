"""The tables of artefacts: what each is, gives away, and has changed."""

from qmia_tf.report.paper_tables import IN_SAMPLE, INTERVALS, RUN_COLUMNS, names
from qmia_tf.report.parent_changes import change
from qmia_tf.report.run_list import Run
from qmia_tf.report.tables import Column, Table

COLUMNS = [
    *RUN_COLUMNS,
    Column("target", "target"),
    Column("kernels", "kernel_set"),
    Column("members right %", "accuracy_members", "percent"),
    Column("nonmembers right %", "accuracy_nonmembers", "percent"),
    Column("scores", "distinct_scores", "count"),
    Column("ties", "tied_outputs", "count"),
    Column("MB", "size_mb", "number"),
    Column("ms", "latency_ms", "measure"),
    Column("threads", "latency_threads", "count"),
    Column("gap attack %", "gap_attack", "percent"),
    Column("confidence, held out %", "confidence_held_out", "percent"),
    Column("in-sample peak %", "confidence_in_sample", "percent"),
    Column("confidence AUC", "confidence_auc", "area"),
    Column("nonmembers right", "accuracy_change", "change"),
    Column("gap attack", "gap_change", "change"),
    Column("confidence, held out", "held_out_change", "change"),
    Column("size %", "size_change", "growth"),
]
FACT_COLUMNS = (
    "target",
    "accuracy_members",
    "accuracy_nonmembers",
    "distinct_scores",
    "tied_outputs",
    "size_mb",
    "latency_ms",
    "latency_threads",
)
LEAK_COLUMNS = (
    "target",
    "gap_attack",
    "confidence_held_out",
    "confidence_in_sample",
    "confidence_auc",
)
CHANGE_COLUMNS = (
    "target",
    "accuracy_change",
    "gap_change",
    "held_out_change",
    "size_change",
)
TARGETS = (
    "Targets: keras, the trained model; a scheme, its .tflite file under "
    "LiteRT's default kernels; scheme.NAME, the same under other kernels or "
    "on another machine; scheme_twin, the Keras emulation of its integers."
)
SCORES = (
    "Scores: how many different confidences the target gave. Ties: records "
    "with several most probable classes, of which the first counts."
)
LATENCY = (
    "MB: of the file. ms: median time of one image, with so many threads, on "
    "the machine that was measured."
)
BALANCED = (
    "Attack accuracy is balanced, 1/2 + (TPR - FPR)/2; guessing gives 50 %."
)
HELD_OUT = (
    "Held out: threshold chosen on half of the records, judged on the other "
    "half."
)
PAIRED = (
    "Points more or less than the full-precision Keras model of the same data "
    "and split; 95 % intervals from both models' membership decisions on each "
    "record (Tango's), for these two models and thresholds."
)
UNPAIRED = "Without an interval: the two were not judged on the same records."


def artefact_table(compared: list[Run]) -> Table:
    """One row a target, with everything about it."""
    rows = []
    for run in compared:
        for target in run.audit.targets:
            attack = target.attack("confidence")
            changed = change(run, target, compared)
            rows.append(
                [
                    *names(run),
                    target.target,
                    target.kernel_set,
                    target.accuracy_members,
                    target.accuracy_nonmembers,
                    attack.distinct_scores,
                    target.tied_outputs,
                    target.size_mb,
                    target.latency_ms,
                    target.latency_threads,
                    target.attack("gap").point("fixed").balanced_accuracy,
                    attack.held_out.point.balanced_accuracy,
                    attack.point("peak_accuracy").balanced_accuracy,
                    attack.auc,
                    changed and changed.accuracy,
                    changed and changed.gap,
                    changed and changed.held_out,
                    changed and changed.size,
                ]
            )
    return Table(
        name="artefacts",
        title="Every artefact",
        columns=COLUMNS,
        rows=rows,
        notes=[],
        grouped=len(RUN_COLUMNS),
    )


def page_tables(table: Table, compared: list[Run]) -> list[Table]:
    """Cuts the table of artefacts into tables that fit a page.

    Args:
        table: from artefact_table.
        compared: the runs.
    Returns: what each artefact is, what it gives away, and the changes, if
        there is a full-precision model to compare with.
    """
    left_out = [
        f"Left out: {run.name}, {omission.target}: {omission.reason}"
        for run in compared
        for omission in run.audit.left_out
    ]
    targets = [TARGETS] if any(not run.own for run in compared) else []
    tables = [
        table.pick(
            FACT_COLUMNS,
            name="artefacts",
            title="What each artefact is",
            notes=[INTERVALS, *targets, SCORES, LATENCY, *left_out],
        ),
        table.pick(
            LEAK_COLUMNS,
            name="leaks",
            title="What each artefact gives away",
            notes=[f"{INTERVALS} {BALANCED}", f"{HELD_OUT} {IN_SAMPLE}"],
        ),
    ]
    changes = _changes(table)
    return [*tables, changes] if changes.rows else tables


def agreement_tables(compared: list[Run]) -> list[Table]:
    """How far outputs of artefacts agree; no table without comparisons."""
    rows = [
        [
            *names(run),
            agreement.target,
            agreement.other,
            agreement.records,
            agreement.labels_differ,
            agreement.largest_difference,
        ]
        for run in compared
        for agreement in run.audit.agreements
    ]
    table = Table(
        name="agreement",
        title="How far the outputs of the artefacts agree",
        columns=[
            *RUN_COLUMNS,
            Column("target", "target"),
            Column("compared with", "other"),
            Column("records", "records", "count"),
            Column("labels differ", "labels_differ", "count"),
            Column("probabilities, by up to", "largest_difference", "tiny"),
        ],
        rows=rows,
        notes=[
            "The same file under other kernels or elsewhere is compared with "
            "itself under the first, a twin with its file, the rest with keras."
        ],
        grouped=len(RUN_COLUMNS),
    )
    return [table] if rows else []


def _changes(table):
    picked = table.pick(
        CHANGE_COLUMNS,
        name="changes",
        title="Change against the full-precision Keras model",
        notes=[],
    )
    rows = [row for row in picked.rows if row[-4] is not None]
    notes = [PAIRED]
    if any(cell.low is None for row in rows for cell in row[-4:-1]):
        notes.append(UNPAIRED)
    return Table(
        picked.name, picked.title, picked.columns, rows, notes, picked.grouped
    )
