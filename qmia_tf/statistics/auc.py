"""The area under the ROC curve, with intervals."""

import numpy as np
from scipy import stats

from qmia_tf.statistics.intervals import LEVEL, Estimate, normal
from qmia_tf.statistics.sweep import Members, Scores, sweep


def auc(
    scores: Scores, members: Members = None, *, level: float = LEVEL
) -> Estimate:
    """P(member scores above nonmember) + P(tie)/2, with DeLong's interval.

    With v and w the placements of m members and n nonmembers,
        AUC = mean(v) = mean(w), variance = var(v)/m + var(w)/n.
    Where members and nonmembers are fully apart that variance is 0; then
    the interval is the exact one for min(m, n) disjoint pairs, all won.

    Source: DeLong et al., Biometrics 44 (1988).
    """
    won, lost = placements(scores, members)
    area = float(won.mean())
    if area in (0.0, 1.0):
        bound = sure_share(won.size, lost.size, level=level)
        return Estimate(area, bound * area, 1 - bound * (1 - area))
    return normal(area, spread(won) + spread(lost), level=level)


def auc_value(scores, members) -> np.ndarray:
    """The AUC without an interval: P(above nonmember) + P(tie)/2.

    (sum of the members' midranks - m(m + 1)/2) / (m n)

    Args:
        scores: float [N] or [N, K], infinity too.
        members: bool, shaped like scores; m True and n False in each column.
    Returns: float64, shape [] or [K].
    """
    ranks = (stats.rankdata(scores, axis=0) * members).sum(axis=0)
    inside = members.sum(axis=0)
    won = ranks - inside * (inside + 1) / 2
    return won / (inside * (len(members) - inside))


def placements(
    scores: Scores, members: Members = None
) -> tuple[np.ndarray, np.ndarray]:
    """The structural components of the AUC; ties count one half.

    Returns: float64 [m], the share of nonmembers that each member outranks,
        and float64 [n], the share of members that outrank each nonmember.
        The mean of either is the AUC.
    """
    curve = sweep(scores, members)
    inside = curve.rows[curve.is_member]
    outside = curve.rows[~curve.is_member]
    nonmembers_below = _below(curve.false_positives)[inside]
    members_below = _below(curve.true_positives)[outside]
    won = nonmembers_below / curve.nonmembers
    return won, 1 - members_below / curve.members


def _below(counts):
    """Counts below each row's score, half of the ties among them."""
    before = np.append(0, counts[:-1])
    return counts[-1] - (counts + before) / 2


def spread(placed: np.ndarray, *, width: float = 1.0) -> float:
    """The variance of the mean of placements.

    One record shows no variance, so it gets the largest that the width of
    the interval in which a placement can lie allows.
    """
    if placed.size < 2:
        return width**2 / 4
    return placed.var(ddof=1) / placed.size


def sure_share(members: int, nonmembers: int, *, level: float = LEVEL) -> float:
    """The least share of pairs decided alike, if all those seen are.

    The exact bound for min(members, nonmembers) disjoint pairs.
    """
    return float(((1 - level) / 2) ** (1 / min(members, nonmembers)))


def hanley_mcneil(area: float, members: int, nonmembers: int) -> Estimate:
    """A 95 % interval on an AUC of which only the value is known.

    Source: Hanley and McNeil, Radiology 143 (1982).
    """
    pairs = members * nonmembers
    variance = pairs_variance(area, members, nonmembers) / pairs
    return normal(float(area), variance)


def pairs_variance(area: float, members: int, nonmembers: int) -> float:
    """The variance of an AUC, times the m n pairs of records.

    With q1 = A/(2 - A), q2 = 2A^2/(1 + A), m members and n nonmembers:
    A(1 - A) + (m - 1)(q1 - A^2) + (n - 1)(q2 - A^2)

    Source: Hanley and McNeil, Radiology 143 (1982).
    """
    square = area * area
    return (
        area * (1 - area)
        + (members - 1) * (area / (2 - area) - square)
        + (nonmembers - 1) * (2 * square / (1 + area) - square)
    )
