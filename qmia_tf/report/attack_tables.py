"""The tables of attacks: all, the strongest, and the joint attacks."""

import dataclasses

from qmia_tf.attacks import TITLES
from qmia_tf.report.paper_tables import IN_SAMPLE, INTERVALS, RUN_COLUMNS, names
from qmia_tf.report.run_list import Run, is_variant
from qmia_tf.report.tables import Column, Table
from qmia_tf.run_dir import TRAINED

# The false-positive rates that have columns of their own.
RATES = {0.1: "10", 0.01: "1", 0.001: "0.1", 0.0001: "0.01"}
EVERY, TAILS = "attacks", "tails"

COLUMNS = [
    *RUN_COLUMNS,
    Column("target", "target"),
    Column("attack", "attack"),
    Column("members", "members", "count"),
    Column("nonmembers", "nonmembers", "count"),
    Column("left out", "excluded", "count"),
    Column("AUC", "auc", "area"),
    Column("adjusted p", "p_value", "tiny"),
    Column("held out %", "held_out", "percent"),
    Column("over gap", "excess", "change"),
    Column("by class %", "by_class", "percent"),
    Column("cross-fitted %", "cross_fitted", "percent"),
    Column("advantage", "advantage", "signed"),
    Column("precision %", "precision", "percent"),
    Column("recall %", "recall", "percent"),
    Column("F1 %", "f1", "percent"),
    Column("in-sample peak %", "in_sample", "percent"),
    Column("optimism", "optimism", "measure"),
    *(
        Column(f"TPR % at {text} % FPR", f"tpr_at_fpr_{text}", "percent")
        for text in RATES.values()
    ),
    Column("least FPR", "least_false_positive_rate", "tiny"),
    Column("epsilon >=", "epsilon", "number"),
]
# What fits on a page; the rest is in the CSV.
PAGE_COLUMNS = ("attack", "auc", "p_value", "held_out", "excess")
TAIL_COLUMNS = (
    "attack",
    "in_sample",
    "tpr_at_fpr_1",
    "tpr_at_fpr_0.1",
    "epsilon",
)
VERDICT_COLUMNS = ("target", "answer", "p_value", "attack", "auc", "tpr_1")
STRONGEST_COLUMNS = ("target", "attack", "auc", "accuracy", "tpr_1")
TEST = (
    "p: that without a leak some attack shows as much, adjusted for all "
    "attacks (max-T over permutations of the memberships). Attack: the one "
    "whose AUC is surely the highest. In brackets: 95 % intervals that hold "
    "for all attacks at once; the TPR is that of the attack that is best "
    "there."
)
DETECTABLE = (
    "Would find: the smallest AUC that this audit would have found in 80 of "
    "100 cases, as a shift of that attack's scores."
)
HELD_OUT = (
    "Held out: the threshold was chosen on half of the records and judged on "
    "the other; by class: one for each class, likewise. Over gap: held out "
    "minus the gap attack on the same records, in points, paired interval."
)
LOW = (
    "TPR at a low FPR: at the largest attained FPR that does not exceed it, "
    "never between tied records; 0.1 % of 1,000 nonmembers is one record."
)
EPSILON = (
    "epsilon: 95 % lower bound of this one model's privacy loss as this "
    "attack sees it, threshold chosen on the other half; not a statement "
    "about the way it was trained."
)
STRONGEST = (
    "The attack whose AUC is surely the highest on the calibration half, with "
    "the threshold chosen there, judged on the other half: having chosen does "
    "not flatter it."
)
JOINT = (
    "The same trained attacker sees the first's outputs alone, then both's; "
    "it learns on the calibration half and is judged on the other. Gain: "
    "paired DeLong interval."
)


def attack_table(compared: list[Run]) -> Table:
    """One row an attack on a target."""
    rows = [
        [*names(run), target.target, *_cells(attack, target)]
        for run in compared
        for target in run.audit.targets
        for attack in target.attacks
    ]
    return Table(
        name=EVERY,
        title="Every attack",
        columns=COLUMNS,
        rows=rows,
        notes=[],
        grouped=len(RUN_COLUMNS) + 1,
    )


def page_tables(table: Table, compared: list[Run]) -> list[Table]:
    """Cuts the table of attacks down to some models and a page's width.

    Of our own runs the Keras models; of audits of somebody's own models all.

    Args:
        table: from attack_table.
        compared: the runs.
    """
    keys = {
        (run.name, target.target)
        for run in compared
        for target in run.audit.targets
        if target.target == TRAINED or (run.own and not is_variant(target))
    }
    places = len(RUN_COLUMNS) - 1, len(RUN_COLUMNS)
    rows = [row for row in table.rows if tuple(row[p] for p in places) in keys]
    table = dataclasses.replace(table, rows=rows or table.rows)
    subject = "the Keras model"
    if {name for _, name in keys} != {TRAINED}:
        subject = "each model"
    alike = (
        "Attacks whose scores are functions of each other (true class, loss) "
        "rank records alike, up to rounding. All targets and columns are in "
        f"{EVERY}.csv."
    )
    return [
        table.pick(
            PAGE_COLUMNS,
            name=EVERY,
            title=f"Every attack on {subject}",
            notes=[INTERVALS, HELD_OUT, alike],
        ),
        table.pick(
            TAIL_COLUMNS,
            name=TAILS,
            title=f"Every attack on {subject}, with few false alarms",
            notes=[INTERVALS, IN_SAMPLE, LOW, EPSILON],
        ),
    ]


def verdict_table(compared: list[Run]) -> list[Table]:
    """The verdict on each artefact; no table if audits are too old.

    Twins and other kernels are left to attacks.csv.
    """
    rows = []
    for run in compared:
        for target in run.audit.targets:
            leak = target.leak
            if leak is None or is_variant(target):
                continue
            at = {low_rate.rate: low_rate.tpr for low_rate in leak.tpr_at_fpr}
            rows.append(
                [
                    *names(run),
                    target.target,
                    leak.verdict,
                    leak.p_value,
                    TITLES.get(leak.strongest, leak.strongest),
                    leak.auc,
                    leak.detectable and leak.detectable.auc,
                    *(at.get(rate) for rate in RATES),
                    len(leak.attacks),
                    leak.permutations,
                    leak.strata,
                ]
            )
    table = Table(
        name="answers",
        title="The verdict on each artefact",
        columns=[
            *RUN_COLUMNS,
            Column("target", "target"),
            Column("verdict", "answer"),
            Column("p", "p_value", "tiny"),
            Column("attack", "attack"),
            Column("AUC", "auc", "area"),
            Column("would find", "detectable_auc", "measure"),
            *(
                Column(f"TPR % at {text} % FPR", f"tpr_{text}", "percent")
                for text in RATES.values()
            ),
            Column("attacks", "attacks", "count"),
            Column("permutations", "permutations", "count"),
            Column("within", "strata"),
        ],
        rows=rows,
        notes=[TEST, DETECTABLE],
        grouped=len(RUN_COLUMNS),
    )
    return [table] if rows else []


def short_verdict_table(table: Table) -> Table:
    """Cuts the table of verdicts down to a page's width.

    Args:
        table: from verdict_table.
    """
    return table.pick(
        VERDICT_COLUMNS,
        name=table.name,
        title=table.title,
        notes=[TEST, f"More columns are in {table.name}.csv."],
    )


def strongest_table(compared: list[Run]) -> list[Table]:
    """The best attack on each target; no table without targets to show.

    Twins and other kernels are left to attacks.csv.
    """
    rows = []
    for run in compared:
        for target in run.audit.targets:
            if is_variant(target):
                continue
            best = target.strongest
            at = {low_fpr.rate: low_fpr.tpr for low_fpr in best.tpr_at_fpr}
            rows.append(
                [
                    *names(run),
                    target.target,
                    TITLES.get(best.attack, best.attack),
                    len(best.candidates),
                    best.auc,
                    best.point.balanced_accuracy,
                    best.point.advantage,
                    *(at.get(rate) for rate in RATES),
                ]
            )
    table = Table(
        name="strongest",
        title="Held out: the strongest attack on each artefact",
        columns=[
            *RUN_COLUMNS,
            Column("target", "target"),
            Column("attack", "attack"),
            Column("of", "candidates", "count"),
            Column("AUC", "auc", "area"),
            Column("accuracy %", "accuracy", "percent"),
            Column("advantage", "advantage", "signed"),
            *(
                Column(f"TPR % at {text} % FPR", f"tpr_{text}", "percent")
                for text in RATES.values()
            ),
        ],
        rows=rows,
        notes=[INTERVALS, STRONGEST, LOW],
        grouped=len(RUN_COLUMNS),
    )
    return [table] if rows else []


def short_strongest_table(table: Table) -> Table:
    """Cuts the table of the strongest attacks down to a page's width.

    Args:
        table: from strongest_table.
    """
    return table.pick(
        STRONGEST_COLUMNS,
        name=table.name,
        title=table.title,
        notes=[*table.notes, f"More columns are in {table.name}.csv."],
    )


def joint_tables(compared: list[Run]) -> list[Table]:
    """Two artefacts queried together; no table if none were."""
    rows = [
        [
            *names(run),
            joint.first,
            joint.second,
            joint.members + joint.nonmembers,
            joint.single_auc,
            joint.joint_auc,
            joint.gain,
            joint.p_value,
        ]
        for run in compared
        for joint in run.audit.joint_attacks
    ]
    table = Table(
        name="joint",
        title="Two artefacts queried together",
        columns=[
            *RUN_COLUMNS,
            Column("artefact", "first"),
            Column("with", "second"),
            Column("judged on", "records", "count"),
            Column("AUC alone", "auc_alone", "area"),
            Column("AUC together", "auc_together", "area"),
            Column("gain", "gain", "signed"),
            Column("p", "p_value", "measure"),
        ],
        rows=rows,
        notes=[JOINT],
        grouped=len(RUN_COLUMNS),
    )
    return [table] if rows else []


def _cells(attack, target):
    tested = target.leak and target.leak.attack(attack.name)
    held_out = attack.held_out
    point = held_out.point if held_out else attack.point("fixed")
    at = {low_fpr.rate: low_fpr.tpr for low_fpr in attack.tpr_at_fpr}
    return [
        attack.title,
        attack.members,
        attack.nonmembers,
        attack.excluded,
        attack.auc,
        tested and tested.p_value,
        point.balanced_accuracy,
        attack.excess,
        attack.by_class and attack.by_class.point.balanced_accuracy,
        attack.cross_fitted and attack.cross_fitted.balanced_accuracy,
        point.advantage,
        point.precision,
        point.recall,
        point.f1,
        held_out and attack.point("peak_accuracy").balanced_accuracy,
        held_out and held_out.optimism,
        *(at.get(rate) for rate in RATES),
        attack.least_false_positive_rate,
        attack.epsilon.value,
    ]
