"""Operating points: one threshold, its counts and its rates."""

import dataclasses

import numpy as np

from qmia_tf.statistics import intervals
from qmia_tf.statistics.intervals import Estimate
from qmia_tf.statistics.sweep import Sweep

PAPER_RECALL = 0.94


@dataclasses.dataclass(frozen=True)
class OperatingPoint:
    """What "member iff score >= threshold" achieves.

    Attributes:
        name: which point this is, such as "peak_accuracy".
        in_sample: True if the threshold was chosen on the very records it
            is evaluated on. Then every rate is too good and its interval, which
            takes the threshold for given, too narrow.
        threshold: the least score called a member; None is infinity, where
            nobody is called.
        members: how many members were evaluated.
        nonmembers: how many nonmembers were evaluated.
        true_positives: members called members.
        false_positives: nonmembers called members.
        accuracy: (TP + TN)/N at this ratio of members to nonmembers.
        balanced_accuracy: 1/2 + (TPR - FPR)/2.
        advantage: TPR - FPR.
        recall: TPR.
        false_positive_rate: FPR.
        precision: TP/(TP + FP) at this ratio of members to nonmembers.
        f1: 2 TP/(2 TP + FP + FN) at this ratio.
    """

    name: str
    in_sample: bool
    threshold: float | None
    members: int
    nonmembers: int
    true_positives: int
    false_positives: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    advantage: Estimate
    recall: Estimate
    false_positive_rate: Estimate
    precision: Estimate
    f1: Estimate


def measure(
    name: str,
    *,
    threshold: float,
    true_positives: int,
    members: int,
    false_positives: int,
    nonmembers: int,
    in_sample: bool,
    seed: int,
) -> OperatingPoint:
    """Puts a 95 % interval on every rate of one threshold.

    Recall and FPR: Clopper-Pearson. Advantage and balanced accuracy:
    Newcombe; accuracy: likewise (intervals.accuracy). Precision and F1:
    parametric bootstrap (intervals.precision_and_f1).
    """
    counts = [
        int(count)
        for count in (true_positives, members, false_positives, nonmembers)
    ]
    precision, f1 = intervals.precision_and_f1(*counts, seed=seed)
    exact = intervals.clopper_pearson
    return OperatingPoint(
        name=name,
        in_sample=in_sample,
        threshold=float(threshold) if np.isfinite(threshold) else None,
        members=counts[1],
        nonmembers=counts[3],
        true_positives=counts[0],
        false_positives=counts[2],
        accuracy=intervals.accuracy(*counts),
        balanced_accuracy=intervals.balanced_accuracy(*counts),
        advantage=intervals.newcombe(*counts),
        recall=exact(counts[0], counts[1]),
        false_positive_rate=exact(counts[2], counts[3]),
        precision=precision,
        f1=f1,
    )


def measure_decisions(
    name: str,
    called: np.ndarray,
    members: np.ndarray,
    *,
    seed: int,
    threshold: float = np.inf,
) -> OperatingPoint:
    """Measures calls of a threshold that was not chosen on these records.

    Args:
        called: bool [N], whom the attack calls members.
        members: bool [N], one or more True and one or more False.
        threshold: infinity where there is no single one.
    """
    return measure(
        name,
        threshold=threshold,
        true_positives=np.sum(called & members),
        members=np.sum(members),
        false_positives=np.sum(called & ~members),
        nonmembers=np.sum(~members),
        in_sample=False,
        seed=seed,
    )


def in_sample_points(curve: Sweep, *, seed: int) -> list[OperatingPoint]:
    """The paper's operating points, chosen and evaluated on the same records.

    precision_at_recall_94: highest precision where recall >= 0.94,
    precision_at_recall_100: highest precision where recall is 1,
    best_f1: highest F1, peak_accuracy: highest balanced accuracy.
    Among equals the highest threshold wins.
    """
    return [
        measure(
            name,
            threshold=curve.thresholds[row],
            true_positives=curve.true_positives[row],
            members=curve.members,
            false_positives=curve.false_positives[row],
            nonmembers=curve.nonmembers,
            in_sample=True,
            seed=seed,
        )
        for name, row in point_rows(curve).items()
    ]


def point_rows(curve: Sweep) -> dict[str, int]:
    """The rows of a sweep at which the in-sample points lie, by name."""
    precision = curve.precision
    everyone = curve.true_positives == curve.members
    enough = curve.recall >= PAPER_RECALL
    return {
        "precision_at_recall_94": _best(precision, enough),
        "precision_at_recall_100": _best(precision, everyone),
        "best_f1": int(np.argmax(curve.f1)),
        "peak_accuracy": curve.peak_row,
    }


def _best(values, allowed):
    return int(np.argmax(np.where(allowed, values, -np.inf)))
