"""Members and nonmembers side by side."""

import hashlib

import folders
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.data import record_features, sides
from qmia_tf.data.records import Records
from qmia_tf.data.sides import Side
from qmia_tf.errors import InputError


def side(values, labels, names=None, *, ordered=True, source="a.npz"):
    labels = np.asarray(labels)
    return Side(source, np.asarray(values), labels, names, ordered, "")


class JoinTest(folders.Folder):
    def setUp(self):
        super().setUp()
        images = tiny_models.images(9)
        self.one, self.two = images[:5], images[5:]

    def join(self, first, second, names=(None, None), ordered=True, **options):
        return sides.join(
            side(self.one, first, names[0], ordered=ordered),
            side(self.two, second, names[1], ordered=ordered, source="b.npz"),
            **options,
        )

    def test_members_come_first(self):
        joined = self.join([0, 1, 2, 3, 0], [3, 2, 1, 0])
        self.assertAllEqual(joined.labels, [0, 1, 2, 3, 0, 3, 2, 1, 0])
        self.assertAllEqual(joined.members, [True] * 5 + [False] * 4)
        self.assertAllEqual(joined.take([5]).values, self.two[:1])
        self.assertAllEqual(joined.record_ids, range(9))
        self.assertTrue(joined.is_images)
        self.assertIsNone(joined.classes)
        self.assertEqual(joined.name, "a+b")

    def test_fingerprint_is_of_the_content(self):
        joined = self.join([0, 1, 2, 3, 0], [3, 2, 1, 0])
        digest = hashlib.sha256(b"|u1 9 6 5 1 members 5\n")
        digest.update(self.one.tobytes() + self.two.tobytes())
        labels = np.array([0, 1, 2, 3, 0, 3, 2, 1, 0], "<i8")
        digest.update(labels.tobytes())
        self.assertEqual(joined.fingerprint, digest.hexdigest())
        other = self.join([1, 1, 2, 3, 0], [3, 2, 1, 0])
        self.assertNotEqual(joined.fingerprint, other.fingerprint)

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

    def test_an_order_is_assumed_and_said(self):
        names = ("ant", "bee"), ("bee", "cow")
        joined = self.join([0] * 5, [1] * 4, names, ordered=False)
        self.assertEqual(joined.class_names, ("ant", "bee", "cow"))
        self.assertAllEqual(joined.labels, [0] * 5 + [2] * 4)
        self.assertTrue(joined.is_order_assumed)
        for options in ({"class_names": "sorted", "ordered": False}, {}):
            names = ("ant", "bee"), ("ant", "bee")
            joined = self.join([0] * 5, [1] * 4, names, **options)
            self.assertFalse(joined.is_order_assumed)

    def test_labels_that_start_at_1(self):
        joined = self.join([1, 2, 3, 1, 1], [3] * 4, first_label=1)
        self.assertAllEqual(joined.labels, [0, 1, 2, 0, 0] + [2] * 4)
        self.assertRefused(
            "b.npz: label 0 is below first_label=1",
            self.join,
            *([1] * 5, [0] * 4),
            first_label=1,
        )
        self.assertRefused(
            "first_label=1 is about labels that are numbers",
            self.join,
            *([0] * 5, [1] * 4, (("a", "b"), ("a", "b"))),
            first_label=1,
        )

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
        self.assertRefused(
            pattern, self.join, labels, [0] * 4, names, class_names=order
        )

    @parameterized.parameters(
        (np.zeros((4, 6, 5, 3), np.uint8), r"uint8 \[6, 5, 3\]"),
        (np.zeros((4, 6, 5, 1), np.float32), r"float32 \[6, 5, 1\]"),
    )
    def test_sides_of_other_shapes(self, values, shown):
        with self.assertRaisesRegex(
            InputError, rf"a.npz\) are uint8 \[6, 5, 1\], .*b.npz\) are {shown}"
        ):
            sides.join(
                side(self.one, [0] * 5), side(values, [0] * 4, source="b.npz")
            )


class RecordsTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        ids = np.array([7, 2, 9])
        self.records = Records(
            name="r",
            values=ids[:, None] * 10,
            labels=ids % 2,
            members=ids < 8,
            record_ids=ids,
            fingerprint="f",
        )

    def test_take_and_select(self):
        for taken in (self.records.take([2, 0]), self.records.select([9, 7])):
            self.assertAllEqual(taken.record_ids, [9, 7])
            self.assertAllEqual(taken.values, [[90], [70]])
            self.assertAllEqual(taken.labels, [1, 1])
            self.assertAllEqual(taken.members, [False, True])
            self.assertEqual((taken.name, taken.fingerprint), ("r", "f"))
        with self.assertRaisesRegex(InputError, "record 99 is neither a mem"):
            self.records.select([7, 99])

    def test_in_record_order(self):
        ordered = self.records.in_record_order()
        self.assertAllEqual(ordered.record_ids, [2, 7, 9])
        self.assertAllEqual(ordered.values, [[20], [70], [90]])
        self.assertIs(ordered.in_record_order(), ordered)

    def test_arrays_that_do_not_fit(self):
        for labels, members in ((3, np.ones(2, bool)), (2, np.ones(2, int))):
            with self.assertRaisesRegex(ValueError, "arrays of one length, an"):
                Records.numbered(
                    "x", np.zeros((2, 1)), np.zeros(labels, int), members
                )


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
        records = Records.numbered("x", values, labels, labels == 1)
        self.assertEqual(records.is_images, is_images)
        features = record_features.of_records(records)
        if count is None:
            self.assertIsNone(features)
        else:
            self.assertEqual(features.shape, (9, count))

    def test_few_records_are_said(self):
        self.assertEqual(sides.few(np.arange(100) < 50), [])
        (line,) = sides.few(np.arange(100) < 51)
        self.assertStartsWith(line, "warning: only 49 nonmembers: the interv")
        one, _ = sides.few(np.arange(9) < 1)
        self.assertStartsWith(one, "warning: only 1 member: the intervals")


if __name__ == "__main__":
    tf.test.main()
