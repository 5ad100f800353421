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

    @parameterized.parameters(0, -1, 33, True, False, 4.0, "4", None)
    def test_refuses(self, bits):
        with self.assertRaisesRegex(InputError, "weight_bits must be.*1..32"):
            grids.check_bits(bits, "weight_bits")

    def test_says_what_it_got(self):
        with self.assertRaisesRegex(InputError, "in 1..32, got 33"):
            grids.check_bits(33, "bits")
        with self.assertRaisesRegex(InputError, "integer in 1..32, got 4.0"):
            grids.check_bits(4.0, "bits")

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
            self.assertEqual(grids.resolves(bits), int(np.float32(n)) == n)

    def test_steps(self):
        self.assertEqual(
            [grids.steps(bits) for bits in (1, 2, 8, 16)], [1, 3, 255, 65535]
        )

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


class WeightGridTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(1, 2, 3, 4, 5, 6, 7, 8, 12, 16)
    def test_codes_are_the_odd_integers(self, bits):
        grid = grids.weight_grid(bits)
        n = 2**bits - 1
        odd = [code for code in range(-n, n + 1) if code % 2]
        self.assertEqual(grid.codes().tolist(), odd)
        self.assertLen(odd, 2**bits)
        self.assertEqual(grid.zero_point, 0)
        self.assertEqual(grid.scale, 1 / n)

    @parameterized.parameters(2, 4, 8)
    def test_values_are_the_formula(self, bits):
        # (2 i - n) / n for i in 0..n, the facts' code book.
        n = 2**bits - 1
        exact = [float(Fraction(2 * i - n, n)) for i in range(n + 1)]
        values = grids.weight_grid(bits).values()
        self.assertAllClose(values, exact, rtol=0, atol=2e-16)
        self.assertAllEqual(values, -values[::-1])

    @parameterized.parameters(25, 31, 32)
    def test_floats_have_no_grid(self, bits):
        with self.assertRaisesRegex(InputError, f"{bits} bits are floats"):
            grids.weight_grid(bits)
        with self.assertRaisesRegex(InputError, f"{bits} bits are floats"):
            grids.activation_grid(bits)

    @parameterized.parameters(0, 33, 2.0, True)
    def test_bad_bits(self, bits):
        with self.assertRaisesRegex(InputError, "weight_bits must be"):
            grids.weight_grid(bits)
        with self.assertRaisesRegex(InputError, "activation_bits must be"):
            grids.activation_grid(bits)


class ActivationGridTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(1, 2, 3, 4, 5, 6, 7, 8)
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
        self.assertEqual(
            (grid.zero_point, grid.low, grid.high), (0, 0, 2**bits - 1)
        )
        self.assertEqual(grid.scale, 1 / (2**bits - 1))


class ResidualGridTest(parameterized.TestCase, tf.test.TestCase):
    def _assert_rounds_alike(self, sums, singles):
        """No exact sum is half-way, and float32 rounds each as it does."""
        ties = [total for total in sums if (total - HALF).denominator == 1]
        self.assertEmpty(ties)
        expected = [round(total) for total in sums]
        self.assertAllEqual(np.rint(singles), expected)

    @parameterized.parameters(1, 2, 3, 4, 5, 6, 7, 8)
    def test_no_sum_with_an_identity_ties(self, bits):
        n = 2**bits - 1
        grid = grids.residual_grid(bits, projection=False)
        multiple = _multiple(grid, bits)
        sums = [
            j * multiple + i for j in range(-127, 128) for i in range(n + 1)
        ]
        self.assertLen(sums, 255 * 2**bits)
        j = np.arange(-127, 128, dtype=np.float32)[:, None]
        i = np.arange(n + 1, dtype=np.float32) / np.float32(n)
        singles = (j * np.float32(grid.scale) + i) * np.float32(n)
        self._assert_rounds_alike(sums, singles.ravel())

    @parameterized.parameters(1, 2, 3, 4, 5, 6, 7, 8)
    def test_no_sum_with_a_projection_ties(self, bits):
        n = 2**bits - 1
        grid = grids.residual_grid(bits, projection=True)
        multiple = _multiple(grid, bits)
        codes = range(-127, 128)
        branch = [j * multiple for j in codes]
        sums = [first + second for first in branch for second in branch]
        self.assertLen(sums, 255**2)
        single = np.arange(-127, 128, dtype=np.float32) * np.float32(grid.scale)
        singles = (single[:, None] + single) * np.float32(n)
        self._assert_rounds_alike(sums, singles.ravel())

    def test_an_even_divisor_does_tie(self):
        # What the odd one is for: j/2 + i is half-way for every odd j.
        sums = [j * HALF + i for j in range(-127, 128) for i in range(16)]
        with self.assertRaises(AssertionError):
            self._assert_rounds_alike(sums, np.array(sums, np.float32))

    # 127/(c n) >= 1 and c odd by hand; 3/n at 8 bits, since 254/255 < 1.
    @parameterized.parameters(
        (1, 127), (2, 41), (3, 17), (4, 7), (5, 3), (6, 1), (7, 1), (8, "1/3")
    )
    def test_identity(self, bits, divisor):
        grid = grids.residual_grid(bits, projection=False)
        multiple = _multiple(grid, bits)
        self.assertEqual(1 / multiple, Fraction(divisor))
        self.assertGreaterEqual(127 * multiple / (2**bits - 1), 1)

    # The nearest to range 2 by ratio: 127/(63 * 1), 127/(21 * 3) ...
    @parameterized.parameters(
        (1, 63), (2, 21), (3, 9), (4, 5), (5, 3), (6, 1), (7, "1/2"), (8, "1/4")
    )
    def test_projection(self, bits, divisor):
        grid = grids.residual_grid(bits, projection=True)
        multiple = _multiple(grid, bits)
        self.assertEqual(1 / multiple, Fraction(divisor))
        self.assertBetween(float(127 * multiple / (2**bits - 1)), 1.0, 2.1)

    @parameterized.parameters(False, True)
    def test_is_symmetric_int8(self, projection):
        grid = grids.residual_grid(4, projection=projection)
        self.assertEqual(
            (grid.zero_point, grid.low, grid.high, grid.step), (0, -127, 127, 1)
        )

    def test_errors(self):
        with self.assertRaisesRegex(
            InputError, "1..8, got 9; use residual_bits=32"
        ):
            grids.residual_grid(9, projection=False)
        with self.assertRaisesRegex(InputError, "activation_bits must be"):
            grids.residual_grid(0, projection=True)


class CodesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(2, 3, 4, 5, 6, 7, 8, 12, 16)
    def test_every_code_comes_back(self, bits):
        n = 2**bits - 1
        codes = np.arange(-n, n + 1, 2)
        recovered, scale = grids.weight_codes(
            (codes / n).astype(np.float32), bits
        )
        self.assertAllEqual(recovered, codes)
        self.assertEqual(recovered.dtype, np.int32)
        self.assertEqual(scale, 1 / n)
        values = grids.weight_values(codes, bits)
        self.assertEqual(values.dtype, np.float32)
        # One float32 rounding of 1/n and one of the product.
        self.assertAllClose(values, codes / n, rtol=2.0**-23, atol=0)
        self.assertAllEqual(grids.weight_codes(values, bits)[0], codes)
        self.assertEqual((values[0], values[-1]), (-1.0, 1.0))

    def test_codes_of_24_bits_come_back(self):
        n = 2**24 - 1
        random = np.random.default_rng(0)
        codes = 2 * random.integers(0, n + 1, 9999) - n
        codes = np.concatenate([codes, [-n, -1, 1, n]])
        values = grids.weight_values(codes, 24)
        self.assertAllEqual(grids.weight_codes(values, 24)[0], codes)

    def test_one_bit_has_the_tensors_own_scale(self):
        values = np.float32([[0.3, -0.3], [-0.3, 0.3]])
        codes, scale = grids.weight_codes(values, 1)
        self.assertAllEqual(codes, [[1, -1], [-1, 1]])
        self.assertEqual(np.float32(scale), np.float32(0.3))
        self.assertAllEqual(grids.weight_values(codes, 1, scale), values)

    def test_one_bit_of_all_zeros(self):
        codes, scale = grids.weight_codes(np.zeros([3], np.float32), 1)
        self.assertAllEqual(codes, [1, 1, 1])
        self.assertAllEqual(grids.weight_values(codes, 1, scale), [0, 0, 0])

    @parameterized.parameters(
        ("zero is no code", 4, [0.0, 1 / 15]),
        ("an even code", 4, [2 / 15]),
        ("another width's", 4, [1 / 7]),
        ("beyond the end", 4, [17 / 15]),
        ("a little off", 8, [1 / 255 + 2e-5]),
        ("two sizes", 1, [0.3, -0.5]),
        ("zero at one bit", 1, [0.3, 0.0]),
        ("not a number", 4, [1.0, np.nan]),
        ("not a number at one bit", 1, [1.0, np.nan]),
        ("infinite", 4, [np.inf]),
        ("infinite at one bit", 1, [np.inf, -np.inf]),
    )
    def test_off_the_grid(self, why, bits, values):
        with self.assertRaisesRegex(
            InputError, f"not on the {bits}-bit DoReFa grid", msg=why
        ):
            grids.weight_codes(np.float32(values), bits)


class ExactnessTest(tf.test.TestCase):
    def test_every_pair(self):
        for w in range(1, 33):
            for a in range(1, 33):
                # int8 filters have codes -127..127, activations 256 codes.
                fits = 2**w - 1 <= 127 and 2**a <= 256
                self.assertEqual(grids.int8_exact(w, a), fits, (w, a))

    def test_errors(self):
        with self.assertRaisesRegex(InputError, "weight_bits must be"):
            grids.int8_exact(0, 4)
        with self.assertRaisesRegex(InputError, "activation_bits must be"):
            grids.int8_exact(4, 33)


if __name__ == "__main__":
    tf.test.main()
