"""How often the 95 % intervals hold the truth: binormal scores.

Nonmembers score N(0, 1), members N(d, 1), as they are or in 256 levels of a
sigmoid, like an int8 softmax. Measured over 4,000 simulations (20,000
records: 2,000), in per cent, TPR at 1 % FPR; "steep" is a sigmoid of twice
the slope, where single levels hold half of the 1 % of nonmembers that are
allowed (otherwise an eighth):

                  as they are   in levels     steep levels
    records  d    AUC   TPR     AUC   TPR     AUC   TPR
    200      0.3  95.2  96.4    95.3  96.2    95.2  96.5
    200      1.0  94.6  96.7    94.6  96.8    94.6  98.5
    2,000    0.3  95.0  96.5    95.0  97.1    95.1  97.4
    2,000    1.0  94.7  96.1    94.7  96.7    94.7  97.5
    20,000   0.3  95.6  95.5    95.7  95.8    95.7  96.7
    20,000   1.0  95.5  96.0    95.5  96.5    95.6  96.4

One standard deviation of these is 0.3, of the last two rows 0.5.
Where one level decides whether 1 % is kept, no interval can cover exactly
95 %: it holds both steps or misses one.
"""

import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats
from scipy.special import expit, logit

from qmia_tf.statistics import low_fpr_rates
from qmia_tf.statistics.auc import auc

RATE = 0.01
DISTANCES = (0.3, 1.0)


def in_levels(scores, slope=1.0):
    return np.floor(256 * expit(slope * scores))


def truth(distance, slope):
    """AUC and TPR; of 256 levels, the step at the largest FPR that is kept.

    Args:
        distance: d.
        slope: of the sigmoid; None for the scores as they are.
    """
    if slope is None:
        tail = stats.norm.isf(RATE)
        area = stats.norm.cdf(distance / np.sqrt(2))
        return area, stats.norm.sf(tail - distance)
    edges = logit(np.arange(255, 0, -1) / 256) / slope
    fpr, tpr = (
        np.r_[0.0, stats.norm.sf(edges - d), 1.0] for d in (0.0, distance)
    )
    # P(above) + P(tie)/2 is the area under the straight lines of the curve.
    area = np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2)
    return area, tpr[fpr <= RATE][-1]


def covered(records, distance, slope, simulations, seed=17):
    """The share of intervals that hold the truth: AUC, TPR."""
    rng = np.random.default_rng(seed)
    members = np.arange(records) < records // 2
    area, tpr = truth(distance, slope)
    inside = np.zeros(2)
    for simulation in range(simulations):
        scores = rng.normal(size=records) + distance * members
        if slope is not None:
            scores = in_levels(scores, slope)
        one = auc(scores, members)
        (low,) = low_fpr_rates.tpr_at_fpr(
            scores, members, (RATE,), seed=simulation
        )
        inside += (
            one.low <= area <= one.high,
            low.tpr.low <= tpr <= low.tpr.high,
        )
    return inside / simulations


class TruthTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(distance=DISTANCES, slope=(None, 1.0, 2.0))
    def test_is_what_very_many_records_show(self, distance, slope):
        rng = np.random.default_rng(0)
        inside, outside = rng.normal(size=(2, 400_000)) + [[distance], [0]]
        if slope is not None:
            inside, outside = (in_levels(x, slope) for x in (inside, outside))
        area, tpr = truth(distance, slope)
        scores = np.r_[inside, outside]
        members = np.arange(scores.size) < inside.size
        # Standard deviations below 0.0007 and 0.0008.
        self.assertAllClose(auc(scores, members).value, area, atol=0.0025)
        least = np.quantile(outside, 1 - RATE)
        if slope is not None:
            counts = np.bincount(outside.astype(int), minlength=257)[::-1]
            shares = np.cumsum(counts)[::-1] / outside.size
            least = np.flatnonzero(shares <= RATE)[0]
        self.assertAllClose(np.mean(inside >= least), tpr, atol=0.0025)


class CoverageTest(parameterized.TestCase, tf.test.TestCase):
    def check(self, records, distance, slope, simulations):
        shares = covered(records, distance, slope, simulations)
        # 93 to 97 %, and two standard deviations of the simulation.
        slack = 2 * np.sqrt(0.95 * 0.05 / simulations)
        most = 0.97 + slack if slope != 2.0 else 1.0
        for name, share, limit in zip(
            ("AUC", "TPR"), shares, (0.97 + slack, most), strict=True
        ):
            self.assertBetween(share, 0.93 - slack, limit, f"{name}: {share}")

    @parameterized.product(
        records=(200, 2000), distance=DISTANCES, slope=(None, 1.0)
    )
    def test_covers(self, records, distance, slope):
        self.check(records, distance, slope, simulations=1000)

    @slow_tests.slow
    @parameterized.product(
        records=(200, 2000, 20_000),
        distance=DISTANCES,
        slope=(None, 1.0, 2.0),
    )
    def test_covers_slowly(self, records, distance, slope):
        self.check(records, distance, slope, simulations=2000)

    def test_no_leak(self):
        """Chance is inside, also where the rate rests on one nonmember."""
        shares = covered(200, 0.0, None, simulations=1000)
        # The binomial's 0.1 % point of 950 is 928.
        self.assertAllGreaterEqual(shares, 0.928)


if __name__ == "__main__":
    tf.test.main()
