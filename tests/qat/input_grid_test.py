"""quantize_model: the new network takes the numbers that the old one took."""

import warnings

import float_nets
import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from float_nets import quantize
from keras import layers

from qmia_tf.errors import InputError

SHAPE = (8, 8, 3)
RANGES = ((0, 255), (-1, 1), (0, 1))


def _images(count=60, shape=SHAPE):
    """Blotches of three patterns, so that labels are worth something."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 256, (3, *shape))
    noisy = patterns[np.arange(count) % 3] + rng.normal(0, 40, (count, *shape))
    return noisy.clip(0, 255).astype(np.uint8)


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
    model(float_nets.fed(_images(), low, high), training=True)
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


class Told(parameterized.TestCase, tf.test.TestCase):
    """Compares labels, and what quantize_model says."""

    def assertAlike(self, model, quantized, fed, least=0.95):
        self.assertGreaterEqual(alike(model, quantized, fed), least)

    def said(self, *arguments, **options):
        """Quantizes; gives the texts of the warnings."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quantize(*arguments, **options)
        return [str(entry.message) for entry in caught]


def alike(model, quantized, fed):
    first, second = (net(fed, training=False) for net in (model, quantized))
    return np.mean(np.argmax(first, -1) == np.argmax(second, -1))


class RangeTest(Told):
    @parameterized.product(ends=RANGES, bits=(8, 4, 32), stated=(True, False))
    def test_the_same_numbers_at_all_bits(self, ends, bits, stated):
        model = _normed(*ends)
        options = {"input_range": ends} if stated else {}
        quantized = quantize(model, bits, _images(), **options)
        fed = float_nets.fed(_images(), *ends)
        # Four bits lose something; another range loses much more.
        self.assertAlike(model, quantized, fed, 0.85 if bits == 4 else 0.95)
        if ends != (0, 1) and bits < 32:
            other = quantized(float_nets.fed(_images()))
            wanted = np.argmax(model(fed, training=False), -1)
            self.assertLess(np.mean(np.argmax(other, -1) == wanted), 0.75)

    @parameterized.parameters(((0, 255), 1), ((-1, 1), 255), ((0, 1), 255))
    def test_grid_of_the_first_layer(self, ends, steps):
        for given in (ends, "{}..{}".format(*ends)):
            model = _normed(*ends)
            quantized = quantize(model, 4, _images(), input_range=given)
            self.assertEqual(quantized.get_layer("first").input_steps, steps)

    @parameterized.product(ends=RANGES, bits=(8, 32))
    def test_unit_pixels_of_any_range(self, ends, bits):
        model = _normed(*ends)
        options = {"input_range": ends, "unit_pixels": True}
        quantized = quantize(model, bits, _images(), **options)
        wanted = model(float_nets.fed(_images(), *ends), training=False)
        outputs = quantized(float_nets.fed(_images()))
        same = np.argmax(wanted, -1) == np.argmax(outputs, -1)
        self.assertGreaterEqual(np.mean(same), 0.95)

    def test_a_flip_before_the_rescaling_is_no_obstacle(self):
        """At 32 bits it hid the range from the Rescaling behind it."""
        inputs = keras.Input(SHAPE)
        x = layers.Rescaling(1 / 255)(layers.RandomFlip()(inputs))
        model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        same = quantize(model, 32, unit_pixels=True)
        self.assertAllClose(
            same(float_nets.fed(_images()), training=False),
            model(float_nets.fed(_images(), 0, 255), training=False),
            atol=1e-5,
        )

    def test_said_by_the_norm_is_said_to_the_user(self):
        (text,) = self.said(_normed(0, 255), 8, _images())
        message = r"fed with 0 to 255, as the statistics .*input_range=\(0, 255"
        self.assertRegex(text, message)
        self.assertEmpty(self.said(_normed(0, 1), 8, _images()))

    def test_a_normalization_for_0_to_255_is_fed_with_it(self):
        inputs = keras.Input(SHAPE)
        normalize = layers.Normalization(mean=[120.0] * 3, variance=[900.0] * 3)
        x = layers.Conv2D(8, 3, name="first")(normalize(inputs))
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.0)(x))
        model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        fed = float_nets.fed(_images(), 0, 255)
        model(fed, training=True)
        self.assertAlike(model, quantize(model, 8, _images()), fed)

    def test_floats_as_the_model_takes_them(self):
        model = _normed(0, 255)
        fed = float_nets.fed(_images(), 0, 255)
        quantized = quantize(model, 8, fed)
        self.assertEqual(quantized.get_layer("first").input_steps, 1)
        self.assertAlike(model, quantized, fed)

    def test_floats_on_no_grid(self):
        standard = float_nets.fed(_images(), -2.1, 2.6)
        quantized = quantize(_normed(-2.1, 2.6), 8, standard)
        self.assertIsNone(quantized.get_layer("first").input_steps)

    def test_whole_numbers_of_another_type_are_pixels(self):
        model, fed = _normed(0, 1), float_nets.fed(_images())
        first = quantize(model, 4, _images())
        second = quantize(model, 4, _images().astype(np.int64))
        self.assertAllEqual(first(fed), second(fed))


class AnswersTest(Told):
    """Without a batch norm only the answers tell the range."""

    @parameterized.parameters(8, 6)
    def test_told(self, bits):
        model = _bright(255)
        quantized = quantize(model, bits, _grays(), input_range=(0, 255))
        self.assertAlike(
            model, quantized, float_nets.fed(_grays(), 0, 255), 0.9
        )

    @parameterized.parameters(
        (_bright, 255, None, r"100% of the .* one label then, .*\(0, 255\)"),
        (_bright, 1, None, None),
        (_matching, 255, 0.01, "nearly the same probabilities then"),
        (_matching, 255, 0.0, None),
        (_matching, 1, 0.01, None),
    )
    def test_asked_for(self, make, high, bias, asked):
        images = _grays() if bias is None else _images()
        model = make(high) if bias is None else make(high, bias)
        if bias is not None:
            low, full = (
                np.argmax(model(float_nets.fed(images, 0, end)), -1)
                for end in (1, 255)
            )
            self.assertAllEqual(low, full)
        texts = [x for x in self.said(model, 8, images) if "input_range" in x]
        self.assertLen(texts, int(asked is not None))
        if asked:
            self.assertRegex(texts[0], asked)

    def test_stated_where_the_labels_are_the_same(self):
        said = self.said(_matching(255), 8, _images(), input_range=(0, 255))
        self.assertEmpty(said)


def _rescaled():
    inputs = keras.Input(SHAPE)
    x = layers.Flatten()(layers.Rescaling(1 / 255, name="unit")(inputs))
    return keras.Model(inputs, layers.Dense(3)(x))


class WrongTest(Told):
    @parameterized.parameters(
        *(({"input_range": x},) for x in ("0..", "255..0", "01")),
        *(({"input_range": x},) for x in ((1, 0), (0, 255, 3), 3, (5, 5))),
    )
    def test_no_range(self, options):
        with self.assertRaisesRegex(InputError, 'must be "auto" or .low, high'):
            quantize(_normed(0, 1), **options)

    @parameterized.parameters(
        (
            lambda: _normed(0, 255),
            (0, 1),
            {"input_range": (0, 255)},
            "reach from 0 to 1, but .* takes 0 to 255 ",
        ),
        (
            lambda: _normed(0, 1),
            (0, 255),
            {"input_range": (0, 1)},
            "reach from 0 to 255, but .* takes 0 to 1 ",
        ),
        (
            lambda: _matching(1),
            (0, 255),
            {"unit_pixels": True},
            "reach from 0 to 255, but .* takes 0 to 1 .unit_pixels says",
        ),
        (_rescaled, (0, 1), {}, "takes 0 to 255 .layer 'unit'"),
    )
    def test_floats_outside(self, make, ends, options, message):
        with self.assertRaisesRegex(InputError, message):
            quantize(make(), 4, float_nets.fed(_images(), *ends), **options)


class ComparisonTest(Told):
    def test_agreement_is_told(self):
        lines = []
        quantize(_normed(0, 1), 8, _images(), progress=lines.append)
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
            quantized = quantize(model, 1, images)
        self.assertLess(alike(model, quantized, float_nets.fed(images)), 0.9)

    def test_one_output_is_a_side_of_a_half(self):
        x = inputs = keras.Input((4,))
        outputs = layers.Dense(1, activation="sigmoid")(x)
        lines = []
        records = np.random.default_rng(0).random((40, 4), np.float32)
        model = keras.Model(inputs, outputs)
        quantize(model, 8, records, progress=lines.append)
        self.assertRegex(lines[-1], "gives (9[5-9]|100)% of the 40")


if __name__ == "__main__":
    tf.test.main()
