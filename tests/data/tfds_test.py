"""Tests of TFDS data sets: small ones made here, and the real ones."""

import contextlib
import io
import os
import pathlib
import socket
import struct
from unittest import mock

import numpy as np
import slow_tests
import tensorflow as tf
import tensorflow_datasets as tfds
from absl.testing import parameterized
from PIL import Image

from qmia_tf.data import loaders
from qmia_tf.data.loaders import tfds as tfds_data
from qmia_tf.errors import InputError

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
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=self.SHAPE),
                    "label": tfds.features.ClassLabel(names=["even", "odd"]),
                }
            ),
            supervised_keys=("image", "label"),
        )

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
    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(num_classes=2),
                }
            ),
            supervised_keys=("text", "label"),
        )


class TinyDetection(TinyGray):
    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image()}
            ),
        )


class TfdsTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = self.create_tempdir().full_path

    def prepare(self, name, pool="all"):
        with contextlib.redirect_stderr(io.StringIO()):
            with contextlib.redirect_stdout(io.StringIO()):
                return loaders.load(
                    name, data_dir=self.dir, download=True, pool=pool
                )

    @parameterized.parameters(
        ("all", 18, [0] * 12 + [1] * 6),
        ("train", 12, [0] * 12),
        ("test", 6, [1] * 6),
    )
    def test_prepares_once_and_reads(self, pool, count, origin):
        self.prepare("tiny_gray", pool)
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            data = loaders.load("tiny_gray", data_dir=self.dir, pool=pool)
        self.assertEmpty(stderr.getvalue())
        self.assertEqual(data.images.shape, (count, 5, 4, 1))
        self.assertEqual(data.images.dtype, np.uint8)
        self.assertEqual(data.labels.dtype, np.int64)
        self.assertAllEqual(data.origin, origin)
        self.assertEqual(data.class_names, ("even", "odd"))
        # The image carries its number, and its label a second time.
        self.assertAllEqual(
            data.images,
            np.broadcast_to(data.images[:, :1, :1], data.images.shape),
        )
        self.assertAllEqual(data.images[:, 0, 0, 0] // 16, data.labels)
        for part, records in ((0, range(12)), (1, range(6))):
            numbers = data.images[data.origin == part, 0, 0, 0] % 16
            expected = [] if part not in origin else list(records)
            self.assertEqual(sorted(numbers.tolist()), expected)

    def test_order_of_several_files_is_always_the_same(self):
        with contextlib.redirect_stderr(io.StringIO()):
            tfds.builder("tiny_gray", data_dir=self.dir).download_and_prepare(
                download_config=tfds.download.DownloadConfig(num_shards=4)
            )
        loads = [loaders.load("tiny_gray", data_dir=self.dir) for _ in "12345"]
        self.assertLen({data.fingerprint() for data in loads}, 1)

    @parameterized.parameters(
        ("train", range(12)),
        ("test", range(6)),
        ("train[:5]", None),
        ("train[5:]+test", None),
    )
    def test_one_split(self, split, records):
        self.prepare("tiny_gray")
        images, labels, names = tfds_data.load_split(
            "tiny_gray", split, data_dir=self.dir
        )
        self.assertEqual(names, ("even", "odd"))
        self.assertAllEqual(images[:, 0, 0, 0] // 16, labels)
        numbers = (images[:, 0, 0, 0] % 16).tolist()
        if records is not None:
            self.assertEqual(sorted(numbers), list(records))
        whole, _, _ = tfds_data.load_split(
            "tiny_gray", "train+test", data_dir=self.dir
        )
        part = {"train[:5]": whole[:5], "train[5:]+test": whole[5:]}
        self.assertAllEqual(images, part.get(split, images))

    @parameterized.parameters(
        ("valid", "has no split 'valid': it has .*train"),
        ("train[3:1]", "'train.3:1.' of 'tiny_gray' has no records"),
        ("train[x]", "has no split 'train.x.'"),
    )
    def test_no_such_split(self, split, pattern):
        self.prepare("tiny_gray")
        with self.assertRaisesRegex(InputError, pattern):
            tfds_data.load_split("tiny_gray", split, data_dir=self.dir)

    def test_a_split_that_is_not_prepared(self):
        with self.assertRaisesRegex(InputError, "'tiny_gray' is not prepared"):
            tfds_data.load_split("tiny_gray", "train", data_dir=self.dir)

    def test_data_dir_from_the_environment(self):
        self.prepare("tiny_gray")
        with mock.patch.dict(os.environ, TFDS_DATA_DIR=self.dir):
            self.assertLen(loaders.load("tiny_gray").labels, 18)

    def test_data_dir_in_the_home_folder(self):
        self.prepare("tiny_gray")
        home, folder = os.path.split(self.dir)
        with mock.patch.dict(os.environ, HOME=home):
            data = loaders.load("tiny_gray", data_dir=f"~/{folder}")
        self.assertLen(data.labels, 18)

    def test_validation_stands_in_for_test(self):
        data = self.prepare("tiny_validation")
        self.assertAllEqual(data.origin, [0, 0, 0, 0, 1, 1])

    def test_images_of_different_sizes(self):
        with self.assertRaisesRegex(InputError, "'tiny_mixed_sizes' differ in"):
            self.prepare("tiny_mixed_sizes")
        with self.assertRaisesRegex(InputError, "no test records"):
            self.prepare("tiny_mixed_sizes", "test")

    @parameterized.parameters("tiny_text", "tiny_detection")
    def test_no_images_with_labels(self, name):
        with self.assertRaisesRegex(InputError, f"'{name}' is not made of ima"):
            self.prepare(name)
        self.assertEmpty(os.listdir(self.dir))

    @parameterized.parameters("cifar10", "mnist", "tiny_remote")
    def test_not_prepared_and_no_download(self, name):
        down = AssertionError("the network was touched")
        with (
            mock.patch.object(socket, "getaddrinfo", side_effect=down),
            mock.patch.object(socket.socket, "connect", side_effect=down),
            self.assertRaisesRegex(
                InputError,
                f"'{name}' is not prepared in {self.dir}/{name}/.*--download",
            ),
        ):
            loaders.load(name, data_dir=self.dir)
        self.assertEmpty(os.listdir(self.dir))

    def test_no_network(self):
        with self.assertRaisesRegex(
            InputError, "cannot reach 127.0.0.1 to download 'tiny_remote'"
        ):
            self.prepare("tiny_remote")
        self.assertEmpty(os.listdir(self.dir))

    def test_data_that_is_downloaded_by_hand_needs_no_network(self):
        self.assertLen(self.prepare("tiny_manual").labels, 18)

    def test_archives_that_are_there_need_no_network(self):
        downloads = pathlib.Path(self.dir, "downloads")
        downloads.mkdir()
        (downloads / "archive.zip.INFO").write_text(f'{{"urls": ["{CLOSED}"]}}')
        self.assertLen(self.prepare("tiny_remote").labels, 18)

    def test_preparation_that_fails(self):
        with self.assertRaises(InputError) as caught:
            self.prepare("tiny_broken")
        message = str(caught.exception)
        self.assertIn("could not download and prepare 'tiny_broken'", message)
        self.assertIn("the archive has moved", message)
        self.assertNotIn("\n", message)

    def test_unknown_name(self):
        with self.assertRaisesRegex(
            InputError, r"no data set 'fashon_mnist' \(did you mean fashion_mni"
        ):
            loaders.load("fashon_mnist", data_dir=self.dir)
        with self.assertRaisesRegex(InputError, "no data set 'qqq/x': give"):
            loaders.load("qqq/x", data_dir=self.dir)

    @parameterized.parameters("CIFAR10", "cifar-10", "cifar_10")
    def test_other_spelling(self, name):
        with self.assertRaisesRegex(InputError, r"did you mean cifar10"):
            loaders.load(name, data_dir=self.dir)

    @parameterized.parameters("Bad Name!", "", "cifar10:9.9.9", "mnist/qqq")
    def test_name_that_tfds_refuses(self, name):
        with self.assertRaisesRegex(InputError, f"'{name}'") as caught:
            loaders.load(name, data_dir=self.dir)
        self.assertNotIn("\n", str(caught.exception))

    def test_tfds_is_not_installed(self):
        with mock.patch.dict("sys.modules", tensorflow_datasets=None):
            with self.assertRaisesRegex(InputError, "needs tensorflow-dataset"):
                loaders.load("cifar10")

    @parameterized.named_parameters(
        ("missing", lambda path: path.unlink(), "such file or directory"),
        ("cut_off", lambda path: os.truncate(path, 700), "truncated record"),
        ("emptied", lambda path: os.truncate(path, 0), "only 0 elements"),
        ("flipped", lambda path: flip_bit(path, 700), "corrupted record"),
    )
    def test_damaged_files(self, damage, reason):
        self.prepare("tiny_gray")
        (path,) = pathlib.Path(self.dir).glob("tiny_gray/*/*-train.tfrecord*")
        damage(path)
        with self.assertRaisesRegex(
            InputError, f"tiny_gray/1.0.0 .*{reason}.*delete .*prepare"
        ):
            loaders.load("tiny_gray", data_dir=self.dir)


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
