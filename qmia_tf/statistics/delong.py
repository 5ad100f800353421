"""The difference of two or more AUCs on the same records."""

import dataclasses

import numpy as np
from scipy import stats

from qmia_tf.statistics.auc import placements, spread, sure_share
from qmia_tf.statistics.intervals import LEVEL, Estimate, normal


@dataclasses.dataclass(frozen=True)
class Contrast:
    """A sum of weighted AUCs and whether it differs from zero.

    Attributes:
        difference: the sum and its interval.
        p_value: two-sided, of the hypothesis that the sum is 0.
    """

    difference: Estimate
    p_value: float


def paired(first, second, members, *, level: float = LEVEL) -> Contrast:
    """AUC of `first` minus AUC of `second`, as contrast."""
    return contrast((first, second), members, (1.0, -1.0), level=level)


def contrast(
    scores, members, weights, *, shifts=0.0, level: float = LEVEL
) -> Contrast:
    """sum_t weights[t] AUC_t for T scores of the same records.

    DeLong's variance w'Sw is that of the weighted placements: with v_t and
    u_t those of members and nonmembers (auc.placements),
        var(sum w_t v_t)/m + var(sum w_t u_t)/n.
    Where every record says the same, so that this is 0, the interval and the
    p-value are the exact ones for min(m, n) disjoint pairs that all decide
    alike; a difference of 0, as between equal scores, is then taken as it is.

    Args:
        scores: T arrays, float [N] each, finite or NaN; higher is more
            member-like. Records of which one is NaN are left out.
        members: bool [N], m of them True and n False.
        weights: T floats.
        shifts: float [n], mean 0, added to the nonmembers' placements: how
            each moves the sum otherwise, where the weights themselves were
            estimated on the nonmembers (accuracy_matching.interpolated). Of
            all n, also of those left out.
        level: coverage, in 0..1.
    Raises: ValueError if the arrays do not fit each other, or if no member
        or no nonmember is left.
    Source: DeLong et al., Biometrics 44 (1988) 837, section 3.
    """
    weights = np.asarray(weights, np.float64)
    if weights.shape != (len(scores),):
        raise ValueError(
            f"{len(scores)} scores need as many weights, got {weights.shape}"
        )
    members = np.asarray(members)
    has_score = np.ones(members.shape, bool)
    for score in scores:
        if np.shape(score) != members.shape:
            raise ValueError(
                "scores and members must be equally long, got "
                f"{np.shape(score)} and {members.shape}"
            )
        has_score &= ~np.isnan(score)
    won = lost = 0.0
    for score, weight in zip(scores, weights, strict=True):
        inside, outside = placements(
            np.asarray(score)[has_score], members[has_score]
        )
        won, lost = won + weight * inside, lost + weight * outside
    evaluated = lost.size
    if np.ndim(shifts):
        lost = _among_all(lost, has_score[~members]) + shifts
    least, most = weights[weights < 0].sum(), weights[weights > 0].sum()
    width = most - least
    value = float(won.mean())
    variance = spread(won, width=width) + spread(lost, width=width)
    # Rounding leaves some 1e-17 where there is nothing to see.
    if variance <= (1e-12 * width) ** 2:
        return unanimous(value, min(won.size, evaluated), width, level=level)
    return Contrast(
        normal(value, variance, level=level, ends=(least, most)),
        float(2 * stats.norm.sf(abs(value) / np.sqrt(variance))),
    )


def _among_all(placed, has_score):
    """The placements of some as parts of a mean over all, with that mean."""
    if has_score.all():
        return placed
    apart = np.zeros(has_score.size)
    apart[has_score] = (placed - placed.mean()) * has_score.size / placed.size
    return placed.mean() + apart


def unanimous(
    value: float,
    pairs: int,
    width: float = 1.0,
    *,
    level: float = LEVEL,
    count: int = 1,
) -> Contrast:
    """A sum of AUCs of which every record says the same.

    Exact for so many disjoint pairs that all decide alike; the level is
    shared among `count` such sums.
    """
    if abs(value) <= 1e-12 * width:
        return Contrast(Estimate(0.0, 0.0, 0.0), 1.0)
    bound = sure_share(pairs, pairs, level=1 - (1 - level) / count)
    ends = value, value * bound
    p_value = min(1.0, 2 * count * 0.5**pairs)
    return Contrast(Estimate(value, min(ends), max(ends)), p_value)
