"""DeLong's test against its definition, and how often it is right."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.statistics import delong
from qmia_tf.statistics.auc import auc

Z = 1.959963984540054


def models(kind, size=90, count=3, seed=0):
    """Scores [count, size] of models that mostly agree, and members."""
    rng = np.random.default_rng(seed)
    members = rng.random(size) < 0.4
    shared = rng.normal(size=size)
    scores = shared + 0.7 * rng.normal(size=(count, size))
    scores += np.linspace(0.2, 1.0, count)[:, None] * members
    if kind == "levels":
        scores = np.round(scores * 2)
    elif kind == "hard":
        scores = (scores > 0).astype(float)
    return scores, members


def covariance(scores, members):
    """AUCs and their covariance [T, T], from all pairs of records."""
    inside, outside = scores[:, members], scores[:, ~members]
    above = np.sign(inside[:, :, None] - outside[:, None, :]) / 2 + 0.5
    areas = above.mean(axis=(1, 2))
    of_members = np.cov(above.mean(axis=2)) / inside.shape[1]
    of_nonmembers = np.cov(above.mean(axis=1)) / outside.shape[1]
    return areas, of_members + of_nonmembers


def numbers(contrast):
    difference = contrast.difference
    return difference.value, difference.low, difference.high, contrast.p_value


KINDS = ("continuous", "levels", "hard")


class ContrastTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        kind=KINDS, weights=((1, -1, 0), (1, -0.3, -0.7), (0.5, 2, 1))
    )
    def test_is_delongs_definition(self, kind, weights):
        scores, members = models(kind)
        areas, matrix = covariance(scores, members)
        weights = np.array(weights)
        value, deviation = weights @ areas, np.sqrt(weights @ matrix @ weights)
        ends = value - Z * deviation, value + Z * deviation
        contrast = delong.contrast(scores, members, weights)
        self.assertAllClose(
            numbers(contrast),
            (value, *ends, 2 * stats.norm.cdf(-abs(value) / deviation)),
            atol=1e-9,
        )

    def test_shifts_are_what_nonmembers_do_besides(self):
        scores, members = models("levels")
        inside, outside = scores[0, members], scores[0, ~members]
        above = np.sign(inside[:, None] - outside) / 2 + 0.5
        shifts = np.random.default_rng(3).normal(size=outside.size)
        shifts -= shifts.mean()
        variance = np.var(above.mean(axis=1), ddof=1) / inside.size
        moved = above.mean(axis=0) + shifts
        variance += np.var(moved, ddof=1) / outside.size
        difference = delong.contrast(
            (scores[0], scores[1]), members, (1, 0), shifts=shifts
        ).difference
        half = Z * np.sqrt(variance)
        self.assertAllClose(
            (difference.value, difference.low, difference.high),
            np.clip(
                (above.mean(), above.mean() - half, above.mean() + half), 0, 1
            ),
            atol=1e-9,
        )

    def test_shifts_are_of_all_records_also_of_those_left_out(self):
        scores, members = models("levels")
        missing = np.flatnonzero(~members)[::3]
        given = scores[0].copy()
        given[missing] = np.nan
        outside = given[~members]
        above = np.sign(given[members][:, None] - outside) / 2 + 0.5
        shifts = np.random.default_rng(3).normal(size=outside.size)
        shifts -= shifts.mean()
        # What the others say of the AUC stands for those left out: the
        # placements as parts of a mean over all.
        scored = ~np.isnan(outside)
        above, lost = above[:, scored], shifts.copy()
        apart = above.mean(axis=0) - above.mean()
        lost[scored] += apart * outside.size / scored.sum()
        variance = np.var(above.mean(axis=1), ddof=1) / members.sum()
        variance += np.var(lost, ddof=1) / outside.size
        difference = delong.contrast(
            (given, scores[1]), members, (1, 0), shifts=shifts
        ).difference
        self.assertAllClose(
            (difference.high - difference.value) / Z, np.sqrt(variance)
        )

    @parameterized.parameters(*KINDS)
    def test_records_without_a_score_are_left_out(self, kind):
        scores, members = models(kind)
        some = np.random.default_rng(6).random(members.size) < 0.7
        holes = np.where(some, scores[:2], np.nan)
        # Of one score alone: whom the other says nothing of goes as well.
        holes[1] = scores[1]
        self.assertEqual(
            delong.paired(*holes, members),
            delong.paired(*scores[:2, some], members[some]),
        )

    @parameterized.parameters(*KINDS)
    def test_order_and_scale_change_nothing(self, kind):
        (first, second, _), members = models(kind)
        one = delong.paired(first, second, members)
        self.assertEqual(
            delong.paired(np.exp(first), 3 * second - 1, members), one
        )
        order = np.random.default_rng(1).permutation(members.size)
        other = delong.paired(first[order], second[order], members[order])
        self.assertAllClose(numbers(other), numbers(one), atol=1e-12)

    @parameterized.parameters(*KINDS)
    def test_equal_scores_do_not_differ(self, kind):
        scores, members = models(kind)
        contrast = delong.paired(scores[0], 2 * scores[0], members)
        self.assertEqual(numbers(contrast), (0.0, 0.0, 0.0, 1.0))

    def test_all_records_say_the_same(self):
        """Apart against always tied: 1 - 1/2, in 8 of 8 disjoint pairs."""
        members = np.arange(20) < 8
        contrast = delong.paired(members.astype(float), np.zeros(20), members)
        least = stats.binomtest(8, 8).proportion_ci().low
        self.assertAllClose(
            numbers(contrast), (0.5, 0.5 * least, 0.5, 2 / 2**8)
        )

    def test_one_member_shows_no_variance(self):
        members = np.arange(9) < 1
        rng = np.random.default_rng(0)
        difference = delong.paired(*rng.normal(size=(2, 9)), members).difference
        self.assertEqual((difference.low, difference.high), (-1.0, 1.0))

    def test_refuses(self):
        scores, members = models("hard")
        with self.assertRaisesRegex(ValueError, "3 scores need as many"):
            delong.contrast(scores, members, (1.0, -1.0))
        with self.assertRaisesRegex(ValueError, "equally long"):
            delong.paired(scores[0], scores[1][:5], members)
        with self.assertRaisesRegex(ValueError, "must be booleans"):
            delong.paired(*scores[:2], members.astype(int))
        with self.assertRaisesRegex(ValueError, "are both needed"):
            delong.paired(
                np.where(members, np.nan, scores[0]), scores[1], members
            )


class CoverageTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        size=(60, 400), distances=((0.8, 0.8), (1.2, 0.6)), levels=(False, True)
    )
    def test_paired_covers(self, size, distances, levels):
        """Binormal scores that correlate by 0.8 within either kind."""
        rng = np.random.default_rng(4)
        members, audits = np.arange(size) < size // 2, 800
        areas = stats.norm.cdf(np.array(distances) / np.sqrt(2))
        inside, rejected, widths = 0, 0, []
        for _ in range(audits):
            shared = rng.normal(size=size) * np.sqrt(0.8)
            scores = shared + np.sqrt(0.2) * rng.normal(size=(2, size))
            scores += np.array(distances)[:, None] * members
            if levels:
                # As fine as an int8 softmax: moves an AUC by 1e-5.
                scores = np.floor(256 * stats.norm.cdf(scores / 2))
            contrast = delong.paired(*scores, members)
            inside += (
                contrast.difference.low
                <= areas[0] - areas[1]
                <= contrast.difference.high
            )
            rejected += contrast.p_value <= 0.05
            widths.append(contrast.difference.high - contrast.difference.low)
        # 760 of 800; the binomial's 0.1 % points are 740 and 778.
        self.assertBetween(inside, 740, 778)
        if distances[0] == distances[1]:
            self.assertBetween(rejected, 22, 60)
        elif size == 400:
            self.assertGreater(rejected, 0.99 * audits)
        # Unpaired, the variances would add.
        alone = [auc(column, members) for column in scores]
        apart = np.hypot(*(area.high - area.low for area in alone))
        self.assertLess(np.mean(widths), 0.6 * apart)


if __name__ == "__main__":
    tf.test.main()
