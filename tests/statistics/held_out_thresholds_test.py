"""Cross-fitting: both halves by each other's threshold, and its coverage."""

import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats
from sklearn import metrics

from qmia_tf.statistics import held_out_thresholds, intervals

RATES = ("balanced_accuracy", "recall", "false_positive_rate", "precision")


class CrossFitTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(False, True)
    def test_each_half_by_the_threshold_of_the_other(self, ties):
        rng = np.random.default_rng(0)
        members = rng.random(201) < 0.4
        scores = rng.normal(size=201) + members
        scores = np.round(scores * 3) if ties else scores
        half = held_out_thresholds.calibration_half(members, seed=7)
        called = np.zeros(201, bool)
        for learn in (half, ~half):
            fpr, tpr, thresholds = metrics.roc_curve(
                members[learn], scores[learn], drop_intermediate=False
            )
            least = thresholds[np.argmax(np.round(tpr - fpr, 12))]
            called[~learn] = scores[~learn] >= least
        point = held_out_thresholds.cross_fit(scores, members, seed=7)
        tn, fp, fn, tp = metrics.confusion_matrix(members, called).ravel()
        self.assertEqual(
            (point.true_positives, point.false_positives), (tp, fp)
        )
        self.assertEqual((point.members, point.nonmembers), (tp + fn, fp + tn))
        self.assertAlmostEqual(
            point.balanced_accuracy.value,
            metrics.balanced_accuracy_score(members, called),
        )
        self.assertEqual(point.name, "cross_fitted")
        self.assertIsNone(point.threshold)
        self.assertFalse(point.in_sample)

    def test_intervals_are_stretched(self):
        rng = np.random.default_rng(1)
        members = np.arange(400) < 200
        point = held_out_thresholds.cross_fit(
            rng.normal(size=400), members, seed=0
        )
        tp, fp = point.true_positives, point.false_positives
        for rate, exact in (
            (point.recall, intervals.clopper_pearson(tp, 200)),
            (point.false_positive_rate, intervals.clopper_pearson(fp, 200)),
            (
                point.balanced_accuracy,
                intervals.balanced_accuracy(tp, 200, fp, 200),
            ),
        ):
            self.assertAlmostEqual(
                (rate.value - rate.low) ** 2,
                4 / 3 * (exact.value - exact.low) ** 2,
            )
            self.assertAlmostEqual(
                (rate.high - rate.value) ** 2,
                4 / 3 * (exact.high - exact.value) ** 2,
            )

    def test_rates_stay_within_their_range(self):
        members = np.arange(40) < 20
        point = held_out_thresholds.cross_fit(
            members.astype(float), members, seed=0
        )
        self.assertEqual(point.recall.high, 1.0)
        self.assertEqual(point.false_positive_rate.low, 0.0)
        self.assertEqual(point.balanced_accuracy.value, 1.0)
        self.assertEqual(point.balanced_accuracy.high, 1.0)

    def test_nobody_is_called(self):
        members = np.arange(40) < 20
        point = held_out_thresholds.cross_fit(
            -members.astype(float), members, seed=0
        )
        self.assertEqual(point.true_positives + point.false_positives, 0)
        self.assertIsNone(point.precision.value)


class CoverageTest(parameterized.TestCase, tf.test.TestCase):
    """Of the mean of what the two thresholds truly do, on binormal scores."""

    def covered(self, size, gain, levels, audits):
        """How many intervals hold it, a rate; how many exclude guessing."""
        rng = np.random.default_rng(size)
        members = np.arange(2 * size) < size
        inside, above = dict.fromkeys(RATES, 0), 0
        for seed in range(audits):
            drawn = rng.normal(size=2 * size) + gain * members
            scores = drawn
            if levels:
                scores = np.floor(stats.norm.cdf(drawn) * 256)
            half = held_out_thresholds.calibration_half(members, seed=seed)
            points = (
                held_out_thresholds.hold_out(
                    scores, members, seed=seed, calibration=part
                )
                for part in (half, ~half)
            )
            # None, where nobody is called, becomes NaN and then infinity.
            cuts = np.array(
                [interval.point.threshold for interval in points], float
            )
            cuts = np.nan_to_num(cuts, nan=np.inf, posinf=np.inf)
            if levels:
                cuts = stats.norm.ppf(np.minimum(cuts, 256) / 256)
            recall = stats.norm.sf(cuts - gain).mean()
            fpr = stats.norm.sf(cuts).mean()
            truths = (0.5 + (recall - fpr) / 2, recall, fpr)
            truths += (recall / (recall + fpr) if recall else None,)
            point = held_out_thresholds.cross_fit(scores, members, seed=seed)
            for name, truth in zip(RATES, truths, strict=True):
                rate = getattr(point, name)
                inside[name] += (
                    rate.value is None or rate.low <= truth <= rate.high
                )
            above += point.balanced_accuracy.low > 0.5
        return inside, above

    @parameterized.parameters((100, 0.0, False), (200, 0.5, True))
    def test_covers(self, size, gain, levels):
        audits = 150
        inside, above = self.covered(size, gain, levels, audits)
        for name, count in inside.items():
            # 143 expected of 150; the binomial's 0.1 % point is 133.
            self.assertGreaterEqual(count, 133, name)
        if gain == 0:
            # 2.5 % are 4; the binomial's 0.1 % point is 11.
            self.assertLessEqual(above, 11)

    @slow_tests.slow
    @parameterized.parameters(
        (100, 0.0, False),
        (500, 0.0, True),
        (500, 0.2, False),
        (100, 1.0, True),
        (500, 2.0, False),
    )
    def test_covers_often(self, size, gain, levels):
        inside, above = self.covered(size, gain, levels, 1000)
        for name, count in inside.items():
            # 950 expected of 1,000; the binomial's 0.1 % point is 928.
            self.assertGreaterEqual(count, 928, name)
        if gain == 0:
            # 25 are 2.5 %; the binomial's 0.1 % point is 41.
            self.assertLessEqual(above, 41)


if __name__ == "__main__":
    tf.test.main()
