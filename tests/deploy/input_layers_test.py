"""What stands between image and first layer: ranges, and axes of channels."""

import itertools
import pathlib
import warnings

import integer_nets
import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from keras import layers

import qmia_tf
from qmia_tf.deploy import export
from qmia_tf.deploy.conversion_job import Members
from qmia_tf.deploy.integer import int8_file
from qmia_tf.deploy.parity import code_parity, observed_networks
from qmia_tf.models import keras_files
from qmia_tf.targets import tflite_target

IMAGES = integer_nets.images(40, (9, 8))


def _network(shape, times):
    """A small CNN whose batch norms have seen pixels / 255 * times."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input(shape, name="pixels")
    if len(shape) == 2:
        x = layers.Reshape((*shape, 1), name="channel")(x)
    for name in ("first", "second"):
        x = layers.Conv2D(6, 3, padding="same", name=name)(x)
        x = layers.BatchNormalization(momentum=0.0, name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(5, activation="softmax", name="logits")(x)
    model = keras.Model(inputs, x)
    fed = integer_nets.as_unit(IMAGES.reshape(-1, *shape)) * times
    model(fed, training=True)
    return model


def _quantized(model, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return qmia_tf.quantize_model(
            model,
            weight_bits=4,
            activation_bits=4,
            calibration=IMAGES.reshape(-1, *model.input_shape[1:]),
            **options,
        )


class InputRangeTest(parameterized.TestCase, tf.test.TestCase):
    def exported(self, model, images):
        folder = pathlib.Path(self.create_tempdir().full_path)
        keras_files.save(model, folder / "model.keras")
        members = Members(lambda: (images, np.zeros(len(images), int)), "here")
        export.export(
            folder / "model.keras",
            folder,
            schemes=("int8", "int8_io"),
            members=members,
        )
        return folder

    def check_parity(self, folder, scheme, images):
        checked = code_parity.check(
            folder / f"{scheme}_twin.keras",
            folder / f"{scheme}.tflite",
            images,
            model=folder / "model.keras",
            kernels=("default",),
            threads=(1,),
        )
        trained, *files = checked.comparisons
        self.assertGreater(trained.codes, 0)
        # Its sums round elsewhere now and then; another range would differ
        # in most of the codes.
        self.assertLess(trained.mismatches, 0.01 * trained.codes)
        for comparison in files:
            self.assertGreater(comparison.codes, 0)
            self.assertEqual(comparison.mismatches, 0)

    @parameterized.parameters((9, 8), (9, 8, 1))
    def test_one_channel_has_an_axis_or_not(self, *shape):
        """File, exact proxy and trained model take the same images."""
        folder = self.exported(_quantized(_network(shape, 1.0)), IMAGES)
        for scheme, images in itertools.product(
            ("int8", "int8_io"), (IMAGES, IMAGES[..., np.newaxis])
        ):
            self.check_parity(folder, scheme, images)
            file = tflite_target.TFLiteTarget(folder / f"{scheme}.tflite")
            twin = folder / f"{scheme}_twin.keras"
            levels, proxy = observed_networks.Twin(twin).run(images)
            self.assertAllClose(file.predict(images), proxy, atol=0.005)
            self.assertEqual(levels["first_relu"].shape, (40, 9, 8, 6))

    def test_pixels_that_a_rescaling_multiplies(self):
        quantized = _quantized(
            _network((9, 8, 1), 255.0), input_range=(0, 255), unit_pixels=True
        )
        images = IMAGES[..., np.newaxis]
        folder = self.exported(quantized, images)
        for scheme in ("int8", "int8_io"):
            self.check_parity(folder, scheme, images)
        file = tflite_target.TFLiteTarget(folder / "int8.tflite")
        trained = quantized(integer_nets.as_unit(images), training=False)
        self.assertAllClose(file.predict(images), trained, atol=0.02)

    def test_whole_pixels_have_no_integer_file(self):
        quantized = _quantized(_network((9, 8, 1), 255.0))
        self.assertRegex(
            int8_file.refusal(quantized),
            "^layer 'first' reads whole numbers.*unit_pixels=True",
        )


if __name__ == "__main__":
    tf.test.main()
