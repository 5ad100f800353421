"""Thresholds a class: definition, what they gain, what shrinking saves."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats
from sklearn import metrics

from qmia_tf.statistics import class_thresholds, held_out_thresholds

INFINITE = 1e12


def records_of(size, *, classes, shift, gain, seed=0):
    """Binormal scores, each class at a place of its own."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, size)
    members = rng.permutation(size) < size // 2
    centers = shift * np.linspace(-1, 1, classes)
    scores = rng.normal(size=size) + gain * members + centers[labels]
    return scores, members, labels


def best_cut(scores, members):
    """The highest score at which balanced accuracy peaks; by trying all."""
    tried = [np.inf, *np.unique(scores)[::-1]]
    accuracies = [
        round(metrics.balanced_accuracy_score(members, scores >= t), 12)
        for t in tried
    ]
    return tried[int(np.argmax(accuracies))]


class DefinitionTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(False, True)
    def test_unshrunk_each_class_has_its_own(self, ties):
        scores, members, labels = records_of(
            400, classes=3, shift=2.0, gain=1.0
        )
        scores = np.round(scores * 2) if ties else scores
        half = held_out_thresholds.calibration_half(members, seed=4)
        by_class = class_thresholds.hold_out(
            scores, members, labels, classes=3, seed=4, strength=0
        )
        for label, least in enumerate(by_class.thresholds):
            rows = half & (labels == label)
            wanted = scores[rows] >= best_cut(scores[rows], members[rows])
            self.assertAllEqual(scores[rows] >= least, wanted)
            self.assertIn(least, scores[half])

    def test_fully_shrunk_all_have_the_one_for_all(self):
        scores, members, labels = records_of(
            301, classes=4, shift=1.0, gain=1.0
        )
        by_class = class_thresholds.hold_out(
            scores, members, labels, classes=4, seed=4, strength=INFINITE
        )
        one = held_out_thresholds.hold_out(scores, members, seed=4).point
        self.assertEqual(by_class.thresholds, [one.threshold] * 4)
        for name in ("true_positives", "false_positives", "precision"):
            self.assertEqual(getattr(by_class.point, name), getattr(one, name))
        self.assertEqual(by_class.point.name, "by_class")
        self.assertIsNone(by_class.point.threshold)
        self.assertFalse(by_class.point.in_sample)

    def test_in_between(self):
        """Equal weights put a class half-way, in ranks, to the one for all."""
        # 200 calibration records score 0..199, members where it says so.
        scores = np.concatenate([np.arange(200.0), np.arange(200.0)])
        labels = np.concatenate([np.arange(200) < 100] * 2).astype(int)
        inside = np.arange(200) >= 60
        inside[100:140] = False
        members = np.concatenate([inside, ~inside])
        half = np.arange(400) < 200
        thresholds = [
            class_thresholds.hold_out(
                scores,
                members,
                labels,
                classes=2,
                seed=0,
                calibration=half,
                strength=strength,
            ).thresholds
            for strength in (0, 100, INFINITE)
        ]
        # Members: 60..99 (class 1), 140..199 (class 0). For all, 140 is best.
        self.assertEqual(thresholds[0], [140.0, 60.0])
        self.assertEqual(thresholds[1], [140.0, 100.0])
        self.assertEqual(thresholds[2], [140.0, 140.0])

    def test_class_without_calibration_records(self):
        scores, members, labels = records_of(
            300, classes=3, shift=1.0, gain=1.0
        )
        half = held_out_thresholds.calibration_half(members, seed=0)
        labels = np.where(half & (labels == 2), 0, labels)
        # Class 3 has calibration members only, class 4 no records at all.
        labels[np.flatnonzero(half & members)[:5]] = 3
        by_class = class_thresholds.hold_out(
            scores, members, labels, classes=5, seed=0, strength=0
        )
        one = held_out_thresholds.hold_out(
            scores, members, seed=0
        ).point.threshold
        self.assertEqual(by_class.thresholds[2:], [one] * 3)
        self.assertNotEqual(by_class.thresholds[:2], [one] * 2)

    def test_where_members_score_lower_nobody_is_called(self):
        members = np.arange(80) < 40
        by_class = class_thresholds.hold_out(
            -1.0 * members, members, np.arange(80) % 2, classes=2, seed=0
        )
        self.assertEqual(by_class.thresholds, [None, None])
        self.assertEqual(by_class.point.true_positives, 0)
        self.assertEqual(by_class.point.balanced_accuracy.value, 0.5)

    def test_refuses(self):
        scores, members = np.arange(8.0), np.arange(8) < 4

        def ask(labels, classes=2, **options):
            class_thresholds.hold_out(
                scores, members, labels, classes=classes, seed=0, **options
            )

        with self.assertRaisesRegex(ValueError, r"labels .* got int\d+ \[7\]"):
            ask(np.zeros(7, int))
        with self.assertRaisesRegex(ValueError, "labels .* got float64"):
            ask(np.zeros(8))
        with self.assertRaisesRegex(ValueError, r"in 0\.\.1, got 0\.\.2"):
            ask(np.arange(8) % 3)
        with self.assertRaisesRegex(ValueError, "strength .* got -1"):
            ask(np.zeros(8, int), strength=-1)


class GainTest(parameterized.TestCase, tf.test.TestCase):
    """True balanced accuracy of the thresholds, known for binormal scores."""

    def accuracies(self, strengths, *, classes, size, shift, gain, audits):
        centers = shift * np.linspace(-1, 1, classes)
        accuracies = np.zeros(len(strengths))
        for seed in range(audits):
            given = records_of(
                size, classes=classes, shift=shift, gain=gain, seed=seed
            )
            for place, strength in enumerate(strengths):
                cuts = class_thresholds.hold_out(
                    *given, classes=classes, seed=seed, strength=strength
                ).thresholds
                cuts = np.nan_to_num(np.array(cuts, float), nan=np.inf)
                rates = stats.norm.sf([cuts - centers - gain, cuts - centers])
                accuracies[place] += np.mean(0.5 + (rates[0] - rates[1]) / 2)
        return accuracies / audits

    def test_where_classes_differ_it_gains(self):
        default, one = self.accuracies(
            (class_thresholds.STRENGTH, INFINITE),
            classes=10,
            size=6000,
            shift=1.5,
            gain=1.0,
            audits=5,
        )
        # Of 5 points to be gained, 69.1 % against 64 %, more than half.
        self.assertGreater(default, one + 0.025)

    def test_where_classes_are_tiny_shrinking_protects(self):
        default, unshrunk, one = self.accuracies(
            (class_thresholds.STRENGTH, 0, INFINITE),
            classes=50,
            size=2000,
            shift=0.0,
            gain=1.0,
            audits=5,
        )
        self.assertLess(unshrunk, one - 0.01)
        self.assertGreater(default, one - 0.003)


if __name__ == "__main__":
    tf.test.main()
