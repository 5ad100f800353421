"""TPR where hardly any nonmember is called a member, and the ROC's band."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from qmia_tf.statistics.intervals import LEVEL, Estimate, percentiles
from qmia_tf.statistics.sweep import Members, Scores, Sweep, sweep

RATES = (0.1, 0.01, 0.001, 0.0001)
# Of a band, six a decade: the same for every target, RATES among them.
BAND_RATES = tuple(10.0 ** (-step / 6) for step in range(24, 0, -1))
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
            Below 1 the value is the share of members above every nonmember.
            The interval then covers how the curve may go on from there down
            to the rate, and rests on the curve's assumed shape.
        threshold: the least score called a member; None calls nobody.
    """

    rate: float
    tpr: Estimate
    attained: float
    false_positives: int
    nonmembers: int
    expected: float
    threshold: float | None


@dataclasses.dataclass(frozen=True)
class RocBand:
    """TPR at R false-positive rates, each with an interval of its own.

    Attributes:
        rates: R false-positive rates that are allowed, rising, the last one 1.
        tpr: the TPR at each: that of the largest attained FPR that does not
            exceed it.
        low: the lower end of its interval, pointwise.
        high: the upper end.
    """

    rates: list[float]
    tpr: list[float]
    low: list[float]
    high: list[float]


def tpr_at_fpr(
    scores: Scores,
    members: Members = None,
    rates: Sequence[float] = RATES,
    *,
    seed: int,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> list[TprAtFpr]:
    """TPR at each false-positive rate, never between two tied records.

    The value is that of the lowest threshold with floor(rate * nonmembers)
    false positives or fewer. Its interval is about the population: about the
    largest FPR that the scores can attain there without exceeding the rate.

    Args:
        rates: each above 0 and below 1.
        seed: of the bootstrap; a rate's interval does not depend on the other
            rates.
        level: coverage of the intervals, in 0..1.
        draws: 1 or more.
    Raises: ValueError if a rate is out of range.
    """
    curve, estimates = sweep(scores, members), []
    for rate in rates:
        if not 0 < rate < 1:
            raise ValueError(f"a rate must be above 0 and below 1, got {rate}")
        # 0.29 * 100 is a little less than 29.
        allowed = int(rate * curve.nonmembers * (1 + 1e-12))
        row = _last_row(curve, allowed)
        drawn = _bootstrap(curve, rate, np.random.default_rng(seed), draws)
        threshold = curve.thresholds[row]
        estimates.append(
            TprAtFpr(
                rate=float(rate),
                tpr=percentiles(float(curve.recall[row]), drawn, level),
                attained=float(curve.false_positive_rate[row]),
                false_positives=int(curve.false_positives[row]),
                nonmembers=curve.nonmembers,
                expected=float(rate * curve.nonmembers),
                threshold=float(threshold) if row else None,
            )
        )
    return estimates


def roc_band(curve: Sweep, *, seed: int, level: float = LEVEL) -> RocBand:
    """TPR from a rate of 0.0001, or 1/nonmembers if that is more, up to 1.

    At a lower rate than 1/nonmembers the curve would show its assumed shape
    more than what was seen. The level is that of each interval, not of the
    band as a whole; they are those of tpr_at_fpr.
    """
    # 0.01 * 100 must not fall short of 1.
    least = (1 - 1e-12) / curve.nonmembers
    rates = [rate for rate in BAND_RATES if rate >= least]
    estimates = tpr_at_fpr(curve, rates=rates, seed=seed, level=level)
    # Whoever may call everyone calls every member.
    return RocBand(
        rates=[*rates, 1.0],
        tpr=[*(estimate.tpr.value for estimate in estimates), 1.0],
        low=[*(estimate.tpr.low for estimate in estimates), 1.0],
        high=[*(estimate.tpr.high for estimate in estimates), 1.0],
    )


def attainable(curve: Sweep) -> float:
    """The smallest false-positive rate above 0 that a threshold attains."""
    return float(curve.false_positive_rate[_last_row(curve, 0) + 1])


def _bootstrap(curve, rate, rng, draws):
    """Draws the population's TPR at a false-positive rate, float [draws].

    Members and nonmembers vary apart from each other. Of n nonmembers,
    J ~ Binomial(n, rate) lie above the population's threshold, which is all
    that resampling them would tell. Of m members c lie above it
    (members_above), and TPR ~ Beta(c + 1/2, m - c + 1/2).
    """
    taken = rng.binomial(curve.nonmembers, rate, draws)
    count, nobody = members_above(curve, rate, taken, rng)
    tpr = rng.beta(count + 0.5, curve.members - count + 0.5)
    return np.where(nobody, 0.0, tpr)


def members_above(curve: Sweep, rate: float, taken, rng):
    """How many members lie above the population's threshold.

    J nonmembers lie above the threshold t, so it is between the J-th and the
    next. Where between follows from the share of nonmembers on either side,
    rate (1 - U^(1/J)) and (1 - rate)(1 - U^(1/(n - J))).

    Where several records share a score, t cannot part them: if J would, t is
    above them; if J takes all of them in, it is even odds whether the
    population's share of them exceeds the rate, so that t is above them.

    Args:
        taken: int [draws], J.
    Returns: float [draws], and bool [draws], where it is certain that nobody
        can be called.
    """
    calls = curve.true_positives + curve.false_positives
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
    parted = (taken == reached) & tied & (rng.random(taken.size) < 0.5)
    count = np.where(parted, curve.true_positives[before], count)
    # Nobody can be above the top of a scale that several records reach.
    nobody = (last == 0) | (parted & (before == 0))
    return count, nobody & (calls[1] > 1)


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
