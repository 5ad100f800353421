"""Permuted memberships: how many, and each arrangement equally often."""

import itertools
import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.statistics import membership_permutations


def draw(members, strata, count, seed=0):
    layout = membership_permutations.Layout.of(
        np.array(members, bool), np.array(strata)
    )
    return layout.draw(np.random.default_rng(seed), count)


class FewKeys:
    """A generator whose keys are mostly equal."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def integers(self, low, high, shape, dtype):
        del high
        return self.rng.integers(low, 3, shape, dtype)

    def permutation(self, size):
        return self.rng.permutation(size)


class LayoutTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(1, 2, 3, 17, 400)
    def test_numbers_in_each_stratum_stay(self, classes):
        rng = np.random.default_rng(classes)
        members, strata = rng.random(400) < 0.3, rng.integers(0, classes, 400)
        drawn = draw(members, strata, 20)
        self.assertEqual((drawn.shape, drawn.dtype), ((20, 400), bool))
        for stratum in np.unique(strata):
            rows = strata == stratum
            self.assertAllEqual(
                drawn[:, rows].sum(axis=1), [members[rows].sum()] * 20
            )
        self.assertGreater(len(np.unique(drawn, axis=0)), 1)

    def test_every_arrangement_equally_often(self):
        members = [1, 0, 0, 1, 1, 0, 0, 1, 1]
        strata = [0, 0, 0, 1, 1, 1, 1, 2, 2]
        drawn = draw(members, strata, 18_000)
        rows, counts = np.unique(drawn, axis=0, return_counts=True)
        self.assertLen(rows, math.comb(3, 1) * math.comb(4, 2))
        self.assertGreater(stats.chisquare(counts).pvalue, 1e-3)
        # The stratum of members alone stays as it is.
        self.assertAllEqual(drawn[:, 7:], np.ones((18_000, 2), bool))

    def test_equal_keys_are_settled_by_lot(self):
        layout = membership_permutations.Layout.of(
            np.array([1, 1, 0, 0, 0], bool), np.zeros(5, int)
        )
        drawn = layout.draw(FewKeys(0), 20_000)
        self.assertAllEqual(drawn.sum(axis=1), np.full(20_000, 2))
        shares = drawn.mean(axis=0)
        # Five binomial standard deviations.
        self.assertAllClose(shares, np.full(5, 0.4), atol=0.018)
        self.assertLen(np.unique(drawn, axis=0), 10)

    def test_in_order_are_the_same_draws(self):
        rng = np.random.default_rng(2)
        members, strata = rng.random(90) < 0.5, rng.integers(0, 7, 90)
        layout = membership_permutations.Layout.of(members, strata)
        one = layout.draw(np.random.default_rng(4), 30)
        other = layout.draw_in_order(np.random.default_rng(4), 30)
        self.assertAllEqual(one[:, layout.order], other)

    def test_shares(self):
        members = np.array([1, 0, 0, 1, 1, 0, 1], bool)
        strata = np.array([5, 5, 5, 2, 2, 2, 9])
        layout = membership_permutations.Layout.of(members, strata)
        third = 1 / 3
        self.assertAllClose(
            layout.shares(), [third] * 3 + [2 * third] * 3 + [1.0], atol=1e-12
        )

    def test_strata_alike_are_drawn_apart(self):
        """Three strata of one kind: nothing ties their draws."""
        drawn = draw([1, 0] * 3, [0, 0, 1, 1, 2, 2], 8000)
        patterns = drawn[:, ::2] @ np.array([1, 2, 4])
        counts = np.bincount(patterns, minlength=8)
        self.assertGreater(stats.chisquare(counts).pvalue, 1e-3)

    def test_no_records(self):
        self.assertEqual(draw([], np.zeros(0, int), 3).shape, (3, 0))

    @parameterized.parameters(((3,), (4,)), ((2, 2), (2, 2)))
    def test_refuses(self, members, strata):
        with self.assertRaisesRegex(ValueError, "memberships and"):
            membership_permutations.Layout.of(
                np.zeros(members, bool), np.zeros(strata)
            )


class StrataTest(parameterized.TestCase, tf.test.TestCase):
    labels = np.array([3, 3, 8, 8, 8, 3, 0, 0])
    half = np.array([1, 0, 1, 1, 0, 1, 0, 0], bool)

    def pairs(self, strata):
        """Which records share a stratum."""
        return {
            (i, j)
            for i, j in itertools.combinations(range(strata.size), 2)
            if strata[i] == strata[j]
        }

    def test_classes_and_halves(self):
        strata = membership_permutations.strata_of(self.labels, self.half)
        self.assertEqual(self.pairs(strata), {(0, 5), (2, 3), (6, 7)})

    def test_classes_alone(self):
        strata = membership_permutations.strata_of(self.labels)
        self.assertEqual(
            self.pairs(strata),
            {(0, 1), (0, 5), (1, 5), (2, 3), (2, 4), (3, 4), (6, 7)},
        )

    def test_halves_alone(self):
        strata = membership_permutations.strata_of(
            self.labels, self.half, by_class=False
        )
        self.assertAllEqual(strata, self.half)
        strata = membership_permutations.strata_of(self.labels, by_class=False)
        self.assertAllEqual(strata, np.zeros(8))

    def test_names_of_classes_may_be_anything(self):
        strata = membership_permutations.strata_of(np.array(["b", "a", "b"]))
        self.assertEqual(self.pairs(strata), {(0, 2)})
        strata = membership_permutations.strata_of(np.array([-1, 2**40, -1]))
        self.assertEqual(self.pairs(strata), {(0, 2)})


if __name__ == "__main__":
    tf.test.main()
