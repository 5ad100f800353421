"""How the scores of members and nonmembers are spread, counted in bins."""

import dataclasses

import numpy as np

from qmia_tf.statistics.sweep import Members, Scores, sweep

BINS = 40
# What lies beyond, on either side, is counted in the end bins.
TAIL = 0.001


@dataclasses.dataclass(frozen=True)
class Histogram:
    """Scores counted in bins of equal width.

    Attributes:
        edges: B + 1 bounds of B bins, rising. A bin holds the scores from its
            lower bound up to below its upper one, the last bin its upper
            bound too. The first bin also holds what lies below, the last one
            what lies above.
        members: B counts of members.
        nonmembers: B counts of nonmembers.
    """

    edges: list[float]
    members: list[int]
    nonmembers: list[int]


def of_scores(
    scores: Scores, members: Members = None, *, bins: int = BINS
) -> Histogram | None:
    """Counts scores in bins.

    Scores that are shares, in 0..1 and over half of it, get bins from 0 to
    1, so that two targets have the same. All others get bins between their
    0.1 % and 99.9 % quantiles: a few far out would leave the rest one bin.

    Returns: None if all scores are equal.
    """
    curve = sweep(scores, members)
    scores, members = curve.scores, curve.is_member
    low, high = _range(scores)
    if low == high:
        return None
    edges = np.linspace(low, high, bins + 1)
    inside = np.clip(scores, low, high)
    return Histogram(
        edges=edges.tolist(),
        members=np.histogram(inside[members], edges)[0].tolist(),
        nonmembers=np.histogram(inside[~members], edges)[0].tolist(),
    )


def _range(scores):
    least, most = scores.min(), scores.max()
    if 0 <= least and most <= 1 and most - least > 0.5:
        return 0.0, 1.0
    # Scores that occur, so that hardly any is cut off where they are few.
    low = np.quantile(scores, TAIL, method="lower")
    high = np.quantile(scores, 1 - TAIL, method="higher")
    return (low, high) if low < high else (least, most)
