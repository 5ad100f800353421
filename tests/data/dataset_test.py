"""Tests of Dataset, of the choice of loader, of digits and .npz files."""

import dataclasses
import hashlib
import os
import pathlib
import struct
import subprocess
import sys
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data import loaders
from qmia_tf.errors import InputError


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def a_dataset(images=None, labels=None, classes=3):
    images = noise(6, 5, 4, 1) if images is None else images
    labels = np.arange(6) % 3 if labels is None else labels
    return loaders.Dataset(
        name="made",
        images=images,
        labels=labels,
        class_names=tuple("abc"[:classes]),
        origin=np.zeros(len(labels), np.uint8),
    )


def by_hand(images, labels):
    """The documented fingerprint, one value at a time."""
    digest = hashlib.sha256()
    digest.update(b"%d %d %d %d\n" % images.shape)
    digest.update(bytes(images.flatten().tolist()))
    for label in labels.tolist():
        digest.update(struct.pack("<q", label))
    return digest.hexdigest()


class DatasetTest(parameterized.TestCase, tf.test.TestCase):
    def test_shapes(self):
        data = a_dataset()
        self.assertEqual(data.image_shape, (5, 4, 1))
        self.assertEqual(data.classes, 3)

    def test_take(self):
        data = a_dataset()
        images, labels = data.take([4, 0, 4])
        self.assertAllEqual(
            images, np.stack([data.images[i] for i in (4, 0, 4)])
        )
        self.assertAllEqual(labels, [1, 0, 1])

    def test_fingerprint_is_the_documented_hash(self):
        data = a_dataset(noise(6, 5, 4, 3))
        self.assertEqual(data.fingerprint(), by_hand(data.images, data.labels))

    def test_fingerprint_ignores_how_the_arrays_lie_in_memory(self):
        data = a_dataset()
        images = np.asfortranarray(data.images)
        labels = data.labels.astype(">i2")
        self.assertEqual(
            a_dataset(images, labels).fingerprint(), data.fingerprint()
        )

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
        prints = {d.fingerprint() for d in [data, *others]}
        self.assertLen(prints, 5)

    @parameterized.named_parameters(
        ("floats", noise(6, 5, 4, 1) / 255, None, r"float64, not uint8 0\.\."),
        ("int64", noise(6, 5, 4, 1).astype(int), None, "int64, not uint8"),
        ("flat", noise(6, 20), None, r"shape \[6, 20\], not"),
        ("channels_first", noise(6, 3, 5, 4), None, r"shape \[6, 3, 5, 4\]"),
        ("no_records", noise(0, 5, 4, 1), np.zeros(0, int), r"\[0, 5, 4, 1\]"),
        ("lengths", None, np.arange(5) % 3, "6 images but 5 labels"),
        ("float_labels", None, np.zeros(6), "float64 .6., not integers"),
        ("bool_labels", None, np.zeros(6, bool), "bool .6., not integers"),
        ("text_labels", None, np.array(list("abcabc")), "not integers"),
        ("column", None, np.zeros((6, 1), int), r"int64 \[6, 1\], not int"),
        ("one_hot", None, np.eye(6, 3, dtype=int), r"labels\.argmax"),
        ("too_high", None, np.array([0, 1, 2, 0, 3, 9]), "3 of record 4 is ou"),
        ("negative", None, np.array([0, -1, 2, 0, 1, 2]), "-1 of record 1"),
        ("huge", None, np.array([2**63, 0, 0, 0, 0, 0], np.uint64), "record 0"),
    )
    def test_refuses(self, images, labels, message):
        with self.assertRaisesRegex(InputError, f"made: .*{message}"):
            a_dataset(images, labels)

    def test_origin_of_another_length(self):
        with self.assertRaisesRegex(InputError, "5 origins, 6 labels"):
            dataclasses.replace(a_dataset(), origin=np.zeros(5, np.uint8))


class DigitsTest(parameterized.TestCase, tf.test.TestCase):
    def test_is_scikit_learns_data(self):
        from sklearn.datasets import load_digits

        bundle = load_digits()
        data = loaders.load("digits")
        self.assertEqual(data.images.shape, (1797, 8, 8, 1))
        self.assertEqual(data.images.dtype, np.uint8)
        self.assertAllEqual(data.labels, bundle.target)
        self.assertEqual(data.class_names, tuple("0123456789"))
        self.assertAllEqual(data.origin, np.zeros(1797))
        # Half a step up, then down: rounding in integers.
        pixels = bundle.data.astype(int).reshape(-1, 8, 8, 1)
        self.assertAllEqual(data.images, (pixels * 255 * 2 + 16) // 32)
        self.assertEqual((data.images.min(), data.images.max()), (0, 255))

    def test_fingerprint(self):
        import csv
        import gzip

        import sklearn.datasets

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

    def test_has_no_test_records(self):
        self.assertLen(loaders.load("digits", pool="train").labels, 1797)
        with self.assertRaisesRegex(InputError, r"no test records, only .*tra"):
            loaders.load("digits", pool="test")

    def test_needs_no_tensorflow(self):
        code = (
            "import sys; from qmia_tf.data import loaders; "
            "loaders.load('digits'); "
            "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class ArraysTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.create_tempdir().full_path + "/x.npz"

    def load(self, pool="all", **arrays):
        np.savez(self.path, **arrays)
        return loaders.load(self.path, pool=pool)

    def test_gray_without_channels(self):
        images = noise(6, 5, 4)
        data = self.load(images=images, labels=np.arange(6, dtype=np.uint8))
        self.assertEqual(data.name, self.path)
        self.assertAllEqual(data.images[..., 0], images)
        self.assertEqual(data.image_shape, (5, 4, 1))
        self.assertEqual(data.labels.dtype, np.int64)
        self.assertEqual(data.class_names, tuple("012345"))

    @parameterized.parameters(
        ("all", [0, 1, 2, 0, 1, 2, 3, 0], [0] * 6 + [1] * 2),
        ("train", [0, 1, 2, 0, 1, 2], [0] * 6),
        ("test", [3, 0], [1] * 2),
    )
    def test_pools_keep_the_classes(self, pool, labels, origin):
        images = noise(8, 7, 9, 3)
        data = self.load(
            pool,
            images=images[:6],
            labels=np.arange(6) % 3,
            test_images=images[6:],
            test_labels=np.array([3, 0]),
        )
        first = {"all": 0, "train": 0, "test": 6}[pool]
        self.assertAllEqual(data.images, images[first : first + len(labels)])
        self.assertAllEqual(data.labels, labels)
        self.assertAllEqual(data.origin, origin)
        self.assertEqual(data.classes, 4)

    def test_class_names(self):
        data = self.load(
            images=noise(2, 5, 4),
            labels=np.array([0, 1]),
            class_names=np.array(["cat", "d\u00f6g", "bird"]),
        )
        self.assertEqual(data.class_names, ("cat", "d\u00f6g", "bird"))

    def test_label_outside_the_class_names(self):
        with self.assertRaisesRegex(InputError, "2 of record 1 is outside"):
            self.load(
                images=noise(2, 5, 4),
                labels=np.array([0, 2]),
                class_names=np.array(["cat", "dog"]),
            )

    @parameterized.named_parameters(
        ("keras_names", {"x_train": [0], "y_train": [0]}, "must hold images"),
        ("no_labels", {"images": noise(2, 5, 4)}, r"holds \['images'\]: it mu"),
        (
            "test_without_labels",
            {"images": [0], "labels": [0], "test_images": [0]},
            "test_images with test_labels",
        ),
        (
            "float_images",
            {"images": noise(2, 5, 4) / 255, "labels": [0, 1]},
            r"\(train\): images are float64.*images \* 255",
        ),
        (
            "more_images_than_labels",
            {"images": noise(3, 5, 4), "labels": [0, 1]},
            "3 images but 2 labels",
        ),
        (
            "negative_label",
            {"images": noise(2, 5, 4), "labels": [0, -1]},
            "label -1 of record 1",
        ),
        (
            "runaway_label",
            {"images": noise(2, 5, 4), "labels": [0, 10**9]},
            "label 1000000000 of record 1 is outside",
        ),
        (
            "scalar_label",
            {"images": noise(2, 5, 4), "labels": 1},
            r"int64 \[\], not integers",
        ),
        (
            "class_names_of_numbers",
            {"images": noise(1, 5, 4), "labels": [0], "class_names": [7]},
            "class_names is int64",
        ),
        (
            "class_names_of_objects",
            {
                "images": noise(1, 5, 4),
                "labels": [0],
                "class_names": np.array(["a"], object),
            },
            "'class_names' holds pickled Python objects.*dtype=str",
        ),
        (
            "test_of_another_size",
            {
                "images": noise(1, 5, 4),
                "labels": [0],
                "test_images": noise(1, 5, 5),
                "test_labels": [0],
            },
            "differ in shape",
        ),
    )
    def test_refuses(self, arrays, message):
        with self.assertRaisesRegex(InputError, f"x.npz.*{message}"):
            self.load(**arrays)

    def test_damaged_file(self):
        self.load(images=noise(2, 5, 4), labels=np.array([0, 1]))
        data = pathlib.Path(self.path).read_bytes()
        pathlib.Path(self.path).write_bytes(data[:-100])
        with self.assertRaisesRegex(InputError, "x.npz is damaged"):
            loaders.load(self.path)

    def test_missing_file(self):
        with self.assertRaisesRegex(InputError, "x.npz: No such file"):
            loaders.load(self.path)

    def test_pool_that_is_not_there(self):
        with self.assertRaisesRegex(InputError, "has no test records"):
            self.load("test", images=noise(2, 5, 4), labels=np.array([0, 1]))


class LoadTest(parameterized.TestCase, tf.test.TestCase):
    def test_unknown_pool(self):
        with self.assertRaisesRegex(InputError, "pool must be one of.*'val'"):
            loaders.load("digits", pool="val")

    @parameterized.parameters("./missing", "/missing/folder", "~/missing")
    def test_missing_folder(self, name):
        with self.assertRaisesRegex(InputError, "there is no folder .*missing"):
            loaders.load(name)

    def test_home_folder(self):
        home = self.create_tempdir()
        np.savez(
            os.path.join(home.full_path, "x.npz"),
            images=noise(2, 5, 4),
            labels=[0, 1],
        )
        with mock.patch.dict(os.environ, HOME=home.full_path):
            self.assertLen(loaders.load("~/x.npz").labels, 2)


if __name__ == "__main__":
    tf.test.main()
