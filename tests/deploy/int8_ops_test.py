"""Probes of single ops: what LiteRT's default kernels make of all codes.

The integer layers assume it; here it is asked of LiteRT, with equality.
"""

import fractions

import integer_nets
import numpy as np
import pattern_nets
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy.integer.code_grids import (
    branch_grid,
    sum_grid,
    sum_units,
)
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers
from qmia_tf.quantizers.grids import Grid, activation_grid, linear_grid

NONE, RELU = 0, 1  # the fused activation
BITS = tuple(range(1, 9))
GRIDS = (
    Grid(1 / 255, -128, -128, 127),
    activation_grid(4),
    activation_grid(1),
    linear_grid(4),
)


def _random(*shape, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, shape, np.int8)


class OpsTest(parameterized.TestCase, tf.test.TestCase):
    def assertSame(self, codes, expected, says=""):
        wrong = np.sum(codes != expected)
        self.assertEqual(wrong, 0, f"{wrong} of {np.size(expected)} {says}")

    def check_add(self, first, second, target, *, fused=NONE):
        """Of every pair of codes: the rounded, saturated exact sum."""
        units = sum_units(first.scale, second.scale, target.scale)
        left, right = np.meshgrid(
            np.arange(first.low, first.high + 1),
            np.arange(second.low, second.high + 1),
            indexing="ij",
        )
        codes, is_default = integer_nets.run_op(
            "ADD",
            [left.astype(np.int8), right.astype(np.int8)],
            [first, second],
            left.shape[1:],
            target,
            options="AddOptions",
            fusedActivationFunction=fused,
        )
        self.assertTrue(is_default)
        levels = [left - first.zero_point, right - second.zero_point]
        total = levels[0] * units[0] + levels[1] * units[1]
        # Floor of the double: no sum is half-way, units[2] being odd.
        expected = (2 * total + units[2]) // (2 * units[2])
        expected = (expected + target.zero_point).clip(target.low, target.high)
        self.assertSame(codes, expected, f"{units}")
        added = integer_layers.IntegerAdd(
            (first.scale, second.scale), units, target
        )
        added = added([level.astype(np.float32) for level in levels])
        self.assertSame(added + target.zero_point, expected, f"{units}")

    @parameterized.product(first_bits=BITS, bits=BITS, projection=(False, True))
    def test_add_of_a_branch(self, first_bits, bits, projection):
        first = activation_grid(first_bits)
        second = branch_grid(bits, projection=projection)
        if projection and first_bits == bits:
            first = second
        for ends in (bits, None):
            try:
                _, grid = sum_grid(first.scale, second.scale, ends)
            except InputError:
                self.assertIsNone(ends)
                continue
            self.check_add(first, second, grid, fused=RELU)

    @parameterized.parameters(*BITS)
    def test_add_on_one_grid_saturates(self, bits):
        grid = linear_grid(bits)
        self.assertEqual(sum_units(*3 * [grid.scale]), (1, 1, 1))
        self.check_add(grid, grid, grid)

    @parameterized.product(first_bits=BITS, bits=BITS)
    def test_add_to_a_grid_of_either_sign(self, first_bits, bits):
        signed = linear_grid(bits)
        for first in (activation_grid(first_bits), linear_grid(first_bits)):
            self.check_add(first, signed, signed)
            self.check_add(signed, first, linear_grid(first_bits))

    @parameterized.product(first_bits=BITS, bits=BITS)
    def test_add_of_activations(self, first_bits, bits):
        first, second = activation_grid(first_bits), activation_grid(bits)
        self.check_add(first, second, linear_grid(bits))

    def test_scales_that_could_tie(self):
        with self.assertRaisesRegex(InputError, "half-way between two codes"):
            sum_units(1 / 15, 1 / 15, 2 / 15)

    @parameterized.product(
        grid=GRIDS,
        pads=(((0, 1), (0, 1)), ((1, 1), (1, 1)), ((3, 0), (0, 2))),
    )
    def test_pad_fills_with_the_zero_point(self, grid, pads):
        codes = _random(5, 4, 3, 7)
        pads = ((0, 0), *pads, (0, 0))
        expected = np.pad(codes, pads, constant_values=grid.zero_point)
        padded, is_default = integer_nets.run_op(
            "PAD",
            [codes],
            [grid],
            expected.shape[1:],
            grid,
            constants=[np.array(pads, np.int32)],
            options="PadOptions",
        )
        self.assertTrue(is_default)
        self.assertSame(padded, expected)

    @parameterized.product(
        count=(2, 3, 4, 5, 6, 7), axis=(-1, 3, 1), grid=GRIDS[:2]
    )
    def test_concatenation_copies(self, count, axis, grid):
        # XNNPACK joins up to five tensors; LiteRT's own kernel copies as well.
        codes = [
            _random(3, *([4, 5] if axis == 1 else [5, 4 + part]), seed=part)
            for part in range(count)
        ]
        codes = [
            part[:, :, None] if axis == 1 else part[:, None] for part in codes
        ]
        expected = np.concatenate(codes, axis)
        joined, is_default = integer_nets.run_op(
            "CONCATENATION",
            codes,
            [grid] * count,
            expected.shape[1:],
            grid,
            options="ConcatenationOptions",
            axis=axis,
        )
        self.assertEqual(is_default, count <= 5)
        self.assertSame(joined, expected)

    @parameterized.product(grid=GRIDS, keepdims=(False, True))
    def test_reduce_max_picks(self, grid, keepdims):
        codes = _random(5, 4, 3, 7)
        expected = codes.max(axis=(1, 2), keepdims=keepdims)
        largest, _ = integer_nets.run_op(
            "REDUCE_MAX",
            [codes],
            [grid],
            expected.shape[1:],
            grid,
            constants=[np.array([1, 2], np.int32)],
            options="ReducerOptions",
            keepDims=keepdims,
        )
        self.assertSame(largest, expected)


class AverageTest(parameterized.TestCase, tf.test.TestCase):
    """RoundedAveragePooling2D against exact fractions, at every sum."""

    @parameterized.product(
        size=((2, 2), (1, 2), (3, 3), (4, 4), (7, 7)),
        bits=(1, 2, 4, 8),
        is_signed=(False, True),
    )
    def test_halves_go_up(self, size, bits, is_signed):
        grid = (linear_grid if is_signed else activation_grid)(bits)
        count = int(np.prod(size))
        low, high = grid.low - grid.zero_point, grid.high - grid.zero_point
        # Windows whose sums are all the ones there are.
        totals = np.arange(count * low, count * high + 1)
        levels = np.repeat(totals[:, None] // count, count, axis=1)
        levels += np.arange(count) < (totals % count)[:, None]
        self.assertAllEqual(levels.sum(axis=1), totals)
        expected = [
            fractions.Fraction(int(total), count) + fractions.Fraction(1, 2)
            for total in totals
        ]
        expected = np.array([value.__floor__() for value in expected])
        levels = levels.reshape(-1, *size, 1)
        trained, twin, content = pattern_nets.averages_alone(grid, size)
        values = (levels * np.float64(grid.scale)).astype(np.float32)
        averaged = np.rint(trained(values).numpy() / grid.scale).reshape(-1)
        self.assertAllEqual(averaged, expected)
        averaged = twin(levels.astype(np.float32)).numpy().reshape(-1)
        self.assertAllEqual(averaged, expected)
        codes = (levels + grid.zero_point).astype(np.int8)
        (averaged,) = integer_nets.run(content, codes).values()
        averaged = averaged.astype(int).reshape(-1) - grid.zero_point
        self.assertAllEqual(averaged, expected)


if __name__ == "__main__":
    tf.test.main()
