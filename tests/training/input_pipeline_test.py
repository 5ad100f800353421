"""Tests of the training batches: everybody once, seeded, really augmented."""

import collections

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.training import recipes
from qmia_tf.training.input_pipeline import augment, epoch_batches

HEIGHT, WIDTH = 6, 5


def some_images(count, *, channels=1):
    """Random pixels, none of them black: no two crops look alike."""
    rng = np.random.default_rng(count)
    shape = (count, HEIGHT, WIDTH, channels)
    return rng.integers(1, 256, shape, np.uint8)


def a_recipe(**fields):
    return recipes.Recipe(
        name="tests",
        dataset="digits",
        epochs=2,
        batch_size=16,
        optimizer="sgd",
        learning_rate=0.1,
        **fields,
    )


def one_epoch(images, *, seed=0, epoch=0, **fields):
    """The pixels and the labels of each batch; a label is the record."""
    batches = epoch_batches(
        tf.constant(images),
        tf.range(len(images)),
        recipe=a_recipe(**fields),
        seed=seed,
        epoch=epoch,
    )
    return [(x.numpy(), y.numpy()) for x, y in batches]


def joined(batches):
    pixels, records = zip(*batches, strict=True)
    return np.concatenate(pixels), np.concatenate(records)


def candidates(image, padding):
    """Every crop of a padded image, pixel by pixel: (row, column, flip)."""
    height, width, _ = image.shape
    crops = {}
    for down in range(-padding, padding + 1):
        for right in range(-padding, padding + 1):
            moved = np.zeros_like(image)
            for row in range(height):
                for column in range(width):
                    source = row + down, column + right
                    if 0 <= source[0] < height and 0 <= source[1] < width:
                        moved[row, column] = image[source]
            crops[down, right, False] = moved
            crops[down, right, True] = np.fliplr(moved)
    return crops


def changes(images, pixels, records, padding):
    """Which crop each augmented image is; fails if it is none or several."""
    applied = []
    for values, record in zip(pixels, records, strict=True):
        codes = np.rint(values * 255).astype(np.uint8)
        hits = [
            change
            for change, crop in candidates(images[record], padding).items()
            if np.array_equal(codes, crop)
        ]
        if len(hits) != 1:
            raise AssertionError(f"record {record} is {len(hits)} crops")
        applied += hits
    return applied


class EpochTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        count=(1, 15, 16, 17, 50), augmented=(False, True), epoch=(0, 3)
    )
    def test_every_member_exactly_once(self, count, augmented, epoch):
        batches = one_epoch(
            some_images(count),
            epoch=epoch,
            crop_padding=2 * augmented,
            flip=augmented,
        )
        _, records = joined(batches)
        self.assertAllEqual(np.sort(records), np.arange(count))
        sizes = [len(labels) for _, labels in batches]
        full, rest = divmod(count, 16)
        self.assertEqual(sizes, [16] * full + [rest] * (rest > 0))

    @parameterized.parameters(1, 3)
    def test_values_are_pixels_over_255_without_augmentation(self, channels):
        images = some_images(50, channels=channels)
        pixels, records = joined(one_epoch(images))
        self.assertEqual(pixels.dtype, np.float32)
        # One float32 division, rounded once: equal in every bit.
        expected = np.divide(images[records], 255, dtype=np.float32)
        self.assertAllEqual(pixels, expected)

    def test_seed_and_epoch_decide_everything(self):
        images = some_images(50)
        fields = {"crop_padding": 2, "flip": True}
        first = one_epoch(images, seed=3, epoch=2, **fields)
        tf.random.set_seed(99)
        np.random.seed(99)
        one_epoch(images, seed=3, epoch=0, **fields)
        again = one_epoch(images, seed=3, epoch=2, **fields)
        for ours, theirs in zip(first, again, strict=True):
            self.assertAllEqual(ours[0], theirs[0])
            self.assertAllEqual(ours[1], theirs[1])

    @parameterized.parameters((0, 1), (1, 0), (2**31, 0), (2**32 - 1, 500))
    def test_other_seed_or_epoch_gives_other_order_and_crops(self, seed, epoch):
        images = some_images(50)
        epochs = []
        for key in ((0, 0), (seed, epoch)):
            pixels, records = joined(
                one_epoch(images, seed=key[0], epoch=key[1], crop_padding=2)
            )
            crops = changes(images, pixels, records, 2)
            epochs.append(
                (records.tolist(), dict(zip(records, crops, strict=True)))
            )
        self.assertNotEqual(epochs[0][0], epochs[1][0])
        moved = sum(
            epochs[0][1][record] != epochs[1][1][record] for record in range(50)
        )
        # Two of 25 shifts agree for 2 of 50 images on average.
        self.assertGreater(moved, 35)

    def test_no_two_batches_share_their_shifts(self):
        images = np.repeat(some_images(1), 64, axis=0)
        seen = {
            tuple(changes(images, pixels, records, 2))
            for seed, epoch in ((0, 0), (0, 1), (1, 0))
            for pixels, records in one_epoch(
                images, seed=seed, epoch=epoch, crop_padding=2
            )
        }
        self.assertLen(seen, 3 * 4)

    def test_no_thread_tunes_what_is_fixed(self):
        """One that does can keep whoever drops the batches for a minute."""
        batches = epoch_batches(
            tf.zeros([3, HEIGHT, WIDTH, 1], tf.uint8),
            tf.range(3),
            recipe=a_recipe(),
            seed=0,
            epoch=0,
        )
        self.assertIs(batches.options().autotune.enabled, False)


class AugmentTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        change=((1, False), (2, False), (0, True), (1, True), (2, True)),
        channels=(1, 3),
    )
    def test_every_image_is_one_of_its_crops(self, change, channels):
        padding, flip = change
        images = some_images(40, channels=channels)
        pixels, records = joined(
            one_epoch(images, crop_padding=padding, flip=flip)
        )
        applied = changes(images, pixels, records, padding)
        flips = {change[2] for change in applied}
        self.assertEqual(flips, {False, True} if flip else {False})
        if padding:
            self.assertGreater(len({change[:2] for change in applied}), 5)

    def test_shifts_and_flips_are_uniform_and_apart(self):
        images = np.repeat(some_images(1), 3600, axis=0)
        key = tf.constant([5, 7], tf.int64)
        moved = augment(tf.constant(images), key, crop_padding=1, flip=True)
        self.assertEqual(moved.dtype, tf.uint8)
        names = {
            crop.tobytes(): change
            for change, crop in candidates(images[0], 1).items()
        }
        counts = collections.Counter(
            names[image.tobytes()] for image in moved.numpy()
        )
        # 18 equally likely changes: 200 each, standard deviation 13.7.
        self.assertLen(counts, 18)
        self.assertBetween(min(counts.values()), 200 - 70, 200)
        self.assertBetween(max(counts.values()), 200, 200 + 70)

    def test_off_is_off(self):
        images = tf.constant(some_images(4))
        key = tf.constant([0, 0], tf.int64)
        same = augment(images, key, crop_padding=0, flip=False)
        self.assertIs(same, images)


if __name__ == "__main__":
    tf.test.main()
