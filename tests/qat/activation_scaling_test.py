"""Calibration: the factors are right, and accuracy survives on digits."""

import float_nets
import keras
import numpy as np
import numpy_convolutions
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from float_nets import quantize, quantize_finely
from keras import layers

from qmia_tf.data import loaders
from qmia_tf.errors import InputError
from qmia_tf.qat import quantize_model

SHAPE = (8, 8, 2)


def _images(count=40, shape=SHAPE):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


FED = float_nets.fed(_images())


def _norm(x):
    # With momentum 0 one training pass leaves its own statistics behind.
    return layers.BatchNormalization(momentum=0.0)(x)


def _conv(x, filters, taps=3, **options):
    return layers.Conv2D(filters, taps, padding="same", **options)(x)


def _bottlenecks(x):
    x = layers.ReLU(6.0)(_norm(_conv(x, 6)))
    x = _norm(_conv(x, 4, 1))
    y = layers.ReLU(6.0)(_norm(_conv(x, 8, 1)))
    y = layers.ReLU(6.0)(_norm(layers.DepthwiseConv2D(3)(y)))
    y = _norm(_conv(layers.ZeroPadding2D()(y), 4, 1))
    x = layers.Add()([x, y])
    return layers.ReLU(6.0)(_norm(_conv(x, 8)))


def _residual(x):
    x = layers.ReLU()(_norm(_conv(x, 4)))
    y = layers.ReLU()(_norm(_conv(x, 4)))
    x = layers.ReLU()(layers.Add()([x, _norm(_conv(y, 4))]))
    y = _norm(_conv(x, 6))
    x = layers.ReLU()(layers.Add()([_norm(_conv(x, 6, 1)), y]))
    return layers.AveragePooling2D(2)(x)


def _branches(x):
    x = layers.ReLU()(_norm(_conv(x, 4)))
    a = _conv(x, 3, activation="relu", bias_initializer="normal")
    b = layers.ReLU()(_norm(layers.SeparableConv2D(3, 3, padding="same")(x)))
    x = layers.MaxPooling2D()(layers.Concatenate()([a, b]))
    return _conv(x, 4, activation="relu6")


def _network(body, dense=False):
    """Random weights; its norms hold the statistics of the images."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = layers.GlobalAveragePooling2D()(body(inputs))
    if dense:
        x = layers.Dense(7, activation="relu")(x)
    x = layers.Dense(5, activation="softmax")(x)
    model = keras.Model(inputs, x)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            count = layer.gamma.shape
            layer.gamma.assign(rng.uniform(0.5, 2.5, count))
            layer.beta.assign(rng.normal(0, 1, count))
    model(FED, training=True)
    return model


class FactorTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        body=(_bottlenecks, _residual, _branches), dense=(False, True)
    )
    def test_with_fine_grids_nothing_changes(self, body, dense):
        model = _network(body, dense)
        calibrated = quantize_finely(model, _images())
        outputs = calibrated(FED)
        # 1/65535 in every activation, and float32 sums.
        self.assertAllClose(outputs, model(FED), atol=2e-3)

    def test_what_minds_a_factor_is_fed_without(self):
        """A sigmoid of scaled inputs would be another function."""

        def gated(x):
            # Inside the clip already, so that no factor is no loss.
            small = keras.initializers.VarianceScaling(0.02)
            x = _conv(x, 4, kernel_initializer=small)
            x = layers.ReLU(name="gated")(x)
            gate = layers.Activation("sigmoid")(x)
            return _norm(_conv(layers.Multiply()([x, gate]), 4))

        model = _network(gated)
        calibrated = quantize_finely(model, _images())
        outputs, expected = (
            keras.Model(net.inputs, net.get_layer("gated").output)([FED])
            for net in (calibrated, model)
        )
        self.assertLess(np.max(expected), 0.5)
        self.assertAllClose(outputs, expected, atol=1e-4)

    def test_a_linear_result_also_read_by_an_activation(self):
        """Both grids hold it: the smaller of the two factors counts."""

        def split(x):
            x = _norm(_conv(x, 4))
            y = _norm(_conv(layers.ReLU()(x), 4))
            x = layers.Add()([x, y])
            return layers.ReLU()(_norm(_conv(x, 4)))

        model = _network(split)
        calibrated = quantize_model(
            model,
            weight_bits=32,
            activation_bits=8,
            calibration=_images(),
            percentile=100,
        )
        gap = np.abs(calibrated(FED) - model(FED))
        self.assertLess(gap.mean(), 0.01)

    def test_quantized_kernels_and_linear_grids(self):
        model = _network(_bottlenecks)
        gap = np.abs(quantize(model, 8, _images())(FED) - model(FED))
        self.assertLess(gap.mean(), 0.01)
        # Without calibration the clip changes much.
        bare = quantize_model(model, weight_bits=32, activation_bits=16)
        self.assertGreater(np.abs(bare(FED) - model(FED)).max(), 0.02)

    def test_inserted_norms_take_the_place_of_the_kernels_scale(self):
        keras.utils.set_random_seed(0)
        model = float_nets.plain()
        images = _images(40, (16, 16, 3))
        quantized = quantize(model, 8, images, insert_batch_norm=True)
        self.assertIsNotNone(quantized.get_layer("conv0_norm"))
        gap = np.abs(
            quantized(float_nets.fed(images)) - model(float_nets.fed(images))
        )
        self.assertLess(gap.mean(), 0.005)

    def test_whole_pixels_behind_a_rescaling(self):
        inputs = keras.Input(SHAPE)
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.ReLU()(_norm(_conv(x, 4)))
        x = layers.ReLU()(_norm(_conv(x, 4)))
        x = layers.Dense(5)(layers.Flatten()(x))
        model = keras.Model(inputs, x)
        whole = _images().astype(np.float32)
        model(whole, training=True)
        expected = model(whole).numpy()
        for unit_pixels, fed in ((False, whole), (True, FED)):
            options = {"unit_pixels": unit_pixels, "percentile": 100}
            quantized = quantize(model, 8, _images(), **options)
            gap = np.abs(quantized(fed) - expected)
            self.assertLess(gap.mean(), 0.05 * expected.std())

    def test_norms_without_gamma_and_beta_get_them(self):
        inputs = keras.Input(SHAPE)
        x = _conv(inputs, 4)
        x = layers.BatchNormalization(center=False, scale=False, name="norm")(x)
        x = layers.ReLU()(x)
        model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        for images, count in ((None, 2), (_images(), 4)):
            norm = quantize(model, 8, images).get_layer("norm")
            self.assertLen(norm.weights, count)

    def test_the_model_is_not_changed(self):
        model = _network(_residual)
        before = [weight.copy() for weight in model.get_weights()]
        quantize(model, 4, _images())
        for old, new in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(old, new)

    @parameterized.parameters(
        (np.zeros((0, 8, 8, 2), np.uint8), 99.9, "got \\[0, 8, 8, 2\\]"),
        (np.zeros((3, 8, 8), np.uint8), 99.9, "must be \\[N, 8, 8, 2\\]"),
        (np.zeros((3, 8, 8, 2), np.uint8), 0, "percentile must be in"),
    )
    def test_images_that_do_not_fit(self, images, percentile, message):
        with self.assertRaisesRegex(InputError, message):
            quantize(_network(_residual), 4, images, percentile=percentile)


class UnequalStridesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        kind=(layers.DepthwiseConv2D, layers.SeparableConv2D),
        padding=("same", "valid"),
    )
    def test_calibrated_everywhere(self, kind, padding):
        """Stock layers of such strides may not run; they are calibrated."""
        keras.utils.set_random_seed(1)
        options = {"strides": (2, 1), "padding": padding}
        arguments = (3,) if kind is layers.DepthwiseConv2D else (5, 3)
        pixels = keras.Input(SHAPE)
        strided = kind(*arguments, bias_initializer="random_normal", **options)
        x = layers.ReLU()(_norm(strided(pixels)))
        dense = layers.Dense(3)
        model = keras.Model(pixels, dense(layers.GlobalAveragePooling2D()(x)))
        taps, *pointwise, bias = strided.get_weights()
        x = numpy_convolutions.depthwise(FED, taps, **options)
        for kernel in pointwise:
            x = x @ kernel[0, 0]
        x = x + bias
        norm = next(
            layer
            for layer in model.layers
            if isinstance(layer, layers.BatchNormalization)
        )
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
        x = np.maximum((x - mean) / np.sqrt(variance + norm.epsilon), 0)
        x = x.mean((1, 2))
        calibrated = quantize_finely(model, _images())
        kernel, bias = dense.get_weights()
        # 1/65535 in every activation, and float32 sums.
        self.assertAllClose(calibrated(FED), x @ kernel + bias, atol=2e-3)


def _digits_cnn(normed):
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((8, 8, 1))
    for filters, stride in ((16, 1), (32, 2)):
        x = layers.Conv2D(filters, 3, strides=stride, padding="same")(x)
        x = layers.BatchNormalization(momentum=0.9)(x) if normed else x
        x = layers.ReLU()(x)
    x = layers.Dense(10, activation="softmax")(layers.Flatten()(x))
    return keras.Model(inputs, x)


@slow_tests.slow
class DigitsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters((True, False), (False, True))
    def test_accuracy_survives_without_training(self, normed, insert):
        digits = loaders.load("digits")
        images, labels = digits.images, digits.labels
        model = _digits_cnn(normed)
        model.compile(
            keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy"
        )
        model.fit(
            float_nets.fed(images[:1200]),
            labels[:1200],
            64,
            epochs=10,
            verbose=0,
        )

        def accuracy(model):
            answers = model.predict(float_nets.fed(images[1200:]), verbose=0)
            return np.mean(answers.argmax(-1) == labels[1200:])

        full = accuracy(model)
        self.assertGreater(full, 0.9)
        for bits, loss in ((8, 0.03), (4, 0.05)):
            quantized = quantize(
                model, bits, images[:300], insert_batch_norm=insert
            )
            self.assertGreater(accuracy(quantized), full - loss)


if __name__ == "__main__":
    tf.test.main()
