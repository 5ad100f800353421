"""Scores of members and nonmembers, counted in bins."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.statistics import score_counts


def counted(scores, edges):
    """Counts one by one: in the end bins what lies beyond as well."""
    counts = [0] * (len(edges) - 1)
    for score in scores:
        place = sum(score >= edge for edge in edges[1:-1])
        counts[place] += 1
    return counts


class HistogramTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters("normal", "cauchy", "shares", "grid", "few")
    def test_counts(self, kind):
        rng = np.random.default_rng(0)
        scores = {
            "normal": rng.normal(size=1500),
            "cauchy": rng.standard_cauchy(size=1500),
            "shares": rng.beta(9, 1, size=1500),
            "grid": rng.integers(0, 256, 1500) / 256,
            "few": rng.normal(size=1500)[:30],
        }[kind]
        members = rng.random(scores.size) < 0.4
        binned = score_counts.of_scores(scores, members)
        self.assertLen(binned.edges, 41)
        self.assertAllClose(
            np.diff(binned.edges), [np.ptp(binned.edges) / 40] * 40
        )
        self.assertEqual(binned.members, counted(scores[members], binned.edges))
        self.assertEqual(
            binned.nonmembers, counted(scores[~members], binned.edges)
        )
        self.assertEqual(sum(binned.members), members.sum())

    def test_shares_have_the_same_bins(self):
        members = np.array([True, False, True, False])
        for scores in ([0.2, 0.9, 0.4, 0.5], [0.0, 1.0, 0.0, 1.0]):
            binned = score_counts.of_scores(scores, members, bins=4)
            self.assertEqual(binned.edges, [0, 0.25, 0.5, 0.75, 1])
        self.assertEqual(
            (binned.members, binned.nonmembers),
            ([2, 0, 0, 0],) + ([0, 0, 0, 2],),
        )

    @parameterized.parameters(
        ([-0.1, 0.9, 0.4, 0.5],),
        ([0.2, 1.1, 0.4, 0.5],),
        ([0.2, 0.6, 0.3, 0.4],),
    )
    def test_others_end_where_the_scores_end(self, scores):
        members = np.array([True, False, True, False])
        binned = score_counts.of_scores(scores, members)
        self.assertEqual(binned.edges[0], min(scores))
        self.assertEqual(binned.edges[-1], max(scores))

    def test_what_is_far_out_is_in_the_end_bins(self):
        scores = np.linspace(-1, 1, 4001)
        scores[:3], scores[-2:] = -500, 900
        members = np.arange(4001) % 2 == 0
        binned = score_counts.of_scores(scores, members)
        # Four in 4,001 are below the 0.1 % quantile, or at it.
        self.assertAllClose(binned.edges[0], np.sort(scores)[4], atol=0)
        self.assertAllClose(binned.edges[-1], np.sort(scores)[-5], atol=0)
        self.assertLess(binned.edges[-1], 1)
        everyone = np.add(binned.members, binned.nonmembers)
        self.assertEqual(everyone.sum(), 4001)
        self.assertAllInRange(everyone, 98, 106)

    def test_where_nearly_all_are_equal(self):
        scores = np.zeros(5000)
        scores[7] = 3.0
        binned = score_counts.of_scores(scores, np.arange(5000) < 2500)
        self.assertEqual((binned.edges[0], binned.edges[-1]), (0, 3))
        self.assertEqual((binned.members[0], binned.members[-1]), (2499, 1))
        self.assertEqual(binned.nonmembers[0], 2500)

    def test_equal_scores_have_none(self):
        members = np.array([True, False])
        self.assertIsNone(score_counts.of_scores([2.0, 2.0], members))


if __name__ == "__main__":
    tf.test.main()
