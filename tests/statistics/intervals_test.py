"""Intervals against SciPy, published examples, and their coverage."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.statistics import intervals

COUNTS = [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (940, 1000), (7, 30000)]


class SingleRateTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        counts=COUNTS,
        level=(0.9, 0.95),
        methods=(
            (intervals.clopper_pearson, "exact"),
            (intervals.wilson, "wilson"),
        ),
    )
    def test_is_scipys(self, counts, level, methods):
        ours, theirs = methods
        interval = ours(*counts, level=level)
        want = stats.binomtest(*counts).proportion_ci(level, theirs)
        self.assertAlmostEqual(interval.value, counts[0] / counts[1])
        self.assertAllClose(
            (interval.low, interval.high), (want.low, want.high), atol=1e-12
        )

    @parameterized.parameters((-1, 5), (6, 5), (0, 0))
    def test_refuses(self, count, total):
        for method in (intervals.clopper_pearson, intervals.wilson):
            with self.assertRaisesRegex(ValueError, f"got {count} of {total}"):
                method(count, total)


class DifferenceTest(parameterized.TestCase, tf.test.TestCase):
    # Newcombe, Statistics in Medicine 17 (1998), table II, method 10.
    @parameterized.parameters(
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    )
    def test_is_newcombes(self, counts, want):
        interval = intervals.newcombe(*counts)
        self.assertAllClose((interval.low, interval.high), want, atol=5e-5)

    def test_balanced_accuracy_is_half_the_way(self):
        interval = intervals.balanced_accuracy(30, 40, 10, 50)
        self.assertAlmostEqual(interval.value, (30 / 40 + 40 / 50) / 2)
        gap = intervals.newcombe(30, 40, 10, 50)
        self.assertAllClose(
            (interval.low, interval.high),
            (0.5 + gap.low / 2, 0.5 + gap.high / 2),
        )

    def test_accuracy_of_equal_halves_is_balanced(self):
        one = intervals.accuracy(37, 50, 12, 50)
        other = intervals.balanced_accuracy(37, 50, 12, 50)
        for end in ("value", "low", "high"):
            self.assertAlmostEqual(getattr(one, end), getattr(other, end))

    def test_accuracy_of_few_members_is_about_the_nonmembers(self):
        interval = intervals.accuracy(1, 1, 20, 100_000)
        alone = intervals.wilson(100_000 - 20, 100_000)
        self.assertAllClose(
            (interval.value, interval.low, interval.high),
            (alone.value, alone.low, alone.high),
            rtol=0,
            atol=2e-5,
        )

    @parameterized.parameters((150, 50, 0.9, 0.7), (50, 150, 0.98, 0.02))
    def test_accuracy_covers(self, members, nonmembers, recall, fpr):
        rng, inside = np.random.default_rng(3), 0
        truth = members * recall + nonmembers * (1 - fpr)
        truth /= members + nonmembers
        for tp, fp in rng.binomial(
            (members, nonmembers), (recall, fpr), (600, 2)
        ).tolist():
            interval = intervals.accuracy(tp, members, fp, nonmembers)
            right = [True] * (tp + nonmembers - fp)
            wrong = [False] * (members - tp + fp)
            self.assertAlmostEqual(interval.value, np.mean(right + wrong))
            inside += interval.low <= truth <= interval.high
        # 570 expected of 600; the binomial's 0.1 % points are 552 and 585.
        self.assertBetween(inside, 552, 590)

    @parameterized.parameters((100, 0.9, 0.7), (400, 1.0, 0.98))
    def test_covers(self, size, recall, fpr):
        rng = np.random.default_rng(3)
        truth, inside = 0.5 + (recall - fpr) / 2, 0
        draws = rng.binomial(size, [[recall, fpr]] * 300)
        for tp, fp in draws.tolist():
            interval = intervals.balanced_accuracy(tp, size, fp, size)
            inside += interval.low <= truth <= interval.high
        # 285 expected of 300; the binomial's 0.1 % point is 272.
        self.assertGreaterEqual(inside, 272)


class PrecisionAndF1Test(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (100, 0.03, 0.01),
        (100, 0.5, 0.4),
        (900, 0.01, 0.002),
        (900, 1.0, 0.97),
    )
    def test_cover(self, size, recall, fpr):
        rng = np.random.default_rng(4)
        precision = recall / (recall + fpr)
        f1 = 2 * recall / (recall + fpr + 1)
        inside, runs = np.zeros(2), 300
        for seed in range(runs):
            tp, fp = rng.binomial(size, [recall, fpr]).tolist()
            estimates = intervals.precision_and_f1(
                tp, size, fp, size, seed=seed
            )
            for index, truth in enumerate((precision, f1)):
                low, high = estimates[index].low, estimates[index].high
                inside[index] += low is None or low <= truth <= high
        # Nominal 95 %; 91 % allows for small counts and 300 runs.
        self.assertAllGreater(inside / runs, 0.91)

    def test_is_the_bootstrap_of_the_records(self):
        """With many records, resampling the records gives the same."""
        members = np.arange(4000) < 2000
        called = np.r_[np.arange(2000) < 1500, np.arange(2000) < 900]

        def f1(hits, alarms):
            return 2 * hits.sum(-1) / (hits.sum(-1) + alarms.sum(-1) + 2000)

        want = stats.bootstrap(
            (called[members], called[~members]),
            lambda hits, alarms, axis: f1(hits, alarms),
            n_resamples=2000,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        _, interval = intervals.precision_and_f1(1500, 2000, 900, 2000, seed=0)
        self.assertAlmostEqual(
            interval.value, f1(called[members], called[~members])
        )
        # Two Monte-Carlo percentiles: a tenth of the half width, 0.014.
        self.assertAllClose(
            (interval.low, interval.high), (want.low, want.high), atol=1.5e-3
        )

    def test_everyone_is_a_member(self):
        precision, f1 = intervals.precision_and_f1(300, 300, 100, 100, seed=0)
        self.assertAlmostEqual(precision.value, 0.75)
        self.assertAlmostEqual(f1.value, 6 / 7)
        for estimate in (precision, f1):
            self.assertBetween(estimate.value, estimate.low, estimate.high)

    def test_nobody_is_a_member(self):
        precision, f1 = intervals.precision_and_f1(0, 30, 0, 10, seed=0)
        self.assertEqual(precision, intervals.UNDEFINED)
        self.assertEqual(f1.value, 0.0)
        self.assertEqual(f1.low, 0.0)

    def test_is_repeatable(self):
        one, other, third = (
            intervals.precision_and_f1(5, 30, 2, 30, seed=seed)
            for seed in (1, 1, 2)
        )
        self.assertEqual(one, other)
        self.assertNotEqual(one, third)

    def test_refuses(self):
        with self.assertRaisesRegex(ValueError, "got 31 of 30"):
            intervals.precision_and_f1(31, 30, 0, 30, seed=0)


if __name__ == "__main__":
    tf.test.main()
