"""A sweep thinned to what a figure can show."""

import dataclasses

import numpy as np

from qmia_tf.statistics.operating import point_rows
from qmia_tf.statistics.sweep import Sweep

POINTS = 500


@dataclasses.dataclass(frozen=True)
class Curve:
    """Rates against the threshold, thresholds from high to low.

    Every row is a threshold that the sweep evaluated; nothing is
    interpolated. "Nobody is called" is left out: no number is its threshold.

    Attributes:
        distinct_thresholds: how many the sweep evaluated.
        threshold: the least score called a member.
        balanced_accuracy: 1/2 + (TPR - FPR)/2.
        precision: TP/(TP + FP).
        recall: TPR.
        false_positive_rate: FPR.
    """

    distinct_thresholds: int
    threshold: list[float]
    balanced_accuracy: list[float]
    precision: list[float]
    recall: list[float]
    false_positive_rate: list[float]


def thin(curve: Sweep, *, points=POINTS) -> Curve:
    """Thins a sweep to about `points` thresholds.

    Kept: all of them if they are few enough; otherwise those of the
    operating points, the highest and the lowest, and those nearest to
    points/2 even shares of records called members (dense where the records
    are), points/4 even steps of the threshold (so that no stretch of the
    axis is empty) and points/4 even ratios of rank (dense at the top, where
    few records are called).

    Args:
        curve: a Sweep.
        points: int, 2 or more.
    """
    rows = np.arange(1, curve.thresholds.size)
    if rows.size > points:
        rows = _spread(curve, points)
    return Curve(
        distinct_thresholds=curve.thresholds.size - 1,
        threshold=curve.thresholds[rows].tolist(),
        balanced_accuracy=curve.balanced_accuracy[rows].tolist(),
        precision=curve.precision[rows].tolist(),
        recall=curve.recall[rows].tolist(),
        false_positive_rate=curve.false_positive_rate[rows].tolist(),
    )


def _spread(curve, points):
    thresholds, last = curve.thresholds, curve.thresholds.size - 1
    called = curve.true_positives + curve.false_positives
    records = np.linspace(called[1], called[last], points // 2)
    values = np.linspace(thresholds[1], thresholds[last], points // 4)
    ranks = np.geomspace(1, last, points // 4)
    rows = [
        [1, last],
        list(point_rows(curve).values()),
        np.searchsorted(called, records),
        np.searchsorted(-thresholds, -values),
        ranks.round().astype(int),
    ]
    rows = np.unique(np.concatenate(rows))
    return rows[(rows >= 1) & (rows <= last)]
