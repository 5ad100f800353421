"""The signed grid of linear tensors: no sum on it can tie."""

import os
from fractions import Fraction

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.layers import ResidualQuantizer
from qmia_tf.quantizers import grids

BITS = range(1, 9)


class GridTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*BITS)
    def test_range_and_codes(self, bits):
        grid = grids.linear_grid(bits)
        self.assertEqual((grid.zero_point, grid.low, grid.high), (0, -128, 127))
        self.assertBetween(127 * grid.scale, 1.3, 3.1)

    @parameterized.parameters(*BITS)
    def test_no_sum_with_an_activation_ties(self, bits):
        """Neither on the activation's grid nor on the signed one."""
        n = 2**bits - 1
        scale = Fraction(grids.linear_grid(bits).scale).limit_denominator(10**5)
        sums = {
            j * scale + Fraction(i, n) for j in range(-128, 128) for i in (0, 1)
        }
        for step in (scale, Fraction(1, n)):
            for total in sums:
                self.assertNotEqual((total / step) % 1, Fraction(1, 2))

    @parameterized.parameters(*BITS)
    def test_steps_of_scale(self, bits):
        scale = grids.linear_grid(bits).scale
        steps = grids.steps_of_scale(scale)
        codes = np.arange(-128, 128) * scale * steps
        self.assertAllClose(codes, np.rint(codes), atol=1e-9)
        self.assertLessEqual(steps, 255)

    @parameterized.parameters(0, 9, 32)
    def test_bits(self, bits):
        with self.assertRaises(InputError):
            grids.linear_grid(bits)


class LayerTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*BITS)
    def test_numpy(self, bits):
        scale = grids.linear_grid(bits).scale
        x = np.linspace(-4, 4, 999, dtype=np.float32)
        outputs = ResidualQuantizer(bits, linear=True)(x)
        codes = np.clip(np.rint(x.astype(np.float64) / scale), -128, 127)
        self.assertAllClose(outputs / scale, codes, rtol=0, atol=1e-3)
        self.assertEqual(np.rint(np.min(outputs) / scale), -128)

    @parameterized.parameters(False, True)
    def test_not_linear_stops_at_127(self, projection):
        layer = ResidualQuantizer(4, projection=projection)
        x = np.linspace(-9, 9, 99, dtype=np.float32)
        self.assertEqual(np.rint(np.min(layer(x)) / layer.scale), -127)

    def test_rounding_again_changes_nothing(self):
        layer = ResidualQuantizer(8, linear=True)
        x = np.linspace(-4, 4, 999, dtype=np.float32)
        self.assertAllEqual(layer(layer(x)), layer(x))

    def test_saved_and_loaded(self):
        layer = ResidualQuantizer(3, linear=True, name="signed")
        model = keras.Sequential([keras.Input((4,)), layer])
        path = os.path.join(self.create_tempdir().full_path, "m.keras")
        model.save(path)
        loaded = keras.saving.load_model(path)
        x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
        self.assertAllEqual(loaded(x), model(x))
        self.assertTrue(loaded.layers[0].linear)


if __name__ == "__main__":
    tf.test.main()
