"""Members told apart without the model: shifted data, and data that is not."""

import time

import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf import datasets
from qmia_tf.auditing import control
from qmia_tf.errors import InputError

CHECKS = 300 if slow_tests.SLOW else 40


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
            found = control.check(inputs, labels, members, seed=seed)
            alarms += found.told_apart
            areas.append(found.auc.value)
        self.assertEqual(found.features, seen)
        self.assertLessEqual(alarms, stats.binom.ppf(0.999, CHECKS, 0.025))
        # An AUC of 2 x 20 records or more spreads by 0.09; four times that.
        self.assertAllClose(np.mean(areas), 0.5, atol=0.36 / CHECKS**0.5)

    def test_real_images_cut_at_random(self):
        data = datasets.load("digits")
        members = np.random.default_rng(0).permutation(halves(1797))
        found = control.check(data.images, data.labels, members, seed=0)
        self.assertFalse(found.told_apart)
        self.assertBetween(found.auc.value, 0.45, 0.55)
        self.assertEqual((found.members, found.nonmembers), (449, 450))


class ShiftTest(parameterized.TestCase, tf.test.TestCase):
    def told(self, inputs, labels=None, **options):
        labels = np.zeros(len(inputs), int) if labels is None else labels
        options = {"members": halves(len(inputs)), "seed": 0, **options}
        return control.check(inputs, labels, **options)

    def test_brighter_nonmembers(self):
        shown = images(600)
        bright = np.where(halves(600)[:, None, None, None], 0, 40)
        shown = np.clip(shown + bright, 0, 255).astype(np.uint8)
        found = self.told(shown)
        self.assertTrue(found.told_apart)
        # Uniform levels, width 130, shifted by 40: P(X < Y) is 0.76.
        self.assertBetween(found.auc.value, 0.68, 0.9)
        self.assertGreater(found.auc.low, 0.5)

    def test_digits_that_were_scanned_brighter(self):
        data = datasets.load("digits")
        members = np.random.default_rng(0).permutation(halves(1797))
        rows = ~members[:, None, None, None]
        shown = np.clip(data.images * (1 + 0.2 * rows), 0, 255)
        found = control.check(
            shown.astype(np.uint8), data.labels, members, seed=0
        )
        self.assertTrue(found.told_apart)

    def test_blurred_nonmembers(self):
        shown = images(400).astype(float)
        blurred = (shown + np.roll(shown, 1, axis=1)) / 2
        members = halves(400)[:, None, None, None]
        found = self.told(np.where(members, shown, blurred).astype(np.uint8))
        self.assertGreater(found.auc.low, 0.9)

    def test_other_classes(self):
        labels = np.where(halves(400), 0, 1) + 3
        labels[::3] = 3
        found = self.told(images(400), labels)
        # Of the nonmembers two in three have a class that no member has.
        self.assertGreater(found.auc.low, 0.7)

    @parameterized.parameters(6, 3000)
    def test_numbers_of_another_mean(self, width):
        rng = np.random.default_rng(0)
        common = rng.normal(size=(500, 1))
        rows = rng.normal(size=(500, width)) + common
        rows[halves(500)] += 0.7
        found = self.told(rows * 1e4 - 7.0)
        self.assertTrue(found.told_apart)

    def test_unit_of_a_column_does_not_matter(self):
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(300, 5))
        rows[:150, 2] += 1
        one = self.told(rows)
        other = self.told(rows * [1e-6, 1, 1e5, 1, 1])
        self.assertAllClose(one.auc.value, other.auc.value, atol=1e-6)

    def test_judged_on_records_that_it_did_not_learn_from(self):
        """A number that names the record tells nothing of another one."""
        rows = np.eye(40)
        members = np.random.default_rng(1).permutation(halves(40))
        found = self.told(rows, members=members)
        self.assertAllClose(found.auc.value, 0.5, atol=1e-9)

    def test_repeats(self):
        rng = np.random.default_rng(3)
        rows, members = rng.normal(size=(100, 200)), halves(100)
        one, other = (self.told(rows, members=members) for _ in range(2))
        self.assertEqual(one, other)

    def test_sixty_thousand_images_take_seconds(self):
        rng = np.random.default_rng(0)
        shown = rng.integers(0, 256, (60_000, 16, 16, 3), np.uint8)
        labels = rng.integers(0, 10, 60_000)
        start = time.process_time()
        control.check(shown, labels, halves(60_000), seed=0)
        self.assertLess(time.process_time() - start, 20.0)


class RefusesTest(parameterized.TestCase, tf.test.TestCase):
    def test_a_number_that_is_not_finite(self):
        rows = np.zeros((9000, 2))
        rows[[8003, 8100], 1] = np.nan, np.inf
        with self.assertRaisesRegex(InputError, "record 8003 holds a number"):
            control.check(rows, np.zeros(9000), halves(9000), seed=0)

    def test_too_few(self):
        with self.assertRaisesRegex(InputError, "1 member: "):
            control.check(
                np.zeros((9, 2)), np.zeros(9), np.arange(9) < 1, seed=0
            )

    def test_lengths(self):
        with self.assertRaisesRegex(ValueError, "9 records, 8 labels and 9"):
            control.check(np.zeros((9, 2)), np.zeros(8), halves(9), seed=0)


if __name__ == "__main__":
    tf.test.main()
