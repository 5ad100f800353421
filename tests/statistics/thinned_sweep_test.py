"""The curve holds counts; its rates follow from them."""

from fractions import Fraction

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.statistics import operating_points, thinned_sweep
from qmia_tf.statistics.sweep import sweep


class CurveTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(10, 120, 500)
    def test_counts_are_those_at_each_threshold(self, points):
        rng = np.random.default_rng(points)
        members = rng.random(700) < 0.6
        scores = np.round(rng.normal(size=700) + members, 2)
        thinned = thinned_sweep.thin(sweep(scores, members), points=points)
        inside, outside = scores[members], scores[~members]
        self.assertEqual(thinned.members, inside.size)
        self.assertEqual(thinned.nonmembers, outside.size)
        self.assertEqual(thinned.distinct_thresholds, len(set(scores)))
        for row, least in enumerate(thinned.threshold):
            true, false = sum(inside >= least), sum(outside >= least)
            self.assertEqual(thinned.true_positives[row], true)
            self.assertEqual(thinned.false_positives[row], false)
            tpr, fpr = (
                Fraction(true, inside.size),
                Fraction(false, outside.size),
            )
            for got, want in (
                (thinned.recall, tpr),
                (thinned.false_positive_rate, fpr),
                (thinned.balanced_accuracy, (1 + tpr - fpr) / 2),
                (thinned.precision, Fraction(true, true + false)),
            ):
                self.assertAlmostEqual(got[row], float(want), places=14)

    @parameterized.parameters(2, 40, 120)
    def test_points_bound_what_is_kept(self, points):
        scores = np.random.default_rng(0).normal(size=5000)
        members = np.arange(5000) % 2 == 0
        thinned = thinned_sweep.thin(sweep(scores, members), points=points)
        # And the ends and the operating points.
        self.assertLessEqual(len(thinned.threshold), points + 6)
        self.assertEqual(thinned.threshold[0], scores.max())
        self.assertEqual(thinned.threshold[-1], scores.min())

    @parameterized.parameters(1.0, 12.0)
    def test_many_are_thinned(self, power):
        rng = np.random.default_rng(0)
        members, scores = np.arange(20_000) < 9_000, rng.random(20_000)
        scores = 1 - np.abs(1 - scores) ** power
        whole = sweep(scores, members)
        thinned = thinned_sweep.thin(whole)
        self.assertBetween(len(thinned.threshold), 300, 510)
        self.assertEqual(thinned.threshold[0], scores.max())
        self.assertEqual(thinned.threshold[-1], scores.min())
        self.assertAllLess(np.diff(thinned.threshold), 0)
        for row in operating_points.point_rows(whole).values():
            self.assertIn(whole.thresholds[row], thinned.threshold)
        # No jump wider than two even steps, in records or in threshold.
        rows = np.searchsorted(-whole.thresholds, -np.array(thinned.threshold))
        self.assertAllLess(np.diff(whole.called[rows]), 2 * 20_000 / 249)
        span = scores.max() - scores.min()
        gaps = -np.diff(thinned.threshold)
        alone = -np.diff(whole.thresholds[1:]).max()
        self.assertLess(gaps.max(), 2 * span / 124 - alone)

    def test_is_made_of_json_types(self):
        thinned = thinned_sweep.thin(
            sweep([3, 1, 2], np.array([True, False, True]))
        )
        for column in (
            thinned.threshold,
            thinned.true_positives,
            thinned.false_positives,
        ):
            self.assertIsInstance(column, list)
        self.assertEqual(thinned.true_positives, [1, 2, 2])
        self.assertEqual(thinned.false_positives, [0, 0, 1])
        self.assertIs(type(thinned.true_positives[0]), int)


if __name__ == "__main__":
    tf.test.main()
