"""The epsilon bound against Jagielski's figure, SciPy and no leak at all."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.statistics import epsilon
from qmia_tf.statistics.held_out_thresholds import calibration_half


def by_definition(tp, members, fp, nonmembers, *, alpha, delta):
    """The bound of one threshold from SciPy's exact one-sided intervals."""
    level = 1 - alpha / 2
    recall = stats.binomtest(tp, members, alternative="greater")
    recall = recall.proportion_ci(level, "exact").low
    fpr = stats.binomtest(fp, nonmembers, alternative="less")
    fpr = fpr.proportion_ci(level, "exact").high
    bounds = [0.0]
    if recall > delta:
        bounds.append(np.log((recall - delta) / fpr))
    if 1 - fpr > delta:
        bounds.append(np.log((1 - fpr - delta) / (1 - recall)))
    return max(bounds)


def audit(scores, members, seed, **options):
    half = calibration_half(members, seed=seed)
    return epsilon.lower_bound(scores, members, half, **options)


class BoundsTest(parameterized.TestCase, tf.test.TestCase):
    def test_jagielskis_best_case(self):
        """All of 500 against none of 500, at 99 %: 4.54 in their section 4."""
        bound = epsilon.bounds(500, 500, 0, 500, alpha=0.01)
        self.assertAlmostEqual(float(bound), 4.54, delta=0.005)
        members = np.arange(2000) < 1000
        whole = audit(members.astype(float), members, 0, alpha=0.01)
        self.assertAlmostEqual(whole.value, 4.54, delta=0.005)
        self.assertEqual(whole.threshold, 1.0)
        self.assertEqual(whole.confidence, 0.99)
        self.assertEqual(
            (whole.true_positives, whole.false_positives), (500, 0)
        )
        self.assertEqual((whole.members, whole.nonmembers), (500, 500))

    @parameterized.product(
        counts=(
            (473, 984, 755, 1705),
            (0, 40, 0, 30),
            (40, 40, 30, 30),
            (40, 40, 0, 30),
            (0, 40, 30, 30),
            (1, 1, 0, 1),
            (90, 100, 20, 100),
        ),
        alpha=(0.05, 0.2),
        delta=(0.0, 1e-5, 0.3),
    )
    def test_is_its_definition(self, counts, alpha, delta):
        bound = epsilon.bounds(*counts, alpha=alpha, delta=delta)
        self.assertAlmostEqual(
            max(float(bound), 0.0),
            by_definition(*counts, alpha=alpha, delta=delta),
        )

    @parameterized.parameters(
        {"alpha": 0.0}, {"alpha": 1.0}, {"delta": -0.1}, {"delta": 1.0}
    )
    def test_refuses(self, **options):
        with self.assertRaisesRegex(ValueError, r"alpha must .*, got "):
            epsilon.bounds(1, 2, 1, 2, **options)


class LowerBoundTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters((0.0, 0.05), (1e-3, 0.01))
    def test_the_best_of_one_half_judged_on_the_other(self, delta, alpha):
        rng = np.random.default_rng(5)
        members = rng.random(300) < 0.5
        scores = np.round(rng.normal(size=300) + 1.5 * members, 1)
        half = rng.random(300) < 0.4
        options = {"alpha": alpha, "delta": delta}
        lower = epsilon.lower_bound(scores, members, half, **options)

        def bound(threshold, part):
            called = scores >= threshold
            return by_definition(
                int(np.sum(called & members & part)),
                int(np.sum(members & part)),
                int(np.sum(called & ~members & part)),
                int(np.sum(~members & part)),
                **options,
            )

        best = max(bound(threshold, half) for threshold in scores[half])
        self.assertGreater(best, 0)
        self.assertAlmostEqual(bound(lower.threshold, half), best)
        self.assertAlmostEqual(lower.value, bound(lower.threshold, ~half))
        self.assertGreater(lower.value, 0)
        self.assertEqual(lower.delta, delta)

    def test_thinning_loses_next_to_nothing(self):
        rng = np.random.default_rng(1)
        members = np.arange(40_000) < 20_000
        scores = rng.normal(size=40_000) + 0.8 * members
        half = calibration_half(members, seed=0)
        lower = epsilon.lower_bound(scores, members, half)
        ranked = np.sort(scores[half])[::-1]
        inside = members[half][np.argsort(-scores[half])]
        hits, alarms = np.cumsum(inside), np.cumsum(~inside)
        every = epsilon.bounds(hits, 10_000, alarms, 10_000)
        row = int(np.searchsorted(-ranked, -lower.threshold))
        # The bounds of neighbouring thresholds differ by about 1/hits.
        self.assertAllClose(every[row], every.max(), rtol=0.02)

    @parameterized.parameters("members", "scores")
    def test_where_nothing_is_told_the_bound_is_0(self, swapped):
        members = np.arange(400) < 200
        scores = np.zeros(400) if swapped == "scores" else -1.0 * members
        self.assertEqual(audit(scores, members, 0).value, 0.0)

    def test_refuses(self):
        members, scores = np.arange(8) < 4, np.arange(8.0)
        with self.assertRaisesRegex(ValueError, r"calibration .* booleans \[8"):
            epsilon.lower_bound(scores, members, np.arange(8))


class AlarmsTest(tf.test.TestCase):
    def test_no_leak_in_a_thousand_audits(self):
        rng = np.random.default_rng(6)
        alarms = 0
        for seed in range(1000):
            size = rng.integers(200, 2001)
            members = np.arange(size) < size // 2
            scores = rng.random(size)
            if seed % 2:
                scores = np.floor(256 * scores)
            alarms += audit(scores, members, seed).value > 0
        # 50 is alpha itself: no allowance is needed.
        self.assertLessEqual(alarms, 50)

    def test_coverage_of_a_known_epsilon(self):
        """Randomized response tells exactly epsilon; rarely is more found."""
        rng = np.random.default_rng(7)
        members, above = np.arange(2000) < 1000, 0
        for seed in range(200):
            # P(score = membership) = e/(1 + e): epsilon is 1.
            kept = rng.random(2000) < np.e / (1 + np.e)
            scores = np.where(kept, members, ~members).astype(float)
            lower = audit(scores, members, seed).value
            above += lower > 1
            self.assertGreater(lower, 0.5)
        # At most 5 % of 200; the binomial's 0.1 % point is 21.
        self.assertLessEqual(above, 21)


if __name__ == "__main__":
    tf.test.main()
