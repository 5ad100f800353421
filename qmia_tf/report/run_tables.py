"""The tables of a report: all that is stored, and what fits on a page."""

import dataclasses
from collections.abc import Iterator

from qmia_tf.report import metrics
from qmia_tf.report.metrics import RATES, RUN, run_row, select
from qmia_tf.report.run_list import Run, is_variant
from qmia_tf.report.tables import Column, Table
from qmia_tf.report.words import notes, say
from qmia_tf.run_dir import TRAINED

GROUPED = len(RUN)
# Keys of the columns that fit on a page; the rest is in the CSV.
FACTS = (
    *("target", "accuracy_members", "accuracy_nonmembers", "distinct_scores"),
    *("tied_outputs", "size_mb", "latency_ms", "latency_threads"),
)
LEAKS = (
    *("target", "gap_attack", "confidence_held_out"),
    *("confidence_in_sample", "confidence_auc"),
)
CHANGES = (
    *("target", "accuracy_change", "gap_change"),
    *("held_out_change", "size_change"),
)
ATTACKS = ("attack", "auc", "p_value", "held_out", "excess")
TAILS = ("attack", "in_sample", "tpr_at_fpr_1", "tpr_at_fpr_0.1", "epsilon")
VERDICTS = ("target", "answer", "p_value", "attack", "auc", "tpr_1")
ATTACKERS = (
    "target",
    "attacker",
    "answer",
    "p_value",
    "attack",
    "auc",
    "tpr_1",
)
FORMS = (
    *("form", "auc", "tpr_1"),
    *("accuracy_nonmembers", "calibration_error", "log_loss"),
)
LIMITS = ("form", "limited_by", "attack", "auc_change", "tpr_0.1")
STRONGEST = ("target", "attack", "auc", "accuracy", "tpr_1")


@dataclasses.dataclass(frozen=True)
class RunTable:
    """A table with all of its columns, and what a page shows of it."""

    stored: Table
    shown: list[Table]


def run_tables(runs: list[Run]) -> Iterator[RunTable]:
    """Verdicts, artefacts, attacks, forms of outputs; none without rows."""
    for made in (
        *(_verdicts, _attackers, _artefacts),
        *(_attacks, _strongest, _forms),
    ):
        table = made(runs)
        if table.stored.rows:
            yield table


def detail_tables(runs: list[Run]) -> Iterator[RunTable]:
    """What else is known of artefacts; none without rows."""
    for made in (_loss_tails, _joint_attacks, _agreement, _tfprivacy):
        table = made(runs)
        if table.rows:
            yield RunTable(table, [table])


def _verdicts(runs):
    table = select(
        "answers",
        "The verdict on each artefact",
        metrics.verdict_rows(runs),
        notes=notes("test", "detectable"),
        grouped=GROUPED,
    )
    if not table.rows:
        return RunTable(table, [])
    more = say("notes", "more_columns", table.name)
    short = table.pick(VERDICTS, notes=[*notes("test"), more])
    return RunTable(table, [short])


def _attackers(runs):
    table = select(
        "attackers",
        "Who queries, and who holds the model",
        metrics.attacker_rows(runs),
        notes=notes("attackers", "test"),
        grouped=GROUPED + 1,
    )
    return RunTable(table, [table.pick(ATTACKERS)] if table.rows else [])


def _artefacts(runs):
    """Everything of each target; on a page in three tables."""
    table = select(
        "artefacts",
        "Every artefact",
        metrics.artefact_rows(runs),
        grouped=GROUPED,
    )
    left_out = [
        say("notes", "left_out", run, omission)
        for run in runs
        for omission in run.audit.left_out
    ]
    targets = notes("targets") if any(run.is_trained for run in runs) else []
    intervals = say("notes", "intervals")
    facts = table.pick(
        FACTS,
        title="What each artefact is",
        notes=[intervals, *targets, *notes("scores", "latency"), *left_out],
    )
    leaks = table.pick(
        LEAKS,
        name="leaks",
        title="What each artefact gives away",
        notes=[
            f"{intervals} {say('notes', 'balanced')}",
            " ".join(notes("held_out", "in_sample")),
        ],
    )
    changes = _changes(table)
    return RunTable(table, [facts, leaks, *([changes] if changes.rows else [])])


def _changes(artefacts):
    table = artefacts.pick(
        CHANGES,
        name="changes",
        title="Change against the full-precision Keras model",
    )
    rows = [row for row in table.rows if row[-4] is not None]
    unpaired = any(cell.low is None for row in rows for cell in row[-4:-1])
    names = ["paired", *(["unpaired"] if unpaired else [])]
    return dataclasses.replace(table, rows=rows, notes=notes(*names))


def _attacks(runs):
    """Each attack on each target; on a page those on the Keras models."""
    table = select(
        "attacks",
        "Every attack",
        metrics.attack_rows(runs),
        grouped=GROUPED + 1,
        columns=(Column("adjusted p", "p_value", "tiny"),),
    )
    keys = {
        (run.name, target.target)
        for run in runs
        for target in run.audit.targets
        if (
            target.target == TRAINED
            if run.is_trained
            else not is_variant(target)
        )
    }
    subject = "each model"
    if {target for _, target in keys} == {TRAINED}:
        subject = "the Keras model"
    named = zip(table.column("run"), table.column("target"), strict=True)
    rows = [
        row for row, key in zip(table.rows, named, strict=True) if key in keys
    ]
    short = dataclasses.replace(table, rows=rows or table.rows)
    title = f"Every attack on {subject}"
    return RunTable(
        table,
        [
            short.pick(
                ATTACKS,
                title=title,
                notes=notes("intervals", "over_gap", "alike"),
            ),
            short.pick(
                TAILS,
                name="tails",
                title=f"{title}, with few false alarms",
                notes=notes("intervals", "in_sample", "low_fpr", "epsilon"),
            ),
        ],
    )


def _strongest(runs):
    table = select(
        "strongest",
        "Held out: the strongest attack on each artefact",
        metrics.strongest_rows(runs),
        notes=notes("intervals", "strongest", "low_fpr"),
        grouped=GROUPED,
    )
    if not table.rows:
        return RunTable(table, [])
    more = say("notes", "more_columns", table.name)
    short = table.pick(STRONGEST, notes=[*table.notes, more])
    return RunTable(table, [short])


def _loss_tails(runs):
    return select(
        "loss_tails",
        "LOSS-TNR: nonmembers alone among the highest losses",
        (
            {
                **run_row(run),
                "target": target.target,
                "members": target.members,
                "nonmembers": target.nonmembers,
                **{f"tnr_{RATES[x.rate]}": x.tnr for x in target.loss_tnr},
            }
            for run in runs
            for target in run.audit.targets
            if target.loss_tnr
        ),
        notes=notes("intervals", "loss_tnr"),
        grouped=GROUPED,
    )


def _forms(runs):
    title = "What outputs hide, by what an attacker sees"
    table = select(
        "forms",
        title,
        metrics.form_rows(runs),
        grouped=GROUPED + 1,
    )
    if not table.rows:
        return RunTable(table, [])
    limits = table.pick(
        LIMITS,
        name="form_limits",
        title=f"{title}: who limits it",
        notes=notes("form_limits", "low_fpr"),
    )
    short = table.pick(FORMS, notes=notes("forms", "form_costs"))
    return RunTable(table, [short, limits])


def _joint_attacks(runs):
    return select(
        "joint",
        "Two artefacts queried together",
        (
            {
                **run_row(run),
                "first": joint.first,
                "second": joint.second,
                "records": joint.members + joint.nonmembers,
                "auc_alone": joint.single_auc,
                "auc_together": joint.joint_auc,
                "gain": joint.gain,
                "p_value": joint.p_value,
            }
            for run in runs
            for joint in run.audit.joint_attacks
        ),
        columns=(Column("p", "p_value", "measure"),),
        notes=notes("joint"),
        grouped=GROUPED,
    )


def _agreement(runs):
    return select(
        "agreement",
        "How far the outputs of the artefacts agree",
        (
            {
                **run_row(run),
                "target": agreement.target,
                "other": agreement.other,
                "records": agreement.records,
                "labels_differ": agreement.labels_differ,
                "largest_difference": agreement.largest_difference,
            }
            for run in runs
            for agreement in run.audit.agreements
        ),
        columns=(Column("records", "records", "count"),),
        notes=notes("agreement"),
        grouped=GROUPED,
    )


def _tfprivacy(runs):
    return select(
        "tfprivacy",
        "The attacks of tensorflow-privacy on all records",
        (
            {
                **run_row(run),
                "target": target.target,
                "attack": row.attack,
                "records": row.members + row.nonmembers,
                "auc": row.auc,
                "advantage": row.advantage,
            }
            for run in runs
            for target in run.audit.targets
            if target.tfprivacy is not None
            for row in target.tfprivacy.rows
            if row.slice == "Entire dataset"
        ),
        columns=(Column("advantage", "advantage", "number"),),
        notes=notes("hanley_mcneil", "trained_attackers"),
        grouped=GROUPED,
    )
