"""The area under the ROC curve, with intervals."""

import numpy as np
from scipy import special, stats

from qmia_tf.statistics.intervals import LEVEL, Estimate
from qmia_tf.statistics.sweep import check_scores


def auc(scores, members, *, level=LEVEL) -> Estimate:
    """P(member scores above nonmember) + P(tie)/2, with DeLong's interval.

    With midranks R over all records and Q within members or nonmembers,
        v_i = (R_i - Q_i)/n for a member: the nonmembers it outranks,
        w_j = 1 - (R_j - Q_j)/m for a nonmember,
        AUC = mean(v) = mean(w), variance = var(v)/m + var(w)/n.
    Where members and nonmembers are fully apart that variance is 0; then
    the interval is the exact one for min(m, n) disjoint pairs, all won.

    Args:
        scores: float [N], finite; higher is more member-like.
        members: bool [N], m of them True and n False.
        level: coverage, in 0..1.
    Source: DeLong et al., Biometrics 44 (1988); midranks: Sun and Xu, IEEE
        Signal Processing Letters 21 (2014).
    """
    won, lost = placements(scores, members)
    area = float(won.mean())
    if area in (0.0, 1.0):
        bound = sure_share(won.size, lost.size, level=level)
        return Estimate(area, bound * area, 1 - bound * (1 - area))
    return _normal(area, spread(won) + spread(lost), level)


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


def placements(scores, members):
    """The structural components of the AUC, see auc.

    Args:
        scores: float [N], finite; higher is more member-like.
        members: bool [N], m of them True and n False.
    Returns: float64 [m], the share of nonmembers that each member outranks,
        and float64 [n], the share of members that outrank each nonmember;
        ties count one half. The mean of either is the AUC.
    """
    scores, members = check_scores(scores, members)
    inside, outside = scores[members], scores[~members]
    ranks = stats.rankdata(scores)
    won = (ranks[members] - stats.rankdata(inside)) / outside.size
    lost = 1 - (ranks[~members] - stats.rankdata(outside)) / inside.size
    return won, lost


def spread(placed, *, width=1.0):
    """The variance of the mean of placements.

    Args:
        placed: float [M].
        width: of the interval that a placement can lie in. One record shows
            no variance, so it gets the largest that the width allows.
    """
    if placed.size < 2:
        return width**2 / 4
    return placed.var(ddof=1) / placed.size


def sure_share(members, nonmembers, *, level=LEVEL):
    """The least share of pairs decided alike, if all those seen are.

    The exact bound for min(members, nonmembers) disjoint pairs.
    """
    return float(((1 - level) / 2) ** (1 / min(members, nonmembers)))


def hanley_mcneil(area, members, nonmembers) -> Estimate:
    """A 95 % interval on an AUC of which only the value is known.

    Args:
        area: float in 0..1.
        members: int, 1 or more.
        nonmembers: int, 1 or more.
    Source: Hanley and McNeil, Radiology 143 (1982).
    """
    pairs = members * nonmembers
    variance = pairs_variance(area, members, nonmembers) / pairs
    return _normal(float(area), variance, LEVEL)


def pairs_variance(area, members, nonmembers):
    """The variance of an AUC, times the m n pairs of records.

    With q1 = A/(2 - A), q2 = 2A^2/(1 + A), m members and n nonmembers:
    A(1 - A) + (m - 1)(q1 - A^2) + (n - 1)(q2 - A^2)

    Args:
        area: float in 0..1, A.
        members: int, 1 or more.
        nonmembers: int, 1 or more.
    Source: Hanley and McNeil, Radiology 143 (1982).
    """
    square = area * area
    return (
        area * (1 - area)
        + (members - 1) * (area / (2 - area) - square)
        + (nonmembers - 1) * (2 * square / (1 + area) - square)
    )


def _normal(value, variance, level):
    half = special.ndtri((1 + level) / 2) * np.sqrt(max(variance, 0.0))
    return Estimate(
        value, float(max(value - half, 0.0)), float(min(value + half, 1.0))
    )
