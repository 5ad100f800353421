"""Tests of the layers on levels, against int64 NumPy and exact fractions."""

import fractions

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from exact_arithmetic import (
    exact_convolution,
    nearest_float32,
    requantize,
    requantize_all,
)

from qmia_tf.deploy.integer.code_grids import UNIT_GRID, branch_grid, sum_grid
from qmia_tf.layers import integer_layers
from qmia_tf.quantizers.grids import Grid, activation_grid

SHAPE = (3, 7, 6, 5)
WINDOWS = (
    {},
    {"strides": (2, 2)},
    {"strides": (3, 3), "padding": "valid"},
    {"dilation_rate": (2, 2)},
    {"dilation_rate": (2, 2), "padding": "valid"},
    {"padding": "valid"},
)
SIZES = ((3, 3), (1, 1), (2, 3))
UNEVEN = {"strides": (1, 2)}
INT8 = Grid(1.0, 0, -128, 127)


def _layer(kind, kernel, bias, multipliers, *, grid, **options):
    layer = kind(kernel.shape, len(bias), input_scale=0.1, grid=grid, **options)
    layer.build(None)
    layer.set_weights([kernel, bias, multipliers * np.float32(7), multipliers])
    return layer


def _numbers(shape, channels, seed=0):
    """Random kernel, bias, and multipliers that make many ties."""
    rng = np.random.default_rng(seed)
    kernel = rng.integers(-127, 128, shape).astype(np.int8)
    bias = rng.integers(-3000, 3000, channels).astype(np.int32)
    multipliers = rng.uniform(1e-4, 1e-2, channels).astype(np.float32)
    multipliers[::2] = np.exp2(rng.integers(-10, -5, len(multipliers[::2])))
    return kernel, bias, multipliers


class NumPyOracleTest(tf.test.TestCase):
    """The oracle itself, where the answer is known."""

    def test_nearest_float32_is_numpys(self):
        rng = np.random.default_rng(0)
        numbers = [*rng.integers(-(2**31), 2**31, 300), 2**24 + 1, 2**24 + 3]
        for number in numbers:
            nearest = nearest_float32(fractions.Fraction(int(number)))
            self.assertEqual(float(nearest), float(np.float32(number)))

    def test_requantize_rounds_halves_to_even(self):
        grid = Grid(1.0, 0, -128, 127)
        rounded = [requantize(total, 0.5, grid) for total in range(-5, 6)]
        self.assertEqual(rounded, [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2])


class LevelsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*range(1, 9))
    def test_to_levels_and_back(self, bits):
        grid = activation_grid(bits)
        expected = np.arange(2**bits)
        values = np.float32(expected / (2**bits - 1))
        levels = integer_layers.ToLevels(grid)(values)
        self.assertAllEqual(levels, expected)
        back = integer_layers.FromLevels(grid.scale)(levels)
        self.assertAllClose(back, values, rtol=2e-7, atol=0)

    def test_every_pixel_is_its_own_level(self):
        pixels = np.arange(256, dtype=np.float32) / np.float32(255)
        self.assertAllEqual(
            integer_layers.ToLevels(UNIT_GRID)(pixels), range(256)
        )

    def test_rounds_half_to_even_and_saturates(self):
        grid = Grid(0.5, 3, -2, 9)  # levels -5 to 6
        levels = integer_layers.ToLevels(grid)(
            tf.constant([0.25, 0.75, -0.25, -0.75, 3.1, -9.0, np.inf])
        )
        self.assertAllEqual(levels, [0, 2, 0, -2, 6, -5, 6])


class ConvolutionTest(parameterized.TestCase, tf.test.TestCase):
    """IntegerConv2D, IntegerDepthwiseConv2D and IntegerDense."""

    def check(self, kind, kernel_shape, sums_of, *, inputs, grid, **options):
        channels = kernel_shape[-1]
        if kind is integer_layers.IntegerDepthwiseConv2D:
            channels *= kernel_shape[-2]
        numbers = _numbers(kernel_shape, channels)
        sums = sums_of(inputs, numbers[0])
        expected = requantize_all(sums, *numbers[1:], grid)
        for wide in (False, True):
            layer = _layer(kind, *numbers, grid=grid, wide=wide, **options)
            outputs = layer(inputs.astype(np.float32)).numpy()
            self.assertEqual(outputs.dtype, np.float32)
            self.assertEqual(outputs.shape, expected.shape)
            wrong = (outputs != expected).sum()
            self.assertEqual(wrong, 0, f"{wrong} of {outputs.size}, {wide=}")
            symbolic = layer(keras.Input(inputs.shape[1:]))
            self.assertEqual(symbolic.shape, (None, *expected.shape[1:]))
        self.assertGreater(len(np.unique(expected)), 10)

    def inputs(self, shape=SHAPE, low=0):
        return np.random.default_rng(5).integers(low, 256 + low, shape)

    @parameterized.product(windows=WINDOWS + (UNEVEN,), size=SIZES)
    def test_convolution(self, windows, size):
        self.check(
            integer_layers.IntegerConv2D,
            (*size, SHAPE[-1], 4),
            lambda x, k: exact_convolution(x, k, **windows),
            inputs=self.inputs(),
            grid=branch_grid(4, projection=False),
            **windows,
        )

    @parameterized.product(windows=WINDOWS, multiple=(1, 3))
    def test_depthwise_convolution(self, windows, multiple):
        self.check(
            integer_layers.IntegerDepthwiseConv2D,
            (3, 3, SHAPE[-1], multiple),
            lambda x, k: exact_convolution(x, k, depthwise=True, **windows),
            inputs=self.inputs(),
            grid=activation_grid(8),
            **windows,
        )

    @parameterized.parameters((3, 40), (2, 5, 40))
    def test_dense(self, *shape):
        self.check(
            integer_layers.IntegerDense,
            (40, 6),
            lambda x, k: x @ k.astype(np.int64),
            inputs=self.inputs(shape, low=-128),
            grid=Grid(0.1, 20, -128, 127),
        )

    def dense(self, kernel, bias, multipliers, grid, wide=False):
        return _layer(
            integer_layers.IntegerDense,
            np.array(kernel, np.int8),
            np.array(bias, np.int32),
            np.array(multipliers, np.float32),
            grid=grid,
            wide=wide,
        )

    def test_saturates_at_both_ends_of_its_grid(self):
        layer = self.dense([[1]], [0], [1.0], activation_grid(3))
        outputs = layer(tf.constant([[-9.0], [-1.0], [3.0], [7.0], [8.0]]))
        self.assertAllEqual(outputs[:, 0], [0, 0, 3, 7, 7])

    def test_sum_is_rounded_to_float32_before_the_product(self):
        # 2**24 + 1 is no float32: as XNNPACK converts it, it becomes 2**24.
        multipliers = np.array([2.0**-24], np.float32) * np.float32(100.5)
        layer = self.dense([[1]], [2**24], multipliers, INT8, wide=True)
        outputs = layer(tf.constant([[0.0], [1.0], [2.0]]))
        self.assertAllEqual(outputs[:, 0], [100, 100, 101])

    def test_sums_beyond_float32_need_wide(self):
        # Codes that all pull one way; a bias takes the sum back to near zero.
        fan_in, count = 4096, 50
        rng = np.random.default_rng(1)
        inputs = rng.integers(200, 256, (count, fan_in))
        inputs[:, :300] |= 1
        kernel = np.full((fan_in, 2), 127, np.int8)
        kernel[::7] = 126
        sums = inputs @ kernel.astype(np.int64)
        bias = -np.rint(sums.mean(axis=0)).astype(np.int32)
        multipliers = np.array([1 / 3000, 1 / 1024], np.float32)
        grid = Grid(0.1, 0, -128, 127)
        expected = requantize_all(sums, bias, multipliers, grid)
        self.assertGreater(sums.min(), 2**26)
        self.assertGreater(len(np.unique(expected)), 20)
        x = inputs.astype(np.float32)
        wide = self.dense(kernel, bias, multipliers, grid, wide=True)
        self.assertAllEqual(wide(x), expected)
        # And the case is hard enough: float32 does not get it right.
        grid = Grid(1.0, 0, -(2**23), 2**23)
        exact = self.dense(kernel, bias, np.ones(2), grid)(x)
        self.assertGreater((exact != sums + bias).numpy().sum(), 0)

    def test_sums_just_below_float32s_end_need_no_wide(self):
        fan_in = 2**24 // (127 * 255)
        inputs = np.full((2, fan_in), 255)
        inputs[1, 0] = 254
        kernel = np.full((fan_in, 1), 127, np.int8)
        sums = inputs @ kernel.astype(np.int64)
        self.assertBetween(sums.max(), 0.99 * 2**24, 2**24 - 1)
        layer = self.dense(kernel, -sums[0], np.ones(1), INT8)
        self.assertAllEqual(layer(inputs.astype(np.float32)), [[0], [-127]])


class AddTest(parameterized.TestCase, tf.test.TestCase):
    """IntegerAdd at every pair of codes that can meet, in exact fractions."""

    def pairs(self, bits, projection):
        second = branch_grid(bits, projection=projection)
        first = second if projection else activation_grid(bits)
        levels = [
            np.arange(grid.low, grid.high + 1) - grid.zero_point
            for grid in (first, second)
        ]
        return first, second, np.meshgrid(*levels, indexing="ij")

    @parameterized.product(
        bits=tuple(range(1, 9)),
        projection=(False, True),
        rounded=(False, True),
    )
    def test_equals_exact_fractions_and_never_ties(
        self, bits, projection, rounded
    ):
        first, second, (left, right) = self.pairs(bits, projection)
        units, grid = sum_grid(
            first.scale, second.scale, bits if rounded else None
        )
        add_layer = integer_layers.IntegerAdd(
            (first.scale, second.scale), units, grid
        )
        outputs = add_layer([left.astype(np.float32), right.astype(np.float32)])

        steps = 2**bits - 1
        near = fractions.Fraction
        branch = near(second.scale).limit_denominator(127 * 255)
        shortcut = branch if projection else near(1, steps)
        # Of the sum in steps of the output, as numerator over denominator.
        count = steps if rounded else round(1 / grid.scale)
        parts = [scale * count for scale in (shortcut, branch)]
        below = np.lcm(*[part.denominator for part in parts])
        left, right = (
            codes * int(part * int(below))
            for codes, part in zip((left, right), parts, strict=True)
        )
        total = left + right
        inside = (total > 0) & (total < count * below)
        ties = inside & (2 * total % below == 0) & (total % below != 0)
        self.assertEqual(ties.sum(), 0, "sums half-way between two codes")
        if not rounded:
            self.assertFalse((total % below).any(), "a sum off the grid")
        expected = np.clip((2 * total + below) // (2 * below), 0, count)
        wrong = (outputs.numpy() != expected).sum()
        self.assertEqual(wrong, 0, f"{wrong} of {expected.size} codes")
        # Two projections of 7 or 8 bits add up to every 2nd or 4th code.
        self.assertGreaterEqual(len(np.unique(expected)), min(count, 64))


class SoftmaxTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(classes=(2, 10, 100), scale=(0.0005, 0.03, 0.1, 2.0))
    def test_is_a_softmax_in_steps_of_1_256(self, classes, scale):
        scale = float(np.float32(scale))
        rng = np.random.default_rng(classes)
        levels = rng.integers(0, 256, (300, classes)).astype(np.float32)
        levels[0], levels[1] = 0, 255
        outputs = integer_layers.IntegerSoftmax(scale)(levels).numpy()
        powers = np.exp(scale * levels.astype(np.float64))
        expected = 256 * powers / powers.sum(axis=1, keepdims=True)
        # Half a step of rounding, and what 24 bits lose in a sum of classes.
        self.assertAllClose(outputs, expected.clip(max=255), rtol=0, atol=0.501)
        self.assertAllEqual(outputs, np.rint(outputs))
        self.assertBetween(outputs.min(), 0, 255)

    def test_halves_go_up(self):
        # 1/512 of 256 is one half: TFLite's kernel makes 1 of it.
        outputs = integer_layers.IntegerSoftmax(0.1)(
            np.zeros((1, 512), np.float32)
        )
        self.assertAllEqual(outputs, np.ones((1, 512)))

    def test_one_class_saturates(self):
        outputs = integer_layers.IntegerSoftmax(9.0)(np.array([[255.0, 0.0]]))
        self.assertAllEqual(outputs, [[255, 0]])


class WeightsTest(tf.test.TestCase):
    def test_weights_have_the_files_types(self):
        layer = integer_layers.IntegerConv2D(
            (1, 1, 2, 3), 3, input_scale=0.1, grid=activation_grid(2)
        )
        layer.build(None)
        dtypes = {weight.name: weight.dtype for weight in layer.weights}
        self.assertEqual(
            dtypes,
            {
                "kernel": "int8",
                "bias": "int32",
                "weight_scales": "float32",
                "multipliers": "float32",
            },
        )


if __name__ == "__main__":
    tf.test.main()
