"""The paper's tables and tensorflow-privacy's, from audited runs."""

from qmia_tf.report.published_row import PublishedRow
from qmia_tf.report.run_list import FULL_PRECISION, Run, title
from qmia_tf.report.tables import Column, Table
from qmia_tf.run_dir import TRAINED

POINTS = {
    "precision_at_recall_94": "recall >= 94 %",
    "precision_at_recall_100": "recall 100 %",
}
INTERVALS = "In brackets: 95 % intervals over records, for this one model."
IN_SAMPLE = (
    "In-sample: the threshold was chosen on the records it is judged on, so "
    "the value is too high and its interval too narrow."
)
RUN_COLUMNS = [
    Column("data set", "dataset"),
    Column("model", "model"),
    Column("run", "run"),
]


def paper_tables(
    compared: list[Run],
    *,
    published: dict[tuple[str, int, int], PublishedRow] | None = None,
) -> list[Table]:
    """The paper's tables 1 and 2 for these runs, from the Keras models.

    Args:
        compared: the runs.
        published: (data set, weight bits, activation bits) -> the row whose
            numbers stand beside ours; None: no such numbers.
    Returns: two tables; none if all are audits of somebody's own models.
    """
    audited = [
        (run, run.target(TRAINED), _published_row(run, published or {}))
        for run in compared
        if not run.own and run.target(TRAINED) is not None
    ]
    return [_table_1(audited), _table_2(audited)] if audited else []


def tfprivacy_tables(compared: list[Run]) -> list[Table]:
    """What tensorflow-privacy's attacks reach; no table if none was run."""
    rows = [
        [
            *names(run),
            target.target,
            row.attack,
            row.members + row.nonmembers,
            row.auc,
            row.advantage,
        ]
        for run in compared
        for target in run.audit.targets
        if target.tfprivacy is not None
        for row in target.tfprivacy.rows
        if row.slice == "Entire dataset"
    ]
    table = Table(
        name="tfprivacy",
        title="The attacks of tensorflow-privacy on all records",
        columns=[
            *RUN_COLUMNS,
            Column("target", "target"),
            Column("attack", "attack"),
            Column("judged on", "records", "count"),
            Column("AUC", "auc", "area"),
            Column("advantage", "advantage", "number"),
        ],
        rows=rows,
        notes=[
            "In brackets: 95 % intervals of Hanley and McNeil. Advantage: the "
            "largest TPR - FPR, chosen in-sample.",
            "Trained attackers are judged on a quarter of the records they "
            "were given. Slices: see tfprivacy/TARGET.csv in each run.",
        ],
        grouped=len(RUN_COLUMNS),
    )
    return [table] if rows else []


def names(run) -> list[str]:
    """The cells of RUN_COLUMNS."""
    return [title(run.dataset), run.model, run.name]


def _table_1(audited):
    rows = []
    for run, target, paper in audited:
        rows.append(
            [
                *names(run),
                target.accuracy_nonmembers,
                paper and paper.test_accuracy,
                target.attack("gap").point("fixed").balanced_accuracy,
                paper and paper.gap_attack,
            ]
        )
    return Table(
        name="table1",
        title="Test accuracy and gap attack (the paper's table 1)",
        columns=[
            *RUN_COLUMNS,
            Column("test accuracy %", "test_accuracy", "percent"),
            Column("paper", "paper_test_accuracy", "number"),
            Column("gap attack %", "gap_attack", "percent"),
            Column("paper", "paper_gap_attack", "number"),
        ],
        rows=rows,
        notes=[
            f"{INTERVALS} Test accuracy is that on the nonmembers.",
            "Gap attack: 1/2 + (member accuracy - nonmember accuracy)/2.",
        ],
    )


def _table_2(audited):
    rows, doubts, trivial = [], {}, set()
    for run, target, row in audited:
        share = target.members / (target.members + target.nonmembers)
        trivial.add(f"{100 * 2 * share / (share + 1):.2f}")
        for name, label in POINTS.items():
            point = target.attack("confidence").point(name)
            paper = _with_recall(row, name)
            if paper and not paper.f1_follows:
                doubts[_doubt(run, paper)] = None
                label += " (*)"
            rows.append(
                [
                    *names(run),
                    label,
                    point.f1,
                    paper and paper.f1,
                    point.precision,
                    paper and paper.precision,
                    point.recall,
                    paper and paper.recall,
                ]
            )
    return Table(
        name="table2",
        title="Confidence attack at high recall (the paper's table 2)",
        columns=[
            *RUN_COLUMNS,
            Column("at", "operating_point"),
            Column("F1 %", "f1", "percent"),
            Column("paper", "paper_f1", "number"),
            Column("precision %", "precision", "percent"),
            Column("paper", "paper_precision", "number"),
            Column("recall %", "recall", "percent"),
            Column("paper", "paper_recall", "number"),
        ],
        rows=rows,
        notes=[
            f"{INTERVALS} {IN_SAMPLE}",
            "Calling everyone a member already gives F1 "
            f"{' or '.join(sorted(trivial))} %.",
            *doubts,
        ],
    )


def _published_row(run, published):
    """The row of this data set and these bits; None if there is none."""
    if run.setting("model.clip") and run.bits == FULL_PRECISION:
        return None
    return published.get((run.dataset, *run.bits))


def _with_recall(row, name):
    """The row, if its recall is that of the operating point."""
    recall = 100.0 if name == "precision_at_recall_100" else 94.0
    return row if row and row.recall == recall else None


def _doubt(run, paper):
    return (
        f"(*) The paper's {title(run.dataset)}, {run.model}: F1 {paper.f1:.2f} "
        f"does not follow from precision {paper.precision:.0f} and recall "
        f"{paper.recall:.0f}, which give {paper.f1_recomputed:.2f}."
    )
