"""The paper's tables 1 and 2, for audited runs."""

import dataclasses

from qmia_tf.report.metrics import run_row, select
from qmia_tf.report.run_list import FULL_PRECISION, Run, held_out_point
from qmia_tf.report.tables import Table
from qmia_tf.report.words import notes, say
from qmia_tf.run_dir import TRAINED

# Operating point: its label, and the recall of the paper's row.
POINTS = {
    "precision_at_recall_94": ("recall >= 94 %", 94.0),
    "precision_at_recall_100": ("recall 100 %", 100.0),
}
# F1 is printed with two decimals, precision and recall as whole per cents.
ROUNDING = 0.5


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
    audited = [
        (run, target, _published_row(run, published or {}))
        for run in runs
        if run.is_trained and (target := run.target(TRAINED)) is not None
    ]
    return [_table_1(audited), _table_2(audited)] if audited else []


def _table_1(audited):
    rows = [
        {
            **run_row(run),
            "test_accuracy": target.accuracy_nonmembers,
            "paper_test_accuracy": paper and paper.test_accuracy,
            "gap_attack": held_out_point(target, "gap").balanced_accuracy,
            "paper_gap_attack": paper and paper.gap_attack,
        }
        for run, target, paper in audited
    ]
    intervals, accuracy, gap = notes("intervals", "test_accuracy", "gap")
    return select(
        "table1",
        "Test accuracy and gap attack (the paper's table 1)",
        rows,
        notes=[f"{intervals} {accuracy}", gap],
    )


def _table_2(audited):
    rows, doubts, trivial = [], {}, set()
    for run, target, paper in audited:
        share = target.members / (target.members + target.nonmembers)
        trivial.add(f"{100 * 2 * share / (share + 1):.2f}")
        for name, (label, recall) in POINTS.items():
            published = paper if paper and paper.recall == recall else None
            if published and not published.f1_follows:
                doubts[say("notes", "doubt", run, published)] = None
                label += " (*)"
            point = target.attack("confidence").point(name)
            row = {**run_row(run), "operating_point": label}
            for key in ("f1", "precision", "recall"):
                row[key] = getattr(point, key)
                row[f"paper_{key}"] = published and getattr(published, key)
            rows.append(row)
    return select(
        "table2",
        "Confidence attack at high recall (the paper's table 2)",
        rows,
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
