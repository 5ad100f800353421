"""Tests of what a trained layer becomes on its way into the twin."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import layers
from qmia_tf.deploy.integer import kernel_conversion
from qmia_tf.deploy.integer.code_grids import (
    UNIT_GRID,
    branch_grid,
)
from qmia_tf.deploy.integer.layer_ops import OPS
from qmia_tf.deploy.integer.pending_values import Codes, Floats
from qmia_tf.quantizers.grids import activation_grid

SHAPE = (7, 6, 4)
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


class KnownLayersTest(tf.test.TestCase):
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


if __name__ == "__main__":
    tf.test.main()
