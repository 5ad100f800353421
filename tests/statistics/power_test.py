"""The smallest leak that a test finds, against tests that are simulated."""

import functools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.statistics import max_t_test, power

CRITICAL = stats.norm.ppf(0.975)


def rank_sum_deviation(members, nonmembers):
    """Of an AUC of scores without ties, when nothing leaks."""
    records = members + nonmembers
    return np.sqrt((records + 1) / (12 * members * nonmembers))


class DetectableTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters((40, 40), (150, 60), (600, 600))
    def test_the_rank_sum_test_finds_it_as_often_as_said(self, m, n):
        area = power.detectable_auc(
            CRITICAL, 0.5, rank_sum_deviation(m, n), m, n
        )
        shift = np.sqrt(2) * stats.norm.ppf(area)
        rng, runs = np.random.default_rng(0), 1000
        p_values = stats.mannwhitneyu(
            rng.normal(size=(runs, m)) + shift,
            rng.normal(size=(runs, n)),
            alternative="greater",
            axis=1,
        ).pvalue
        # Three binomial standard deviations are .038; the variance is that
        # of exponential scores, which these are not.
        self.assertAllClose(np.mean(p_values <= 0.025), 0.8, atol=0.05)

    def test_strata_that_cannot_be_permuted(self):
        """Half of the records have a class of one side."""
        rng = np.random.default_rng(1)
        members = np.arange(400) < 200
        strata = np.where(np.arange(400) % 2, 0, 1 + members)
        test = functools.partial(
            max_t_test.max_t, members=members, strata=strata, rates=()
        )
        null = test({"one": rng.normal(size=400)}, seed=0)
        [statistic] = null.statistics
        runs, reached = 120, {}
        for moved in (0.5, 1.0):
            auc = power.detectable_auc(
                null.critical, 0.5, statistic.deviation, 200, 200, moved=moved
            )
            shift = np.sqrt(2) * stats.norm.ppf(auc) * members
            reached[moved] = np.mean(
                [
                    test(
                        {"one": rng.normal(size=400) + shift},
                        seed=seed,
                        permutations=199,
                    ).p_value
                    <= 0.025
                    for seed in range(runs)
                ]
            )
        # Three binomial standard deviations.
        self.assertAllClose(reached[0.5], 0.8, atol=0.11)
        # As if all were permuted, far too much would be promised.
        self.assertLess(reached[1.0], 0.5)

    def test_more_power_takes_a_larger_leak(self):
        areas = [
            power.detectable_auc(CRITICAL, 0.5, 0.03, 200, 200, power=share)
            for share in (0.5, 0.8, 0.95)
        ]
        self.assertEqual(areas, sorted(areas))
        # Half of the power: the mean itself stands at the critical value.
        self.assertAllClose(areas[0], 0.5 + CRITICAL * 0.03, atol=1e-9)

    def test_equal_variance_where_leaks_are_small(self):
        area = power.detectable_auc(CRITICAL, 0.5, 1e-3, 10**5, 10**5)
        want = 0.5 + 1e-3 * (CRITICAL + stats.norm.ppf(0.8))
        self.assertAllClose(area, want, atol=1e-5)

    def test_nothing_would_be_found(self):
        self.assertEqual(power.detectable_auc(9.0, 0.5, 0.2, 10, 10), 1.0)
        self.assertEqual(
            power.detectable_auc(2.0, 0.5, 0.01, 10, 10, moved=0.0), 1.0
        )
        self.assertEqual(power.detectable_auc(np.inf, 0.5, 0.01, 10, 10), 1.0)

    def test_anything_would_be_found(self):
        self.assertEqual(power.detectable_auc(2.0, 0.3, 1e-3, 10, 10), 0.5)

    @parameterized.parameters((1, 1), (1, 50), (50, 1))
    def test_single_records(self, m, n):
        area = power.detectable_auc(CRITICAL, 0.5, 0.3, m, n)
        self.assertBetween(area, 0.5, 1.0)


class BalancedAccuracyTest(tf.test.TestCase):
    def test_of_two_normal_distributions(self):
        for distance in (0.0, 0.3, 1.0, 2.5):
            auc = stats.norm.cdf(distance / np.sqrt(2))
            thresholds = np.linspace(-3, 6, 9001)
            rates = stats.norm.sf(thresholds, distance) - stats.norm.sf(
                thresholds
            )
            self.assertAllClose(
                power.balanced_accuracy_of(auc),
                0.5 + rates.max() / 2,
                atol=1e-7,
            )

    def test_ends(self):
        self.assertEqual(power.balanced_accuracy_of(0.5), 0.5)
        self.assertEqual(power.balanced_accuracy_of(1.0), 1.0)


if __name__ == "__main__":
    tf.test.main()
