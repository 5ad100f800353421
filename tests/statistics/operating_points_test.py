"""Operating points, the held-out threshold, and the thinned curve."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from sklearn import metrics

from qmia_tf.errors import InputError
from qmia_tf.statistics import (
    held_out_thresholds,
    operating_points,
    thinned_sweep,
)
from qmia_tf.statistics.sweep import sweep


def scores_of(kind, size=300, seed=0):
    rng = np.random.default_rng(seed)
    members = rng.random(size) < 0.45
    scores = rng.random(size) + 0.25 * members
    if kind == "levels":
        scores = np.round(scores * 20) / 20
    return scores, members


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

    def test_advantage_is_twice_what_beats_guessing(self):
        for point in points_of(*scores_of("levels")).values():
            for end in ("value", "low", "high"):
                self.assertAlmostEqual(
                    getattr(point.advantage, end),
                    2 * getattr(point.balanced_accuracy, end) - 1,
                )

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

    def test_scores_that_say_nothing(self):
        """Held out, chance is inside at the level; in-sample it is not."""
        rng = np.random.default_rng(11)
        members, audits = np.arange(200) < 100, 300
        held_out, in_sample, optimism = 0, 0, []
        for seed in range(audits):
            scores = rng.random(200)
            judged = held_out_thresholds.hold_out(scores, members, seed=seed)
            rate = judged.point.balanced_accuracy
            held_out += rate.low <= 0.5 <= rate.high
            whole = sweep(scores, members)
            row = whole.peak_row
            peak = operating_points.measure(
                "peak",
                threshold=whole.thresholds[row],
                true_positives=whole.true_positives[row],
                members=100,
                false_positives=whole.false_positives[row],
                nonmembers=100,
                in_sample=True,
                seed=seed,
            ).balanced_accuracy
            in_sample += peak.low <= 0.5 <= peak.high
            optimism.append(judged.optimism)
        # 285 expected of 300; the binomial's 0.1 % points are 272 and 295.
        self.assertBetween(held_out, 272, 297)
        self.assertLess(in_sample, 255)
        self.assertGreater(np.mean(optimism), 0.02)

    @parameterized.parameters(1, 19)
    def test_refuses_a_single_record(self, count):
        members = np.arange(20) < count
        with self.assertRaisesRegex(InputError, "1 (non)?member: .* two"):
            held_out_thresholds.hold_out(np.arange(20.0), members, seed=0)


class CurveTest(parameterized.TestCase, tf.test.TestCase):
    def test_few_thresholds_are_all_kept(self):
        whole = sweep(*scores_of("levels"))
        thinned = thinned_sweep.thin(whole)
        self.assertAllEqual(thinned.threshold, whole.thresholds[1:])
        self.assertAllEqual(thinned.recall, whole.recall[1:])
        self.assertEqual(thinned.distinct_thresholds, len(thinned.threshold))

    @parameterized.parameters(1.0, 12.0)
    def test_many_are_thinned(self, power):
        scores, members = scores_of("continuous", size=20_000)
        scores = 1 - np.abs(1 - scores) ** power
        whole = sweep(scores, members)
        thinned = thinned_sweep.thin(whole)
        self.assertBetween(len(thinned.threshold), 300, 510)
        self.assertEqual(thinned.threshold[0], scores.max())
        self.assertEqual(thinned.threshold[-1], scores.min())
        self.assertAllLess(np.diff(thinned.threshold), 0)
        for point in points_of(scores, members).values():
            row = thinned.threshold.index(point.threshold)
            self.assertAlmostEqual(thinned.recall[row], point.recall.value)
            self.assertAlmostEqual(
                thinned.balanced_accuracy[row], point.balanced_accuracy.value
            )
        # No jump wider than two even steps, in records or in threshold.
        rows = np.searchsorted(-whole.thresholds, -np.array(thinned.threshold))
        called = whole.true_positives + whole.false_positives
        self.assertAllLess(np.diff(called[rows]), 2 * 20_000 / 249)
        span = scores.max() - scores.min()
        gaps = -np.diff(thinned.threshold)
        alone = -np.diff(whole.thresholds[1:]).max()
        self.assertLess(gaps.max(), 2 * span / 124 - alone)


if __name__ == "__main__":
    tf.test.main()
