"""RoundedAveragePooling2D against whole numbers."""

from fractions import Fraction

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.layers import RoundedAveragePooling2D
from qmia_tf.quantizers.grids import activation_grid, linear_grid

SHAPE = (3, 6, 6, 2)


def _half_up(codes, pool):
    """Means of windows in fractions, halves up; stride is the pool."""
    batch, height, width, channels = codes.shape
    out = np.empty((batch, height // pool, width // pool, channels))
    for place in np.ndindex(out.shape):
        n, i, j, c = place
        window = codes[
            n, i * pool : (i + 1) * pool, j * pool : (j + 1) * pool, c
        ]
        mean = Fraction(int(window.sum()), pool * pool)
        out[place] = (mean + Fraction(1, 2)).__floor__()
    return out


class PoolingTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(pool=(2, 3), bits=(1, 4, 8), signed=(False, True))
    def test_halves_go_up(self, pool, bits, signed):
        grid = linear_grid(bits) if signed else activation_grid(bits)
        low, high = grid.low - grid.zero_point, grid.high - grid.zero_point
        codes = np.random.default_rng(0).integers(low, high + 1, SHAPE)
        values = (codes * np.float32(grid.scale)).astype(np.float32)
        pooled = RoundedAveragePooling2D(pool, scale=grid.scale)(values)
        self.assertAllClose(
            pooled / grid.scale, _half_up(codes, pool), rtol=0, atol=1e-3
        )

    def test_gradient_is_that_of_the_average(self):
        x = tf.constant(np.random.default_rng(0).random(SHAPE, np.float32))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = RoundedAveragePooling2D(2, scale=1 / 15)(x)
        self.assertAllClose(tape.gradient(y, x), np.full(SHAPE, 0.25))

    @parameterized.parameters(0.0, -1.0)
    def test_scale(self, scale):
        with self.assertRaisesRegex(InputError, "scale must be above 0"):
            RoundedAveragePooling2D(2, scale=scale)


if __name__ == "__main__":
    tf.test.main()
