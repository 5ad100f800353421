"""Tests of TFDS data sets: small ones made here, and the real ones."""

import contextlib
import io
import os
import pathlib
import socket
import struct
from unittest import mock

import folders
import numpy as np
import slow_tests
import tensorflow as tf
import tensorflow_datasets as tfds
from absl.testing import parameterized
from PIL import Image

from qmia_tf.data import loaders
from qmia_tf.data.loaders import tfds as tfds_data

ROOT = pathlib.Path(__file__).resolve().parents[2]
REAL = pathlib.Path(
    os.environ.get("TFDS_DATA_DIR") or ROOT.parent / "shared" / "data" / "tfds"
)
# Nothing listens there: a connection is refused at once.
CLOSED = "http://127.0.0.1:9/archive.zip"


class TinyGray(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    SHAPE = (5, 4, 1)
    SPLITS = {"train": 12, "test": 6}

    def _info(self):
        features = self.features()
        keys = tuple(features) if len(features) == 2 else None
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=keys,
        )

    def features(self):
        label = tfds.features.ClassLabel(names=["even", "odd"])
        return {"image": tfds.features.Image(shape=self.SHAPE), "label": label}

    def _split_generators(self, dl_manager):
        return {
            name: self._generate_examples(self.SPLITS[name])
            for name in self.SPLITS
        }

    def _generate_examples(self, count):
        for i in range(count):
            yield i, {"image": self.image(i), "label": i % 2}

    def image(self, i):
        return np.full(self.SHAPE, i + 16 * (i % 2), np.uint8)


class TinyValidation(TinyGray):
    SPLITS = {"train": 4, "validation": 2, "unlabelled": 3}


class TinyMixedSizes(TinyGray):
    SHAPE = (None, None, 3)
    SPLITS = {"train": 4}

    def image(self, i):
        return np.zeros((5 + i, 4, 3), np.uint8)


class TinyRemote(TinyGray):
    url_infos = {CLOSED: None}


class TinyManual(TinyRemote):
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Sign in and click."


class TinyBroken(TinyGray):
    def _split_generators(self, dl_manager):
        raise OSError("the archive has moved\nsee the log")


class TinyText(TinyGray):
    def features(self):
        label = tfds.features.ClassLabel(num_classes=2)
        return {"text": tfds.features.Text(), "label": label}


class TinyDetection(TinyGray):
    def features(self):
        return {"image": tfds.features.Image()}


class TfdsTest(folders.Folder):
    def load(self, name, **options):
        return loaders.load(name, data_dir=str(self.dir), **options)

    def prepare(self, name, pool="all"):
        with (
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            return self.load(name, download=True, pool=pool)

    def load_split(self, split):
        return tfds_data.load_split("tiny_gray", split, data_dir=str(self.dir))

    def test_order_of_several_files_is_always_the_same(self):
        with contextlib.redirect_stderr(io.StringIO()):
            builder = tfds.builder("tiny_gray", data_dir=str(self.dir))
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(num_shards=4)
            )
        prints = {self.load("tiny_gray").fingerprint() for _ in range(5)}
        self.assertLen(prints, 1)

    @parameterized.parameters(
        ("train", range(12)), ("test", range(6)), ("train[:5]", None),
        ("train[5:]+test", None),
    )  # fmt: skip
    def test_one_split(self, split, records):
        self.prepare("tiny_gray")
        images, labels, names = self.load_split(split)
        self.assertEqual(names, ("even", "odd"))
        # The image carries its number, and its label a second time.
        self.assertAllEqual(images[:, 0, 0, 0] // 16, labels)
        numbers = (images[:, 0, 0, 0] % 16).tolist()
        if records is not None:
            self.assertEqual(sorted(numbers), list(records))
        whole, _, _ = self.load_split("train+test")
        part = {"train[:5]": whole[:5], "train[5:]+test": whole[5:]}
        self.assertAllEqual(images, part.get(split, images))

    @parameterized.parameters(
        ("valid", "has no split 'valid': it has .*train"),
        ("train[3:1]", "'train.3:1.' of 'tiny_gray' has no records"),
        ("train[x]", "has no split 'train.x.'"),
    )
    def test_no_such_split(self, split, pattern):
        self.assertRefused("is not prepared", self.load_split, split)
        self.prepare("tiny_gray")
        self.assertRefused(pattern, self.load_split, split)

    def test_data_dir_in_the_environment_and_the_home_folder(self):
        self.prepare("tiny_gray")
        with mock.patch.dict(os.environ, TFDS_DATA_DIR=str(self.dir)):
            self.assertLen(loaders.load("tiny_gray").labels, 18)
        with mock.patch.dict(os.environ, HOME=str(self.dir.parent)):
            data = loaders.load("tiny_gray", data_dir=f"~/{self.dir.name}")
        self.assertLen(data.labels, 18)

    def test_validation_stands_in_for_test(self):
        data = self.prepare("tiny_validation")
        self.assertAllEqual(data.origin, [0, 0, 0, 0, 1, 1])

    def test_images_of_different_sizes(self):
        name = "tiny_mixed_sizes"
        self.assertRefused(f"'{name}' differ in", self.prepare, name)
        self.assertRefused("no test records", self.prepare, name, "test")

    @parameterized.parameters("cifar10", "mnist", "tiny_remote")
    def test_not_prepared_and_no_download(self, name):
        down = AssertionError("the network was touched")
        with (
            mock.patch.object(socket, "getaddrinfo", side_effect=down),
            mock.patch.object(socket.socket, "connect", side_effect=down),
        ):
            self.assertRefused(
                f"'{name}' is not prepared in {self.dir}/{name}.*download=True",
                self.load,
                name,
            )
        self.assertEmpty(os.listdir(self.dir))

    @parameterized.parameters(
        ("tiny_text", "'tiny_text' is not made of images"),
        ("tiny_detection", "'tiny_detection' is not made of images"),
        ("tiny_remote", "cannot reach 127.0.0.1 to download 'tiny_remote'"),
    )
    def test_nothing_is_made(self, name, pattern):
        self.assertRefused(pattern, self.prepare, name)
        self.assertEmpty(os.listdir(self.dir))

    def test_what_needs_no_network(self):
        self.assertLen(self.prepare("tiny_manual").labels, 18)
        # And where the archives are there.
        (self.dir / "downloads").mkdir(exist_ok=True)
        note = self.dir / "downloads" / "archive.zip.INFO"
        note.write_text(f'{{"urls": ["{CLOSED}"]}}')
        self.assertLen(self.prepare("tiny_remote").labels, 18)

    def test_preparation_that_fails(self):
        self.assertRefused(
            "could not download and prepare 'tiny_broken' .*: the archive has",
            self.prepare,
            "tiny_broken",
        )

    @parameterized.parameters(
        ("fashon_mnist", r"'fashon_mnist' \(did you mean fashion_mnist"),
        ("qqq/x", "no data set 'qqq/x': give"),
        ("CIFAR10", "did you mean cifar10"),
        ("cifar-10", "did you mean cifar10"),
        ("cifar_10", "did you mean cifar10"),
        ("Bad Name!", "'Bad Name!'"),
        ("", "''"),
        ("cifar10:9.9.9", "'cifar10:9.9.9'"),
        ("mnist/qqq", "'mnist/qqq'"),
    )
    def test_name_that_is_none(self, name, pattern):
        self.assertRefused(pattern, self.load, name)

    def test_tfds_is_not_installed(self):
        with mock.patch.dict("sys.modules", tensorflow_datasets=None):
            pattern = "'cifar10' needs tensorflow-datasets"
            self.assertRefused(pattern, loaders.load, "cifar10")

    @parameterized.parameters(
        (lambda path: path.unlink(), "such file or directory"),
        (lambda path: os.truncate(path, 700), "truncated record"),
        (lambda path: os.truncate(path, 0), "only 0 elements"),
        (lambda path: flip_bit(path, 700), "corrupted record"),
    )
    def test_damaged_files(self, damage, reason):
        self.prepare("tiny_gray")
        (path,) = self.dir.glob("tiny_gray/*/*-train.tfrecord*")
        damage(path)
        self.assertRefused(
            f"tiny_gray/1.0.0 .*{reason}.*delete .*prepare",
            self.load,
            "tiny_gray",
        )


def flip_bit(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


# Mean and population standard deviation of pixels / 255: data README.
FIGURES = {
    ("cifar10", "train"): (
        50_000,
        [0.49140, 0.48216, 0.44653],
        [0.24703, 0.24349, 0.26159],
    ),
    ("cifar10", "test"): (
        10_000,
        [0.49421, 0.48513, 0.45041],
        [0.24665, 0.24289, 0.26159],
    ),
    ("fashion_mnist", "train"): (60_000, [0.28604], [0.35302]),
    ("fashion_mnist", "test"): (10_000, [0.28685], [0.35244]),
}


class RealDataTest(parameterized.TestCase, tf.test.TestCase):
    def load(self, name, pool):
        if not (REAL / name).is_dir():
            self.skipTest(f"{name} is not prepared in {REAL}")
        return loaders.load(name, data_dir=str(REAL), pool=pool)

    def check(self, name, part, images, labels):
        count, mean, std = FIGURES[name, part]
        self.assertLen(images, count)
        self.assertAllEqual(np.bincount(labels), [count // 10] * 10)
        self.assertLen({image.tobytes() for image in images}, count)
        for channel in range(images.shape[3]):
            counts = np.bincount(images[..., channel].ravel(), minlength=256)
            shares = counts / counts.sum()
            values = np.arange(256) / 255
            average = shares @ values
            # The README gives five decimals.
            self.assertNear(average, mean[channel], 6e-6)
            spread = np.sqrt(shares @ (values - average) ** 2)
            self.assertNear(spread, std[channel], 6e-6)

    @parameterized.parameters("cifar10", "fashion_mnist")
    def test_test_records(self, name):
        data = self.load(name, "test")
        self.check(name, "test", data.images, data.labels)
        self.assertAllEqual(data.origin, np.ones(10_000))

    @slow_tests.slow
    @parameterized.parameters("cifar10", "fashion_mnist")
    def test_all_records(self, name):
        data = self.load(name, "all")
        for code, part in enumerate(("train", "test")):
            chosen = data.origin == code
            self.check(name, part, data.images[chosen], data.labels[chosen])
        again = self.load(name, "all")
        self.assertEqual(data.fingerprint(), again.fingerprint())

    def test_order_and_labels_are_those_of_the_file(self):
        data = self.load("cifar10", "test")
        (path,) = REAL.glob("cifar10/*/cifar10-test.tfrecord-00000-of-00001")
        for row, record in enumerate(first_records(path, 30)):
            values = tf.train.Example.FromString(record).features.feature
            png = io.BytesIO(values["image"].bytes_list.value[0])
            self.assertAllEqual(data.images[row], np.asarray(Image.open(png)))
            self.assertEqual(
                data.labels[row], values["label"].int64_list.value[0]
            )


def first_records(path, count):
    """Reads TFRecords without TensorFlow: length, crc, data, crc."""
    with path.open("rb") as file:
        for _ in range(count):
            (length,) = struct.unpack("<Q", file.read(8))
            yield file.read(4 + length + 4)[4:-4]


if __name__ == "__main__":
    tf.test.main()
