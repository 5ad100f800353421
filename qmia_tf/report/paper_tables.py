"""The paper's tables 1 and 2, for audited runs."""

import dataclasses
from types import SimpleNamespace

from qmia_tf.report import metrics
from qmia_tf.report.run_list import FULL_PRECISION, Run
from qmia_tf.report.tables import Column, Table, select
from qmia_tf.report.words import notes, say
from qmia_tf.run_dir import TRAINED

# Operating point: its label, and the recall of the paper's row.
POINTS = {
    "precision_at_recall_94": ("recall >= 94 %", 94.0),
    "precision_at_recall_100": ("recall 100 %", 100.0),
}
# F1 is printed with two decimals, precision and recall as whole per cents.
ROUNDING = 0.5
TABLE_1 = [
    *metrics.RUN,
    Column(
        "test accuracy %",
        "test_accuracy",
        "percent",
        "target.accuracy_nonmembers",
    ),
    Column("paper", "paper_test_accuracy", "number", "paper.test_accuracy"),
    Column("gap attack %", "gap_attack", "percent", "gap.balanced_accuracy"),
    Column("paper", "paper_gap_attack", "number", "paper.gap_attack"),
]
TABLE_2 = [
    *metrics.RUN,
    Column("at", "operating_point", "text", "label"),
    Column("F1 %", "f1", "percent", "point.f1"),
    Column("paper", "paper_f1", "number", "paper.f1"),
    Column("precision %", "precision", "percent", "point.precision"),
    Column("paper", "paper_precision", "number", "paper.precision"),
    Column("recall %", "recall", "percent", "point.recall"),
    Column("paper", "paper_recall", "number", "paper.recall"),
]


@dataclasses.dataclass(frozen=True)
class PublishedRow:
    """One published model that is shown beside ours; all in per cent."""

    test_accuracy: float
    gap_attack: float
    f1: float
    precision: float
    recall: float

    @property
    def f1_follows(self) -> bool:
        """Whether F1 can follow from the rounded precision and recall."""
        low = _f1(self.precision - ROUNDING, self.recall - ROUNDING)
        high = _f1(
            self.precision + ROUNDING, min(self.recall + ROUNDING, 100.0)
        )
        # The paper cuts F1 off after two decimals in some rows.
        return low - 0.01 <= self.f1 <= high + 0.01

    @property
    def f1_recomputed(self) -> float:
        """2PR/(P + R) of the printed precision and recall, per cent."""
        return _f1(self.precision, self.recall)


def paper_tables(
    runs: list[Run],
    *,
    published: dict[tuple[str, int, int], PublishedRow] | None = None,
) -> list[Table]:
    """The paper's tables 1 and 2 for these runs, from the Keras models.

    Args:
        runs: those whose Keras model was audited are in the tables.
        published: (data set, weight bits, activation bits) -> the row whose
            numbers stand beside ours; None: no such numbers.
    Returns: two tables, or none.
    """
    subjects = [
        SimpleNamespace(
            run=run,
            target=target,
            gap=target.attack("gap").point("fixed"),
            paper=_published_row(run, published or {}),
        )
        for run in runs
        if run.is_trained and (target := run.target(TRAINED)) is not None
    ]
    return [_table_1(subjects), _table_2(subjects)] if subjects else []


def _table_1(subjects):
    intervals, accuracy, gap = notes("intervals", "test_accuracy", "gap")
    return select(
        "table1",
        "Test accuracy and gap attack (the paper's table 1)",
        TABLE_1,
        subjects,
        notes=[f"{intervals} {accuracy}", gap],
    )


def _table_2(subjects):
    points, doubts, trivial = [], {}, set()
    for subject in subjects:
        target = subject.target
        share = target.members / (target.members + target.nonmembers)
        trivial.add(f"{100 * 2 * share / (share + 1):.2f}")
        for name, (label, recall) in POINTS.items():
            paper = subject.paper
            if paper is not None and paper.recall != recall:
                paper = None
            if paper is not None and not paper.f1_follows:
                doubts[say("notes", "doubt", subject.run, paper)] = None
                label += " (*)"
            point = target.attack("confidence").point(name)
            points.append(
                SimpleNamespace(
                    run=subject.run, label=label, point=point, paper=paper
                )
            )
    return select(
        "table2",
        "Confidence attack at high recall (the paper's table 2)",
        TABLE_2,
        points,
        notes=[
            " ".join(notes("intervals", "in_sample")),
            say("notes", "everyone", sorted(trivial)),
            *doubts,
        ],
    )


def _published_row(run, published):
    """The row of this data set and these bits; None if there is none."""
    if run.setting("model.clip") and run.bits == FULL_PRECISION:
        return None
    return published.get((run.dataset, *run.bits))


def _f1(precision, recall):
    return 2 * precision * recall / (precision + recall)
