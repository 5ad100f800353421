"""The sweep against scikit-learn, and identities that hold for any scores."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from sklearn import metrics

from qmia_tf.statistics.sweep import sweep


def scores_of(kind, size=400, seed=0):
    """Scores and members, members scoring somewhat higher."""
    rng = np.random.default_rng(seed)
    members = rng.random(size) < 0.4
    scores = rng.random(size) + 0.3 * members
    if kind == "levels":
        scores = np.round(scores * 196) / 256
    elif kind == "equal":
        scores = np.full(size, 0.25)
    elif kind == "hard":
        scores = (scores > 0.5).astype(float)
    return scores, members


KINDS = ("continuous", "levels", "equal", "hard")


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
    def test_is_scikit_learns_precision_recall_curve(self, kind):
        scores, members = scores_of(kind)
        swept = sweep(scores, members)
        precision, recall, thresholds = metrics.precision_recall_curve(
            members, scores
        )
        self.assertAllEqual(swept.thresholds[1:][::-1], thresholds)
        self.assertAllClose(swept.precision[1:][::-1], precision[:-1])
        self.assertAllClose(swept.recall[::-1], recall)
        self.assertTrue(np.isnan(swept.precision[0]))

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

    def test_by_hand(self):
        swept = sweep([0.9, 0.5, 0.5, 0.1], np.array([1, 1, 0, 0], bool))
        self.assertAllEqual(swept.thresholds, [np.inf, 0.9, 0.5, 0.1])
        self.assertAllEqual(swept.true_positives, [0, 1, 2, 2])
        self.assertAllEqual(swept.false_positives, [0, 0, 1, 2])
        self.assertAllClose(swept.balanced_accuracy, [0.5, 0.75, 0.75, 0.5])

    @parameterized.parameters(*KINDS)
    def test_everyone_is_the_base_rate(self, kind):
        scores, members = scores_of(kind)
        swept = sweep(scores, members)
        share = members.mean()
        self.assertAlmostEqual(swept.precision[-1], share)
        self.assertAlmostEqual(swept.f1[-1], 2 * share / (1 + share))
        self.assertEqual(swept.balanced_accuracy[-1], 0.5)
        self.assertEqual(swept.recall[-1], 1.0)

    def test_everyone_of_equal_halves_has_f1_two_thirds(self):
        swept = sweep(np.zeros(10), np.arange(10) < 5)
        self.assertAllClose(swept.f1, [0, 2 / 3])

    @parameterized.parameters(*KINDS)
    def test_order_of_records_changes_nothing(self, kind):
        scores, members = scores_of(kind)
        order = np.random.default_rng(1).permutation(members.size)
        one, other = (
            sweep(scores, members),
            sweep(scores[order], members[order]),
        )
        self.assertAllEqual(one.thresholds, other.thresholds)
        self.assertAllEqual(one.true_positives, other.true_positives)
        self.assertAllEqual(one.false_positives, other.false_positives)

    @parameterized.parameters(
        ([1.0, 2.0], np.array([True]), "equally long"),
        ([[1.0, 2.0]], np.array([[True, False]]), "one-dimensional"),
        ([1.0, 2.0], np.array([1, 0]), "booleans"),
        ([1.0, np.nan], np.array([True, False]), "row 1 is nan"),
        ([1.0, np.inf], np.array([True, False]), "row 1 is inf"),
        ([1.0, 2.0], np.array([True, True]), "both needed, got 2"),
        ([], np.array([], bool), "both needed, got 0"),
    )
    def test_refuses(self, scores, members, message):
        with self.assertRaisesRegex(ValueError, message):
            sweep(scores, members)


if __name__ == "__main__":
    tf.test.main()
