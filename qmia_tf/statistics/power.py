"""The smallest leak that a test would have found."""

import numpy as np
from scipy import optimize, special, stats

from qmia_tf.statistics.auc import pairs_variance

POWER = 0.8


def detectable_auc(
    critical: float,
    mean: float,
    deviation: float,
    members: int,
    nonmembers: int,
    *,
    moved: float = 1.0,
    power: float = POWER,
) -> float:
    """The AUC that a one-sided test finds with the given power.

    The alternative: members' scores are shifted by a constant. Then the AUC
    estimate is about normal around A, and the test finds it where
        moved (A - mean)/deviation = critical + z_power sqrt(v(A)/v(1/2)),
    v the variance of Hanley and McNeil; its ratio alone is used, because
    ties and strata make the variance itself smaller.

    Args:
        critical: what the studentized AUC has to exceed.
        mean: of the AUC without a leak.
        deviation: its standard deviation without a leak, above 0.
        members: 1 or more.
        nonmembers: 1 or more.
        moved: in 0..1, how much of the AUC permutations take away; less than
            1 where some records' strata hold only members, or only others.
        power: in 0..1.
    Returns: in 1/2..1; 1 if no AUC below would be found.
    Source: Hanley and McNeil, Radiology 143 (1982) 29.
    """
    z = special.ndtri(power)
    alike = pairs_variance(0.5, members, nonmembers)

    def short_of(area):
        variance = max(pairs_variance(area, members, nonmembers), 0.0)
        wider = np.sqrt(variance / alike)
        return moved * (area - mean) - deviation * (critical + z * wider)

    low, high = 0.5, 1 - 1e-9
    if short_of(low) >= 0:
        return low
    if short_of(high) <= 0:
        return 1.0
    return float(optimize.brentq(short_of, low, high))


def balanced_accuracy_of(auc: float) -> float:
    """The best balanced accuracy of two shifted normal distributions.

    AUC = Phi(d / sqrt 2), in 1/2..1; balanced accuracy = Phi(d / 2).
    """
    return float(stats.norm.cdf(special.ndtri(auc) / np.sqrt(2)))
