"""The single record's probability: windows by hand, coverage, no leak."""

import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from qmia_tf.errors import InputError
from qmia_tf.statistics import risk
from qmia_tf.statistics.held_out_thresholds import calibration_half


def posterior(scores, gain):
    """P(member | score) of N(gain, 1) against N(0, 1) at prior 1/2."""
    inside, outside = stats.norm.pdf(scores - gain), stats.norm.pdf(scores)
    return inside / (inside + outside)


def by_hand(score, known, members):
    """Weighted members and records among the neighbours of one score."""
    order = np.argsort(known)
    ranked, inside = known[order], members[order].astype(float)
    n, place = ranked.size, int((ranked < score).sum())
    # As many above as below, n^(2/3) in all, near the ends fewer.
    beside = min(n ** (2 / 3) / 2, place, n - place)
    start, end = place - beside, place + beside
    if beside < 16:
        start = min(max(place - 16, 0), n - 32)
        end = start + 32
    # A neighbour at the edge counts in part.
    weights = np.clip(np.arange(1, n + 1) - start, 0, 1)
    weights -= np.clip(np.arange(1, n + 1) - end, 0, 1)
    return weights @ inside, weights.sum()


class WindowTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(600, 601)
    def test_neighbours_by_hand_and_scikit_learns_regression(self, size):
        rng = np.random.default_rng(0)
        members = rng.permutation(size) < size // 3
        scores = rng.normal(size=size) + members
        probability = risk.membership_probability(scores, members, seed=3)
        first = calibration_half(members, seed=3)
        for half in (first, ~first):
            known, inside = scores[~half], members[~half]
            hits, total = np.transpose(
                [by_hand(score, known, inside) for score in scores[half]]
            )
            # The limits at a count of 0 are 0 and 1.
            low = stats.beta(hits, total - hits + 1).ppf(0.025)
            high = stats.beta(hits + 1, total - hits).ppf(0.975)
            low, high = np.nan_to_num(low), np.nan_to_num(high, nan=1.0)
            ratio = inside.sum() / (~inside).sum()
            for got, share in (
                (probability.value, hits / total),
                (probability.low, low),
                (probability.high, high),
            ):
                even = (share / ratio) / (share / ratio + 1 - share)
                rising = IsotonicRegression().fit_transform(scores[half], even)
                self.assertAllClose(got[half], rising, atol=1e-9)

    def test_ties_stay_together(self):
        rng = np.random.default_rng(1)
        members = np.arange(1000) < 500
        scores = rng.binomial(3, np.where(members, 0.6, 0.4)).astype(float)
        probability = risk.membership_probability(scores, members, seed=0)
        first = calibration_half(members, seed=0)
        for half, level in ((h, s) for h in (first, ~first) for s in range(4)):
            rows = half & (scores == level)
            other = members[~half & (scores == level)]
            self.assertLen(np.unique(probability.value[rows]), 1)
            # More than n^(2/3) = 63 of equal score: their share, as it is.
            if other.size > 63:
                exact = stats.binomtest(int(other.sum()), other.size)
                exact = exact.proportion_ci(0.95, "exact")
                self.assertAllClose(
                    (probability.value[rows][0], probability.low[rows][0]),
                    (other.mean(), exact.low),
                    atol=1e-9,
                )

    def test_scores_out_of_order_are_pooled_by_their_records(self):
        members = np.arange(800) < 400
        # Of 500 that score 0, 300 are members; of 300 that score 1, 100.
        scores = np.repeat([0.0, 1.0, 0.0, 1.0], [300, 100, 200, 200])
        probability = risk.membership_probability(scores, members, seed=0)
        first = calibration_half(members, seed=0)
        for half in (first, ~first):
            shares, counts = np.transpose(
                [
                    (members[~half & level].mean(), np.sum(half & level))
                    for level in (scores == 0, scores == 1)
                ]
            )
            self.assertGreater(shares[0], shares[1])
            self.assertAllClose(
                probability.value[half],
                np.full(400, np.average(shares, weights=counts)),
                atol=1e-9,
            )

    def test_scores_that_tell_all(self):
        members = np.arange(400) < 200
        probability = risk.membership_probability(
            1.0 * members, members, seed=0
        )
        self.assertAllEqual(probability.value, 1.0 * members)
        # All of 100: the exact lower limit is 0.025 ** (1/100).
        self.assertAllClose(
            probability.low, np.where(members, 0.025**0.01, 0.0), atol=1e-9
        )
        self.assertAllClose(
            probability.high, np.where(members, 1.0, 1 - 0.025**0.01), atol=1e-9
        )

    def test_own_membership_never_enters(self):
        """Without a leak members are given no more than nonmembers."""
        rng = np.random.default_rng(2)
        members, gaps = np.arange(200) < 100, []
        for seed in range(200):
            scores = rng.normal(size=200)
            value = risk.membership_probability(
                scores, members, seed=seed
            ).value
            gaps.append(value[members].mean() - value[~members].mean())
        error = np.std(gaps) / 200**0.5
        self.assertLess(error, 0.003)
        self.assertAllClose(np.mean(gaps), 0.0, atol=3.3 * error)

    @parameterized.parameters(2, 3, 10)
    def test_few_records(self, count):
        members = np.arange(2 * count) < count
        probability = risk.membership_probability(
            np.arange(2.0 * count), members, seed=0
        )
        self.assertAllClose(
            probability.value, np.full(2 * count, 0.5), atol=1e-12
        )
        self.assertAllInRange(probability.low, 0, 0.5)
        self.assertAllInRange(probability.high, 0.5, 1)

    def test_refuses(self):
        with self.assertRaisesRegex(InputError, "1 member: .* two"):
            risk.membership_probability(
                np.arange(9.0), np.arange(9) < 1, seed=0
            )
        with self.assertRaisesRegex(ValueError, "must be finite, row 2"):
            risk.membership_probability(
                np.array([0, 1, np.nan, 3]), np.arange(4) < 2, seed=0
            )


class CalibrationTest(parameterized.TestCase, tf.test.TestCase):
    def coverage(self, members, nonmembers, gain, audits):
        """Share of records whose interval holds the posterior; mean error."""
        inside = np.arange(members + nonmembers) < members
        rng = np.random.default_rng(members)
        covered, errors = [], []
        for seed in range(audits):
            scores = rng.normal(size=inside.size) + gain * inside
            truth = posterior(scores, gain)
            probability = risk.membership_probability(scores, inside, seed=seed)
            covered.append(
                np.mean(
                    (probability.low <= truth) & (truth <= probability.high)
                )
            )
            errors.append(np.mean(probability.value - truth))
        return np.mean(covered), np.mean(errors)

    @parameterized.parameters(
        (500, 500, 0.0), (500, 500, 1.0), (800, 300, 1.0), (3000, 3000, 0.5)
    )
    def test_binormal(self, members, nonmembers, gain):
        covered, error = self.coverage(members, nonmembers, gain, 20)
        # An audit's share scatters by some 4 points: 20 by one.
        self.assertBetween(covered, 0.92, 1.0)
        # The mean over 600 records or more of 20 audits.
        self.assertAllClose(error, 0.0, atol=0.01)

    @slow_tests.slow
    @parameterized.parameters(
        (1000, 0.0), (1000, 0.5), (1000, 2.0), (10_000, 1.0)
    )
    def test_binormal_often(self, size, gain):
        covered, error = self.coverage(size, size, gain, 100)
        # An audit's share scatters by some 3 points: 100 by 0.3.
        self.assertBetween(covered, 0.945, 1.0)
        self.assertAllClose(error, 0.0, atol=0.002)

    def test_the_most_exposed_are_not_overrated(self):
        rng = np.random.default_rng(6)
        members, right = np.arange(1000) < 500, []
        for seed in range(40):
            scores = rng.normal(size=1000) + 1.0 * members
            probability = risk.membership_probability(
                scores, members, seed=seed
            )
            top = np.argsort(-scores)[:10]
            right.append(probability.low[top] <= posterior(scores[top], 1.0))
        # Their window is one-sided, so their risk is rather underrated; the
        # 40 windows are what is independent: 2.5 % of 40 are 1.
        self.assertGreater(np.mean(right), 0.9)


if __name__ == "__main__":
    tf.test.main()
