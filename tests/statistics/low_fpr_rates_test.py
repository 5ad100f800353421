"""TPR at low FPR against scikit-learn, plain counting and a plain bootstrap."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from binormal_scores import KINDS, scores_of
from sklearn import metrics

from qmia_tf.statistics import low_fpr_rates
from qmia_tf.statistics.sweep import sweep

RATES = (0.3, *low_fpr_rates.RATES)


def drawn(members, nonmembers, *, seed=0):
    inside = np.arange(members + nonmembers) < members
    return np.random.default_rng(seed).normal(size=inside.size) + inside, inside


class ValueTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*KINDS)
    def test_is_all_above_a_nonmember(self, kind):
        scores, members = scores_of(kind, size=3000)
        outside = np.sort(scores[~members])[::-1]
        for point in low_fpr_rates.tpr_at_fpr(scores, members, RATES, seed=0):
            called = scores > outside[int(point.rate * outside.size)]
            self.assertEqual(point.tpr.value, called[members].mean())
            self.assertEqual(point.false_positives, called[~members].sum())
            least = scores[called].min() if called.any() else None
            self.assertEqual(point.threshold, least)
            self.assertEqual(point.attained, called[~members].mean())
            self.assertEqual(point.nonmembers, outside.size)
            self.assertAlmostEqual(point.expected, point.rate * outside.size)

    def test_rates_that_floats_miss(self):
        """0.29 * 100 is a little less than 29, 0.07 * 100 more than 7."""
        for size in (10, 100, 1000, 30_000):
            scores = np.arange(2.0 * size)
            members = scores >= size
            counts = np.unique(np.linspace(1, size - 1, 200).astype(int))
            got = low_fpr_rates.tpr_at_fpr(
                scores, ~members, counts / size, seed=0, draws=1
            )
            missed = sum(
                x.false_positives != count
                for x, count in zip(got, counts, strict=True)
            )
            self.assertEqual(missed, 0, f"{missed} of {counts.size}")

    def test_sacros_fixture(self):
        members = np.array([0, 0, 0, 1, 1, 1], bool)
        scores = [0.1, 0.6, 0.2, 0.45, 0.9, 0.99]
        points = low_fpr_rates.tpr_at_fpr(
            scores, members, (1e-9, 0.1, 0.4), seed=0
        )
        self.assertAllClose([x.tpr.value for x in points], [2 / 3, 2 / 3, 1.0])
        self.assertAllClose([x.attained for x in points], [0, 0, 1 / 3])

    def test_a_tie_at_the_top_is_never_parted(self):
        """Nobody can be called without 30 of 100 nonmembers."""
        scores = np.r_[np.full(60, 255), np.full(40, 9), np.full(30, 255)]
        scores = np.r_[scores, np.full(70, 9)]
        members = np.arange(200) < 100
        self.assertEqual(low_fpr_rates.attainable(sweep(scores, members)), 0.3)
        (point,) = low_fpr_rates.tpr_at_fpr(scores, members, (0.01,), seed=0)
        self.assertIsNone(point.threshold)
        self.assertEqual(
            (point.tpr.value, point.tpr.low, point.tpr.high), (0.0, 0.0, 0.0)
        )
        (point,) = low_fpr_rates.tpr_at_fpr(scores, members, (0.35,), seed=0)
        self.assertEqual((point.tpr.value, point.threshold), (0.6, 255.0))
        # 35 expected, 30 seen: the population may have more than it allows.
        self.assertEqual(point.tpr.low, 0.0)

    @parameterized.parameters(*KINDS)
    def test_attainable(self, kind):
        scores, members = scores_of(kind, size=3000)
        fpr, _, _ = metrics.roc_curve(members, scores, drop_intermediate=False)
        self.assertAlmostEqual(
            low_fpr_rates.attainable(sweep(scores, members)),
            fpr[fpr > 0].min(),
        )

    @parameterized.parameters(0.0, 1.0, -0.1, 1.5, np.nan)
    def test_refuses(self, rate):
        with self.assertRaisesRegex(ValueError, "above 0 and below 1"):
            low_fpr_rates.tpr_at_fpr(*scores_of("hard"), (rate,), seed=0)


class IntervalTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*KINDS)
    def test_holds_the_value(self, kind):
        for size in (2, 3, 30, 3000):
            scores, members = scores_of(kind, size=size)
            members[:2] = True, False
            for point in low_fpr_rates.tpr_at_fpr(
                scores, members, RATES, seed=1
            ):
                tpr = point.tpr
                self.assertBetween(tpr.value, tpr.low, tpr.high)
                self.assertBetween(tpr.low, 0.0, tpr.high)
                self.assertLessEqual(tpr.high, 1.0)

    def test_seed(self):
        scores, members = scores_of("continuous", size=3000)
        whole = sweep(scores, members)
        one, same, other = (
            low_fpr_rates.tpr_at_fpr(whole, rates=(0.1,), seed=seed)
            for seed in (0, 0, 1)
        )
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)
        every = low_fpr_rates.tpr_at_fpr(whole, rates=RATES, seed=0)
        self.assertIn(one[0], every)

    @parameterized.parameters("continuous", "levels")
    def test_is_near_a_plain_bootstrap(self, kind):
        """Where many records matter, both are the same normal interval."""
        scores, members = scores_of(kind, size=12_000)
        inside, outside = np.sort(scores[members]), scores[~members]
        rng, rate = np.random.default_rng(2), 0.1
        drawn = []
        for _ in range(600):
            again = np.sort(rng.choice(outside, outside.size))
            least = again[-1 - int(rate * outside.size)]
            drawn.append((rng.choice(inside, inside.size) > least).mean())
        low, high = np.quantile(drawn, [0.025, 0.975])
        (point,) = low_fpr_rates.tpr_at_fpr(
            scores, members, (rate,), seed=0, draws=20_000
        )
        # A 2.5 % point of 600 draws is known to 0.11 standard deviations, so
        # to 3 % of the width; three times that.
        self.assertAllClose(
            (point.tpr.low, point.tpr.high),
            (low, high),
            rtol=0,
            atol=0.09 * (high - low),
        )


class RocBandTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*KINDS)
    def test_is_scikit_learns_curve(self, kind):
        scores, members = scores_of(kind, size=800)
        band = low_fpr_rates.roc_band(sweep(scores, members), seed=0)
        fpr, tpr, _ = metrics.roc_curve(
            members, scores, drop_intermediate=False
        )
        for rate, value in zip(band.rates, band.tpr, strict=True):
            self.assertEqual(value, tpr[fpr <= rate * (1 + 1e-12)].max(), rate)

    def test_is_tpr_at_fpr_where_that_is_given(self):
        scores, members = drawn(300, 20_000)
        band = low_fpr_rates.roc_band(sweep(scores, members), seed=4)
        for given in low_fpr_rates.tpr_at_fpr(scores, members, seed=4):
            place = band.rates.index(given.rate)
            self.assertEqual(
                (band.tpr[place], band.low[place], band.high[place]),
                (given.tpr.value, given.tpr.low, given.tpr.high),
            )

    def test_rates_are_even_in_their_logarithm(self):
        scores, members = drawn(300, 20_000)
        rates = low_fpr_rates.roc_band(sweep(scores, members), seed=0).rates
        self.assertLen(rates, 25)
        self.assertAllClose(rates, np.geomspace(1e-4, 1, 25), atol=1e-15)

    @parameterized.parameters(
        (1, [1.0]),
        (2, [10 ** (-1 / 6), 1.0]),
        (10, 10 ** (np.arange(-6, 1) / 6)),
        (100, 10 ** (np.arange(-12, 1) / 6)),
        (99, 10 ** (np.arange(-11, 1) / 6)),
    )
    def test_no_rate_below_one_nonmember(self, nonmembers, rates):
        scores, members = drawn(50, nonmembers)
        band = low_fpr_rates.roc_band(sweep(scores, members), seed=0)
        self.assertAllClose(band.rates, rates, atol=1e-15)
        for column in (band.tpr, band.low, band.high):
            self.assertLen(column, len(band.rates))
            self.assertEqual(column[-1], 1)

    def test_the_band_holds_the_curve(self):
        scores, members = drawn(300, 500)
        band = low_fpr_rates.roc_band(sweep(scores, members), seed=0)
        self.assertAllInRange(np.subtract(band.tpr, band.low), 0, 1)
        self.assertAllInRange(np.subtract(band.high, band.tpr), 0, 1)
        self.assertAllGreater(np.subtract(band.high, band.low)[:-1], 0)
        self.assertAllGreaterEqual(np.diff(band.tpr), 0)


if __name__ == "__main__":
    tf.test.main()
