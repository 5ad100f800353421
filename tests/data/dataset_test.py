"""Tests of Dataset, and of what cannot be a file of records."""

import csv
import dataclasses
import gzip
import hashlib
import pathlib
import struct

import folders
import numpy as np
import sklearn.datasets
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.data import loaders


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def a_dataset(images=None, labels=None):
    images = noise(6, 5, 4, 1) if images is None else images
    labels = np.arange(6) % 3 if labels is None else labels
    origin = np.zeros(len(labels), np.uint8)
    return loaders.Dataset("made", images, labels, tuple("abc"), origin)


class DatasetTest(folders.Folder):
    def test_take(self):
        data = a_dataset()
        images, labels = data.take([4, 0, 4])
        self.assertAllEqual(images, [data.images[i] for i in (4, 0, 4)])
        self.assertAllEqual(labels, [1, 0, 1])
        self.assertEqual((data.image_shape, data.classes), ((5, 4, 1), 3))

    def test_fingerprint_is_the_documented_hash(self):
        data = a_dataset(noise(6, 5, 4, 3))
        digest = hashlib.sha256(b"6 5 4 3\n")
        digest.update(bytes(data.images.flatten().tolist()))
        for label in data.labels.tolist():
            digest.update(struct.pack("<q", label))
        self.assertEqual(data.fingerprint(), digest.hexdigest())
        # However the arrays lie in memory.
        images, labels = np.asfortranarray(data.images), data.labels
        other = a_dataset(images, labels.astype(">i2"))
        self.assertEqual(other.fingerprint(), data.fingerprint())

    def test_fingerprint_sees_every_change(self):
        data = a_dataset()
        pixel, label = data.images.copy(), data.labels.copy()
        pixel[5, 4, 3, 0] ^= 1
        label[5] = 0
        others = [
            a_dataset(images=pixel),
            a_dataset(labels=label),
            a_dataset(data.images[::-1], data.labels[::-1]),
            a_dataset(data.images.reshape(6, 4, 5, 1)),
        ]
        self.assertLen({d.fingerprint() for d in [data, *others]}, 5)

    @parameterized.parameters(
        (noise(6, 5, 4, 1) / 255, None, r"float64, not uint8 0\.\."),
        (noise(6, 5, 4, 1).astype(int), None, "int64, not uint8"),
        (noise(6, 20), None, r"shape \[6, 20\], not"),
        (noise(6, 3, 5, 4), None, r"shape \[6, 3, 5, 4\]"),
        (noise(0, 5, 4, 1), np.zeros(0, int), r"\[0, 5, 4, 1\]"),
        (None, np.arange(5) % 3, "6 images but 5 labels"),
        (None, np.zeros(6), "float64 .6., not integers"),
        (None, np.zeros(6, bool), "bool .6., not integers"),
        (None, np.array(list("abcabc")), "not integers"),
        (None, np.zeros((6, 1), int), r"int64 \[6, 1\], not int"),
        (None, np.eye(6, 3, dtype=int), r"labels\.argmax"),
        (None, np.array([0, 1, 2, 0, 3, 9]), "3 of record 4 is outside"),
        (None, np.array([0, -1, 2, 0, 1, 2]), "-1 of record 1"),
        (None, np.array([2**63, 0, 0, 0, 0, 0], np.uint64), "record 0"),
    )
    def test_refuses(self, images, labels, message):
        self.assertRefused(f"made: .*{message}", a_dataset, images, labels)

    def test_origin_of_another_length(self):
        self.assertRefused(
            "5 origins, 6 labels",
            dataclasses.replace,
            a_dataset(),
            origin=np.zeros(5, np.uint8),
        )


class DigitsTest(tf.test.TestCase):
    def test_is_scikit_learns_data(self):
        bundle = sklearn.datasets.load_digits()
        data = loaders.load("digits")
        self.assertEqual(data.images.shape, (1797, 8, 8, 1))
        self.assertAllEqual(data.labels, bundle.target)
        self.assertEqual(data.class_names, tuple("0123456789"))
        # Half a step up, then down: rounding in integers.
        pixels = bundle.data.astype(int).reshape(-1, 8, 8, 1)
        self.assertAllEqual(data.images, (pixels * 255 * 2 + 16) // 32)
        self.assertEqual((data.images.min(), data.images.max()), (0, 255))

    def test_fingerprint(self):
        # scikit-learn's own file, read without scikit-learn or NumPy.
        path = pathlib.Path(sklearn.datasets.__file__).parent
        with gzip.open(path / "data" / "digits.csv.gz", "rt") as file:
            rows = [[int(float(v)) for v in row] for row in csv.reader(file)]
        # v * 255 / 16 is halfway only for v = 8, 127.5, which rounds up.
        scaled = [round(v * 255 / 16 + 1e-9) for v in range(17)]
        digest = hashlib.sha256(b"1797 8 8 1\n")
        digest.update(bytes(scaled[v] for row in rows for v in row[:64]))
        digest.update(struct.pack("<1797q", *[row[64] for row in rows]))
        fingerprint = loaders.load("digits").fingerprint()
        self.assertEqual(fingerprint, digest.hexdigest())
        self.assertEqual(
            fingerprint,
            "38bf5e26640ea4d95d2d4d908e8c48cf0bf2425a3f812957645be2d870ea9385",
        )


GRAY = noise(2, 5, 4)
BYTES = b"\x93NUMPYbroken"


class NpzTest(folders.Folder):
    """A data set in an .npz file."""

    def load(self, **arrays):
        np.savez(self.dir / "x.npz", **arrays)
        return loaders.load(str(self.dir / "x.npz"))

    def test_gray_without_channels_and_names(self):
        images = noise(6, 5, 4)
        data = self.load(images=images, labels=np.arange(6, dtype=np.uint8))
        self.assertAllEqual(data.images[..., 0], images)
        self.assertEqual(data.class_names, tuple("012345"))

    @parameterized.parameters(
        ({"x_train": [0], "y_train": [0]}, "must hold images"),
        ({"images": GRAY}, r"holds \['images'\]: it mu"),
        ({"images": [0], "labels": [0], "test_images": [0]},
         "test_images with test_labels"),
        ({"images": GRAY / 255, "labels": [0, 1]},
         r"\(train\): images are float64.*images \* 255"),
        ({"images": noise(3, 5, 4), "labels": [0, 1]}, "3 images but 2 labels"),
        ({"images": GRAY, "labels": [0, -1]}, "label -1 of record 1"),
        ({"images": GRAY, "labels": [0, 10**9]},
         "label 1000000000 of record 1 is outside"),
        ({"images": GRAY, "labels": [0, 2], "class_names": ["cat", "dog"]},
         "2 of record 1 is outside"),
        ({"images": GRAY, "labels": 1}, r"int64 \[\], not integers"),
        ({"images": GRAY, "labels": [0, 0], "class_names": [7]},
         "class_names is int64"),
        ({"images": GRAY, "labels": [0, 0],
          "class_names": np.array(["a"], object)},
         "'class_names' holds pickled Python objects.*dtype=str"),
        ({"images": GRAY, "labels": [0, 0], "test_images": noise(1, 5, 5),
          "test_labels": [0]}, "differ in shape"),
    )  # fmt: skip
    def test_refuses(self, arrays, message):
        self.assertRefused(f"x.npz.*{message}", self.load, **arrays)

    def test_damaged_or_missing_file(self):
        path = self.dir / "x.npz"
        self.assertRefused("x.npz: No such", loaders.load, str(path))
        self.load(images=GRAY, labels=np.array([0, 1]))
        path.write_bytes(path.read_bytes()[:-100])
        self.assertRefused("x.npz is damaged", loaders.load, str(path))


class SideTest(folders.Folder):
    """One side of one's own, in .npz and .npy files and arrays."""

    def setUp(self):
        super().setUp()
        self.images = tiny_models.images(7)
        self.labels = np.array([0, 1, 2, 3, 0, 1, 2])

    def npz(self, **arrays):
        np.savez(self.dir / "x.npz", **arrays)
        return str(self.dir / "x.npz")

    @parameterized.product(values=("images", "x"), labels=("labels", "y"))
    def test_npz_by_either_name(self, values, labels):
        arrays = {values: self.images, labels: self.labels}
        side = loaders.load_side(self.npz(other=np.zeros(3), **arrays))
        self.assertAllEqual(side.values, self.images)
        self.assertIsNone(side.class_names)
        self.assertEqual(
            side.taken,
            f"7 x 6x5x1 uint8 (records '{values}', labels '{labels}')",
        )

    def test_labels_of_text_have_no_order(self):
        names = np.array(["cat", "ant", "cat", "bee", "bee", "ant", "ant"])
        side = loaders.load_side((self.images, names))
        self.assertEqual(side.class_names, ("ant", "bee", "cat"))
        self.assertAllEqual(side.labels, [2, 0, 2, 1, 1, 0, 0])
        self.assertFalse(side.ordered)

    @parameterized.parameters(
        (np.eye(7), "; labels are one-hot .7, 7."),
        (np.arange(7.0)[:, None], ""),
    )
    def test_labels_that_are_taken_are_said(self, labels, taken):
        side = loaders.load_side((self.images, labels))
        self.assertAllEqual(side.labels, np.arange(7))
        self.assertRegex(side.taken, rf"\(values, labels{taken}\)$")

    def test_gray_images_get_a_channel_and_other_numbers_stay(self):
        gray = loaders.load_side((self.images[..., 0], self.labels))
        self.assertEqual(gray.values.shape, (7, 6, 5, 1))
        for shape, dtype in (
            ((7, 4), np.float64),
            ((7, 4), np.uint8),
            ((7, 4, 4), np.float32),
        ):
            other = np.ones(shape, dtype)
            values = loaders.load_side((other, self.labels)).values
            self.assertEqual((values.shape, values.dtype), (shape, dtype))

    @parameterized.parameters(
        ("x", "labels are missing: it holds x, and should"),
        ("labels", "no records: it holds labels, and should hold images or x; "
         "of outputs: probabilities or logits"),
        ("x images y", "both images and x: keep one"),
        ("x y labels", "both labels and y"),
        ("x_test x_train y_test y_train",
         "no records: it holds x_test, x_train, y_test, y_train, and should "
         "hold images or x; make two files of it: a = np.load.*"
         r"savez\('members.npz', x=a\['x_train'\], y=a\['y_train'\]\); "
         r"np.savez\('nonmembers.npz', x=a\['x_test'\], y=a\['y_test'\]"),
    )  # fmt: skip
    def test_names_of_an_npz(self, names, pattern):
        of_name = {"x": self.images}
        arrays = {n: of_name.get(n[0], self.labels) for n in names.split()}
        self.assertRefused(
            f"x.npz.*{pattern}", loaders.load_side, self.npz(**arrays)
        )

    def test_files_that_cannot_be_read(self):
        np.save(self.dir / "y.npy", self.labels)
        np.save(self.dir / "pickled.npy", np.array([{}, {}], object))
        for name in ("bad.npz", "bad.npy"):
            (self.dir / name).write_bytes(BYTES)
        for name, pattern in (
            ("bad.npz", "bad.npz is damaged"),
            ("bad.npy:y.npy", "bad.npy is damaged"),
            ("pickled.npy:y.npy", "pickled.npy is damaged or not"),
            ("gone.npy:y.npy", "cannot read .*gone.npy"),
            ("y.npy", "labels are missing: give images.npy:labels"),
        ):
            source = str(self.dir / name).replace(":", f":{self.dir}/")
            self.assertRefused(pattern, loaders.load_side, source)
        self.npz(x=self.images)
        (self.dir / "x.npz").rename(self.dir / "z.npy")
        source = f"{self.dir}/z.npy:{self.dir}/y.npy"
        self.assertRefused(
            "z.npy is damaged or not an .npy .* save it with",
            loaders.load_side,
            source,
        )

    @parameterized.parameters(
        (None, np.full(7, 0.5), "label 0.5 of record 0 is not a whole"),
        (None, np.zeros(5, int), "7 records but 5 labels"),
        (None, np.arange(7) - 2, "label -2 of record 0 is not 0 or more"),
        (np.array(["a"] * 7), None, "records are <U1"),
        (np.zeros(7), None, "records are float64 .7., not numbers .N, feat"),
        (np.zeros((7, 0)), None, "records are float64 .7, 0."),
        (np.diag([np.nan] * 7), None,
         "record 0 has a value that is not finite"),
    )  # fmt: skip
    def test_arrays_that_cannot_be_used(self, values, labels, pattern):
        values = self.images if values is None else values
        labels = self.labels if labels is None else labels
        self.assertRefused(pattern, loaders.load_side, (values, labels))

    def test_label_beyond_the_class_names(self):
        path = self.npz(x=self.images, y=self.labels, class_names=["a", "b"])
        self.assertRefused(
            "label 2 of record 2 is outside the classes 0..1",
            loaders.load_side,
            path,
        )


if __name__ == "__main__":
    tf.test.main()
