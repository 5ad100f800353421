"""Operating points and the held-out threshold."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from binormal_scores import scores_of
from sklearn import metrics

from qmia_tf.statistics import held_out_thresholds, operating_points
from qmia_tf.statistics.sweep import sweep


def points_of(scores, members):
    points = operating_points.in_sample_points(sweep(scores, members), seed=0)
    return {point.name: point for point in points}


class InSampleTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(kind=("continuous", "levels"), seed=(0, 1, 2))
    def test_nothing_beats_them(self, kind, seed):
        scores, members = scores_of(kind, seed=seed)
        tried = []
        for threshold in [np.inf, *scores]:
            called = scores >= threshold
            recall, fpr = called[members].mean(), called[~members].mean()
            precision = members[called].mean() if called.any() else 0.0
            both = max(precision + recall, 1e-9)
            tried.append(
                (
                    precision,
                    recall,
                    2 * precision * recall / both,
                    (recall + 1 - fpr) / 2,
                )
            )
        precision, recall, f1, accuracy = np.transpose(tried)
        points = points_of(scores, members)
        for name, got, best in (
            (
                "precision_at_recall_94",
                "precision",
                precision[recall >= 0.94].max(),
            ),
            (
                "precision_at_recall_100",
                "precision",
                precision[recall == 1].max(),
            ),
            ("best_f1", "f1", f1.max()),
            ("peak_accuracy", "balanced_accuracy", accuracy.max()),
        ):
            self.assertAlmostEqual(getattr(points[name], got).value, best)

    def test_a_point_is_what_its_threshold_does(self):
        scores, members = scores_of("levels")
        for point in points_of(scores, members).values():
            called = scores >= point.threshold
            self.assertTrue(point.in_sample)
            self.assertEqual(point.true_positives, (called & members).sum())
            self.assertEqual(point.false_positives, (called & ~members).sum())
            self.assertAlmostEqual(
                point.f1.value, metrics.f1_score(members, called)
            )
            for got, judge in (
                (point.accuracy, metrics.accuracy_score),
                (point.balanced_accuracy, metrics.balanced_accuracy_score),
                (point.precision, metrics.precision_score),
                (point.recall, metrics.recall_score),
            ):
                self.assertAlmostEqual(got.value, judge(members, called))
            fpr = called[~members].mean()
            self.assertAlmostEqual(
                point.advantage.value, called[members].mean() - fpr
            )
            for rate in (
                point.accuracy,
                point.advantage,
                point.recall,
                point.precision,
                point.f1,
            ):
                self.assertBetween(rate.value, rate.low, rate.high)

    def test_recall_of_exactly_94_per_cent_counts(self):
        scores = np.r_[np.full(94, 0.9), np.full(6, 0.1), np.full(100, 0.5)]
        point = points_of(scores, np.arange(200) < 100)[
            "precision_at_recall_94"
        ]
        self.assertEqual(point.threshold, 0.9)
        self.assertEqual(point.precision.value, 1.0)

    def test_where_members_score_lower_the_peak_is_nobody(self):
        members = np.arange(20) < 10
        point = points_of(np.where(members, 0.0, 1.0), members)["peak_accuracy"]
        self.assertIsNone(point.threshold)
        self.assertEqual(point.true_positives, 0)
        self.assertIsNone(point.precision.value)
        self.assertEqual(point.balanced_accuracy.value, 0.5)


class HeldOutTest(parameterized.TestCase, tf.test.TestCase):
    def test_halves(self):
        members = np.arange(23) < 9
        half = held_out_thresholds.calibration_half(members, seed=0)
        self.assertEqual((half & members).sum(), 4)
        self.assertEqual((half & ~members).sum(), 7)
        self.assertAllEqual(
            half, held_out_thresholds.calibration_half(members, seed=0)
        )
        self.assertNotAllEqual(
            half, held_out_thresholds.calibration_half(members, seed=1)
        )

    def test_threshold_is_the_best_of_one_half_judged_on_the_other(self):
        scores, members = scores_of("levels")
        half = held_out_thresholds.calibration_half(members, seed=3)
        held_out = held_out_thresholds.hold_out(scores, members, seed=3)
        accuracy = {
            threshold: metrics.balanced_accuracy_score(
                members[half], scores[half] >= threshold
            )
            for threshold in scores[half]
        }
        self.assertAlmostEqual(
            accuracy[held_out.point.threshold], max(accuracy.values())
        )
        self.assertAlmostEqual(
            held_out.calibration_accuracy, max(accuracy.values())
        )
        judged = metrics.balanced_accuracy_score(
            members[~half], scores[~half] >= held_out.point.threshold
        )
        self.assertAlmostEqual(held_out.point.balanced_accuracy.value, judged)
        self.assertFalse(held_out.point.in_sample)
        self.assertEqual(
            held_out.point.members + held_out.calibration_members, members.sum()
        )
        peak = points_of(scores, members)["peak_accuracy"]
        self.assertAlmostEqual(
            held_out.optimism, peak.balanced_accuracy.value - judged
        )


if __name__ == "__main__":
    tf.test.main()
