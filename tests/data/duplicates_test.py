"""Images that are on both sides, against a comparison of all pairs."""

import time

import folders
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data import duplicates
from qmia_tf.data.records import Records


def find(images, members, record_ids):
    return duplicates.find(
        Records(
            name="x",
            values=images,
            labels=np.zeros(len(images), int),
            members=members,
            record_ids=np.asarray(record_ids),
            fingerprint="",
        )
    )


def all_pairs(images, members, record_ids):
    """Counts and pairs by comparing every member with every nonmember."""
    pairs, outside = [], set()
    for i in np.flatnonzero(members):
        same = [
            record_ids[j]
            for j in np.flatnonzero(~members)
            if np.array_equal(images[i], images[j])
        ]
        outside.update(same)
        if same:
            pairs.append((record_ids[i], min(same)))
    return len(pairs), len(outside), sorted(pairs)


class FindTest(folders.Folder):
    @parameterized.parameters(0, 1, 2, 3)
    def test_equals_all_pairs(self, seed):
        rng = np.random.default_rng(seed)
        # 120 images out of 60 different ones, and out of one in the last.
        kinds = rng.integers(0, 256, (60 if seed < 3 else 1, 4, 3, 2), np.uint8)
        images = kinds[rng.integers(0, len(kinds), 120)]
        members = rng.random(120) < 0.4
        ids = rng.permutation(1000)[:120]
        identical = find(images, members, ids)
        inside, outside, pairs = all_pairs(images, members, ids)
        self.assertEqual(
            (identical.members, identical.nonmembers), (inside, outside)
        )
        self.assertAllEqual(identical.examples, pairs[:10])
        self.assertStartsWith(
            identical.warning, f"{inside} member(s) have an identical image"
        )
        self.assertIn("records {} and {}".format(*pairs[0]), identical.warning)

    def test_none(self):
        values = np.arange(4)
        equal = find(values // 2, values < 2, values)
        self.assertEqual((equal.members, equal.nonmembers), (0, 0))
        self.assertEqual((equal.examples, equal.warning), ([], ""))

    def test_one_bit_makes_another_image(self):
        images = np.zeros((2, 8, 8, 1), np.uint8)
        members = np.array([True, False])
        self.assertEqual(find(images, members, [4, 9]).members, 1)
        images[1, 7, 7, 0] = 1
        self.assertEqual(find(images, members, [4, 9]).members, 0)

    def test_order_changes_nothing(self):
        rng = np.random.default_rng(5)
        images = rng.integers(0, 2, (80, 2, 2, 1), np.uint8)
        members, ids = rng.random(80) < 0.5, rng.permutation(80)
        want = find(images, members, ids)
        order = rng.permutation(80)
        got = find(images[order], members[order], ids[order])
        self.assertEqual(got, want)

    def test_rows_of_numbers(self):
        values = np.float32([1, 2, 3, 4, 5, 2, 2, 4])[:, None]
        equal = find(values, np.arange(8) < 4, np.arange(8))
        self.assertEqual((equal.members, equal.nonmembers), (2, 3))
        self.assertEqual(equal.examples, [[1, 5], [3, 7]])
        self.assertIn("2 member(s) have an identical record", equal.warning)

    @parameterized.parameters(
        ([1, 2, 3], [4, 4, 3], None),
        ([1, 2, 3], [1, 2, 3, 9], "every member is also .*3 records"),
        ([1, 2, 3, 4], [1, 1, 2, 2], "every nonmember is also"),
    )
    def test_a_side_that_is_on_the_other(self, inside, outside, pattern):
        values = np.array(inside + outside)
        records = Records.numbered(
            "x", values, values * 0, np.arange(len(values)) < len(inside)
        )
        equal = duplicates.find(records)
        if pattern is None:
            duplicates.require_others(equal, records)
            return
        self.assertRefused(pattern, duplicates.require_others, equal, records)

    def test_time(self):
        """60,000 images of CIFAR's size took 0.2 s: a tenth of them here."""
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (6000, 32, 32, 3), np.uint8)
        start = time.perf_counter()
        identical = find(images, np.arange(6000) < 3000, np.arange(6000))
        self.assertLess(time.perf_counter() - start, 0.5)
        self.assertEqual(identical.members, 0)


if __name__ == "__main__":
    tf.test.main()
