"""Members and nonmembers side by side."""

import hashlib

import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.data import records
from qmia_tf.data.loaders.sources import Side
from qmia_tf.errors import InputError


def side(values, labels, names=None, *, ordered=True, source="a.npz"):
    labels = np.asarray(labels)
    return Side(source, np.asarray(values), labels, names, ordered, "")


class JoinTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        images = tiny_models.images(9)
        self.one, self.two = images[:5], images[5:]

    def join(self, first, second, names=(None, None), ordered=True, **options):
        return records.join(
            side(self.one, first, names[0], ordered=ordered),
            side(self.two, second, names[1], ordered=ordered, source="b.npz"),
            **options,
        )

    def test_members_come_first(self):
        joined = self.join([0, 1, 2, 3, 0], [3, 2, 1, 0])
        self.assertAllEqual(joined.labels, [0, 1, 2, 3, 0, 3, 2, 1, 0])
        self.assertAllEqual(joined.members, [True] * 5 + [False] * 4)
        self.assertAllEqual(joined.take([5])[0], self.two[:1])
        self.assertAllEqual(joined.split().members, range(5))
        self.assertAllEqual(joined.split().nonmembers, range(5, 9))
        self.assertTrue(joined.is_images)
        self.assertIsNone(joined.classes)
        self.assertEqual(joined.name, "a+b")

    def test_fingerprint_is_of_the_content(self):
        joined = self.join([0, 1, 2, 3, 0], [3, 2, 1, 0])
        digest = hashlib.sha256(b"|u1 9 6 5 1 members 5\n")
        digest.update(self.one.tobytes() + self.two.tobytes())
        labels = np.array([0, 1, 2, 3, 0, 3, 2, 1, 0], "<i8")
        digest.update(labels.tobytes())
        self.assertEqual(joined.fingerprint(), digest.hexdigest())
        other = self.join([1, 1, 2, 3, 0], [3, 2, 1, 0])
        self.assertNotEqual(joined.fingerprint(), other.fingerprint())

    @parameterized.parameters(
        ("sorted", [0, 1, 2, 0, 1], [0, 3, 3, 1]),
        (["d", "c", "b", "a"], [3, 2, 1, 3, 2], [3, 0, 0, 2]),
    )
    def test_names_are_put_in_the_order_given(self, order, first, second):
        # The second side has no c, so its own numbers are others.
        names = ("a", "b", "c"), ("a", "b", "d")
        joined = self.join(
            [0, 1, 2, 0, 1],
            [0, 2, 2, 1],
            names,
            ordered=False,
            class_names=order,
        )
        self.assertAllEqual(joined.labels, first + second)
        self.assertEqual(joined.classes, 4)

    def test_an_order_is_asked_for(self):
        names = ("ant", "bee"), ("ant", "bee")
        with self.assertRaisesRegex(
            InputError, "class of ant,bee is not known: give --class_names"
        ):
            self.join([0] * 5, [1] * 4, names, ordered=False)

    def test_numbers_stay_what_a_source_says(self):
        names = ("z", "a"), ("z", "a")
        joined = self.join([0, 1, 0, 1, 0], [1] * 4, names)
        self.assertAllEqual(joined.labels, [0, 1, 0, 1, 0] + [1] * 4)
        self.assertEqual(joined.classes, 2)
        joined = self.join([0, 1, 0, 1, 0], [1] * 4, class_names=["x", "y"])
        self.assertAllEqual(joined.labels[:5], [0, 1, 0, 1, 0])
        self.assertEqual(joined.classes, 2)

    @parameterized.named_parameters(
        ("strange", (("a",), ("b",)), ["a", "x"], "has no 'b', which is a cl"),
        ("twice", (("a",), ("b",)), ["a", "b", "a"], "has a name twice"),
        ("numbers", (None, None), "sorted", "the labels of a.npz are numbers"),
        ("few", (None, None), ["a"], "a.npz: label 1, but there are 1 class"),
        ("others", (("a", "b"), ("b", "a")), None, "b.npz have other classes"),
    )
    def test_bad_names(self, names, order, pattern):
        labels = [0] * 5 if names[0] else [1] * 5
        with self.assertRaisesRegex(InputError, pattern):
            self.join(labels, [0] * 4, names, class_names=order)

    @parameterized.parameters(
        (np.zeros((4, 6, 5, 3), np.uint8), r"uint8 \[6, 5, 3\]"),
        (np.zeros((4, 6, 5, 1), np.float32), r"float32 \[6, 5, 1\]"),
    )
    def test_sides_of_other_shapes(self, values, shown):
        with self.assertRaisesRegex(
            InputError, rf"a.npz\) are uint8 \[6, 5, 1\], .*b.npz\) are {shown}"
        ):
            records.join(
                side(self.one, [0] * 5), side(values, [0] * 4, source="b.npz")
            )


class Joined(tf.test.TestCase):
    def joined(self, values):
        values = np.asarray(values, np.float32)[:, None]
        half = len(values) // 2
        return records.join(
            side(values[:half], np.zeros(half, int)),
            side(values[half:], np.zeros(len(values) - half, int)),
        )


class EqualTest(Joined):
    def test_records_on_both_sides_are_counted(self):
        equal = self.joined([1, 2, 3, 4, 5, 2, 2, 4]).equal()
        self.assertEqual((equal.members, equal.nonmembers), (2, 3))
        self.assertEqual(equal.examples, [[1, 5], [3, 7]])
        self.assertIn("2 member(s) have an identical record", equal.warning)

    def test_none(self):
        equal = self.joined([1, 2, 3, 4]).equal()
        self.assertEqual((equal.members, equal.warning), (0, ""))

    def test_all_are_refused(self):
        with self.assertRaisesRegex(InputError, "every member is also .*3 rec"):
            self.joined([1, 2, 3, 1, 2, 3, 9]).equal()
        with self.assertRaisesRegex(InputError, "every nonmember is also"):
            self.joined([1, 2, 3, 4, 1, 1, 2, 2]).equal()


class DistinctTest(Joined):
    def test_of_equal_ones_on_a_side_one(self):
        distinct = self.joined([1, 2, 1, 1, 5, 5, 6, 1]).distinct
        self.assertAllEqual(distinct.record_ids, [0, 1, 4, 6, 7])
        self.assertEqual(
            distinct.repeated.sentence,
            "2 distinct members of 4 and 3 distinct nonmembers of 4: copies of "
            "one record are counted once",
        )

    def test_other_labels_are_other_records(self):
        values = np.ones((3, 1), np.float32)
        joined = records.join(side(values, [0, 1, 0]), side(values, [1, 1, 1]))
        self.assertAllEqual(joined.distinct.record_ids, [0, 1, 3])


class FeaturesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        ((9, 6, 5, 1), np.uint8, 20, True),
        ((9, 6, 5, 5), np.uint8, 150, False),
        ((9, 7), np.float64, 7, False),
        ((9, 257), np.float32, None, False),
        ((9, 6, 5, 1), np.float32, 30, False),
    )
    def test_of_images_and_of_numbers(self, shape, dtype, count, is_images):
        values = np.random.default_rng(0).integers(0, 9, shape).astype(dtype)
        labels = np.zeros(9, int)
        dataset = records.Records("x", values, labels, labels == 1, None)
        self.assertEqual(dataset.is_images, is_images)
        if count is None:
            self.assertIsNone(dataset.features)
        else:
            self.assertEqual(dataset.features.shape, (9, count))

    def test_few_records_are_said(self):
        self.assertEqual(records.few(np.arange(100) < 50), [])
        (line,) = records.few(np.arange(100) < 51)
        self.assertStartsWith(line, "warning: only 49 nonmembers: the interv")
        one, _ = records.few(np.arange(9) < 1)
        self.assertStartsWith(one, "warning: only 1 member: the intervals")


if __name__ == "__main__":
    tf.test.main()
