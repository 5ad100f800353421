"""The area under the ROC curve, with intervals."""

import numpy as np
from scipy import stats

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
    scores, members = check_scores(scores, members)
    m, n = int(members.sum()), int((~members).sum())
    ranks = stats.rankdata(scores)
    won = (ranks[members] - stats.rankdata(scores[members])) / n
    lost = 1 - (ranks[~members] - stats.rankdata(scores[~members])) / m
    area = float(won.mean())
    if area in (0.0, 1.0):
        bound = float(((1 - level) / 2) ** (1 / min(m, n)))
        return Estimate(area, bound * area, 1 - bound * (1 - area))
    return _normal(area, _spread(won) + _spread(lost), level)


def hanley_mcneil(area, members, nonmembers, *, level=LEVEL) -> Estimate:
    """An interval on an AUC of which only the value is known.

    With q1 = A/(2 - A), q2 = 2A^2/(1 + A), m members and n nonmembers:
    variance = (A(1 - A) + (m - 1)(q1 - A^2) + (n - 1)(q2 - A^2)) / (mn)

    Args:
        area: float in 0..1.
        members: int, 1 or more.
        nonmembers: int, 1 or more.
        level: coverage, in 0..1.
    Source: Hanley and McNeil, Radiology 143 (1982).
    """
    square = area * area
    variance = (
        area * (1 - area)
        + (members - 1) * (area / (2 - area) - square)
        + (nonmembers - 1) * (2 * square / (1 + area) - square)
    ) / (members * nonmembers)
    return _normal(float(area), variance, level)


def _spread(placements):
    if placements.size < 2:
        # One record shows no variance; a placement lies in 0..1.
        return 0.25
    return placements.var(ddof=1) / placements.size


def _normal(value, variance, level):
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(max(variance, 0.0))
    return Estimate(
        value, float(max(value - half, 0.0)), float(min(value + half, 1.0))
    )
