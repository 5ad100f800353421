"""The difference of two TPRs at a low FPR, over the same records."""

import numpy as np

from qmia_tf.statistics.intervals import LEVEL, Estimate, percentiles
from qmia_tf.statistics.low_fpr_rates import DRAWS, members_above, tpr_at_fpr
from qmia_tf.statistics.sweep import Sweep, sweep

# Of draws at a time, so that a mask of them takes some MB.
BLOCK = 100


def tpr_difference(
    first: np.ndarray,
    second: np.ndarray,
    members: np.ndarray,
    rate: float,
    *,
    seed: int,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> Estimate:
    """TPR of `first` minus TPR of `second`, each at the same FPR.

    Each is that of tpr_at_fpr, at a threshold of its own. The bootstrap is
    that of tpr_at_fpr as well, drawn for both at once: nonmembers that both
    attacks call move both thresholds, and members are counted by who calls
    them. With b members above both thresholds, f and s above one alone and r
    above neither, the four shares ~ Dirichlet(b + 1/4, f + 1/4, s + 1/4,
    r + 1/4), of which each attack's TPR is the Beta of tpr_at_fpr.

    Args:
        first: float [N], finite; higher is more member-like.
        second: likewise.
        members: bool [N].
        rate: above 0 and at most 1/2.
        seed: of the bootstrap.
        level: coverage, in 0..1.
        draws: 1 or more.
    Returns: the difference and its interval; 0 without any width where both
        order the records alike.
    """
    curves = sweep(first, members), sweep(second, members)
    points = [tpr_at_fpr(x, rates=[rate], seed=seed, draws=1) for x in curves]
    value = points[0][0].tpr.value - points[1][0].tpr.value
    if np.array_equal(curves[0].rows, curves[1].rows):
        return Estimate(0.0, 0.0, 0.0)
    rng = np.random.default_rng(seed)
    taken = _taken(curves, [x.threshold for (x,) in points], rate, rng, draws)
    drawn = [
        members_above(curve, rate, count, rng)
        for curve, count in zip(curves, taken, strict=True)
    ]
    (count, nobody), (other_count, nobody_else) = drawn
    both = np.minimum(_both(curves, count, other_count), [count, other_count])
    both = both.min(axis=0)
    rest = np.maximum(curves[0].members - count - other_count + both, 0)
    cells = np.stack([both, count - both, other_count - both, rest])
    shares = rng.standard_gamma(cells + 0.25)
    shares /= shares.sum(axis=0)
    first_tpr = np.where(nobody, 0.0, shares[0] + shares[1])
    second_tpr = np.where(nobody_else, 0.0, shares[0] + shares[2])
    return percentiles(value, first_tpr - second_tpr, level)


def _taken(curves: tuple[Sweep, Sweep], thresholds, rate, rng, draws):
    """How many nonmembers lie above each threshold, int [draws] twice.

    Each is Binomial(n, rate). The share that lies above both is that of the
    nonmembers whom both call here, one less: too small a share widens the
    interval, too large a share would narrow it.
    """
    called = [
        curve.scores[~curve.is_member] >= (np.inf if least is None else least)
        for curve, least in zip(curves, thresholds, strict=True)
    ]
    most = max(x.sum() for x in called)
    shared = rate * (called[0] & called[1]).sum() / (most + 1)
    left = curves[0].nonmembers
    both = rng.binomial(left, shared, draws)
    alone = rng.binomial(left - both, (rate - shared) / (1 - shared))
    other = rng.binomial(left - both - alone, (rate - shared) / (1 - rate))
    return both + alone, both + other


def _both(curves, count, other_count):
    """How many members are among the top ones of both, int [draws]."""
    places, other_places = (
        np.argsort(np.argsort(curve.rows[curve.is_member], kind="stable"))
        for curve in curves
    )
    reached = (places < count.max()) & (other_places < other_count.max())
    places, other_places = places[reached], other_places[reached]
    return np.concatenate(
        [
            np.count_nonzero(
                (places < count[start : start + BLOCK, None])
                & (other_places < other_count[start : start + BLOCK, None]),
                axis=1,
            )
            for start in range(0, count.size, BLOCK)
        ]
    )
