"""Tests of data sets from a folder of class folders."""

import folders
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from qmia_tf.data import loaders


class FolderTest(folders.Folder):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)

    def write(self, name, shape=(5, 4, 3), mode=None):
        """Writes a noise image and gives its pixels."""
        pixels = self.rng.integers(0, 256, shape, np.uint8)
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels)
        (image.convert(mode) if mode else image).save(path)
        return pixels

    def load(self):
        return loaders.load(str(self.dir))

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

    def test_hidden_files_are_passed_over(self):
        self.write("a/1.png")
        (self.dir / ".DS_Store").write_text("")
        (self.dir / "a" / ".thumbnail").write_text("")
        self.assertLen(self.load().labels, 1)

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
        self.assertRefused(r"a/2\.png is not a readable", self.load)

    @parameterized.named_parameters(
        ("size", (4, 5, 3), r"5x4 RGB but .*a/1\.png is 4x5 RGB"),
        ("gray", (5, 4), r"4x5 gray but .*a/1\.png is 4x5 RGB"),
    )
    def test_different_image_is_named(self, shape, message):
        self.write("a/1.png")
        self.write("b/2.png", shape)
        self.assertRefused(rf"b/2\.png is {message}", self.load)

    @parameterized.parameters("RGBA", "LA", "I;16")
    def test_other_pixels_are_named(self, mode):
        if mode == "I;16":
            (self.dir / "a").mkdir()
            deep = np.zeros((5, 4), np.uint16)
            Image.fromarray(deep).save(self.dir / "a/1.png")
        else:
            self.write("a/1.png", mode=mode)
        self.assertRefused(r"a/1\.png has pixels of mode", self.load)

    def test_different_sizes_of_train_and_test(self):
        self.write("train/a/1.png")
        self.write("test/a/1.png", (9, 9, 3))
        self.assertRefused("train and test differ in sh", self.load)

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
        self.assertRefused(message, self.load)


if __name__ == "__main__":
    tf.test.main()
