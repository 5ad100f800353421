"""Tests of the split into members and nonmembers."""

import collections

import folders
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.data import split


def draw(labels, seed=0, pool="all", **options):
    return split.make_split(
        labels, seed=seed, pool=pool, fingerprint="f" * 64, **options
    )


class MakeSplitTest(folders.Folder):
    @parameterized.product(
        counts=[(10, 10), (7, 7, 7), (1, 9, 2, 30, 5), (501, 3, 2)],
        fraction=[0.5, 0.3, 0.29],
        seed=[0, 1, 2**40],
    )
    def test_every_class_has_its_share(self, counts, fraction, seed):
        if fraction < 0.5 and min(counts) < 3:
            counts = tuple(count + 4 for count in counts)
        labels = np.random.default_rng(seed).permutation(
            [label for label, count in enumerate(counts) for _ in range(count)]
        )
        drawn = draw(labels, seed, member_fraction=fraction)
        members, nonmembers = drawn.members, drawn.nonmembers
        self.assertEqual(
            sorted([*members, *nonmembers]), list(range(len(labels)))
        )
        self.assertEqual(list(members), sorted(members))
        self.assertEqual(list(nonmembers), sorted(nonmembers))
        self.assertEqual(members.dtype, np.int64)
        self.assertEqual(nonmembers.dtype, np.int64)
        self.assertLessEqual(
            abs(len(members) - fraction * len(labels)), 0.5 + 1e-9
        )
        member_counts = collections.Counter(labels[members].tolist())
        for label, count in enumerate(counts):
            self.assertLess(
                abs(member_counts[label] - fraction * count), 1 + 1e-9
            )

    @parameterized.parameters(9, 10, 11)
    def test_halves_differ_by_at_most_one(self, per_class):
        drawn = draw(np.repeat(np.arange(7), per_class))
        difference = len(drawn.members) - len(drawn.nonmembers)
        self.assertEqual(abs(difference), 7 * per_class % 2)

    @parameterized.parameters(range(8))
    def test_largest_remainder_is_served_first(self, seed):
        # Quarters: 1.25, 1.75, 1.0 and together 4.
        labels = np.repeat([0, 1, 2], [5, 7, 4])
        members = draw(labels, seed, member_fraction=0.25).members
        self.assertAllEqual(np.bincount(labels[members]), [1, 2, 1])

    def test_odd_classes_are_drawn_by_lot(self):
        labels = np.repeat(np.arange(4), 3)
        seen = set()
        for seed in range(40):
            members = draw(labels, seed).members
            seen.add(tuple(np.bincount(labels[members], minlength=4)))
        # Two of the four classes give their third record: 6 ways.
        self.assertLen(seen, 6)
        self.assertEqual({sum(counts) for counts in seen}, {6})

    def test_seed_decides(self):
        labels = np.arange(200) % 10
        self.assertAllEqual(draw(labels, 3).members, draw(labels, 3).members)
        self.assertNotAllEqual(draw(labels, 3).members, draw(labels, 4).members)

    def test_every_record_is_a_member_half_of_the_time(self):
        labels = np.arange(20) % 2
        counts = np.zeros(20)
        for seed in range(400):
            counts[draw(labels, seed).members] += 1
        # Binomial(400, 1/2) has standard deviation 10; 5 of them.
        self.assertAllInRange(counts, 150, 250)

    def test_records_what_it_was_drawn_with(self):
        drawn = draw(np.arange(8) % 2, 5, "test")
        self.assertEqual(
            (drawn.seed, drawn.pool, drawn.fingerprint), (5, "test", "f" * 64)
        )

    @parameterized.parameters(
        ([], {}, "has 0 records and 0 class"),
        ([3] * 50, {}, "has 50 records and 1 class"),
        ([0, 1], {}, "leave 1 as the members, not two classes"),
        ([0, 1, 1, 1], {}, "not two classes"),
        ([0, 1] * 4, {"member_fraction": 0.0}, "member_fraction must lie"),
        ([0, 1] * 4, {"member_fraction": 1.0}, "member_fraction must lie"),
        ([0, 1] * 4, {"member_fraction": np.nan}, "member_fraction must lie"),
        ([0, 1] * 4, {"seed": -1}, "seed must be 0 or more"),
        ([0, 1] * 4, {"pool": "both"}, "pool must be one of"),
    )
    def test_refuses(self, labels, options, message):
        labels = np.array(labels, np.int64)
        self.assertRefused(message, draw, labels, **options)


class StoredSplitTest(folders.Folder):
    def setUp(self):
        super().setUp()
        self.path = self.dir / "split.npz"

    def test_round_trip(self):
        drawn = draw(np.arange(40) % 4, 7, "train")
        split.save(drawn, self.path)
        stored = split.load(self.path, "f" * 64)
        self.assertAllEqual(stored.members, drawn.members)
        self.assertAllEqual(stored.nonmembers, drawn.nonmembers)
        self.assertEqual(
            (stored.seed, stored.pool, stored.fingerprint),
            (7, "train", "f" * 64),
        )

    def test_file_of_something_else(self):
        split.save(draw(np.arange(40) % 4), self.path)
        pattern = f"{'f' * 64}.*{'0' * 64}"
        self.assertRefused(pattern, split.load, self.path, "0" * 64)
        data = self.path.read_bytes()
        self.path.write_bytes(data[: len(data) // 2])
        self.assertRefused("split.npz is damaged", split.load, self.path, "")
        files.write_npz(self.path, images=np.zeros(3))
        pattern = "is not a split: it holds"
        self.assertRefused(pattern, split.load, self.path, "f" * 64)

    @parameterized.parameters(
        ([0, 1], [1, 2]),
        ([0, 1], [3, 4]),
        ([-1, 0], [1, 2]),
        (np.zeros(0, int), [0, 1]),
        ([0.0, 1.0], [2, 3]),
        ([[0, 1]], [[2, 3]]),
    )
    def test_not_a_partition(self, members, nonmembers):
        sides = {"members": members, "nonmembers": nonmembers}
        files.write_npz(
            self.path, **sides, seed=0, pool="all", fingerprint="f" * 64
        )
        pattern = "must be disjoint"
        self.assertRefused(pattern, split.load, self.path, "f" * 64)

    def test_open_draws_once_and_then_reads(self):
        data = tiny_models.dataset(40)
        first = split.open_split(self.dir, data, seed=1, pool="all")
        self.assertEqual(first.fingerprint, data.fingerprint())
        # Exchanged on disk: shows that the stored one is used.
        files.write_npz(
            self.path,
            members=first.nonmembers,
            nonmembers=first.members,
            seed=1,
            pool="all",
            fingerprint=data.fingerprint(),
        )
        second = split.open_split(self.dir, data, seed=1, pool="all")
        self.assertAllEqual(second.members, first.nonmembers)

    @parameterized.parameters(0.5, 0.3)
    def test_complement_swaps_the_sides(self, fraction):
        options = {"seed": 1, "pool": "all", "member_fraction": fraction}
        one = split.open_split(
            self.dir / "one", tiny_models.dataset(41), **options
        )
        for _ in range(2):
            other = split.open_split(
                self.dir / "other",
                tiny_models.dataset(41),
                complement=True,
                **options,
            )
            self.assertAllEqual(other.members, one.nonmembers)
            self.assertAllEqual(other.nonmembers, one.members)
            self.assertEqual(other.seed, 1)

    @parameterized.parameters(
        ({"seed": 2}, r"\(1, 'all', 20\) -> \(2,"),
        ({"pool": "train"}, "-> .1, 'train', 20"),
        ({"member_fraction": 0.25}, r"\(1, 'all', 20\) -> \(1, 'all', 10\)"),
        ({"member_fraction": 0.25, "complement": True}, r"-> \(1, 'all', 30"),
    )
    def test_open_with_other_options(self, options, message):
        first = {"seed": 1, "pool": "all"}
        split.open_split(self.dir, tiny_models.dataset(40), **first)
        options = {**first, **options}
        self.assertRefused(
            message,
            split.open_split,
            self.dir,
            tiny_models.dataset(40),
            **options,
        )
        other = tiny_models.dataset(40, seed=1)
        self.assertRefused(
            "splits another data set",
            split.open_split,
            *(self.dir, other),
            **first,
        )


if __name__ == "__main__":
    tf.test.main()
