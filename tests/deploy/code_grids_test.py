"""Tests of the grids of an integer file's tensors, in exact fractions."""

import dataclasses
import fractions
import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy.integer import code_grids
from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import activation_grid, residual_grid

Exact = fractions.Fraction
EVERY_BITS = tuple(range(1, 9))


class UnitGridTest(tf.test.TestCase):
    def test_holds_every_pixel(self):
        values = code_grids.UNIT_GRID.values()
        self.assertAllClose(values, np.arange(256) / 255, rtol=1e-15, atol=0)


class LogitsGridTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (-4.0, 5.0),
        (-0.1, 30.0),
        (1.0, 2.0),
        (-8.0, -7.5),
        (0.0, 0.0),
        (-1e-9, 1e-9),
        (-1e6, 3.0),
        (-2.0, 1e9),
        (3.0, 3.0),
    )
    def test_spans_the_range_and_holds_zero(self, low, high):
        grid = code_grids.logits_grid(low, high)
        values = grid.values()
        self.assertIn(0.0, values)
        self.assertEqual((grid.low, grid.high), (-128, 127))
        self.assertEqual(grid.scale, float(np.float32(grid.scale)))
        # The zero point is a whole code, which may cost half a step.
        self.assertLessEqual(values[0], min(low, 0) + 0.51 * grid.scale)
        self.assertGreaterEqual(values[-1], max(high, 0) - 0.51 * grid.scale)
        span = max(high, 0) - min(low, 0)
        self.assertAllClose(grid.scale * 255, max(span, 1e-6), rtol=1e-6)

    @parameterized.parameters(
        (1.0, -1.0), (np.nan, 1.0), (-1.0, np.inf), (-np.inf, np.inf)
    )
    def test_no_range(self, low, high):
        with self.assertRaisesRegex(
            InputError, f"^logits range from {low} to {high}: no grid$"
        ):
            code_grids.logits_grid(low, high)


class BranchGridTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(bits=EVERY_BITS, projection=(False, True))
    def test_is_the_trained_grid_with_one_code_more(self, bits, projection):
        trained = residual_grid(bits, projection=projection)
        grid = code_grids.branch_grid(bits, projection=projection)
        self.assertEqual(
            dataclasses.asdict(grid),
            {**dataclasses.asdict(trained), "low": -128},
        )

    @parameterized.product(bits=EVERY_BITS, projection=(False, True))
    def test_that_code_changes_no_sum(self, bits, projection):
        grid = code_grids.branch_grid(bits, projection=projection)
        other = grid if projection else activation_grid(bits)
        highest = (other.high - other.zero_point) * other.scale
        for code in (-128, -127):
            self.assertLessEqual(code * grid.scale + highest, 1e-12)


class SumGridTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        bits=EVERY_BITS, projection=(False, True), rounded=(False, True)
    )
    def test_units(self, bits, projection, rounded):
        n = 2**bits - 1
        branch = code_grids.branch_grid(bits, projection=projection).scale
        first = branch if projection else 1.0 / n
        units, grid = code_grids.sum_grid(
            first, branch, bits if rounded else None
        )
        exact = [
            Exact(scale).limit_denominator(127 * n)
            for scale in (first, branch, grid.scale)
        ]
        for unit, scale in zip(units, exact, strict=True):
            self.assertEqual(Exact(unit, units[2]), scale / exact[2])
        self.assertEqual(math.gcd(*units), 1)
        # Odd: a sum is never half-way between two codes.
        self.assertEqual(units[2] % 2, 1)
        if rounded:
            self.assertEqual(grid, activation_grid(bits))
        else:
            self.assertEqual(units[2], 1)
            self.assertEqual(grid.low, grid.zero_point)
            self.assertEqual(grid.high, 127)
            self.assertLessEqual(grid.high - grid.low, 255)
            self.assertAllClose(grid.values()[[0, -1]], [0, 1], atol=1e-12)

    def test_not_rounded_is_the_finest_of_the_two(self):
        for scales in ((1 / 15, 1 / 105), (1 / 105, 1 / 15), (2 / 105, 1 / 15)):
            _, grid = code_grids.sum_grid(*scales, None)
            self.assertAllClose(grid.scale, 1 / 105, rtol=1e-12)

    @parameterized.parameters((1 / 30, 1 / 15, 4), (1 / 8, 1 / 8, 3))
    def test_ties_are_refused(self, first, second, bits):
        with self.assertRaisesRegex(
            InputError, "^a sum could lie half-way between two codes$"
        ):
            code_grids.sum_grid(first, second, bits)

    def test_too_many_levels(self):
        with self.assertRaisesRegex(
            InputError, "^the sum has 465 levels, int8 holds 255$"
        ):
            code_grids.sum_grid(1 / 15, 1 / 31, None)

    @parameterized.parameters(np.pi / 100, 0.0123456789)
    def test_no_scale_of_an_activation(self, scale):
        with self.assertRaisesRegex(
            InputError, f"^{scale} is no scale of a quantized activation$"
        ):
            code_grids.sum_grid(scale, 1 / 15, 4)


if __name__ == "__main__":
    tf.test.main()
