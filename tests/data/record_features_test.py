"""The features of images, against loops."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data.record_features import image_features


class FeaturesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters((32, 32, 3), (28, 28, 1), (8, 8, 1), (7, 5, 2))
    def test_against_loops(self, height, width, channels):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (3, height, width, channels), np.uint8)
        features = image_features(images)
        self.assertAllEqual(features.shape, [3, 2 * channels + 18])
        for image, row in zip(images / 255, features, strict=True):
            grey = image.mean(axis=2)
            cells = [
                grey[
                    i * height // 4 : (i + 1) * height // 4,
                    j * width // 4 : (j + 1) * width // 4,
                ].mean()
                for i in range(4)
                for j in range(4)
            ]
            expected = [image[:, :, c].mean() for c in range(channels)]
            expected += [image[:, :, c].std() for c in range(channels)]
            expected += cells
            expected += [
                np.mean(abs(grey[1:] - grey[:-1])),
                np.mean(abs(grey[:, 1:] - grey[:, :-1])),
            ]
            self.assertAllClose(row, expected, atol=1e-12)

    def test_blocks_do_not_show(self):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (1100, 6, 6, 1), np.uint8)
        halves = [image_features(part) for part in (images[:7], images[7:])]
        self.assertAllEqual(image_features(images), np.concatenate(halves))

    def test_small_and_empty(self):
        self.assertAllEqual(
            image_features(np.zeros((0, 8, 8, 3), np.uint8)).shape, [0, 24]
        )
        self.assertAllEqual(
            image_features(np.zeros((2, 2, 3, 1), np.uint8)).shape, [2, 10]
        )

    def test_errors(self):
        for images in (np.zeros((1, 8, 8, 3)), np.zeros((8, 8), np.uint8)):
            with self.assertRaisesRegex(ValueError, "must be uint8"):
                image_features(images)


if __name__ == "__main__":
    tf.test.main()
