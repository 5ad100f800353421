"""The blind baseline: shifted data, and data that is not."""

import time
from unittest import mock

import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.auditing import blind_baseline
from qmia_tf.data import draws, loaders
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError

CHECKS = 300 if slow_tests.SLOW else 40
NULL = 1000 if slow_tests.SLOW else 100


def measure_of(inputs, labels, members, *, seed):
    """The blind baseline of arrays."""
    records = Records.numbered("x", inputs, labels, members)
    return blind_baseline.measure(records, seed=seed)


def halves(records):
    return np.arange(records) < records // 2


def images(records, *, seed=0, size=8, channels=3):
    """Noise on a level that differs from image to image."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(60, 190, (records, 1, 1, 1))
    noise = rng.normal(size=(records, size, size, channels)) * 30
    return np.clip(level + noise, 0, 255).astype(np.uint8)


class NullTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        ((8, 8, 3), np.uint8, "image statistics and the label"),
        ((7,), np.float32, "7 numbers and the label"),
        ((), np.int64, "1 number and the label"),
        (
            (30, 4),
            np.float64,
            "50 principal components of 120 numbers and the label",
        ),
    )
    def test_keeps_its_level(self, shape, dtype, seen):
        """Members and nonmembers alike: told apart in 2.5 % of the checks."""
        alarms, areas = 0, []
        for seed in range(CHECKS):
            rng = np.random.default_rng(seed)
            records = int(rng.integers(80, 160))
            inputs = rng.integers(0, 256, (records, *shape)).astype(dtype)
            labels = rng.integers(0, 4, records)
            members = rng.permutation(halves(records))
            check = measure_of(inputs, labels, members, seed=seed)
            alarms += check.distinguishable
            areas.append(check.auc.value)
        self.assertEqual(check.features, seen)
        self.assertLessEqual(alarms, stats.binom.ppf(0.999, CHECKS, 0.025))
        # An AUC of 2 x 20 records or more spreads by 0.09; four times that.
        self.assertAllClose(np.mean(areas), 0.5, atol=0.36 / CHECKS**0.5)

    def test_real_images_cut_at_random(self):
        data = loaders.load("digits")
        members = np.random.default_rng(0).permutation(halves(1797))
        check = measure_of(data.images, data.labels, members, seed=0)
        self.assertFalse(check.distinguishable)
        self.assertBetween(check.auc.value, 0.45, 0.55)
        self.assertEqual((check.members, check.nonmembers), (449, 450))


class NullByClassTest(parameterized.TestCase, tf.test.TestCase):
    """1,000 checks with --slow, 200 permutations each; one side's 2.5 %."""

    def setUp(self):
        super().setUp()
        for name in ("FEWEST", "MOST"):
            patch = mock.patch.object(blind_baseline, name, 200)
            patch.start()
            self.addCleanup(patch.stop)

    def checked(self, records, classes, by_class, seed, shift=0.0):
        """Features that differ from class to class, and labels."""
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(records) % classes)
        members = rng.permutation(halves(records))
        if by_class:
            members = draws.stratified(labels, 0.5, rng)
        of_class = rng.exponential(3, (classes, 3))
        rows = of_class[labels] + rng.normal(size=(records, 3))
        rows[members] += shift
        return blind_baseline.measure_features(
            rows, labels, members, seen="3 numbers", seed=seed
        )

    @parameterized.product(
        sizes=[(60, 3), (160, 10), (160, 80), (400, 100)]
        if slow_tests.SLOW
        else [(100, 10), (100, 50)],
        by_class=[True, False],
    )
    def test_keeps_its_level(self, sizes, by_class):
        checks = [self.checked(*sizes, by_class, seed) for seed in range(NULL)]
        most = stats.norm.ppf(0.99865) if slow_tests.SLOW else 4.0
        deviation = (NULL * 0.025 * 0.975) ** 0.5
        alarms = sum(check.distinguishable for check in checks)
        self.assertLessEqual(alarms, NULL * 0.025 + most * deviation)
        for name in ("p_value", "classes_p_value"):
            alone = sum(getattr(check, name) <= 0.025 for check in checks)
            self.assertLessEqual(alone, NULL * 0.025 + most * deviation)

    def test_a_balanced_split_puts_the_area_below_one_half(self):
        """So it is judged against what it is without any difference."""
        checks = [self.checked(120, 10, True, seed) for seed in range(60)]
        areas = np.array([(x.auc.value, x.null_auc) for x in checks])
        self.assertLess(areas.mean(axis=0).max(), 0.48)
        # An AUC of 30 + 30 spreads by .075.
        self.assertAllClose(*areas.mean(axis=0), atol=4 * 0.075 / 60**0.5)
        self.assertEqual(
            {x.features for x in checks}, {"3 numbers and the label"}
        )
        self.assertEqual({x.permutations for x in checks}, {200})

    @parameterized.parameters(
        (10, "3 numbers and the label"), (160, "3 numbers")
    )
    def test_a_shift_is_seen_with_common_and_with_rare_classes(
        self, classes, seen
    ):
        check = self.checked(160, classes, True, 0, shift=4.0)
        self.assertEqual(check.features, seen)
        self.assertTrue(check.distinguishable)
        self.assertLess(check.p_value, 0.0125)
        self.assertGreater(check.classes_p_value, 0.0125)

    def test_sides_of_other_people(self):
        """No class is on both sides, which is a difference by itself."""
        labels = np.arange(400) // 2
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(400, 3)) + rng.normal(size=(200, 3))[labels]
        members = rng.permutation(halves(200))[labels]
        alike = blind_baseline.measure_features(
            rows, labels, members, seen="3 numbers", seed=0
        )
        self.assertGreater(alike.p_value, 0.0125)
        self.assertLess(alike.classes_p_value, 0.001)
        self.assertTrue(alike.distinguishable)
        rows[members] += 1
        check = blind_baseline.measure_features(
            rows, labels, members, seen="3 numbers", seed=0
        )
        self.assertEqual(check.features, "3 numbers")
        self.assertLess(check.p_value, 0.0125)

    def test_classes_of_other_frequency(self):
        labels = np.repeat([0, 1, 0, 1], [120, 80, 80, 120])
        check = blind_baseline.measure_features(
            np.zeros((400, 1)), labels, halves(400), seen="nothing", seed=0
        )
        # Chi-squared is 400 (120^2 - 80^2)^2 / 200^4.
        want = stats.chi2.sf(16, 1)
        self.assertAllClose(check.classes_p_value, want, atol=1e-9)
        self.assertTrue(check.distinguishable)

    @parameterized.parameters((20, 2000), (150, 150))
    def test_rare_classes_of_equal_frequency_are_no_sign(self, inside, outside):
        """Chi-squared of counts below 5 gave 13 % at 20 + 2,000 records."""
        p_values = []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            labels = np.repeat(np.arange(60), rng.integers(1, 80, 60))
            labels = rng.permutation(labels)[: inside + outside]
            members = np.arange(labels.size) < inside
            p_value = blind_baseline._class_p_value(labels, members, seed)
            p_values.append(p_value)
        p_values = np.array(p_values)
        # P(X >= 4), X binomial(30, 0.0125), is 0.06 %.
        self.assertLess(np.sum(p_values <= 0.0125), 4)
        # Four standard errors of the mean of 30 uniform ones.
        self.assertBetween(np.mean(p_values), 0.29, 0.71)

    def test_rare_classes_of_other_frequency(self):
        """Twenty classes, each on one side alone, with three records."""
        labels = np.repeat(np.arange(20), 3)
        p_value = blind_baseline._class_p_value(labels, labels < 10, 0)
        # No permutation of the memberships is as far apart.
        self.assertEqual(p_value, 1 / 4001)

    @parameterized.parameters((2, 2), (2, 9), (9, 2), (3, 3))
    def test_few_records(self, members, nonmembers):
        rng = np.random.default_rng(0)
        records = members + nonmembers
        for labels in (np.zeros(records, int), np.arange(records)):
            check = blind_baseline.measure_features(
                rng.normal(size=(records, 2)),
                labels,
                np.arange(records) < members,
                seen="2 numbers",
                seed=0,
            )
            self.assertBetween(check.p_value, 1 / 201, 1.0)
            self.assertFalse(check.distinguishable)

    def test_nothing_to_see(self):
        check = blind_baseline.measure_features(
            np.zeros((50, 2)), np.zeros(50), halves(50), seen="0", seed=0
        )
        self.assertEqual((check.auc.value, check.p_value), (0.5, 1.0))
        self.assertEqual((check.null_auc, check.classes_p_value), (0.5, 1.0))


class ShiftTest(parameterized.TestCase, tf.test.TestCase):
    def checked(self, inputs, labels=None, **options):
        labels = np.zeros(len(inputs), int) if labels is None else labels
        options = {"members": halves(len(inputs)), "seed": 0, **options}
        return measure_of(inputs, labels, **options)

    def test_brighter_nonmembers(self):
        shown = images(600)
        bright = np.where(halves(600)[:, None, None, None], 0, 40)
        shown = np.clip(shown + bright, 0, 255).astype(np.uint8)
        check = self.checked(shown)
        self.assertTrue(check.distinguishable)
        # Uniform levels, width 130, shifted by 40: P(X < Y) is 0.76.
        self.assertBetween(check.auc.value, 0.68, 0.9)
        self.assertGreater(check.auc.low, 0.5)

    def test_blurred_nonmembers(self):
        shown = images(400).astype(float)
        blurred = (shown + np.roll(shown, 1, axis=1)) / 2
        members = halves(400)[:, None, None, None]
        check = self.checked(np.where(members, shown, blurred).astype(np.uint8))
        self.assertGreater(check.auc.low, 0.9)

    def test_other_classes(self):
        labels = np.where(halves(400), 0, 1) + 3
        labels[::3] = 3
        check = self.checked(images(400), labels)
        # Of the nonmembers two in three have a class that no member has.
        self.assertGreater(check.auc.low, 0.7)

    @parameterized.parameters(6, 3000)
    def test_numbers_of_another_mean(self, width):
        rng = np.random.default_rng(0)
        common = rng.normal(size=(500, 1))
        rows = rng.normal(size=(500, width)) + common
        rows[halves(500)] += 0.7
        check = self.checked(rows * 1e4 - 7.0)
        self.assertTrue(check.distinguishable)

    def test_unit_of_a_column_does_not_matter(self):
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(300, 5))
        rows[:150, 2] += 1
        one = self.checked(rows)
        other = self.checked(rows * [1e-6, 1, 1e5, 1, 1])
        self.assertAllClose(one.auc.value, other.auc.value, atol=1e-6)

    def test_judged_on_records_that_it_did_not_learn_from(self):
        """A number that names the record tells nothing of another one."""
        rows = np.eye(40)
        members = np.random.default_rng(1).permutation(halves(40))
        check = self.checked(rows, members=members)
        self.assertAllClose(check.auc.value, 0.5, atol=1e-9)

    def test_repeats(self):
        rng = np.random.default_rng(3)
        rows, members = rng.normal(size=(100, 200)), halves(100)
        one, other = (self.checked(rows, members=members) for _ in range(2))
        self.assertEqual(one, other)

    def test_sixty_thousand_images_take_seconds(self):
        rng = np.random.default_rng(0)
        shown = rng.integers(0, 256, (60_000, 16, 16, 3), np.uint8)
        labels = rng.integers(0, 10, 60_000)
        start = time.process_time()
        measure_of(shown, labels, halves(60_000), seed=0)
        self.assertLess(time.process_time() - start, 20.0)


class RefusesTest(parameterized.TestCase, tf.test.TestCase):
    def test_a_number_that_is_not_finite(self):
        rows = np.zeros((9000, 2))
        rows[[8003, 8100], 1] = np.nan, np.inf
        with self.assertRaisesRegex(InputError, "record 8003 holds a number"):
            measure_of(rows, np.zeros(9000), halves(9000), seed=0)

    def test_too_few(self):
        with self.assertRaisesRegex(InputError, "1 member: "):
            measure_of(np.zeros((9, 2)), np.zeros(9), np.arange(9) < 1, seed=0)

    def test_lengths(self):
        with self.assertRaisesRegex(ValueError, "9 records, 8 labels and 9"):
            blind_baseline.measure_features(
                np.zeros((9, 2)), np.zeros(8), halves(9), seen="", seed=0
            )


if __name__ == "__main__":
    tf.test.main()
