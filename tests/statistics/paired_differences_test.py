"""Paired intervals against their definition, McNemar's test and coverage."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import optimize, stats

from qmia_tf.statistics import paired_differences

TABLES = ((5, 2, 30), (0, 7, 40), (12, 12, 50), (1, 0, 25), (3, 40, 90))
Z = 1.959963984540054


def score_statistic(difference, b, c, n):
    """The score test of p1 - p2 = difference, its nuisance found by search.

    The counts b, c and the rest are multinomial with probabilities
    q + difference, q and 1 - 2q - difference.
    """

    def likelihood(q):
        cells = np.array([q + difference, q, 1 - 2 * q - difference])
        cells = np.maximum(cells, 1e-300)
        return -np.dot([b, c, n - b - c], np.log(cells))

    low, high = max(0.0, -difference), (1 - difference) / 2
    q = optimize.minimize_scalar(
        likelihood, bounds=(low, high), method="bounded", options={"xatol": 0}
    ).x
    spread = n * (2 * q + difference - difference**2)
    return (b - c - n * difference) / np.sqrt(spread)


class TangoTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*TABLES)
    def test_ends_are_where_the_score_test_rejects(self, b, c, n):
        interval = paired_differences.tango(b, c, n)
        self.assertAlmostEqual(interval.value, (b - c) / n)
        # The search for q ends within about 1e-8 of it.
        self.assertAllClose(
            [
                score_statistic(interval.low, b, c, n),
                score_statistic(interval.high, b, c, n),
            ],
            [Z, -Z],
            atol=1e-3,
        )

    @parameterized.parameters(*TABLES, (20, 8, 60), (9, 2, 11), (30, 17, 80))
    def test_excludes_zero_where_mcnemars_test_does(self, b, c, n):
        interval = paired_differences.tango(b, c, n)
        rejected = (b - c) ** 2 / (b + c) > stats.chi2.ppf(0.95, 1)
        self.assertEqual(not interval.low <= 0 <= interval.high, rejected)

    def test_models_that_never_differ(self):
        interval = paired_differences.tango(0, 0, 100)
        self.assertEqual(interval.value, 0.0)
        self.assertAllClose(
            (interval.low, interval.high), (-Z * Z / (100 + Z * Z), 0.0369935)
        )
        # The limit of what one differing record gives.
        near = paired_differences.tango(1, 0, 100)
        self.assertLess(interval.high, near.high)

    def test_models_that_always_differ(self):
        interval = paired_differences.tango(50, 0, 50)
        self.assertEqual((interval.value, interval.high), (1.0, 1.0))
        self.assertAllClose(
            score_statistic(interval.low, 50, 0, 50), Z, atol=1e-3
        )
        interval = paired_differences.tango(0, 50, 50)
        self.assertEqual((interval.value, interval.low), (-1.0, -1.0))

    @parameterized.parameters((-1, 2, 9), (6, 4, 9), (0, 0, 0))
    def test_refuses(self, b, c, n):
        with self.assertRaisesRegex(ValueError, f"{b} and {c} of {n}"):
            paired_differences.tango(b, c, n)

    @parameterized.parameters((0.05, 0.02), (0.2, 0.2), (0.01, 0.0))
    def test_covers(self, first_only, second_only):
        rng = np.random.default_rng(8)
        cells = [first_only, second_only, 1 - first_only - second_only]
        inside = 0
        for b, c, _ in rng.multinomial(80, cells, 1000):
            interval = paired_differences.tango(b, c, 80)
            inside += interval.low <= first_only - second_only <= interval.high
        # 950 expected; Tango's own figures for n = 80 go from 93.5 to 98 %.
        self.assertBetween(inside, 930, 1000)


def two_models(rng, size, accuracy, kept):
    """Right or wrong of one model, and of one that copies `kept` of it."""
    one = rng.random(size) < accuracy
    other = np.where(rng.random(size) < kept, one, rng.random(size) < accuracy)
    return one, other


class ChangeTest(parameterized.TestCase, tf.test.TestCase):
    def test_counts_the_records_that_changed(self):
        after = np.array([1, 1, 1, 0, 0, 1], bool)
        before = np.array([1, 0, 0, 1, 0, 1], bool)
        self.assertEqual(
            paired_differences.change(after, before),
            paired_differences.tango(2, 1, 6),
        )

    def test_balanced_by_hand(self):
        members = np.ones(40, bool), np.zeros(40, bool)
        others = np.zeros(30, bool), np.ones(30, bool)
        interval = paired_differences.balanced_change(members, others)
        self.assertEqual((interval.value, interval.high), (1.0, 1.0))
        self.assertLess(interval.low, 1.0)
        nothing = paired_differences.balanced_change(
            (members[0], members[0]), (others[0], others[0])
        )
        half = [Z * Z / (n + Z * Z) for n in (40, 30)]
        self.assertAllClose(
            (nothing.low, nothing.value, nothing.high),
            (-np.hypot(*half) / 2, 0.0, np.hypot(*half) / 2),
        )

    @parameterized.parameters(0.5, 0.95)
    def test_balanced_covers_and_is_narrower_than_unpaired(self, kept):
        rng = np.random.default_rng(3)
        inside, widths = 0, []
        for _ in range(400):
            members = two_models(rng, 90, 0.95, kept)
            others = two_models(rng, 90, 0.85, kept)
            interval = paired_differences.balanced_change(members, others)
            # Both models have the same accuracies: nothing changed.
            inside += interval.low <= 0 <= interval.high
            widths.append(interval.high - interval.low)
        # 380 of 400 at least; the binomial's 0.1 % point is 365. Where few
        # records differ the interval holds more.
        self.assertGreaterEqual(inside, 365)
        rates = 0.95 * 0.05 + 0.85 * 0.15
        unpaired = 2 * Z * np.sqrt(2 * rates / 90) / 2
        self.assertLess(np.mean(widths), unpaired * (1.0 - 0.5 * kept + 0.1))


if __name__ == "__main__":
    tf.test.main()
