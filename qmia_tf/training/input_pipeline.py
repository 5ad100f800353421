"""Members as training batches: shuffled, cropped, flipped, all seeded.

Every epoch is a function of (seed, epoch) alone, so a run that was killed
can repeat it exactly.
"""

import numpy as np
import tensorflow as tf

from qmia_tf.training.recipes import Recipe


def epoch_batches(
    images: tf.Tensor, labels: tf.Tensor, *, recipe: Recipe, seed: int, epoch
) -> tf.data.Dataset:
    """Gives one epoch of training batches.

    Args:
        images: uint8 [N, height, width, channels].
        labels: int [N].
        recipe: batch_size, crop_padding and flip are used.
        seed: >= 0.
        epoch: int >= 0.
    Returns: pairs of float32 [B, height, width, channels] in [0, 1] and
        labels [B]; the last batch may be smaller.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(labels))
    batches = tf.data.Dataset.from_tensor_slices(order)
    batches = batches.batch(recipe.batch_size).enumerate()

    def load(step, records):
        batch = tf.gather(images, records)
        key = tf.stack([seed, epoch * 2**32 + step])
        batch = augment(
            batch, key, crop_padding=recipe.crop_padding, flip=recipe.flip
        )
        return tf.cast(batch, tf.float32) / 255.0, tf.gather(labels, records)

    # There is nothing to tune, and the thread that tunes sleeps for up to a
    # minute, for which whoever drops the iterator can have to wait.
    fixed = tf.data.Options()
    fixed.autotune.enabled = False
    batches = batches.map(load, num_parallel_calls=2).prefetch(4)
    return batches.with_options(fixed)


def augment(
    images: tf.Tensor, key: tf.Tensor, *, crop_padding: int, flip: bool
) -> tf.Tensor:
    """Shifts and mirrors each image of a batch on its own, without a loop.

    Args:
        images: [B, height, width, channels].
        key: int64 [2], decides the shifts and flips.
        crop_padding: p >= 0; each image is moved by up to p pixels in both
            directions, black coming in from outside.
        flip: mirrors every second image or so, left to right.
    """
    if not crop_padding and not flip:
        return images
    batch = tf.shape(images)[0]
    height, width = images.shape[1], images.shape[2]
    pad = [crop_padding, crop_padding]
    images = tf.pad(images, [[0, 0], pad, pad, [0, 0]])
    shifts = tf.random.stateless_uniform(
        [batch, 2], key, 0, 2 * crop_padding + 1, tf.int32
    )
    rows = shifts[:, :1] + tf.range(height)
    columns = shifts[:, 1:] + tf.range(width)
    if flip:
        coin = tf.random.experimental.stateless_fold_in(key, 1)
        mirrored = tf.random.stateless_uniform([batch, 1], coin) < 0.5
        columns = tf.where(mirrored, columns[:, ::-1], columns)
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)
