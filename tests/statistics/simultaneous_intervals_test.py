"""Intervals that hold all at once, against DeLong's and against truths."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import special, stats

from qmia_tf.statistics import delong, simultaneous_intervals
from qmia_tf.statistics.auc import auc, sure_share
from qmia_tf.statistics.simultaneous_intervals import (
    areas,
    largest,
    p_value,
    quantile,
)

Z = stats.norm.ppf(0.975)


def intervals_of(scores, members, *, seed=0, **options):
    """Those of the AUCs of some scores."""
    score_areas = areas(scores, members)
    return simultaneous_intervals.intervals(score_areas, seed=seed, **options)


def related(size=160, gains=(0.8, 0.5, 0.0), *, seed=0, own=0.5, levels=0):
    """Correlated binormal scores, and members."""
    rng = np.random.default_rng(seed)
    members = np.arange(size) < size // 2
    common = rng.normal(size=size)
    scores = {}
    for place, gain in enumerate(gains):
        noise = np.sqrt(own) * rng.normal(size=size)
        given = np.sqrt(1 - own) * common + noise + gain * members
        if levels:
            given = np.round(given * levels) / levels
        scores[f"{place}"] = given
    return scores, members


class AreasTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(levels=(0, 2), weights=((1, -1), (0.5, 2)))
    def test_products_of_pulls_are_delongs_covariance(self, levels, weights):
        scores, members = related(gains=(0.8, 0.3), levels=levels)
        influences = areas(scores, members).influences
        spread = np.sqrt(((np.array(weights) @ influences) ** 2).sum())
        want = delong.contrast(list(scores.values()), members, weights)
        half = want.difference.high - want.difference.value
        if weights == (1, -1):
            self.assertAllClose(spread, half / Z, atol=1e-12)
        else:
            # Its limits are cut at 0 and 2.5, which these do not reach.
            self.assertLess(want.difference.high, 2.5)
            self.assertAllClose(spread, half / Z, atol=1e-12)

    def test_records_without_a_score_pull_nothing(self):
        scores, members = related()
        rows = np.random.default_rng(3).random(members.size) < 0.6
        holes = {name: np.where(rows, x, np.nan) for name, x in scores.items()}
        one = areas(holes, members)
        other = areas(
            {name: x[rows] for name, x in scores.items()}, members[rows]
        )
        self.assertAllEqual(one.values, other.values)
        self.assertAllEqual(one.influences[:, rows], other.influences)
        self.assertAllEqual(
            one.influences[:, ~rows], np.zeros((3, np.sum(~rows)))
        )
        self.assertAllEqual(one.nonmembers, [np.sum(rows & ~members)] * 3)

    def test_scores_of_different_records_do_not_correlate(self):
        scores, members = related(gains=(0.8, 0.3))
        half = np.arange(members.size) % 2 == 0
        apart = {
            "0": np.where(half, scores["0"], np.nan),
            "1": np.where(half, np.nan, scores["1"]),
        }
        one, other = areas(apart, members).influences
        self.assertEqual(one @ other, 0.0)

    def test_two_members_and_two_nonmembers_are_needed(self):
        members = np.array([1, 1, 0, 0, 0], bool)
        nan = np.nan
        scores = {
            "all": np.arange(5.0),
            "two and two": np.array([1, 2, 0, 3, nan]),
            "a member": np.array([1, nan, 0, 3, 4]),
            "a nonmember": np.array([1, 2, 0, nan, nan]),
            "nothing": np.full(5, nan),
        }
        some = areas(scores, members)
        self.assertEqual(some.names, ["all", "two and two"])
        self.assertAllEqual(some.members, [2, 2])
        self.assertAllEqual(some.nonmembers, [3, 2])
        nothing = areas({}, members)
        self.assertEqual(nothing.influences.shape, (0, 5))
        self.assertEqual(intervals_of({}, members), {})


class LargestTest(parameterized.TestCase, tf.test.TestCase):
    def test_independent_rows(self):
        """Sidak: P(all |Z| <= c) = (2 Phi(c) - 1)^K."""
        drawn = largest(np.eye(4), seed=0)
        want = stats.norm.ppf((1 + 0.95**0.25) / 2)
        # The density at the quantile is .11: one standard error is .014.
        self.assertAllClose(quantile(drawn, 0.95), want, atol=0.06)

    def test_one_row_is_exact_and_rows_that_never_move_are_none(self):
        rows = np.vstack([np.zeros(9), np.arange(9.0), np.zeros(9)])
        drawn = largest(rows, seed=0)
        self.assertAllClose(quantile(drawn, 0.95), Z, atol=2e-3)
        self.assertAllClose(
            np.quantile(drawn, [0.1, 0.5, 0.9]),
            stats.norm.ppf([0.55, 0.75, 0.95]),
            atol=1e-3,
        )
        nothing = largest(np.zeros((2, 9)), seed=0)
        self.assertAllClose(np.quantile(nothing, 0.95), Z, atol=2e-3)

    def test_p_value_and_interval_agree(self):
        """p < 1 - level exactly where |z| exceeds the quantile."""
        rows = np.random.default_rng(1).normal(size=(5, 40))
        drawn = largest(rows, seed=2)
        c = quantile(drawn, 0.95)
        self.assertGreater(p_value(drawn, c - 0.02), 0.05)
        self.assertLess(p_value(drawn, c + 0.02), 0.05)

    def test_p_value_is_never_less_than_that_of_one(self):
        drawn = largest(np.eye(2), seed=0)
        for z in (0.5, 2.0, 4.0, 9.0):
            reached = p_value(drawn, z)
            self.assertGreaterEqual(reached, 2 * stats.norm.sf(z))
            self.assertLessEqual(reached, 1.0)
        self.assertEqual(p_value(drawn, 0.0), 1.0)


class IntervalsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(0, 2)
    def test_of_one_score_are_delongs_on_the_logit_scale(self, levels):
        scores, members = related(gains=(1.2,), levels=levels)
        area = auc(scores["0"], members)
        width = (area.high - area.low) / 2 / (area.value * (1 - area.value))
        ends = special.expit(
            special.logit(area.value) + np.array([-1, 1]) * width
        )
        [interval] = intervals_of(scores, members).values()
        self.assertAllClose(
            (interval.value, interval.low, interval.high),
            (area.value, *ends),
            # 20,000 quantiles stand in for the normal distribution's.
            atol=1e-4,
        )

    def test_apart_is_the_exact_bound(self):
        members = np.arange(50) < 20
        scores = {
            "apart": members.astype(float),
            "the other way": -members.astype(float),
            "some": np.random.default_rng(0).normal(size=50),
            "equal": np.zeros(50),
        }
        estimates = intervals_of(scores, members)
        bound = sure_share(20, 30, level=1 - 0.05 / 4)
        # 20 pairs that all decide alike, at a quarter of the level.
        exact = stats.binomtest(20, 20).proportion_ci(1 - 0.05 / 4)
        self.assertAllClose(bound, exact.low, atol=1e-12)
        one, other = estimates["apart"], estimates["the other way"]
        self.assertAllClose(
            (one.value, one.low, one.high), (1, bound, 1), atol=1e-12
        )
        self.assertAllClose(
            (other.value, other.low, other.high), (0, 0, 1 - bound), atol=1e-12
        )
        # Nobody was seen to differ: Wilson's 1 - low is z^2/(n + z^2).
        c = quantile(
            largest(areas(scores, members).influences, seed=0),
            0.95,
        )
        equal = estimates["equal"]
        self.assertAllClose(
            (equal.value, equal.low, equal.high),
            (0.5, 0.5 - c**2 / (20 + c**2) / 2, 0.5 + c**2 / (30 + c**2) / 2),
            atol=1e-9,
        )

    def test_of_two_values_are_newcombes_on_balanced_accuracy(self):
        rng = np.random.default_rng(0)
        members = np.arange(90) < 40
        scores = {"hard": (rng.random(90) < 0.8 + 0.15 * members) * 2.0 - 7}
        interval = intervals_of(scores, members)["hard"]
        rates = [np.mean(scores["hard"][x] > -6) for x in (members, ~members)]
        limits = [
            stats.binomtest(round(rate * n), n).proportion_ci(method="wilson")
            for rate, n in zip(rates, (40, 50), strict=True)
        ]
        below = np.hypot(rates[0] - limits[0].low, limits[1].high - rates[1])
        above = np.hypot(limits[0].high - rates[0], rates[1] - limits[1].low)
        value = 0.5 + (rates[0] - rates[1]) / 2
        self.assertAllClose(
            (interval.value, interval.low, interval.high),
            (value, value - below / 2, value + above / 2),
            # 20,000 quantiles stand in for the normal distribution's.
            atol=1e-4,
        )

    def test_of_two_values_cover_where_nearly_all_are_right(self):
        """98 % of 40 members and 84 % of 40 nonmembers, at a level of 99 %."""
        members, missed = np.arange(80) < 40, 0
        for seed in range(400):
            rng = np.random.default_rng(seed)
            right = rng.random(80) < np.where(members, 0.98, 0.84)
            scores = {"gap": right + 0.0}
            interval = intervals_of(scores, members, level=0.99)["gap"]
            missed += not interval.low <= 0.57 <= interval.high
        # The binomial's 0.1 % point is 11; on the logit scale it is 18.
        self.assertLessEqual(missed, stats.binom.ppf(0.999, 400, 0.01))

    def test_stay_within_0_and_1(self):
        for gain in (-4.0, 4.0):
            scores, members = related(size=12, gains=(gain, gain / 2), seed=3)
            for interval in intervals_of(scores, members).values():
                self.assertBetween(interval.low, 0.0, interval.value)
                self.assertBetween(interval.high, interval.value, 1.0)

    @parameterized.parameters(
        (60, (0.0, 0.0, 0.0)), (100, (0.8, 0.5, 0.0)), (200, (2.5, 2.0, 1.5))
    )
    def test_cover_all_at_once(self, size, gains):
        """95 % of 400 audits; the binomial's 0.1 % point is 365."""
        truths = stats.norm.cdf(np.array(gains) / np.sqrt(2))
        held, highest = 0, 0
        for seed in range(400):
            scores, members = related(size, gains, seed=seed)
            estimates = intervals_of(scores, members, seed=seed)
            inside = [
                interval.low <= truth <= interval.high
                for interval, truth in zip(
                    estimates.values(), truths, strict=True
                )
            ]
            held += all(inside)
            # Whichever is picked for standing highest.
            lows = [interval.low for interval in estimates.values()]
            highest += inside[int(np.argmax(lows))]
        self.assertGreaterEqual(held, 365)
        self.assertGreaterEqual(highest, 365)


if __name__ == "__main__":
    tf.test.main()
