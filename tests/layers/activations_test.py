"""Tests of the activation layers: their functions are tested elsewhere."""

import os
import warnings

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.layers import DoReFaActivation, DoReFaAdd, ResidualQuantizer
from qmia_tf.quantizers import dorefa, grids, residual

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
    def test_numpy(self, bits, clip):
        x = _inputs()
        n = 2**bits - 1
        outputs = DoReFaActivation(bits, clip=clip)(x)
        expected = dorefa.quantize_activations(x, bits=bits)
        self.assertAllEqual(outputs, expected)
        self.assertAllClose(outputs, np.clip(x, 0, 1), rtol=0, atol=0.51 / n)

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

    @parameterized.parameters(0, 33, True, 4.0, "4", None)
    def test_bits(self, bits):
        with self.assertRaisesRegex(InputError, "^bits must be .*1..32"):
            DoReFaActivation(bits)


class ResidualTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(bits=(1, 4, 8), projection=(False, True))
    def test_rounds_to_its_grid(self, bits, projection):
        scale = grids.residual_grid(bits, projection=projection).scale
        x = _inputs()
        layer = ResidualQuantizer(bits, projection=projection)
        self.assertEqual(layer.scale, scale)
        expected = residual.quantize_residual(x, scale=scale)
        self.assertAllEqual(layer(x), expected)
        reach = np.clip(x, -127 * scale, 127 * scale)
        self.assertAllClose(layer(x), reach, rtol=0, atol=0.51 * scale)

    @parameterized.parameters(
        (ResidualQuantizer, 0),
        (ResidualQuantizer, 9),
        (ResidualQuantizer, 32),
        (ResidualQuantizer, True),
        (DoReFaAdd, 0),
        (DoReFaAdd, 9),
        (DoReFaAdd, 4.0),
    )
    def test_bits(self, layer, bits):
        with self.assertRaisesRegex(InputError, "activation_bits"):
            layer(bits)

    @parameterized.product(projection=(False, True), rounded=(False, True))
    def test_sum_is_the_layers_it_stands_for(self, projection, rounded):
        branch, shortcut = _inputs(1), _inputs(2)
        if not projection:
            shortcut = dorefa.quantize_activations(shortcut, bits=4).numpy()
        whole = DoReFaAdd(4, projection=projection, rounded=rounded)
        rounding = ResidualQuantizer(4, projection=projection)
        end = DoReFaActivation(4 if rounded else 32, clip=True)
        kept = rounding(shortcut) if projection else shortcut
        expected = end(keras.layers.Add()([kept, rounding(branch)]))
        outputs = whole([shortcut, branch])
        # Not rounded, a sum may differ in float32's last bit.
        atol = 0 if rounded else 2e-7
        self.assertAllClose(outputs, expected, rtol=0, atol=atol)


class EveryLayerTest(parameterized.TestCase, tf.test.TestCase):
    LAYERS = (
        DoReFaActivation(4, name="again"),
        DoReFaActivation(32, clip=True),
        ResidualQuantizer(4, projection=True),
        DoReFaAdd(4, projection=True, rounded=False),
    )

    def _model(self, layer):
        inputs = keras.Input(SHAPE[1:])
        x = [inputs, inputs] if isinstance(layer, DoReFaAdd) else inputs
        return keras.Model(inputs, layer(x))

    @parameterized.parameters(*LAYERS)
    def test_config_makes_the_layer_again(self, layer):
        config = keras.layers.serialize(layer)
        self.assertEqual(config["registered_name"][:8], "qmia_tf>")
        again = keras.layers.deserialize(config)
        self.assertIs(type(again), type(layer))
        self.assertEqual(again.get_config(), layer.get_config())

    @parameterized.parameters(*LAYERS)
    def test_keras_file(self, layer):
        model = self._model(layer)
        self.assertEqual(model.output_shape, (None, *SHAPE[1:]))
        self.assertEmpty(model.weights)
        path = os.path.join(self.create_tempdir().full_path, "model.keras")
        model.save(path)
        again = keras.saving.load_model(path, safe_mode=True)
        self.assertAllEqual(again(_inputs()), model(_inputs()))

    @parameterized.product(
        layer=LAYERS, policy=("mixed_bfloat16", "mixed_float16")
    )
    def test_mixed_precision(self, layer, policy):
        config = {**layer.get_config(), "dtype": policy}
        half = type(layer).from_config(config)
        outputs = self._model(half)(_inputs())
        self.assertEqual(outputs.dtype, policy[len("mixed_") :])
        expected = self._model(layer)(_inputs())
        # An input that half precision moves may round to the next level.
        off = np.abs(tf.cast(outputs, tf.float32) - expected)
        self.assertLess(np.mean(off > 0.01), 0.25)
        self.assertLess(np.max(off), 0.07)


if __name__ == "__main__":
    tf.test.main()
