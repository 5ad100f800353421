"""The true-positive rate where hardly any nonmember is called a member."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from qmia_tf.statistics.intervals import LEVEL, Estimate
from qmia_tf.statistics.sweep import Sweep, sweep

RATES = (0.1, 0.01, 0.001, 0.0001)
DRAWS = 2000
# A ROC curve rises fastest at its start: between no nonmember and the first,
# and between one and the next, TPR is taken to grow like a power of FPR. On
# binormal scores that power is 0.7 to 0.9 at 1 %; 2/3 covers best.
STEEPNESS = 2 / 3


@dataclasses.dataclass(frozen=True)
class TprAtFpr:
    """What an attack finds at a false-positive rate of at most `rate`.

    Attributes:
        rate: the false-positive rate that is allowed.
        tpr: TPR at the largest attained FPR that does not exceed it.
        attained: that FPR, on these records; 0 where no nonmember is called.
        false_positives: the nonmembers called.
        nonmembers: how many there are.
        expected: rate * nonmembers, the nonmembers that the rate rests on.
            Below 1 the value is the share of members above every nonmember,
            and the interval, which covers how the curve may go on from there
            down to the rate, rests on the curve's assumed shape.
        threshold: the least score called a member; None calls nobody.
    """

    rate: float
    tpr: Estimate
    attained: float
    false_positives: int
    nonmembers: int
    expected: float
    threshold: float | None


def tpr_at_fpr(
    scores, members, rates=RATES, *, seed, level=LEVEL, draws=DRAWS
) -> list[TprAtFpr]:
    """TPR at each false-positive rate; see of_sweep.

    Args:
        scores: float [N], finite; higher is more member-like.
        members: bool [N], some True and some False.
        rates: floats, each above 0 and below 1.
        seed: int >= 0, of the bootstrap.
        level: coverage of the intervals, in 0..1.
        draws: int, 1 or more.
    """
    whole = sweep(scores, members)
    return of_sweep(whole, rates, seed=seed, level=level, draws=draws)


def of_sweep(
    curve: Sweep,
    rates: Sequence[float] = RATES,
    *,
    seed,
    level=LEVEL,
    draws=DRAWS,
) -> list[TprAtFpr]:
    """TPR at each false-positive rate, never between two tied records.

    The value is that of the lowest threshold with floor(rate * nonmembers)
    false positives or fewer. Its interval is about the population: about the
    largest FPR that the scores can attain there without exceeding the rate.

    Args:
        curve: the Sweep of the scores.
        rates: floats, each above 0 and below 1.
        seed: int >= 0, of the bootstrap; a rate's interval does not depend
            on the other rates.
        level: coverage of the intervals, in 0..1.
        draws: int, 1 or more.
    Raises: ValueError if a rate is out of range.
    """
    estimates = []
    for rate in rates:
        if not 0 < rate < 1:
            raise ValueError(f"a rate must be above 0 and below 1, got {rate}")
        # 0.29 * 100 is a little less than 29.
        allowed = int(rate * curve.nonmembers * (1 + 1e-12))
        row = _last_row(curve, allowed)
        value = float(curve.recall[row])
        drawn = _bootstrap(curve, rate, np.random.default_rng(seed), draws)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        threshold = curve.thresholds[row]
        estimates.append(
            TprAtFpr(
                rate=float(rate),
                tpr=Estimate(
                    value, float(min(low, value)), float(max(high, value))
                ),
                attained=float(curve.false_positive_rate[row]),
                false_positives=int(curve.false_positives[row]),
                nonmembers=curve.nonmembers,
                expected=float(rate * curve.nonmembers),
                threshold=float(threshold) if row else None,
            )
        )
    return estimates


def attainable(curve: Sweep) -> float:
    """The smallest false-positive rate above 0 that a threshold attains."""
    return float(curve.false_positive_rate[_last_row(curve, 0) + 1])


def _bootstrap(curve, rate, rng, draws):
    """Draws the population's TPR at a false-positive rate, float [draws].

    Members and nonmembers vary apart from each other. Of n nonmembers,
    J ~ Binomial(n, rate) lie above the population's threshold t, which is
    all that resampling them would tell; so t lies between the J-th and the
    next. Where between follows from the share of nonmembers on either side,
    rate (1 - U^(1/J)) and (1 - rate)(1 - U^(1/(n - J))). That many members,
    c of m, lie above t, and TPR ~ Beta(c + 1/2, m - c + 1/2).

    Where several records share a score, t cannot part them: if J would, t is
    above them; if J takes all of them in, it is even odds whether the
    population's share of them exceeds the rate, so that t is above them.
    """
    calls = curve.true_positives + curve.false_positives
    taken = rng.binomial(curve.nonmembers, rate, draws)
    last = _last_row(curve, taken)
    reached = curve.false_positives[last]
    # Thresholds from here to `last` call the same nonmembers.
    first = np.searchsorted(curve.false_positives, reached)
    before = np.maximum(first - 1, 0)
    below = curve.true_positives[first]
    between = curve.true_positives[last] - below
    share = _share_before(rate, taken, curve.nonmembers, rng)
    count = below + between * np.where(taken > reached, 1.0, share**STEEPNESS)
    tied = calls[np.maximum(first, 1)] - calls[before] > 1
    parted = (taken == reached) & tied & (rng.random(draws) < 0.5)
    count = np.where(parted, curve.true_positives[before], count)
    tpr = rng.beta(count + 0.5, curve.members - count + 0.5)
    # Nobody can be above the top of a scale that several records reach.
    nobody = (last == 0) | (parted & (before == 0))
    return np.where(nobody & (calls[1] > 1), 0.0, tpr)


def _share_before(rate, taken, nonmembers, rng):
    """How far from one nonmember to the next the threshold is, 0..1."""
    with np.errstate(divide="ignore"):
        before = rate * -np.expm1(np.log(rng.random(taken.size)) / taken)
        after = -np.expm1(
            np.log(rng.random(taken.size)) / (nonmembers - taken)
        ) * (1 - rate)
    return before / (before + after)


def _last_row(curve, count):
    """The lowest threshold with that many false positives or fewer."""
    return np.searchsorted(curve.false_positives, count, side="right") - 1
