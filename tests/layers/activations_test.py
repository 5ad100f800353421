"""Tests of the activation layers: their quantizers are tested elsewhere."""

import warnings

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.layers import DoReFaActivation, DoReFaAdd, ResidualQuantizer
from qmia_tf.quantizers import grids
from qmia_tf.quantizers.dorefa import DoReFaActivations
from qmia_tf.quantizers.residual import ResidualBranch

SHAPE = (3, 4, 4, 2)


def _inputs(seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0.5, 0.7, SHAPE).astype(np.float32)


def _gradient(layer, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    return tape.gradient(y, x).numpy()


class ActivationTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(bits=(1, 4, 16), clip=(False, True))
    def test_is_the_quantizer(self, bits, clip):
        x = _inputs()
        outputs = DoReFaActivation(bits, clip=clip)(x)
        self.assertAllEqual(outputs, DoReFaActivations(bits)(x))

    def test_32_bits_is_relu(self):
        x = _inputs()
        layer = DoReFaActivation(32)
        self.assertAllEqual(layer(x), np.maximum(x, 0))
        self.assertGreater(np.max(layer(x)), 1)
        self.assertAllEqual(_gradient(layer, x), x > 0)

    def test_32_bits_clipped(self):
        x = _inputs()
        layer = DoReFaActivation(32, clip=True)
        self.assertAllEqual(layer(x), np.clip(x, 0, 1))
        self.assertAllEqual(_gradient(layer, x), (x >= 0) & (x <= 1))

    @parameterized.parameters(25, 31)
    def test_more_than_a_float_carries_warns_and_clips(self, bits):
        with self.assertWarnsRegex(UserWarning, f"bits={bits}: float32"):
            layer = DoReFaActivation(bits)
        self.assertAllEqual(layer(_inputs()), np.clip(_inputs(), 0, 1))

    @parameterized.parameters(24, 32)
    def test_what_a_float_carries_does_not_warn(self, bits):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            DoReFaActivation(bits)

    @parameterized.parameters(
        *((DoReFaActivation, bits) for bits in (0, 33, True, 4.0, "4", None)),
        *((ResidualQuantizer, bits) for bits in (0, 9, 32, True)),
        *((DoReFaAdd, bits) for bits in (0, 9, 4.0)),
    )
    def test_bits(self, layer, bits):
        name = "bits" if layer is DoReFaActivation else ".*activation_bits"
        with self.assertRaisesRegex(InputError, f"^{name}.*1..(32|8)"):
            layer(bits)


class ResidualTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        bits=(1, 4, 8), kind=({}, {"projection": True}, {"linear": True})
    )
    def test_is_the_quantizer(self, bits, kind):
        layer = ResidualQuantizer(bits, **kind)
        grid = grids.residual_grid(bits, projection="projection" in kind)
        if "linear" in kind:
            grid = grids.linear_grid(bits)
        self.assertEqual(layer.scale, grid.scale)
        x = 9 * _inputs() - 4
        self.assertAllEqual(layer(x), ResidualBranch(bits, **kind)(x))
        low = np.rint(np.min(layer(x)) / layer.scale)
        self.assertEqual(low, -128 if "linear" in kind else -127)

    @parameterized.product(projection=(False, True), rounded=(False, True))
    def test_sum_is_the_layers_it_stands_for(self, projection, rounded):
        branch, shortcut = _inputs(1), _inputs(2)
        if not projection:
            shortcut = DoReFaActivation(4)(shortcut)
        whole = DoReFaAdd(4, projection=projection, rounded=rounded)
        rounding = ResidualQuantizer(4, projection=projection)
        end = DoReFaActivation(4 if rounded else 32, clip=True)
        kept = rounding(shortcut) if projection else shortcut
        expected = end(keras.layers.Add()([kept, rounding(branch)]))
        outputs = whole([shortcut, branch])
        # Not rounded, a sum may differ in float32's last bit.
        atol = 0 if rounded else 2e-7
        self.assertAllClose(outputs, expected, rtol=0, atol=atol)


if __name__ == "__main__":
    tf.test.main()
