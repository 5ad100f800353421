"""quantize_model: the new network takes the numbers that the old one took."""

import warnings

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from keras import layers

from qmia_tf.errors import InputError
from qmia_tf.qat import plan, quantize_model

SHAPE = (8, 8, 3)
RANGES = ((0, 255), (-1, 1), (0, 1))


def _images(count=60, shape=SHAPE):
    """Blotches of three patterns, so that labels are worth something."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 256, (3, *shape))
    noisy = patterns[np.arange(count) % 3] + rng.normal(0, 40, (count, *shape))
    return noisy.clip(0, 255).astype(np.uint8)


def _as(images, low, high):
    return (low + images / 255.0 * (high - low)).astype(np.float32)


def _normed(low, high):
    """A network whose batch norms have seen the images in this range."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input(SHAPE)
    for name in ("first", "second"):
        x = layers.Conv2D(8, 3, padding="same", name=name)(x)
        x = layers.BatchNormalization(momentum=0.0, name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.Flatten()(x)
    model = keras.Model(inputs, layers.Dense(3, name="logits")(x))
    model(_as(_images(), low, high), training=True)
    return model


def _bright(high):
    """No batch norm, closed form: three classes by brightness."""
    x = inputs = keras.Input(SHAPE)
    x = layers.Conv2D(2, 1, activation="relu", name="mean")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(3, name="logits")(x))
    model.get_layer("mean").set_weights(
        [np.full((1, 1, 3, 2), 1 / 3, np.float32), np.zeros(2, np.float32)]
    )
    slopes = np.array([[0, 10, 20], [0, 10, 20]]) / high
    offsets = np.array([0, -20 / 3, -20])
    model.get_layer("logits").set_weights([slopes, offsets])
    return model


def _matching(high, bias=0.01):
    """No batch norm, closed form: the nearest of the three patterns.

    But for the biases it gives the same labels whatever its input is times.
    """
    inputs = keras.Input(SHAPE)
    x = layers.Dense(3, name="logits")(layers.Flatten()(inputs))
    model = keras.Model(inputs, x)
    patterns = _images(3).reshape(3, -1) / 255.0
    patterns -= patterns.mean(1, keepdims=True)
    kernel = patterns.T / high
    model.get_layer("logits").set_weights([kernel, np.full(3, bias)])
    return model


def _grays(count=60):
    levels = np.linspace(0, 255, count).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, *SHAPE)).copy()


def _alike(first, second):
    return np.mean(np.argmax(first, -1) == np.argmax(second, -1))


def _quantized(model, bits, images, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantize_model(
            model,
            weight_bits=bits,
            activation_bits=bits,
            calibration=images,
            **options,
        )


class RangeTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(ends=RANGES, bits=(8, 4, 32), stated=(True, False))
    def test_the_same_numbers_at_all_bits(self, ends, bits, stated):
        model = _normed(*ends)
        options = {"input_range": ends} if stated else {}
        quantized = _quantized(model, bits, _images(), **options)
        fed = _as(_images(), *ends)
        wanted, outputs = model(fed, training=False), quantized(fed)
        # Four bits lose something; another range loses much more.
        least = 0.85 if bits == 4 else 0.95
        self.assertGreaterEqual(_alike(wanted, outputs), least)
        if ends != (0, 1) and bits < 32:
            other = quantized(_as(_images(), 0, 1))
            self.assertLess(_alike(wanted, other), 0.75)

    @parameterized.parameters(((0, 255), 1), ((-1, 1), 255), ((0, 1), 255))
    def test_grid_of_the_first_layer(self, ends, steps):
        for input_range in (ends, "{}..{}".format(*ends)):
            quantized = _quantized(
                _normed(*ends), 4, _images(), input_range=input_range
            )
            self.assertEqual(quantized.get_layer("first").input_steps, steps)

    @parameterized.product(ends=RANGES, bits=(8, 32))
    def test_unit_pixels_of_any_range(self, ends, bits):
        model = _normed(*ends)
        quantized = _quantized(
            model, bits, _images(), input_range=ends, unit_pixels=True
        )
        wanted = model(_as(_images(), *ends), training=False)
        outputs = quantized(_as(_images(), 0, 1))
        self.assertGreaterEqual(_alike(wanted, outputs), 0.95)

    def test_a_flip_before_the_rescaling_is_no_obstacle(self):
        """At 32 bits it hid the range from the Rescaling behind it."""
        inputs = keras.Input(SHAPE)
        x = layers.RandomFlip()(inputs)
        x = layers.Rescaling(1 / 255)(x)
        model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        same = quantize_model(
            model, weight_bits=32, activation_bits=32, unit_pixels=True
        )
        self.assertAllClose(
            same(_as(_images(), 0, 1), training=False),
            model(_as(_images(), 0, 255), training=False),
            atol=1e-5,
        )

    def test_said_by_the_norm_is_said_to_the_user(self):
        message = r"fed with 0 to 255, as the statistics .*input_range=\(0, 255"
        with self.assertWarnsRegex(UserWarning, message):
            quantize_model(
                _normed(0, 255),
                weight_bits=8,
                activation_bits=8,
                calibration=_images(),
            )

    def test_fed_with_the_usual_range_nothing_is_said(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            quantize_model(
                _normed(0, 1),
                weight_bits=8,
                activation_bits=8,
                calibration=_images(),
            )

    def test_a_normalization_for_0_to_255_is_fed_with_it(self):
        images = _images()
        inputs = keras.Input(SHAPE)
        normalize = layers.Normalization(mean=[120.0] * 3, variance=[900.0] * 3)
        x = layers.Conv2D(8, 3, name="first")(normalize(inputs))
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.0)(x))
        model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        fed = _as(images, 0, 255)
        model(fed, training=True)
        quantized = _quantized(model, 8, images)
        self.assertGreaterEqual(_alike(model(fed), quantized(fed)), 0.95)

    def test_floats_as_the_model_takes_them(self):
        model = _normed(0, 255)
        fed = _as(_images(), 0, 255)
        quantized = _quantized(model, 8, fed)
        self.assertEqual(quantized.get_layer("first").input_steps, 1)
        self.assertGreaterEqual(_alike(model(fed), quantized(fed)), 0.95)

    def test_floats_on_no_grid(self):
        standard = _as(_images(), -2.1, 2.6)
        quantized = _quantized(_normed(-2.1, 2.6), 8, standard)
        self.assertIsNone(quantized.get_layer("first").input_steps)

    def test_whole_numbers_of_another_type_are_pixels(self):
        model = _normed(0, 1)
        first = _quantized(model, 4, _images())
        second = _quantized(model, 4, _images().astype(np.int64))
        fed = _as(_images(), 0, 1)
        self.assertAllEqual(first(fed), second(fed))


class AnswersTest(parameterized.TestCase, tf.test.TestCase):
    """Without a batch norm only the answers tell the range."""

    @parameterized.parameters(8, 6)
    def test_told(self, bits):
        model, images = _bright(255), _grays()
        quantized = _quantized(model, bits, images, input_range=(0, 255))
        fed = _as(images, 0, 255)
        self.assertGreaterEqual(_alike(model(fed), quantized(fed)), 0.9)

    def test_asked_for(self):
        message = r"100% of the calibration images one label then, .*\(0, 255\)"
        with self.assertWarnsRegex(UserWarning, message):
            quantize_model(
                _bright(255),
                weight_bits=8,
                activation_bits=8,
                calibration=_grays(),
            )

    def test_no_question_where_the_range_is_the_usual_one(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quantize_model(
                _bright(1),
                weight_bits=8,
                activation_bits=8,
                calibration=_grays(),
            )
        texts = [str(entry.message) for entry in caught]
        self.assertEmpty([text for text in texts if "input_range" in text])

    @parameterized.parameters(
        (255, 0.01, True), (255, 0.0, False), (1, 0.01, False)
    )
    def test_asked_for_where_the_labels_are_the_same(self, high, bias, asks):
        model, images = _matching(high, bias), _images()
        labels = [np.argmax(model(_as(images, 0, end)), -1) for end in (1, 255)]
        self.assertAllEqual(*labels)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quantize_model(
                model, weight_bits=8, activation_bits=8, calibration=images
            )
        texts = [str(entry.message) for entry in caught]
        asked = [text for text in texts if "input_range" in text]
        self.assertLen(asked, int(asks))
        if asks:
            self.assertIn("nearly the same probabilities then", asked[0])

    def test_stated_where_the_labels_are_the_same(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quantize_model(
                _matching(255),
                weight_bits=8,
                activation_bits=8,
                calibration=_images(),
                input_range=(0, 255),
            )
        self.assertEmpty(caught)


class WrongTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        "0..", "255..0", "01", (1, 0), ((0, 255, 3),), (3,), (5, 5)
    )
    def test_no_range(self, *input_range):
        if len(input_range) == 1:
            (input_range,) = input_range
        with self.assertRaisesRegex(InputError, 'must be "auto" or .low, high'):
            plan(
                _normed(0, 1),
                weight_bits=4,
                activation_bits=4,
                input_range=input_range,
            )

    @parameterized.parameters((0, 1, (0, 255)), (0, 255, (0, 1)))
    def test_floats_outside(self, low, high, said):
        message = f"reach from 0 to {high}, but .* takes 0 to {said[1]} "
        with self.assertRaisesRegex(InputError, message):
            quantize_model(
                _normed(*said),
                weight_bits=4,
                activation_bits=4,
                input_range=said,
                calibration=_as(_images(), low, high),
            )

    def test_whole_floats_where_pixels_become_unit(self):
        message = "reach from 0 to 255, but .* takes 0 to 1 .unit_pixels says"
        with self.assertRaisesRegex(InputError, message):
            quantize_model(
                _matching(1),
                weight_bits=8,
                activation_bits=8,
                calibration=_as(_images(), 0, 255),
                unit_pixels=True,
            )

    def test_dark_floats_for_a_rescaling(self):
        inputs = keras.Input(SHAPE)
        x = layers.Flatten()(layers.Rescaling(1 / 255, name="unit")(inputs))
        model = keras.Model(inputs, layers.Dense(3)(x))
        with self.assertRaisesRegex(InputError, "takes 0 to 255 .layer 'unit'"):
            quantize_model(
                model,
                weight_bits=4,
                activation_bits=4,
                calibration=_as(_images(), 0, 1),
            )


class ComparisonTest(parameterized.TestCase, tf.test.TestCase):
    def test_agreement_is_told(self):
        lines = []
        _quantized(_normed(0, 1), 8, _images(), progress=lines.append)
        self.assertRegex(
            lines[-1],
            "^the quantized network gives (9[5-9]|100)% of the 60 calibration "
            "images the label that the float network gives$",
        )

    def test_disagreement_is_warned_about(self):
        """Dense layers of DoReFa weights, whose scale nothing takes away."""
        keras.utils.set_random_seed(0)
        inputs = keras.Input(SHAPE)
        x = layers.Flatten()(inputs)
        for width in (30, 30, 30):
            x = layers.Dense(width, activation="relu")(x)
        model = keras.Model(inputs, layers.Dense(10)(x))
        images = np.random.default_rng(0).integers(0, 256, (60, *SHAPE))
        images = images.astype(np.uint8)
        with self.assertWarnsRegex(UserWarning, r"gives (\d|[1-8]\d)% of the"):
            quantized = quantize_model(
                model, weight_bits=1, activation_bits=1, calibration=images
            )
        fed = _as(images, 0, 1)
        self.assertLess(_alike(model(fed), quantized(fed)), 0.9)

    def test_one_output_is_a_side_of_a_half(self):
        x = inputs = keras.Input((4,))
        outputs = layers.Dense(1, activation="sigmoid")(x)
        model = keras.Model(inputs, outputs)
        lines = []
        _quantized(
            model,
            8,
            np.random.default_rng(0).random((40, 4), np.float32),
            progress=lines.append,
        )
        self.assertRegex(lines[-1], "gives (9[5-9]|100)% of the 40")


if __name__ == "__main__":
    tf.test.main()
