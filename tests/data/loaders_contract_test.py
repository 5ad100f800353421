"""What every loader promises, each format held to the same tests."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
from unittest import mock

import folders
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from absl.testing import parameterized
from PIL import Image

from qmia_tf.data import loaders
from qmia_tf.data.loaders import Loader
from qmia_tf.data.loaders import tfds as tfds_loader
from qmia_tf.data.sides import Side
from qmia_tf.registry import Registry

NAMES = tuple("abcd")
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 7, 9, 3), np.uint8)
# Class d is among the test records alone.
LABELS = np.array([0, 1, 2, 0, 1, 2, 3, 0])
PARTS = {"train": slice(0, 6), "test": slice(6, 8)}


class LoaderContract(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(7, 9, 3)),
            "label": tfds.features.ClassLabel(names=list(NAMES)),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {part: self._generate_examples(part) for part in PARTS}

    def _generate_examples(self, part):
        chosen = PARTS[part]
        for row in range(chosen.start, chosen.stop):
            yield row, {"image": IMAGES[row], "label": LABELS[row]}


def write_npz(folder, parts=PARTS):
    arrays = {"class_names": np.array(NAMES)}
    for part, rows in parts.items():
        prefix = "test_" if part == "test" else ""
        arrays[f"{prefix}images"] = IMAGES[rows]
        arrays[f"{prefix}labels"] = LABELS[rows]
    np.savez(folder / "x.npz", **arrays)
    return str(folder / "x.npz")


def write_folder(folder, parts=PARTS):
    for part, rows in parts.items():
        for row in range(rows.start, rows.stop):
            root = folder / part if len(parts) > 1 else folder
            path = root / NAMES[LABELS[row]] / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(IMAGES[row]).save(path)
    return str(folder)


def write_npy(folder):
    np.save(folder / "x.npy", IMAGES)
    np.save(folder / "y.npy", LABELS[:, None].astype(np.uint8))
    return f"{folder / 'x.npy'}:{folder / 'y.npy'}"


DATASETS = {
    "npz": write_npz,
    "image_folder": write_folder,
    "tfds": lambda folder: "loader_contract",
}
EVERYTHING = {"train": slice(0, 8)}
# Of one side; whether the order of the classes is known, and their names.
SIDES = {
    "npz": (lambda folder: write_npz(folder, EVERYTHING), True, NAMES),
    "image_folder": (lambda f: write_folder(f, EVERYTHING), False, NAMES),
    "npy": (write_npy, True, None),
    "arrays": (lambda folder: (IMAGES, LABELS), True, None),
    "tfds": (lambda folder: "tfds:loader_contract:train+test", True, NAMES),
}


def by_image(images, labels):
    return dict(zip(map(bytes, images), labels, strict=True))


class Prepared(folders.Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data_dir = cls.enterClassContext(tfds.testing.tmp_dir())
        with (
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            loaders.load(
                "loader_contract", data_dir=cls.data_dir, download=True
            )


class DatasetsTest(Prepared):
    @parameterized.product(kind=[*DATASETS], pool=("all", "train", "test"))
    def test_pools_keep_the_classes(self, kind, pool):
        name = DATASETS[kind](self.dir)
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            data = loaders.load(name, data_dir=self.data_dir, pool=pool)
        self.assertEmpty(stderr.getvalue())
        self.assertEqual((data.name, data.class_names), (name, NAMES))
        self.assertEqual(data.image_shape, (7, 9, 3))
        self.assertEqual((data.images.dtype, data.labels.dtype),
                         (np.uint8, np.int64))  # fmt: skip
        for code, (part, rows) in enumerate(PARTS.items()):
            expected = by_image(IMAGES[rows], LABELS[rows])
            own = data.origin == code
            self.assertEqual(
                by_image(data.images[own], data.labels[own]),
                expected if pool in (part, "all") else {},
            )
        again = loaders.load(name, data_dir=self.data_dir, pool=pool)
        self.assertEqual(again.fingerprint(), data.fingerprint())

    @parameterized.parameters(
        ("npz", write_npz), ("image_folder", write_folder), ("digits", None)
    )
    def test_a_pool_without_a_part(self, kind, write):
        name = write(self.dir, EVERYTHING) if write else kind
        self.assertRefused(
            "has no test records, only .'train'.: choose another --pool",
            loaders.load,
            name,
            pool="test",
        )
        data = loaders.load(name, pool="train")
        self.assertAllEqual(data.origin, np.zeros(len(data.labels)))

    @parameterized.parameters("./missing", "/missing/folder", "~/missing")
    def test_missing_folder(self, name):
        self.assertRefused("no folder .*missing", loaders.load, name)
        self.assertFalse(loaders.is_published(name))

    def test_unknown_pool(self):
        self.assertRefused(
            "pool must be one of.*'val'", loaders.load, "digits", pool="val"
        )

    def test_paths(self):
        (self.dir / "photos").mkdir()
        write_folder(self.dir / "photos", EVERYTHING)
        write_npz(self.dir)
        with mock.patch.dict(os.environ, HOME=str(self.dir)):
            self.assertLen(loaders.load("~/x.npz").labels, 8)
        with contextlib.chdir(self.dir):
            self.assertEqual(loaders.load("./photos").name, "./photos")

    @parameterized.parameters(
        ("digits", True), ("cifar10", True), ("emnist/letters", True),
        ("x.npz", False), ("./photos", False), ("/photos", False),
    )  # fmt: skip
    def test_published(self, name, expected):
        self.assertIs(loaders.is_published(name), expected)

    def test_digits_need_no_tensorflow(self):
        code = (
            "import sys; from qmia_tf.data import loaders; "
            "loaders.load('digits'); "
            "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class SidesTest(Prepared):
    @parameterized.parameters(*SIDES)
    def test_records_and_labels(self, kind):
        write, ordered, names = SIDES[kind]
        source = write(self.dir)
        side = loaders.load_side(source, data_dir=self.data_dir)
        self.assertEqual(
            by_image(side.values, side.labels), by_image(IMAGES, LABELS)
        )
        self.assertEqual((side.labels.dtype, side.ordered, side.class_names),
                         (np.int64, ordered, names))  # fmt: skip
        self.assertStartsWith(side.taken, "8 x 7x9x3 uint8 (")
        values = loaders.load_values(source, data_dir=self.data_dir)
        self.assertAllEqual(values, side.values)
        self.assertIs(loaders.is_published_side(source), kind == "tfds")

    def test_values_without_labels(self):
        np.savez(self.dir / "v.npz", x=IMAGES)
        np.save(self.dir / "v.npy", IMAGES)
        for source in (IMAGES, self.dir / "v.npz", str(self.dir / "v.npy")):
            self.assertAllEqual(loaders.load_values(source), IMAGES)

    def test_a_bare_folder_is_a_source_and_not_published(self):
        """As a data set a bare name is one of TFDS."""
        (self.dir / "photos").mkdir()
        write_folder(self.dir / "photos", EVERYTHING)
        with contextlib.chdir(self.dir):
            self.assertLen(loaders.load_side("photos").labels, 8)
            self.assertFalse(loaders.is_published_side("photos"))

    @parameterized.parameters(
        ("tfds:cifar10:train[:5000]", "cifar10", "train[:5000]"),
        ("tfds:cifar10:3.0.2:train[10%:20%]", "cifar10:3.0.2",
         "train[10%:20%]"),
        ("tfds:emnist/letters:test", "emnist/letters", "test"),
    )  # fmt: skip
    def test_tfds(self, text, name, split):
        loaded = IMAGES, LABELS, NAMES
        with mock.patch.object(
            tfds_loader, "load_split", return_value=loaded
        ) as load:
            side = loaders.load_side(text, data_dir="there", download=True)
        load.assert_called_once_with(
            name, split, data_dir="there", download=True
        )
        self.assertEqual(side.name, name)

    @parameterized.parameters("tfds:cifar10", "tfds:", "tfds:cifar10:train[:5")
    def test_bad_tfds(self, text):
        self.assertRefused("not tfds:NAME:SPLIT", loaders.load_side, text)

    @parameterized.parameters(
        ("data/train.npz", "train"), ("data/x.npy:data/y.npy", "x"),
        ("photos/train/", "train"), ("arrays", "arrays"),
    )  # fmt: skip
    def test_name(self, source, name):
        side = Side(source, None, None, None, True, "")
        self.assertEqual(side.name, name)

    def test_a_path_that_is_none_of_these(self):
        (self.dir / "notes.txt").write_text("hello")
        for pattern, source in (
            ("notes.txt is none of an .npz", self.dir / "notes.txt"),
            ("gone is not there; give an .npz", self.dir / "gone"),
            ("pairs .values, labels., got int", 7),
        ):
            self.assertRefused(pattern, loaders.load_side, source)


class RegistryTest(folders.Folder):
    def test_one_registration_adds_a_format(self):
        side = Side("x.zarr", IMAGES, LABELS, None, True, "")
        loader = Loader(
            is_side=lambda source: pathlib.Path(str(source)).suffix == ".zarr",
            load_side=lambda source, data_dir, download: side,
        )
        registry = Registry("record loader", dict(loaders.LOADERS.items()))
        self.enter_context(mock.patch.object(loaders, "LOADERS", registry))
        registry.register("zarr", loader)
        self.assertIs(loaders.load_side("x.zarr"), side)
        self.assertAllEqual(loaders.load_values("x.zarr"), IMAGES)


if __name__ == "__main__":
    tf.test.main()
