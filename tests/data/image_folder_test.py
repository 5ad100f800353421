"""Tests of data sets from a folder of class folders."""

import contextlib
import io
import os
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from qmia_tf.data import loaders
from qmia_tf.errors import InputError


class FolderTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.rng = np.random.default_rng(0)

    def write(self, name, shape=(5, 4, 3), mode=None):
        """Writes a noise image and gives its pixels."""
        pixels = self.rng.integers(0, 256, shape, np.uint8)
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels)
        (image.convert(mode) if mode else image).save(path)
        return pixels

    def load(self, pool="all"):
        return loaders.load(str(self.dir), pool=pool)

    def test_classes_and_files_in_the_order_of_their_names(self):
        names = ["dog/b.png", "cat/10.BMP", "dog/a.png", "cat/9.png"]
        pixels = {name: self.write(name) for name in names}
        data = self.load()
        self.assertEqual(data.class_names, ("cat", "dog"))
        self.assertAllEqual(data.labels, [0, 0, 1, 1])
        self.assertAllEqual(
            data.images, np.stack([pixels[name] for name in sorted(names)])
        )
        self.assertAllEqual(data.origin, [0, 0, 0, 0])

    def test_relative_folder(self):
        self.write("cat/1.png")
        old = os.getcwd()
        self.addCleanup(os.chdir, old)
        os.chdir(self.dir.parent)
        data = loaders.load(f"./{self.dir.name}")
        self.assertEqual(data.name, f"./{self.dir.name}")

    def test_gray(self):
        pixels = self.write("a/1.png", (7, 3))
        self.assertAllEqual(self.load().images, pixels[np.newaxis, ..., None])

    def test_palette_is_read_as_rgb(self):
        self.write("a/1.png", mode="P")
        with Image.open(self.dir / "a/1.png") as image:
            self.assertEqual(image.mode, "P")
            colours = np.reshape(image.getpalette(), (-1, 3))
            expected = colours[np.asarray(image)]
        self.assertAllEqual(self.load().images[0], expected)

    def test_jpeg(self):
        self.write("a/1.jpg", (16, 16))
        self.assertEqual(self.load().images.shape, (1, 16, 16, 1))

    @parameterized.parameters(
        ("all", [0, 2, 1, 2], [0, 0, 1, 1]),
        ("train", [0, 2], [0, 0]),
        ("test", [1, 2], [1, 1]),
    )
    def test_pools_keep_the_classes(self, pool, labels, origin):
        for name in ("train/ant", "train/cow", "test/bee", "test/cow"):
            self.write(f"{name}/1.png")
        data = self.load(pool)
        self.assertEqual(data.class_names, ("ant", "bee", "cow"))
        self.assertAllEqual(data.labels, labels)
        self.assertAllEqual(data.origin, origin)

    def test_pool_that_is_not_there(self):
        self.write("cat/1.png")
        with self.assertRaisesRegex(InputError, "has no test records"):
            self.load("test")

    def test_hidden_files_are_passed_over(self):
        self.write("a/1.png")
        (self.dir / ".DS_Store").write_text("")
        (self.dir / "a" / ".thumbnail").write_text("")
        self.assertLen(self.load().labels, 1)

    def test_short_load_is_silent(self):
        self.write("a/1.png")
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self.load()
        self.assertEmpty(stderr.getvalue())

    @parameterized.named_parameters(
        ("text", b"not an image"),
        ("empty", b""),
        ("cut_off", None),
    )
    def test_unreadable_image_is_named(self, data):
        self.write("a/1.png", (30, 30))
        self.write("a/2.png", (30, 30))
        bad = self.dir / "a" / "2.png"
        bad.write_bytes(bad.read_bytes()[:200] if data is None else data)
        with self.assertRaisesRegex(InputError, r"a/2\.png is not a readable"):
            self.load()

    @parameterized.named_parameters(
        ("size", (4, 5, 3), r"5x4 RGB but .*a/1\.png is 4x5 RGB"),
        ("gray", (5, 4), r"4x5 gray but .*a/1\.png is 4x5 RGB"),
    )
    def test_different_image_is_named(self, shape, message):
        self.write("a/1.png")
        self.write("b/2.png", shape)
        with self.assertRaisesRegex(InputError, rf"b/2\.png is {message}"):
            self.load()

    @parameterized.parameters("RGBA", "LA", "I;16")
    def test_other_pixels_are_named(self, mode):
        if mode == "I;16":
            (self.dir / "a").mkdir()
            deep = np.zeros((5, 4), np.uint16)
            Image.fromarray(deep).save(self.dir / "a/1.png")
        else:
            self.write("a/1.png", mode=mode)
        with self.assertRaisesRegex(InputError, r"a/1\.png has pixels of mode"):
            self.load()

    def test_different_sizes_of_train_and_test(self):
        self.write("train/a/1.png")
        self.write("test/a/1.png", (9, 9, 3))
        with self.assertRaisesRegex(InputError, "train and test differ in sh"):
            self.load()

    @parameterized.named_parameters(
        ("nothing", [], "has no class folders"),
        ("empty_class", ["a/1.png", "b/"], "class folder .*b is empty"),
        ("other_file", ["a/1.png", "a/2.gif"], r"2\.gif is not one of"),
        ("loose_file", ["a/1.png", "2.png"], r"2\.png lies outside"),
        ("beside_train", ["train/a/1.png", "val/a/1.png"], "but it has val"),
        ("train_is_a_file", ["train"], "cannot read .*train: Not a dir"),
    )
    def test_layout(self, names, message):
        for name in names:
            if name.endswith(".png"):
                self.write(name)
            elif name.endswith("/"):
                (self.dir / name).mkdir()
            else:
                (self.dir / name).write_bytes(b"")
        with self.assertRaisesRegex(InputError, message):
            self.load()


if __name__ == "__main__":
    tf.test.main()
