"""Tests of what a trained layer becomes on its way into the twin."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from exact_arithmetic import exact_convolution

from qmia_tf import layers
from qmia_tf.deploy.integer import kernel_conversion
from qmia_tf.deploy.integer.code_grids import (
    UNIT_GRID,
    branch_grid,
    logits_grid,
)
from qmia_tf.deploy.integer.layer_ops import OPS
from qmia_tf.deploy.integer.pending_values import Codes, Floats
from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import activation_grid

SHAPE = (7, 6, 4)
EDGE = {"weight_bits": 8, "weight_quantizer": "symmetric"}
WINDOWS = {"strides": 2, "padding": "same"}
MAKERS = {
    "conv": lambda **o: layers.DoReFaConv2D(6, 3, **WINDOWS, **o),
    "dilated": lambda **o: layers.DoReFaConv2D(6, (2, 3), dilation_rate=2, **o),
    "depthwise": lambda **o: layers.DoReFaDepthwiseConv2D(
        3, depth_multiplier=2, **WINDOWS, **o
    ),
    "dense": lambda **o: layers.DoReFaDense(6, **o),
}


def _norm(channels, *, seed=0, **options):
    norm = keras.layers.BatchNormalization(name=f"norm{seed}", **options)
    norm.build((None, 1, 1, channels))
    rng = np.random.default_rng(seed)
    for weight in norm.weights:
        value = rng.normal(0.3, 0.5, channels)
        weight.assign(np.abs(value) + 0.1 if "var" in weight.name else value)
    return norm


def _sums(layer, source, shape=SHAPE):
    if not layer.built:
        layer.build((None, *shape))
    if layer.use_bias:
        layer.bias.assign(
            np.random.default_rng(9).normal(size=layer.bias.shape)
        )
    return kernel_conversion.PendingSums(layer, source)


def _codes(grid, shape=SHAPE):
    return Codes(keras.Input(shape), grid)


def _levels(grid, shape, count=6):
    rng = np.random.default_rng(4)
    low, high = grid.low - grid.zero_point, grid.high - grid.zero_point
    return rng.integers(low, high + 1, (count, *shape))


class KernelsTest(tf.test.TestCase):
    def test_relatives_may_compute_something_else(self):
        class Mine(keras.layers.Conv2D):
            pass

        for layer in (
            Mine(1, 1),
            keras.layers.Conv2DTranspose(1, 1),
            keras.layers.Conv1D(1, 1),
            keras.layers.SeparableConv2D(1, 1),
            keras.layers.EinsumDense("ab,bc->ac", 3),
        ):
            self.assertNotIn(type(layer), OPS)


class NormTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        kind=tuple(MAKERS),
        options=({}, {"scale": False}, {"center": False}, {"epsilon": 0.2}),
        use_bias=(False, True),
    )
    def test_factor_and_offset_are_the_norms(self, kind, options, use_bias):
        layer = MAKERS[kind](weight_bits=3, use_bias=use_bias)
        plain = _sums(layer, _codes(UNIT_GRID))
        norms = [_norm(plain.channels, seed=s, **options) for s in (1, 2)]
        sums = plain
        for norm in norms:
            sums = sums.normed(norm)
        x = np.random.default_rng(0).random((3, *SHAPE), np.float32)
        trained = layer(x)
        bias = layer.bias.numpy().reshape(-1) if use_bias else 0.0
        bare = trained.numpy().astype(np.float64) - bias
        for norm in norms:
            trained = norm(trained, training=False)
        normed = bare * sums.factor + sums.offset
        # Keras norms in float32.
        self.assertAllClose(normed, trained, rtol=1e-5, atol=1e-5)
        self.assertEqual((plain.name, sums.name), (layer.name, "norm2"))

    def test_axis_that_is_not_the_channels(self):
        sums = _sums(MAKERS["conv"](weight_bits=3), _codes(UNIT_GRID))
        norm = keras.layers.BatchNormalization(axis=1, name="rows")
        norm.build((None, 4, 3, 6))
        with self.assertRaisesRegex(
            InputError, "^layer 'rows' does not norm channels$"
        ):
            sums.normed(norm)

    def test_groups(self):
        layer = layers.DoReFaConv2D(6, 3, groups=2, weight_bits=3, name="two")
        with self.assertRaisesRegex(
            InputError, "^layer 'two' has groups=2: .* depthwise"
        ):
            _sums(layer, _codes(UNIT_GRID))


class IsFloatTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        ({"weight_bits": 1}, False),
        ({"weight_bits": 7}, False),
        ({"weight_bits": 8}, True),
        ({"weight_bits": 32}, True),
        (EDGE, False),
        ({**EDGE, "weight_bits": 9}, True),
    )
    def test_weights(self, options, expected):
        layer = layers.DoReFaConv2D(2, 1, **options)
        self.assertEqual(_sums(layer, _codes(UNIT_GRID)).is_float, expected)
        # Of floats nothing is an integer kernel.
        floats = Floats(keras.Input(SHAPE))
        self.assertTrue(_sums(layer, floats).is_float)

    def test_plain_layers(self):
        sums = _sums(keras.layers.Conv2D(2, 1), _codes(UNIT_GRID))
        self.assertTrue(sums.is_float)

    @parameterized.parameters(
        (
            {"weight_bits": 8},
            "has 8-bit weights; .* dorefa weights of .* 7 bits",
        ),
        (
            {**EDGE, "weight_bits": 16},
            "has 16-bit weights; .* symmetric weights of up to 8 bits",
        ),
    )
    def test_why(self, options, reason):
        layer = layers.DoReFaConv2D(2, 1, name="late", **options)
        why = _sums(layer, _codes(UNIT_GRID)).why_float()
        self.assertRegex(why, f"^layer 'late' {reason}$")

    def test_why_of_a_layer_that_reads_floats(self):
        layer = layers.DoReFaConv2D(2, 1, name="late", weight_bits=4)
        why = _sums(layer, Floats(keras.Input(SHAPE))).why_float()
        self.assertRegex(why, "^layer 'late' reads what is not quantized")


class OnGridTest(parameterized.TestCase, tf.test.TestCase):
    """The integer layer against the trained layer's own numbers in float64."""

    def trained_sums(self, layer, levels):
        """Integer sums of the trained codes, and the codes' scales."""
        kernel = layer.quantized_kernel().numpy().astype(np.float64)
        if layer.weight_quantizer.name == "symmetric":
            size = np.abs(layer.kernel.numpy()).astype(np.float64)
            depthwise = "depthwise_conv2d" in layer.name
            axes = (0, 1) if depthwise else tuple(range(kernel.ndim - 1))
            scale = size.max(axis=axes) / 127
        elif layer.weight_bits == 1:
            scale = np.abs(kernel).max()
        else:
            scale = 1.0 / (2**layer.weight_bits - 1)
        codes = kernel / scale
        self.assertAllClose(codes, np.rint(codes), rtol=0, atol=1e-4)
        codes = np.rint(codes).astype(np.int64)
        if isinstance(layer, keras.layers.Dense):
            return levels @ codes, scale
        sums = exact_convolution(
            levels,
            codes,
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
            depthwise=isinstance(layer, keras.layers.DepthwiseConv2D),
        )
        return sums, np.reshape(scale, -1)

    @parameterized.product(
        kind=tuple(MAKERS),
        weights=({"weight_bits": 1}, {"weight_bits": 4}, EDGE),
        grids=(
            (UNIT_GRID, activation_grid(4)),
            (activation_grid(3), branch_grid(3, projection=True)),
            # Levels below zero, and logits.
            (branch_grid(4, projection=False), logits_grid(-3.0, 9.0)),
        ),
    )
    def test_rounds_what_the_trained_layer_computes(self, kind, weights, grids):
        source, target = grids
        layer = MAKERS[kind](**weights)
        if kind == "depthwise":
            layer.depthwise_initializer = keras.initializers.HeNormal(1)
        given = _codes(source)
        sums = _sums(layer, given)
        norm = _norm(sums.channels, seed=3)
        norm.gamma.assign(norm.gamma * 0.7)
        sums = sums.normed(norm)
        tensor = sums.on(target, "ended")
        twin = keras.Model(given.tensor, tensor)
        levels = _levels(source, SHAPE)
        computed = twin(levels.astype(np.float32)).numpy()

        total, scale = self.trained_sums(layer, levels)
        step = scale * source.scale * sums.factor / target.scale
        value = total * step + sums.offset / target.scale
        limits = target.low - target.zero_point, target.high - target.zero_point
        expected = np.rint(value).clip(*limits)
        wrong = computed != expected
        # Where a bias cannot meet every threshold, a code is the next one.
        self.assertLess(wrong.mean(), 0.01)
        self.assertAllLessEqual(np.abs(computed - expected), 1)
        self.assertGreater(len(np.unique(expected)), 4)

        ended = twin.get_layer("ended")
        self.assertEqual(ended.grid, target)
        self.assertEqual(ended.input_scale, source.scale)


class InFloatsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        kind=(*MAKERS, "plain"), relu=(False, True), use_bias=(False, True)
    )
    def test_computes_layer_and_norm(self, kind, relu, use_bias):
        make = MAKERS.get(
            kind, lambda **o: keras.layers.Conv2D(5, 3, **WINDOWS, **o)
        )
        options = {} if kind == "plain" else {"weight_bits": 9}
        layer = make(use_bias=use_bias, **options)
        image = keras.Input(SHAPE)
        sums = _sums(layer, Floats(image))
        norm = _norm(sums.channels, seed=5)
        grid = activation_grid(4) if relu else None
        tensor = sums.normed(norm).in_floats(image, grid)
        x = np.random.default_rng(0).random((3, *SHAPE), np.float32)
        expected = norm(layer(x), training=False).numpy()
        if relu:
            expected = expected.clip(min=0)
        computed = keras.Model(image, tensor)(x)
        # float32 sums in another order.
        self.assertAllClose(computed, expected, rtol=1e-5, atol=1e-5)

    def test_branch_grid_asks_for_no_relu(self):
        image = keras.Input(SHAPE)
        sums = _sums(keras.layers.Conv2D(5, 3), Floats(image))
        tensor = sums.in_floats(image, branch_grid(4, projection=True))
        x = np.random.default_rng(0).random((3, *SHAPE), np.float32)
        self.assertLess(keras.Model(image, tensor)(x).numpy().min(), 0)

    @parameterized.parameters("kernel", "bias")
    def test_number_that_is_not_finite(self, name):
        image = keras.Input(SHAPE)
        sums = _sums(keras.layers.Dense(5, name="head"), Floats(image))
        weight = getattr(sums.layer, name)
        value = weight.numpy()
        value[..., 0] = np.nan
        weight.assign(value)
        sums = kernel_conversion.PendingSums(sums.layer, sums.source)
        with self.assertRaisesRegex(
            InputError, "^layer 'head': a number is not finite"
        ):
            sums.in_floats(image)


if __name__ == "__main__":
    tf.test.main()
