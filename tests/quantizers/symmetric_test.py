"""Tests of the symmetric weight quantizer against float64 NumPy."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.quantizers.symmetric import SymmetricWeights

CONV = (3, 3, 4, 6)


def _weights(shape=CONV, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class SymmetricTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        bits=(2, 3, 4, 8, 16),
        layout=(
            ("conv", CONV, (-1,), (0, 1, 2)),
            ("depthwise", CONV, (-2, -1), (0, 1)),
            ("dense", (36, 6), (-1,), (0,)),
        ),
    )
    def test_numpy(self, bits, layout):
        _, shape, channel_axes, summed = layout
        w = _weights(shape)
        wide = w.astype(np.float64)
        top = 2 ** (bits - 1) - 1
        scale = np.abs(wide).max(summed, keepdims=True) / top
        quantizer = SymmetricWeights(bits).along(channel_axes)
        codes, computed = (part.numpy() for part in quantizer.codes(w))
        self.assertAllClose(computed, scale, rtol=1e-6, atol=0)
        self.assertAllClose(quantizer(w), codes * scale, rtol=1e-6, atol=0)
        # Every channel uses its whole range, and zero is a code.
        self.assertAllEqual(
            np.abs(codes).max(summed), 0 * scale.squeeze() + top
        )
        exact = wide / scale
        # float32's error of a quotient this large.
        near = np.abs(exact - np.floor(exact) - 0.5) <= 1e-5 + top * 2.0**-22
        self.assertLess(near.mean(), 0.05)
        wrong = np.sum((codes != np.rint(exact)) & ~near)
        self.assertEqual(wrong, 0, f"{wrong} of {w.size} codes are wrong")

    def test_zero_stays_zero_and_it_is_odd(self):
        w = np.where(_weights() > 0.5, _weights(), 0).astype(np.float32)
        q = SymmetricWeights(8)(w)
        self.assertAllEqual(q[w == 0], np.zeros(np.sum(w == 0)))
        self.assertAllEqual(SymmetricWeights(8)(-w), -q)

    def test_a_channel_does_not_see_the_others(self):
        w = _weights()
        louder = w * np.float32([1, 1, 1, 1, 1, 1000])
        first, second = (SymmetricWeights(8)(x) for x in (w, louder))
        self.assertAllEqual(first[..., :5], second[..., :5])

    def test_an_empty_channel_has_scale_one(self):
        w = _weights()
        w[..., 2] = 0.0
        codes, scale = SymmetricWeights(8).codes(w)
        self.assertEqual(scale.shape, [1, 1, 1, 6])
        self.assertEqual(scale.numpy().ravel()[2], 1.0)
        self.assertAllEqual(codes[..., 2], np.zeros(CONV[:3]))
        self.assertTrue(np.all(np.isfinite(SymmetricWeights(8)(w))))

    @parameterized.parameters(2, 8)
    def test_gradient_passes(self, bits):
        w, dy = tf.constant(_weights()), _weights(seed=1)
        with tf.GradientTape() as tape:
            tape.watch(w)
            q = SymmetricWeights(bits)(w)
        self.assertAllEqual(tape.gradient(q, w, tf.constant(dy)), dy)


if __name__ == "__main__":
    tf.test.main()
