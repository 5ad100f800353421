"""A sweep thinned to what a figure can show."""

import dataclasses

import numpy as np

from qmia_tf.statistics.operating_points import point_rows
from qmia_tf.statistics.sweep import Rates, Sweep

POINTS = 500


@dataclasses.dataclass(frozen=True)
class Curve(Rates):
    """Rates against the threshold, thresholds from high to low.

    Every row is a threshold that the sweep evaluated; nothing is
    interpolated. "Nobody is called" is left out: no number is its threshold.

    Attributes:
        distinct_thresholds: how many the sweep evaluated.
        members: how many members there are.
        nonmembers: how many nonmembers there are.
        threshold: the least score called a member.
        true_positives: members called members.
        false_positives: nonmembers called members.
    """

    distinct_thresholds: int
    members: int
    nonmembers: int
    threshold: list[float]
    true_positives: list[int]
    false_positives: list[int]


def thin(curve: Sweep, *, points: int = POINTS) -> Curve:
    """Thins a sweep to about `points` thresholds, 2 or more.

    Kept: all of them if they are few enough; otherwise those of the
    operating points, the highest and the lowest, and those nearest to
    points/2 even shares of records called members (dense where the records
    are), points/4 even steps of the threshold (so that no stretch of the
    axis is empty) and points/4 even ratios of rank (dense at the top, where
    few records are called).
    """
    rows = np.arange(1, curve.thresholds.size)
    if rows.size > points:
        rows = _spread(curve, points)
    return Curve(
        distinct_thresholds=curve.thresholds.size - 1,
        members=curve.members,
        nonmembers=curve.nonmembers,
        threshold=curve.thresholds[rows].tolist(),
        true_positives=curve.true_positives[rows].tolist(),
        false_positives=curve.false_positives[rows].tolist(),
    )


def _spread(curve, points):
    thresholds, last = curve.thresholds, curve.thresholds.size - 1
    called = curve.called
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
