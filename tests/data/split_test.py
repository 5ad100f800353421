"""Tests of the split into members and nonmembers."""

import collections
import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.data import loaders, split
from qmia_tf.errors import InputError


def draw(labels, seed=0, pool="all", **options):
    return split.make_split(
        labels, seed=seed, pool=pool, fingerprint="f" * 64, **options
    )


def a_dataset(images=40, seed=0):
    rng = np.random.default_rng(seed)
    return loaders.Dataset(
        name="made",
        images=rng.integers(0, 256, (images, 2, 2, 1), np.uint8),
        labels=np.arange(images) % 4,
        class_names=("a", "b", "c", "d"),
        origin=np.zeros(images, np.uint8),
    )


class MakeSplitTest(parameterized.TestCase, tf.test.TestCase):
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

    @parameterized.named_parameters(
        ("no_records", [], "has 0 records and 0 class"),
        ("one_class", [3] * 50, "has 50 records and 1 class"),
        ("two_records", [0, 1], "leave 1 as the members, not two classes"),
        ("one_class_a_side", [0, 1, 1, 1], "not two classes"),
    )
    def test_split_without_two_classes(self, labels, message):
        with self.assertRaisesRegex(InputError, message):
            draw(np.array(labels, np.int64), 1)

    @parameterized.parameters(0.0, 1.0, -0.5, 2.0, float("nan"))
    def test_bad_fraction(self, fraction):
        with self.assertRaisesRegex(InputError, "member_fraction must lie"):
            draw(np.arange(8) % 2, member_fraction=fraction)

    def test_bad_seed_and_pool(self):
        with self.assertRaisesRegex(InputError, "seed must be 0 or more"):
            draw(np.arange(8) % 2, -1)
        with self.assertRaisesRegex(InputError, "pool must be one of"):
            draw(np.arange(8) % 2, pool="both")


class StoredSplitTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
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

    def test_other_data_is_refused_naming_both(self):
        split.save(draw(np.arange(40) % 4), self.path)
        with self.assertRaisesRegex(InputError, f"{'f' * 64}.*{'0' * 64}"):
            split.load(self.path, "0" * 64)

    def test_damaged_file(self):
        split.save(draw(np.arange(40) % 4), self.path)
        data = self.path.read_bytes()
        self.path.write_bytes(data[: len(data) // 2])
        with self.assertRaisesRegex(InputError, "split.npz is damaged"):
            split.load(self.path, "f" * 64)

    def test_other_npz_file(self):
        files.write_npz(self.path, images=np.zeros(3))
        with self.assertRaisesRegex(InputError, "is not a split: it holds"):
            split.load(self.path, "f" * 64)

    @parameterized.named_parameters(
        ("overlap", [0, 1], [1, 2]),
        ("hole", [0, 1], [3, 4]),
        ("negative", [-1, 0], [1, 2]),
        ("empty", [], [0, 1]),
        ("floats", [0.0, 1.0], [2, 3]),
        ("matrix", [[0, 1]], [[2, 3]]),
    )
    def test_not_a_partition(self, members, nonmembers):
        kinds = {"members": members, "nonmembers": nonmembers}
        arrays = {
            key: np.array(value) if value else np.array([], np.int64)
            for key, value in kinds.items()
        }
        files.write_npz(
            self.path, **arrays, seed=0, pool="all", fingerprint="f" * 64
        )
        with self.assertRaisesRegex(InputError, "must be disjoint"):
            split.load(self.path, "f" * 64)

    def test_open_draws_once_and_then_reads(self):
        data = a_dataset()
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
            self.dir / "one", a_dataset(images=41), **options
        )
        for _ in range(2):
            other = split.open_split(
                self.dir / "other",
                a_dataset(images=41),
                complement=True,
                **options,
            )
            self.assertAllEqual(other.members, one.nonmembers)
            self.assertAllEqual(other.nonmembers, one.members)
            self.assertEqual(other.seed, 1)

    def test_complement_of_another_fraction(self):
        options = {"pool": "all", "seed": 1, "member_fraction": 0.25}
        split.open_split(self.dir, a_dataset(), **options)
        with self.assertRaisesRegex(
            InputError, r"\(1, 'all', 10\) -> \(1, 'all', 30\)"
        ):
            split.open_split(self.dir, a_dataset(), complement=True, **options)

    def test_open_with_other_data(self):
        split.open_split(self.dir, a_dataset(), seed=1, pool="all")
        with self.assertRaisesRegex(InputError, "splits another data set"):
            split.open_split(self.dir, a_dataset(seed=1), seed=1, pool="all")

    @parameterized.named_parameters(
        ("seed", {"seed": 2, "pool": "all"}, r"\(1, 'all', 20\) -> \(2,"),
        ("pool", {"seed": 1, "pool": "train"}, "-> .1, 'train', 20"),
        (
            "fraction",
            {"seed": 1, "pool": "all", "member_fraction": 0.25},
            r"\(1, 'all', 20\) -> \(1, 'all', 10\)",
        ),
    )
    def test_open_with_other_options(self, options, message):
        split.open_split(self.dir, a_dataset(), seed=1, pool="all")
        with self.assertRaisesRegex(InputError, message):
            split.open_split(self.dir, a_dataset(), **options)


class ImportTest(tf.test.TestCase):
    def test_is_numpy_only(self):
        code = (
            "import sys; import qmia_tf.data.split; "
            "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    tf.test.main()
