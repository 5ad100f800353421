"""A model at chance in every reading is not taken for right."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from qmia_tf.targets.trial_result import (
    LEVEL,
    TrialResult,
    is_clearly_right,
)

READINGS = 3


def result(named, labels, *, classes=10, losses=None):
    losses = np.ones(len(labels)) if losses is None else losses
    members = np.ones(len(labels), bool)
    return TrialResult(named, labels, losses, members, classes)


def is_taken(readings):
    """Whether one of several readings is taken, as range_trial takes it."""
    level = LEVEL / (2 * (len(readings) - 1))
    return any(
        is_clearly_right(one, [x for x in readings if x is not one], level)
        for one in readings
    )


class ChanceTest(parameterized.TestCase):
    @parameterized.parameters(
        (2, [0.5, 0.5]),
        (2, [0.9, 0.1]),
        (10, np.full(10, 0.1)),
        (10, [0.55, *np.full(9, 0.05)]),
        (100, np.full(100, 0.01)),
    )
    def test_noise_is_not_resolved(self, classes, shares):
        """1,000 models at chance in each of three readings, 100 members."""
        rng = np.random.default_rng(0)
        taken = 0
        for _ in range(1000):
            labels = rng.choice(classes, 100, p=shares)
            readings = [
                result(
                    rng.choice(classes, 100, p=shares),
                    labels,
                    classes=classes,
                    losses=rng.gamma(1, 3, 100),
                )
                for _ in range(READINGS)
            ]
            taken += is_taken(readings)
        # LEVEL at most: one of 1,000 on average, four once in 50 times.
        self.assertLessEqual(taken, 3)

    def test_the_bound_is_that_of_one_class_alone(self):
        """Of guesses naming one class is the best; and far above means half."""
        labels = np.repeat(np.arange(10), [19, *[9] * 9])
        for right in range(19, 101):
            named = labels.copy()
            named[right:] = labels[right:] - 1
            chance = stats.binomtest(right, 100, 0.19, "greater").pvalue
            expected = chance <= LEVEL and right / 100 > (1 + 0.19) / 2
            found = result(named, labels).is_far_above_chance(LEVEL)
            self.assertEqual(found, expected, right)
            self.assertEqual(found, right >= 60)

    def test_a_right_reading_is_taken(self):
        rng = np.random.default_rng(1)
        taken = 0
        for _ in range(200):
            labels = rng.integers(0, 10, 100)
            readings = [
                result(
                    np.where(rng.random(100) < share, labels, labels - 1),
                    labels,
                )
                for share in (0.95, 0.6, 0.2)
            ]
            taken += is_taken(readings)
        self.assertEqual(taken, 200)

    def test_two_that_do_alike_are_not_taken(self):
        labels = np.arange(100) % 10
        named = np.where(np.arange(100) < 95, labels, labels - 1)
        alike = [result(named, labels), result(named, labels)]
        self.assertFalse(is_taken(alike))


if __name__ == "__main__":
    absltest.main()
