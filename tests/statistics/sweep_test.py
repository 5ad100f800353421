"""The sweep against scikit-learn, and identities that hold for any scores."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from binormal_scores import KINDS, scores_of
from sklearn import metrics

from qmia_tf.statistics.sweep import sweep


class SweepTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*KINDS)
    def test_is_scikit_learns_roc_curve(self, kind):
        scores, members = scores_of(kind)
        swept = sweep(scores, members)
        fpr, tpr, thresholds = metrics.roc_curve(
            members, scores, drop_intermediate=False
        )
        self.assertAllEqual(swept.thresholds, thresholds)
        self.assertAllClose(swept.false_positive_rate, fpr, atol=1e-12)
        self.assertAllClose(swept.recall, tpr, atol=1e-12)

    @parameterized.parameters(*KINDS)
    def test_take_is_a_sweep_of_its_own(self, kind):
        scores, members = scores_of(kind)
        some = np.random.default_rng(2).random(400) < 0.3
        one, other = (
            sweep(scores, members).take(some),
            sweep(scores[some], members[some]),
        )
        for name, array in vars(one).items():
            self.assertAllEqual(array, getattr(other, name))
        self.assertAllEqual(one.thresholds[one.rows], scores[some])

    @parameterized.parameters(*KINDS)
    def test_is_scikit_learn_one_threshold_at_a_time(self, kind):
        scores, members = scores_of(kind, size=120)
        swept = sweep(scores, members)
        for row, threshold in enumerate(swept.thresholds):
            called = scores >= threshold
            for got, judge in (
                (swept.accuracy, metrics.accuracy_score),
                (swept.balanced_accuracy, metrics.balanced_accuracy_score),
                (swept.f1, metrics.f1_score),
            ):
                self.assertAlmostEqual(got[row], judge(members, called))

    def test_tensorflow_privacys_fixture(self):
        """Its rates at a threshold are the shares of losses below it."""
        rng = np.random.RandomState(27)
        inside, outside = rng.rand(1000) - 0.3, rng.rand(1000)
        members = np.arange(2000) < 1000
        swept = sweep(-np.r_[inside, outside], members)
        for row in range(1, 2001, 40):
            loss = -swept.thresholds[row]
            self.assertEqual(swept.recall[row], np.mean(inside <= loss))
            self.assertEqual(
                swept.false_positive_rate[row], np.mean(outside <= loss)
            )

    def test_sacros_fixture(self):
        scores = [0.1, 0.6, 0.2, 0.45, 0.9, 0.99]
        swept = sweep(scores, np.arange(6) >= 3)
        row = np.searchsorted(-swept.thresholds, -0.5, side="right") - 1
        self.assertAllClose((swept.recall[row], swept.f1[row]), (2 / 3, 2 / 3))


if __name__ == "__main__":
    tf.test.main()
