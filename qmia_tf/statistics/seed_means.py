"""Means over runs that differ in their seed, with between-seed intervals.

The records' intervals say how sure a number is for one trained model; these
say how it scatters from training to training.
"""

import numpy as np
from scipy import stats

from qmia_tf.statistics.intervals import LEVEL, Estimate, within


def mean(values, *, level: float = LEVEL) -> Estimate:
    """The mean over seeds with Student's interval.

    mean -+ t sqrt(s^2/n), t the (1 + level)/2 quantile with n - 1 degrees of
    freedom, s^2 with n - 1 below. One value has no interval. Equal values
    have one of no width, which few seeds do not warrant: look at n.

    Args:
        values: float [n], one a seed, finite.
        level: coverage, in 0..1.
    Raises: ValueError if there is no value or one is not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            "one finite value a seed, and one seed or more, is needed, got "
            f"{values.tolist()}"
        )
    center, n = float(values.mean()), values.size
    if n == 1:
        return Estimate(center, None, None)
    half = stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / n**0.5
    return Estimate(center, float(center - half), float(center + half))


def mean_share(values) -> Estimate:
    """The mean of shares or AUCs: see mean, the interval cut to 0..1.

    Of two seeds Student's interval is wide enough to leave that range, in
    which the true mean lies.
    """
    estimate = mean(values)
    if estimate.low is None:
        return estimate
    return within(estimate.value, estimate.low, estimate.high)


def paired(after, before, *, level: float = LEVEL) -> Estimate:
    """The mean change over pairs of runs of one seed and split each.

    What a seed does to both falls out; see mean.

    Args:
        after: float [n], such as the quantized models'.
        before: float [n], such as the full-precision models', in the same
            order of seeds.
        level: coverage, in 0..1.
    Raises: ValueError if they are not equally long, or as mean.
    """
    after, before = np.asarray(after, float), np.asarray(before, float)
    if after.shape != before.shape:
        raise ValueError(
            "every run needs its partner of the same seed, got shapes "
            f"{after.shape} and {before.shape}"
        )
    return mean(after - before, level=level)
