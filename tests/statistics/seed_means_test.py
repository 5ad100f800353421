"""Between-seed intervals against SciPy's t tests, and their coverage."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.statistics import seed_means
from qmia_tf.statistics.intervals import Estimate


class SeedsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(count=(2, 3, 10), level=(0.9, 0.95))
    def test_mean_is_students(self, count, level):
        values = np.random.default_rng(count).normal(0.6, 0.1, count)
        interval = seed_means.mean(values, level=level)
        test = stats.ttest_1samp(values, 0.0)
        want = test.confidence_interval(level)
        self.assertAllClose(
            (interval.value, interval.low, interval.high),
            (sum(values) / count, want.low, want.high),
            atol=1e-12,
        )

    @parameterized.parameters(2, 5)
    def test_paired_is_students(self, count):
        rng = np.random.default_rng(count)
        before = rng.normal(0.6, 0.1, count)
        after = before + rng.normal(-0.05, 0.01, count)
        interval = seed_means.paired(list(after), list(before))
        want = stats.ttest_rel(after, before).confidence_interval(0.95)
        self.assertAllClose(
            (interval.value, interval.low, interval.high),
            (np.mean(after) - np.mean(before), want.low, want.high),
            atol=1e-12,
        )

    def test_one_seed_has_no_interval(self):
        self.assertEqual(seed_means.mean([0.25]), Estimate(0.25, None, None))
        self.assertEqual(
            seed_means.paired([0.75], [0.5]), Estimate(0.25, None, None)
        )

    def test_equal_values(self):
        self.assertEqual(seed_means.mean([0.5] * 3), Estimate(0.5, 0.5, 0.5))

    def test_a_share_stays_a_share(self):
        for values in ([0.95, 0.98], [0.02, 0.05], [0.5, 0.6, 0.55], [0.9]):
            whole, cut = seed_means.mean(values), seed_means.mean_share(values)
            self.assertEqual(cut.value, whole.value)
            ends = [
                x if x is None else float(np.clip(x, 0, 1))
                for x in (whole.low, whole.high)
            ]
            self.assertEqual([cut.low, cut.high], ends)
        self.assertEqual(seed_means.mean_share([0.95, 0.98]).high, 1.0)
        self.assertEqual(seed_means.mean_share([0.02, 0.05]).low, 0.0)

    def test_covers(self):
        rng = np.random.default_rng(0)
        inside = 0
        for values in rng.normal(0.6, 0.1, (400, 4)):
            interval = seed_means.mean(values)
            inside += interval.low <= 0.6 <= interval.high
        # 380 expected of 400; the binomial's 0.1 % points are 365 and 392.
        self.assertBetween(inside, 365, 392)

    @parameterized.parameters(
        ([],), ([0.5, np.nan],), ([np.inf],), ([[0.5, 0.6]],), (0.5,)
    )
    def test_refuses(self, values):
        with self.assertRaisesRegex(ValueError, "one finite value a seed"):
            seed_means.mean(values)

    def test_refuses_runs_without_a_partner(self):
        with self.assertRaisesRegex(ValueError, r"shapes \(2,\) and \(3,\)"):
            seed_means.paired([0.1, 0.2], [0.1, 0.2, 0.3])


if __name__ == "__main__":
    tf.test.main()
