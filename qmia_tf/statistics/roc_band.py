"""The ROC curve with a band, at rates spaced for a logarithmic axis."""

import dataclasses

from qmia_tf.statistics import low_fpr_rates
from qmia_tf.statistics.intervals import LEVEL
from qmia_tf.statistics.sweep import Sweep

# Six a decade: the same for every target, and those of low_fpr among them.
RATES = tuple(10.0 ** (-step / 6) for step in range(24, 0, -1))


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


def of_sweep(curve: Sweep, *, seed, level=LEVEL) -> RocBand:
    """TPR from a rate of 0.0001, or 1/nonmembers if that is more, up to 1.

    At a lower rate than 1/nonmembers the curve would show its assumed shape
    more than what was seen.

    Args:
        curve: the Sweep of the scores.
        seed: int >= 0, of the bootstrap; see low_fpr_rates.of_sweep.
        level: coverage of each interval, in 0..1; not of the band as a whole.
    """
    # 0.01 * 100 must not fall short of 1.
    least = (1 - 1e-12) / curve.nonmembers
    rates = [rate for rate in RATES if rate >= least]
    estimates = low_fpr_rates.of_sweep(curve, rates, seed=seed, level=level)
    # Whoever may call everyone calls every member.
    return RocBand(
        rates=[*rates, 1.0],
        tpr=[*(estimate.tpr.value for estimate in estimates), 1.0],
        low=[*(estimate.tpr.low for estimate in estimates), 1.0],
        high=[*(estimate.tpr.high for estimate in estimates), 1.0],
    )
