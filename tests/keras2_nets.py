"""Small tf_keras (Keras 2) networks for 8x8 images of three channels."""

import pathlib
import shutil
import tempfile
import warnings

import numpy as np
import tensorflow as tf
import tf_keras
import tiny_models
from absl.testing import parameterized
from tf_keras import layers

from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.errors import InputError
from qmia_tf.targets import listing
from qmia_tf.targets.model_options import ModelOptions

SHAPE = (8, 8, 3)


def sequence(*front, ending="softmax", classes=4):
    """Layers in front of a dense layer."""
    return tf_keras.Sequential(
        [
            layers.InputLayer(SHAPE),
            *front,
            layers.Flatten(),
            layers.Dense(classes, ending, name="last"),
        ]
    )


def bytes_in(**options):
    """Takes 0 to 255."""
    return sequence(layers.Rescaling(1 / 255, name="scale"), **options)


def adapted(axis=-1):
    """Normalization that has seen pixels."""
    layer = layers.Normalization(axis)
    layer.adapt(tiny_models.images(9, shape=SHAPE).astype(np.float32))
    return sequence(layer)


def nested():
    """Rescaling and softmax each inside a model of their own."""
    pixels = tf_keras.Input(SHAPE)
    front = [layers.RandomFlip(), layers.Rescaling(1 / 127.5, -1)]
    x = sequence(ending="linear")(tf_keras.Sequential(front)(pixels))
    x = tf_keras.Sequential([layers.Softmax()])(x)
    return tf_keras.Model(pixels, x)


def shared():
    """A layer used twice, two branches, TensorFlow's own softmax."""
    pixels = tf_keras.Input(SHAPE)
    conv = layers.Conv2D(3, 3, padding="same")
    x = conv(conv(layers.Rescaling(1 / 255)(pixels)))
    x = layers.concatenate(
        [layers.Flatten()(x), layers.GlobalAveragePooling2D()(x)]
    )
    return tf_keras.Model(pixels, layers.Dense(4, tf.nn.softmax)(x))


def operations():
    """Operations on tensors, which become layers of their own."""
    pixels = tf_keras.Input(SHAPE)
    x = pixels / 127.5 - 1.0
    x = tf.nn.relu(tf.concat([x, -x], -1))[:, 1:, :, ::2]
    x = tf.reduce_mean(x * 3.0 + tf.cast(x > 0.5, "float32"), [1, 2])
    return tf_keras.Model(pixels, layers.Dense(4, "softmax")(x))


def save(model, path):
    """Saves a model without the warning that .h5 is old; gives the path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.save(path)
    return path


class Opened(parameterized.TestCase, tf.test.TestCase):
    """Opens targets; a folder for the files of a class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.pixels = tiny_models.images(5, seed=4, shape=SHAPE)

    def open(self, source, options=ModelOptions(), *, values=None):  # noqa: B008
        is_images = values is None
        values = self.pixels if is_images else values
        numbers = RecordNumbers.of(values, is_images=is_images)
        return listing.list_model("m", source, options, numbers=numbers).open()

    def assertNotOpened(self, pattern, source, options=ModelOptions()):  # noqa: B008
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.open(source, options)
        self.assertNotIn("\n", str(caught.exception))
