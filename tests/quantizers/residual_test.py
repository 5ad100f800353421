"""Tests of the residual quantizers against NumPy, equal in every bit.

Each step is one correctly rounded float32 product or sum, so NumPy's float32
gives the same floats, ties included.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.quantizers import dorefa, grids, residual


def _inputs(spread, seed=0):
    random = np.random.default_rng(seed)
    return (spread * random.normal(size=4000)).astype(np.float32)


def _rounded(x, scale):
    codes = np.rint(x * np.float32(1.0 / scale))
    return np.maximum(np.minimum(codes, 127), -127) * np.float32(scale)


def _gradients(function, inputs, dy):
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = function(*inputs)
    return [g.numpy() for g in tape.gradient(y, inputs, tf.constant(dy))]


class ResidualTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(bits=tuple(range(1, 9)), projection=(False, True))
    def test_numpy(self, bits, projection):
        scale = grids.residual_grid(bits, projection=projection).scale
        x = _inputs(100 * scale)
        q = residual.quantize_residual(x, scale=scale)
        expected = _rounded(x, scale)
        self.assertLen(np.unique(expected), 255)
        wrong = np.sum(q != expected)
        self.assertEqual(wrong, 0, f"{wrong} of {x.size} differ")

    @parameterized.parameters(1, 4, 8)
    def test_every_code_stays(self, bits):
        grid = grids.residual_grid(bits, projection=False)
        values = np.float32(grid.values())
        q = residual.quantize_residual(values, scale=grid.scale)
        self.assertAllClose(q, values, rtol=2.0**-23, atol=0)
        self.assertAllEqual(residual.quantize_residual(q, scale=grid.scale), q)

    def test_a_half_goes_to_the_even_code(self):
        q = residual.quantize_residual([0.5, 1.5, -0.5, -2.5], scale=1.0)
        self.assertAllEqual(q, [0, 2, 0, -2])

    def test_gradient_stops_where_the_codes_do(self):
        scale = 1 / 45
        x = np.float32([-9, -127.01, -126.99, 0, 0.3, 126.99, 127.01, 9])
        x[1:-1] *= np.float32(scale)
        dy = np.arange(1, 9, dtype=np.float32)
        (gradient,) = _gradients(
            lambda x: residual.quantize_residual(x, scale=scale), [x], dy
        )
        self.assertAllEqual(gradient, [0, 0, 3, 4, 5, 6, 0, 0])


class SumTest(parameterized.TestCase, tf.test.TestCase):
    def _case(self, bits, projection):
        """Returns the grid's scale, the shortcut and the branch."""
        n = 2**bits - 1
        scale = grids.residual_grid(bits, projection=projection).scale
        branch = _inputs(0.7)
        if projection:
            return scale, _inputs(0.7, seed=1), branch
        codes = np.random.default_rng(1).integers(0, n + 1, branch.size)
        return scale, np.float32(codes) * np.float32(1 / n), branch

    @parameterized.product(bits=tuple(range(1, 9)), projection=(False, True))
    def test_numpy(self, bits, projection):
        n = 2**bits - 1
        scale, shortcut, branch = self._case(bits, projection)
        outputs = residual.quantize_sum(
            shortcut,
            branch,
            scale=scale,
            steps=float(n),
            projection=projection,
        )
        kept = _rounded(shortcut, scale) if projection else shortcut
        total = np.clip(kept + _rounded(branch, scale), 0, 1)
        expected = np.rint(total.astype(np.float64) * n)
        # Beside a projection every level that the coarser grid can reach.
        self.assertGreaterEqual(len(np.unique(expected)), min(2**bits, 65))
        wrong = np.sum(np.rint(outputs * n) != expected)
        self.assertEqual(wrong, 0, f"{wrong} of {total.size} codes differ")
        self.assertAllClose(outputs, expected / n, rtol=2.0**-23, atol=0)

    @parameterized.product(bits=(2, 3, 4, 7, 8), projection=(False, True))
    def test_is_the_three_layers_and_their_gradients(self, bits, projection):
        scale, shortcut, branch = self._case(bits, projection)
        branch[:200] *= 9
        if projection:
            shortcut[100:300] *= 9
        dy = _inputs(1.0, seed=2)

        def whole(shortcut, branch):
            return residual.quantize_sum(
                shortcut,
                branch,
                scale=scale,
                steps=2.0**bits - 1,
                projection=projection,
            )

        def three(shortcut, branch):
            if projection:
                shortcut = residual.quantize_residual(shortcut, scale=scale)
            branch = residual.quantize_residual(branch, scale=scale)
            return dorefa.quantize_activations(shortcut + branch, bits=bits)

        self.assertAllEqual(whole(shortcut, branch), three(shortcut, branch))
        kept = _rounded(shortcut, scale) if projection else shortcut
        total = kept.astype(np.float64) + _rounded(branch, scale)
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
        scale = grids.residual_grid(bits, projection=False).scale
        inputs = [np.zeros(4, np.float32), np.float32([0.25, 1, 1.01, 9])]
        shortcut, branch = _gradients(
            lambda shortcut, branch: residual.quantize_sum(
                shortcut,
                branch,
                scale=scale,
                steps=2.0**bits - 1,
                projection=False,
            ),
            inputs,
            np.ones(4, np.float32),
        )
        self.assertAllEqual(shortcut, [1, 1, 1, 1])
        self.assertAllEqual(branch, [1, 1, 0, 0])

    @parameterized.parameters(False, True)
    def test_without_steps_it_only_clips(self, projection):
        scale, shortcut, branch = self._case(4, projection)
        outputs = residual.quantize_sum(
            shortcut, branch, scale=scale, steps=None, projection=projection
        )
        kept = _rounded(shortcut, scale) if projection else shortcut
        total = kept + _rounded(branch, scale)
        # XLA may fuse the product and the sum into one rounding.
        self.assertAllClose(outputs, np.clip(total, 0, 1), rtol=0, atol=2e-7)
        self.assertGreater(len(np.unique(outputs)), 16)


if __name__ == "__main__":
    tf.test.main()
