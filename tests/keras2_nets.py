"""Small tf_keras (Keras 2) networks for 8x8 images of three channels."""

import pathlib
import shutil
import tempfile
import warnings
import zipfile

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


def rewrite(path, edit):
    """Changes the files of an archive, name -> bytes, as `edit` does."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


class Opened(parameterized.TestCase, tf.test.TestCase):
    """Opens targets; a folder for the files of a class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.pixels = tiny_models.images(5, seed=4, shape=SHAPE)
        cls.floats = cls.pixels.astype(np.float32)
        cls.unit = cls.pixels / np.float32(255)

    def open(self, source, options=ModelOptions(), *, values=None):  # noqa: B008
        is_images = values is None
        values = self.pixels if is_images else values
        numbers = RecordNumbers.of(values, is_images=is_images)
        return listing.list_model("m", source, options, numbers=numbers).open()

    def assertNotOpened(self, pattern, source, options=ModelOptions()):  # noqa: B008
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.open(source, options)
        self.assertNotIn("\n", str(caught.exception))

    def assertAnswers(
        self,
        source,
        model,
        options=ModelOptions(),  # noqa: B008
        *,
        fed=None,
        values=None,
    ):
        """Opened, the source answers as a model does that gets `fed`."""
        target = self.open(source, options, values=values)
        expected = np.asarray(
            model(self.floats if fed is None else fed, training=False)
        )
        answers = target.predict(self.pixels if values is None else values)
        # A graph, and layer by layer: float32 sums in another order.
        self.assertAllClose(
            answers[:, -expected.shape[1] :], expected, atol=1e-6
        )
        return target
