"""Tests of the grids, in whole numbers and fractions."""

import math
import subprocess
import sys
import warnings
from fractions import Fraction

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.quantizers import grids

HALF = Fraction(1, 2)
BITS = tuple(range(1, 9))


def _multiple(grid, bits):
    """Returns the grid's scale in units of 1/n as an exact fraction."""
    multiple = Fraction(grid.scale * (2**bits - 1)).limit_denominator(127)
    if not math.isclose(
        float(multiple) / (2**bits - 1), grid.scale, rel_tol=1e-15
    ):
        raise AssertionError(f"{grid.scale} is no small fraction of 1/n")
    return multiple


class BitsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(1, 8, 32, np.int64(4))
    def test_accepts(self, bits):
        grids.check_bits(bits, "weight_bits")

    @parameterized.parameters(
        *((bits, "in 1..32, got") for bits in (0, -1, 33)),
        *((bits, "an integer in 1..32") for bits in (True, 4.0, "4", None)),
    )
    def test_refuses_and_says_what_it_got(self, bits, message):
        with self.assertRaisesRegex(
            InputError, f"weight_bits must be {message}.*{bits!r}"
        ):
            grids.check_bits(bits, "weight_bits")

    @parameterized.parameters(25, 31)
    def test_a_layer_warns_where_float32_ends(self, bits):
        with self.assertWarnsRegex(
            UserWarning, f"weight_bits={bits}: float32 carries 24 bits"
        ):
            grids.check_layer_bits(bits, "weight_bits")

    @parameterized.parameters(1, 24, 32)
    def test_a_layer_does_not_warn_elsewhere(self, bits):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            grids.check_layer_bits(bits, "weight_bits")

    def test_float32_resolves_24_bits_and_no_more(self):
        for bits in range(1, 33):
            n = 2**bits - 1
            self.assertEqual(grids.steps(bits), n)
            self.assertEqual(grids.resolves(bits), int(np.float32(n)) == n)

    def test_imports_no_tensorflow(self):
        code = (
            "import sys; import qmia_tf.quantizers.grids; "
            "print({'tensorflow', 'keras'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.stdout.strip(), "set()", done.stderr)


class ActivationGridTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*BITS)
    def test_up_to_8_bits_is_int8(self, bits):
        grid = grids.activation_grid(bits)
        n = 2**bits - 1
        self.assertEqual((grid.scale, grid.zero_point), (1 / n, 127 - n))
        codes = grid.codes()
        self.assertLen(codes, 2**bits)
        self.assertGreaterEqual(codes[0], -128)
        # RELU clamps at the zero point, int8 itself at 1.0.
        self.assertEqual((codes[0], codes[-1]), (grid.zero_point, 127))
        self.assertAllClose(
            grid.values(), np.arange(n + 1) / n, rtol=0, atol=2e-16
        )

    def test_what_the_converter_was_seen_to_write(self):
        four, eight = grids.activation_grid(4), grids.activation_grid(8)
        self.assertEqual(np.float32(four.scale), np.float32(0.06666667))
        self.assertEqual((four.zero_point, eight.zero_point), (112, -128))

    @parameterized.parameters(9, 16, 24)
    def test_wider_counts_from_zero(self, bits):
        grid = grids.activation_grid(bits)
        n = 2**bits - 1
        self.assertEqual(grid, grids.Grid(1 / n, 0, 0, n))

    @parameterized.parameters(
        (25, "25 bits are floats"),
        (32, "32 bits are floats"),
        (33, "activation_bits must be"),
    )
    def test_errors(self, bits, message):
        with self.assertRaisesRegex(InputError, message):
            grids.activation_grid(bits)


class ResidualGridTest(parameterized.TestCase, tf.test.TestCase):
    def _assert_rounds_alike(self, sums, singles):
        """No exact sum is half-way, and float32 rounds each as it does."""
        ties = [total for total in sums if (total - HALF).denominator == 1]
        self.assertEmpty(ties)
        expected = [round(total) for total in sums]
        self.assertAllEqual(np.rint(singles), expected)

    @parameterized.product(bits=BITS, projection=(False, True))
    def test_no_sum_ties(self, bits, projection):
        n = 2**bits - 1
        grid = grids.residual_grid(bits, projection=projection)
        self.assertEqual((grid.zero_point, grid.low, grid.high), (0, -127, 127))
        multiple = _multiple(grid, bits)
        branch = [j * multiple for j in range(-127, 128)]
        single = np.arange(-127, 128, dtype=np.float32) * np.float32(grid.scale)
        shortcut = branch if projection else range(n + 1)
        other = single
        if not projection:
            other = np.arange(n + 1, dtype=np.float32) / np.float32(n)
        sums = [first + second for first in branch for second in shortcut]
        singles = (single[:, None] + other) * np.float32(n)
        self.assertLen(sums, 255 * (255 if projection else 2**bits))
        self._assert_rounds_alike(sums, singles.ravel())

    def test_an_even_divisor_does_tie(self):
        # What the odd one is for: j/2 + i is half-way for every odd j.
        sums = [j * HALF + i for j in range(-127, 128) for i in range(16)]
        with self.assertRaises(AssertionError):
            self._assert_rounds_alike(sums, np.array(sums, np.float32))

    @parameterized.parameters(
        # 127/(c n) >= 1 and c odd by hand; 3/n at 8 bits, since 254/255 < 1.
        (False, (127, 41, 17, 7, 3, 1, 1, "1/3")),
        # The nearest to range 2 by ratio: 127/(63 * 1), 127/(21 * 3) ...
        (True, (63, 21, 9, 5, 3, 1, "1/2", "1/4")),
    )
    def test_divisors(self, projection, divisors):
        for bits, divisor in zip(BITS, divisors, strict=True):
            grid = grids.residual_grid(bits, projection=projection)
            multiple = _multiple(grid, bits)
            self.assertEqual(1 / multiple, Fraction(divisor))
            reach = float(127 * multiple / (2**bits - 1))
            self.assertBetween(reach, 1.0, 2.1 if projection else np.inf)


class LinearGridTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*BITS)
    def test_range_codes_and_steps(self, bits):
        grid = grids.linear_grid(bits)
        self.assertEqual((grid.zero_point, grid.low, grid.high), (0, -128, 127))
        self.assertBetween(127 * grid.scale, 1.3, 3.1)
        steps = grids.steps_of_scale(grid.scale)
        codes = np.arange(-128, 128) * grid.scale * steps
        self.assertAllClose(codes, np.rint(codes), atol=1e-9)
        self.assertLessEqual(steps, 255)

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
                self.assertNotEqual((total / step) % 1, HALF)

    @parameterized.parameters(
        (0, "activation_bits must be"),
        (9, "1..8, got 9; use residual_bits=32"),
        (32, "1..8, got 32"),
    )
    def test_bits(self, bits, message):
        with self.assertRaisesRegex(InputError, message):
            grids.linear_grid(bits)
        with self.assertRaisesRegex(InputError, message):
            grids.residual_grid(bits, projection=True)


if __name__ == "__main__":
    tf.test.main()
