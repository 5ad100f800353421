"""The ROC curve with a band."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from sklearn import metrics

from qmia_tf.statistics import low_fpr_rates
from qmia_tf.statistics.sweep import sweep


def drawn(members, nonmembers, *, step=0.0, seed=0):
    rng = np.random.default_rng(seed)
    size = members + nonmembers
    inside = np.arange(size) < members
    scores = rng.normal(size=size) + inside
    return (np.round(scores / step) * step if step else scores), inside


class RocBandTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(0.0, 0.5)
    def test_is_scikit_learns_curve(self, step):
        scores, members = drawn(300, 500, step=step)
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
