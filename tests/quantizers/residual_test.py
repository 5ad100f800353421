"""Tests of the residual quantizers against NumPy, equal in every bit.

Each step is one correctly rounded float32 product or sum, so NumPy's float32
gives the same floats, ties included.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.quantizers import grids
from qmia_tf.quantizers.dorefa import DoReFaActivations
from qmia_tf.quantizers.residual import ResidualBranch, quantize_sum

BITS = tuple(range(1, 9))


def _inputs(spread, seed=0):
    random = np.random.default_rng(seed)
    return (spread * random.normal(size=4000)).astype(np.float32)


def _rounded(x, scale, low=-127):
    codes = np.rint(x * np.float32(1.0 / scale))
    return np.maximum(np.minimum(codes, 127), low) * np.float32(scale)


def _gradients(function, inputs, dy):
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = function(*inputs)
    return [g.numpy() for g in tape.gradient(y, inputs, tf.constant(dy))]


class BranchTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        bits=BITS, kind=({}, {"projection": True}, {"linear": True})
    )
    def test_numpy(self, bits, kind):
        branch = ResidualBranch(bits, **kind)
        scale, low = branch.grid.scale, branch.grid.low
        self.assertEqual(low, -128 if kind.get("linear") else -127)
        x = _inputs(100 * scale)
        q = branch(x)
        expected = _rounded(x, scale, low)
        self.assertLen(np.unique(expected), 128 - low)
        wrong = np.sum(q != expected)
        self.assertEqual(wrong, 0, f"{wrong} of {x.size} differ")
        # Every code stays, and rounding again changes nothing.
        values = np.float32(branch.grid.values())
        self.assertAllClose(branch(values), values, rtol=2.0**-23, atol=0)
        self.assertAllEqual(branch(q), q)

    def test_a_half_goes_to_the_even_code(self):
        # At one bit beside a projection the scale is 1/63.
        x = np.float32([0.5, 1.5, -0.5, -2.5]) / np.float32(63)
        q = ResidualBranch(1, projection=True)(x)
        self.assertAllClose(q * 63, [0, 2, 0, -2], atol=1e-5)

    def test_gradient_stops_where_the_codes_do(self):
        branch = ResidualBranch(4)
        x = np.float32([-9, -127.01, -126.99, 0, 0.3, 126.99, 127.01, 9])
        x[1:-1] *= np.float32(branch.grid.scale)
        dy = np.arange(1, 9, dtype=np.float32)
        (gradient,) = _gradients(branch, [x], dy)
        self.assertAllEqual(gradient, [0, 0, 3, 4, 5, 6, 0, 0])


class SumTest(parameterized.TestCase, tf.test.TestCase):
    def _case(self, bits, projection):
        """Returns the options, the shortcut, the branch and the exact sum."""
        n = 2**bits - 1
        scale = grids.residual_grid(bits, projection=projection).scale
        options = {"scale": scale, "steps": float(n), "projection": projection}
        branch, shortcut = _inputs(0.7), _inputs(0.7, seed=1)
        if not projection:
            codes = np.random.default_rng(1).integers(0, n + 1, branch.size)
            shortcut = np.float32(codes) * np.float32(1 / n)
        branch[:200] *= 9
        if projection:
            shortcut[100:300] *= 9
        kept = _rounded(shortcut, scale) if projection else shortcut
        return options, shortcut, branch, kept + _rounded(branch, scale)

    @parameterized.product(bits=BITS, projection=(False, True))
    def test_numpy(self, bits, projection):
        n = 2**bits - 1
        options, shortcut, branch, total = self._case(bits, projection)
        outputs = quantize_sum(shortcut, branch, **options)
        expected = np.rint(np.clip(total, 0, 1).astype(np.float64) * n)
        # Beside a projection every level that the coarser grid can reach.
        self.assertGreaterEqual(len(np.unique(expected)), min(2**bits, 65))
        wrong = np.sum(np.rint(outputs * n) != expected)
        self.assertEqual(wrong, 0, f"{wrong} of {total.size} codes differ")
        self.assertAllClose(outputs, expected / n, rtol=2.0**-23, atol=0)

    @parameterized.product(bits=(2, 3, 4, 7, 8), projection=(False, True))
    def test_is_the_three_quantizers_and_their_gradients(
        self, bits, projection
    ):
        options, shortcut, branch, total = self._case(bits, projection)
        dy = _inputs(1.0, seed=2)
        rounding = ResidualBranch(bits, projection)

        def whole(shortcut, branch):
            return quantize_sum(shortcut, branch, **options)

        def three(shortcut, branch):
            shortcut = rounding(shortcut) if projection else shortcut
            return DoReFaActivations(bits)(shortcut + rounding(branch))

        self.assertAllEqual(whole(shortcut, branch), three(shortcut, branch))
        # At an end of the clip the last bit of a sum decides.
        clear = np.minimum(np.abs(total), np.abs(total - 1)) > 1e-6
        self.assertGreater(clear.mean(), 0.9)
        gradients = _gradients(whole, [shortcut, branch], dy)
        expected = _gradients(three, [shortcut, branch], dy)
        for one, other in zip(gradients, expected, strict=True):
            self.assertBetween(np.mean(other != 0), 0.2, 0.9)
            wrong = np.sum((one != other) & clear)
            self.assertEqual(wrong, 0, f"{wrong} of {dy.size} differ")

    @parameterized.parameters(1, 7)
    def test_a_branch_past_its_range_passes_no_gradient(self, bits):
        # Where the range ends at 1, the sum may still lie inside the clip.
        options = self._case(bits, False)[0]
        shortcut, branch = _gradients(
            lambda *inputs: quantize_sum(*inputs, **options),
            [np.zeros(4, np.float32), np.float32([0.25, 1, 1.01, 9])],
            np.ones(4, np.float32),
        )
        self.assertAllEqual(shortcut, [1, 1, 1, 1])
        self.assertAllEqual(branch, [1, 1, 0, 0])

    @parameterized.parameters(False, True)
    def test_without_steps_it_only_clips(self, projection):
        options, shortcut, branch, total = self._case(4, projection)
        outputs = quantize_sum(shortcut, branch, **{**options, "steps": None})
        # XLA may fuse the product and the sum into one rounding.
        self.assertAllClose(outputs, np.clip(total, 0, 1), rtol=0, atol=2e-7)
        self.assertGreater(len(np.unique(outputs)), 16)


if __name__ == "__main__":
    tf.test.main()
