"""Records of one's own: every format, and what is wrong with a file."""

import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized
from PIL import Image

from qmia_tf.data import loaders, sides
from qmia_tf.data.loaders import tfds
from qmia_tf.errors import InputError


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.images = tiny_models.images(7)
        self.labels = np.array([0, 1, 2, 3, 0, 1, 2])

    def npz(self, name="x.npz", **arrays):
        np.savez(self.dir / name, **arrays)
        return str(self.dir / name)

    def npy(self, name, array):
        np.save(self.dir / name, array)
        return str(self.dir / name)


class SourcesTest(Folder):
    @parameterized.product(
        values=("images", "x"), labels=("labels", "y"), extra=(True, False)
    )
    def test_npz_by_either_name(self, values, labels, extra):
        arrays = {values: self.images, labels: self.labels}
        if extra:
            arrays["other"] = np.zeros(3)
        loaded = loaders.load_side(self.npz(**arrays))
        self.assertAllEqual(loaded.values, self.images)
        self.assertAllEqual(loaded.labels, self.labels)
        self.assertIsNone(loaded.class_names)
        self.assertEqual(
            loaded.taken,
            f"7 x 6x5x1 uint8 (records '{values}', labels '{labels}')",
        )

    def test_npz_with_class_names(self):
        path = self.npz(x=self.images, y=self.labels, class_names=list("abcd"))
        loaded = loaders.load_side(path)
        self.assertEqual(loaded.class_names, ("a", "b", "c", "d"))
        self.assertTrue(loaded.ordered)

    def test_labels_of_text_have_no_order(self):
        names = np.array(["cat", "ant", "cat", "bee", "bee", "ant", "ant"])
        loaded = loaders.load_side((self.images, names))
        self.assertEqual(loaded.class_names, ("ant", "bee", "cat"))
        self.assertAllEqual(loaded.labels, [2, 0, 2, 1, 1, 0, 0])
        self.assertFalse(loaded.ordered)

    @parameterized.named_parameters(
        ("one_hot", np.eye(7), "; labels are one-hot .7, 7."),
        ("floats", np.arange(7.0)[:, None], ""),
    )
    def test_labels_that_are_taken_are_said(self, labels, taken):
        loaded = loaders.load_side((self.images, labels))
        self.assertAllEqual(loaded.labels, np.arange(7))
        self.assertRegex(loaded.taken, rf"\(values, labels{taken}\)$")

    def test_npy_with_labels(self):
        one = self.npy("one.npy", self.images)
        two = self.npy("two.npy", self.labels[:, None].astype(np.uint8))
        loaded = loaders.load_side(f"{one}:{two}")
        self.assertAllEqual(loaded.values, self.images)
        self.assertAllEqual(loaded.labels, self.labels)
        self.assertEqual(loaded.labels.dtype, np.int64)

    def test_gray_images_get_a_channel_and_other_numbers_stay(self):
        gray = loaders.load_side((self.images[..., 0], self.labels))
        self.assertEqual(gray.values.shape, (7, 6, 5, 1))
        for other in (
            np.ones((7, 4), np.float64),
            np.ones((7, 4), np.uint8),
            np.ones((7, 4, 4), np.float32),
        ):
            values = loaders.load_side((other, self.labels)).values
            self.assertEqual(values.shape, other.shape)
            self.assertEqual(values.dtype, other.dtype)

    def test_class_folders(self):
        for name, level in (("cat", 10), ("ant", 200)):
            (self.dir / "photos" / name).mkdir(parents=True)
            pixels = np.full((4, 3), level, np.uint8)
            Image.fromarray(pixels).save(self.dir / f"photos/{name}/1.png")
        loaded = loaders.load_side(self.dir / "photos")
        self.assertEqual(loaded.class_names, ("ant", "cat"))
        self.assertFalse(loaded.ordered)
        self.assertAllEqual(loaded.labels, [0, 1])
        self.assertAllEqual(loaded.values[:, 0, 0, 0], [200, 10])

    @parameterized.parameters(
        ("tfds:cifar10:test", "cifar10", "test"),
        ("tfds:cifar10:train[:5000]", "cifar10", "train[:5000]"),
        (
            "tfds:cifar10:3.0.2:train[10%:20%]",
            "cifar10:3.0.2",
            "train[10%:20%]",
        ),
        ("tfds:emnist/letters:test", "emnist/letters", "test"),
    )
    def test_tfds(self, text, name, split):
        loaded = self.images, self.labels, tuple("abcd")
        with mock.patch.object(tfds, "load_split", return_value=loaded) as load:
            source = loaders.load_side(text, data_dir="there", download=True)
        load.assert_called_once_with(
            name, split, data_dir="there", download=True
        )
        self.assertEqual(source.class_names, tuple("abcd"))
        self.assertTrue(source.ordered)

    @parameterized.parameters(
        ("data/train.npz", "train"),
        ("data/x.npy:data/y.npy", "x"),
        ("photos/train/", "train"),
        ("tfds:emnist/letters:train[:50]", "emnist/letters"),
        ("arrays", "arrays"),
    )
    def test_name(self, source, name):
        side = sides.Side(source, None, None, None, True, "")
        self.assertEqual(side.name, name)

    @parameterized.parameters("tfds:cifar10", "tfds:", "tfds:cifar10:train[:5")
    def test_bad_tfds(self, text):
        with self.assertRaisesRegex(InputError, "not tfds:NAME:SPLIT"):
            loaders.load_side(text)


class BadSourcesTest(Folder):
    def assertRefused(self, pattern, source):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            loaders.load_side(source)
        self.assertNotIn("\n", str(caught.exception))

    def test_a_path_that_is_none_of_these(self):
        (self.dir / "notes.txt").write_text("hello")
        self.assertRefused(
            "notes.txt is none of an .npz", self.dir / "notes.txt"
        )
        self.assertRefused("gone is not there; give an .npz", self.dir / "gone")
        self.assertRefused("pairs .values, labels., got int", 7)

    @parameterized.named_parameters(
        ("no_labels", {"x": 1}, "labels are missing: it holds x, and should"),
        (
            "no_records",
            {"labels": 1},
            "no records: it holds labels, and should hold images or x; of "
            "outputs: probabilities or logits",
        ),
        ("both", {"x": 1, "images": 1, "y": 1}, "both images and x: keep one"),
        ("both_y", {"x": 1, "y": 1, "labels": 1}, "both labels and y"),
    )
    def test_npz(self, names, pattern):
        arrays = {name: self.labels for name in names}
        self.assertRefused(f"x.npz.*{pattern}", self.npz(**arrays))

    def test_a_file_of_both_sides_as_keras_has_them(self):
        arrays = {
            "x_test": self.images[:3],
            "x_train": self.images,
            "y_test": self.labels[:3],
            "y_train": self.labels,
        }
        path = self.npz("mnist.npz", **arrays)
        self.assertRefused(
            "mnist.npz: no records: it holds x_test, x_train, y_test, y_train, "
            "and should hold images or x; make two files of it: a = np.load.*"
            r"savez\('members.npz', x=a\['x_train'\], y=a\['y_train'\]\); "
            r"np.savez\('nonmembers.npz', x=a\['x_test'\], y=a\['y_test'\]",
            path,
        )

    def test_damaged_files(self):
        for name in ("x.npz", "x.npy"):
            (self.dir / name).write_bytes(b"\x93NUMPYbroken")
        self.assertRefused("x.npz is damaged", self.dir / "x.npz")
        labels = self.npy("y.npy", self.labels)
        self.assertRefused("x.npy is damaged", f"{self.dir / 'x.npy'}:{labels}")
        self.assertRefused(
            "cannot read .*z.npy", f"{self.dir / 'z.npy'}:{labels}"
        )

    def test_npy_alone_has_no_labels(self):
        path = self.npy("one.npy", self.images)
        self.assertRefused("labels are missing: give images.npy:labels", path)

    def test_pickled_objects_are_not_run(self):
        path = self.npy("p.npy", np.array([{}, {}], object))
        labels = self.npy("y.npy", self.labels)
        self.assertRefused("p.npy is damaged or not", f"{path}:{labels}")

    @parameterized.named_parameters(
        ("half", np.full(7, 0.5), "label 0.5 of record 0 is not a whole"),
        ("count", np.zeros(5, int), "7 records but 5 labels"),
        ("negative", np.arange(7) - 2, "label -2 of record 0 is not 0 or more"),
    )
    def test_labels(self, labels, pattern):
        self.assertRefused(pattern, (self.images, labels))

    def test_label_beyond_the_class_names(self):
        path = self.npz(x=self.images, y=self.labels, class_names=["a", "b"])
        self.assertRefused("label 2 of record 2", path)

    @parameterized.named_parameters(
        ("text", np.array(["a"] * 7), "records are <U1"),
        ("flat", np.zeros(7), "records are float64 .7., not numbers .N, feat"),
        ("none", np.zeros((7, 0)), "records are float64 .7, 0."),
    )
    def test_values(self, values, pattern):
        self.assertRefused(pattern, (values, self.labels))

    def test_a_value_that_is_not_finite(self):
        values = np.ones((7, 2))
        values[4, 1] = np.nan
        self.assertRefused(
            "record 4 has a value that is not finite", (values, self.labels)
        )


if __name__ == "__main__":
    tf.test.main()
