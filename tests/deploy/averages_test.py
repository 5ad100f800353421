"""Tests of averages and batch norms of codes on their way into the twin."""

import fractions

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy.integer import averages
from qmia_tf.deploy.integer.code_grids import UNIT_GRID
from qmia_tf.deploy.integer.pending_values import Codes
from qmia_tf.quantizers.grids import Grid, activation_grid, linear_grid


class MeanGridTest(tf.test.TestCase):
    def test_as_fine_as_int8_allows(self):
        for bits in range(1, 9):
            grid = averages.mean_grid(activation_grid(bits))
            self.assertEqual(grid, Grid(1 / 255, -128, -128, 127))
            signed = linear_grid(bits)
            self.assertEqual(averages.mean_grid(signed), signed)


class AverageTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        size=((1, 1), (2, 1), (3, 5), (16, 16)),
        source=(activation_grid(1), activation_grid(4), activation_grid(8)),
    )
    def test_is_the_nearest_code(self, size, source):
        shape = (*size, 3)
        given = Codes(keras.Input(shape), source)
        # Over all of height and width, with both axes kept.
        pool = keras.layers.GlobalAveragePooling2D(keepdims=True)
        means = averages.PendingMeans(pool, given)
        twin = keras.Model(given.tensor, means.on(UNIT_GRID, "average"))
        top = source.high - source.zero_point
        levels = np.random.default_rng(4).integers(0, top + 1, (40, *shape))
        levels[0], levels[1] = 0, top
        averaged = twin(levels.astype(np.float32)).numpy()
        self.assertEqual(averaged.shape, (40, 1, 1, 3))
        count = size[0] * size[1]
        for record, channel in np.ndindex(40, 3):
            total = int(levels[record, ..., channel].sum())
            mean = fractions.Fraction(255 * total, count * top)
            code = int(averaged[record, 0, 0, channel])
            self.assertLessEqual(abs(mean - code), fractions.Fraction(1, 2))
        self.assertAllEqual(averaged[0], np.zeros((1, 1, 3)))
        self.assertAllEqual(averaged[1], np.full((1, 1, 3), 255))

    @parameterized.product(
        window=((2, 2), (3, 1)), strides=((1, 1), (2, 3)), normed=(False, True)
    )
    def test_windows_and_norms_in_floats(self, window, strides, normed):
        shape = (7, 6, 4)
        pool = keras.layers.AveragePooling2D(window, strides, name="pool")
        means = averages.PendingMeans(
            pool,
            Codes(keras.Input(shape), UNIT_GRID),
            window=window,
            strides=strides,
        )
        values = keras.Input(shape)
        expected = pool(values)
        if normed:
            norm = keras.layers.BatchNormalization()
            expected = norm(expected)
            rng = np.random.default_rng(0)
            for weight in norm.weights:
                weight.assign(rng.uniform(0.3, 2.0, 4))
            means = means.normed(norm)
        x = np.random.default_rng(1).random((3, *shape), np.float32)
        expected = keras.Model(values, expected)(x)
        outputs = keras.Model(values, means.in_floats(values))(x)
        # float32 sums in another order.
        self.assertAllClose(outputs, expected, rtol=1e-5, atol=1e-6)


class NormOfCodesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        source=(activation_grid(4), linear_grid(4)),
        target=(activation_grid(2), activation_grid(4), linear_grid(3)),
    )
    def test_rounds_every_code_as_the_norm_does(self, source, target):
        channels = 12
        norm = keras.layers.BatchNormalization()
        norm.build((None, 1, 1, channels))
        rng = np.random.default_rng(0)
        gamma = rng.normal(0.0, 0.8, channels)
        gamma[0] = 0
        norm.set_weights(
            [
                gamma,
                rng.normal(0.2, 0.3, channels),
                rng.normal(0.3, 0.2, channels),
                rng.uniform(0.1, 2.0, channels),
            ]
        )
        given = Codes(keras.Input((1, 1, channels)), source)
        means = averages.PendingMeans(norm, given, window=(1, 1)).normed(norm)
        twin = keras.Model(given.tensor, means.on(target, "ended"))
        levels = np.arange(source.low, source.high + 1) - source.zero_point
        levels = np.broadcast_to(
            levels[:, None, None, None], (len(levels), 1, 1, channels)
        )
        computed = twin(levels.astype(np.float32)).numpy()
        gamma, beta, mean, variance = (
            np.float64(weight) for weight in norm.get_weights()
        )
        values = levels * source.scale
        values = gamma * (values - mean) / np.sqrt(variance + norm.epsilon)
        values = (values + beta) / target.scale
        limits = target.low - target.zero_point, target.high - target.zero_point
        expected = np.rint(values).clip(*limits)
        # None of these values is half-way between two levels.
        self.assertGreater(np.abs(values % 1 - 0.5).min(), 1e-6)
        wrong = (computed != expected).sum()
        self.assertEqual(wrong, 0, f"{wrong} of {computed.size}")

    @parameterized.product(first=tuple(range(1, 9)), second=(1, 3, 4, 8))
    def test_from_grid_to_grid(self, first, second):
        for source, target in (
            (activation_grid(first), linear_grid(second)),
            (linear_grid(first), activation_grid(second)),
            (activation_grid(first), activation_grid(second)),
        ):
            given = Codes(keras.Input((1, 1, 1)), source)
            layer = keras.layers.Identity(name="grid")
            means = averages.PendingMeans(layer, given, window=(1, 1))
            twin = keras.Model(given.tensor, means.on(target, "ended"))
            levels = np.arange(source.low, source.high + 1) - source.zero_point
            computed = twin(levels.reshape(-1, 1, 1, 1).astype(np.float32))
            ratio = fractions.Fraction(
                source.scale / target.scale
            ).limit_denominator(255 * 127)
            exact = [ratio * int(level) for level in levels]
            self.assertNotIn(2, [value.denominator for value in exact])
            ends = (
                part - target.zero_point for part in (target.low, target.high)
            )
            expected = np.clip([round(value) for value in exact], *ends)
            self.assertAllEqual(np.reshape(computed, -1), expected)


if __name__ == "__main__":
    tf.test.main()
