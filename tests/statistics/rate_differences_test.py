"""Paired differences of TPRs at a low FPR: plain counting, and coverage."""

import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.statistics import low_fpr_rates
from qmia_tf.statistics.rate_differences import tpr_difference


def pair(records, distances, shared, rng):
    """Two binormal scores of the same records, and who is a member.

    Args:
        records: how many, half of them members.
        distances: by how much members score higher.
        shared: the correlation of the two.
        rng: np.random.Generator.
    """
    members = np.arange(records) < records // 2
    common, *own = rng.normal(size=(3, records))
    scores = np.sqrt(shared) * common + np.sqrt(1 - shared) * np.array(own)
    return *(scores + np.outer(distances, members)), members


def truth(distances, rate):
    """The difference of the population's TPRs."""
    above = stats.norm.sf(stats.norm.isf(rate) - np.array(distances))
    return above[0] - above[1]


def covered(records, distances, shared, rate, simulations):
    """The share of intervals that hold the truth."""
    rng, inside = np.random.default_rng(11), 0
    for seed in range(simulations):
        interval = tpr_difference(
            *pair(records, distances, shared, rng), rate, seed=seed, draws=500
        )
        inside += interval.low <= truth(distances, rate) <= interval.high
    return inside / simulations


class ValueTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(0.1, 0.01, 0.001)
    def test_is_the_difference_of_two_plain_counts(self, rate):
        rng = np.random.default_rng(0)
        first, second, members = pair(3000, (1.5, 1.0), 0.5, rng)
        found = []
        for scores in (first, second):
            least = np.sort(scores[~members])[::-1][int(rate * 1500)]
            found.append(np.mean(scores[members] > least))
        interval = tpr_difference(first, second, members, rate, seed=0)
        self.assertAlmostEqual(interval.value, found[0] - found[1])
        self.assertBetween(interval.value, interval.low, interval.high)

    def test_each_tpr_has_the_bootstrap_of_its_own(self):
        """Against scores that tie everywhere, whose TPR is surely 0."""
        rng = np.random.default_rng(0)
        scores, _, members = pair(1000, (2.0, 2.0), 0.5, rng)
        interval = tpr_difference(
            scores, np.zeros(1000), members, 0.01, seed=3, draws=20_000
        )
        (alone,) = low_fpr_rates.tpr_at_fpr(
            scores, members, (0.01,), seed=4, draws=20_000
        )
        self.assertEqual(interval.value, alone.tpr.value)
        # Two draws of 20,000 each: the ends are sure to about 0.003.
        self.assertAllClose(
            (interval.low, interval.high),
            (alone.tpr.low, alone.tpr.high),
            atol=0.015,
        )

    def test_scores_of_one_order_do_not_differ(self):
        rng = np.random.default_rng(0)
        scores, _, members = pair(200, (1.0, 1.0), 0.5, rng)
        interval = tpr_difference(scores, np.exp(scores), members, 0.01, seed=0)
        self.assertEqual(vars(interval), {"value": 0, "low": 0, "high": 0})

    def test_pairing_narrows(self):
        """Scores that move together are compared more sharply."""
        rng = np.random.default_rng(0)
        widths = []
        for shared in (0.0, 0.99):
            interval = tpr_difference(
                *pair(20_000, (1.0, 1.0), shared, rng), 0.01, seed=0
            )
            widths.append(interval.high - interval.low)
        self.assertLess(widths[1], 0.7 * widths[0])


class CoverageTest(parameterized.TestCase, tf.test.TestCase):
    """At least 95 %; more where both scores are nearly the same."""

    @parameterized.parameters(
        (500, (1.0, 1.0), 0.0, 0.01),
        (2000, (1.5, 1.0), 0.5, 0.01),
        (2000, (1.0, 1.0), 0.0, 0.001),
    )
    def test_covers(self, *case):
        # The binomial's 0.1 % point of 150 at 95 % is 134.
        self.assertGreaterEqual(covered(*case, simulations=150), 134 / 150)

    @slow_tests.slow
    @parameterized.product(
        records=(500, 2000, 10_000),
        distances=((1.0, 1.0), (1.5, 1.0), (2.5, 2.0)),
        shared=(0.0, 0.5, 0.9),
        rate=(0.01, 0.001),
    )
    def test_covers_slowly(self, records, distances, shared, rate):
        share = covered(records, distances, shared, rate, simulations=400)
        # 93 %, and two standard deviations of the simulation.
        self.assertGreaterEqual(share, 0.93 - 0.022)


if __name__ == "__main__":
    tf.test.main()
