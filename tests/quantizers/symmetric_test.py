"""Tests of the symmetric weight quantizer against float64 NumPy."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.quantizers import symmetric

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
        computed = symmetric.symmetric_scale(
            tf.constant(w), bits=bits, channel_axes=channel_axes
        )
        self.assertAllClose(computed, scale, rtol=1e-6, atol=0)
        q = symmetric.quantize_symmetric(
            tf.constant(w), bits=bits, channel_axes=channel_axes
        )
        codes = np.rint(q / scale)
        self.assertAllClose(q, codes * scale, rtol=1e-6, atol=0)
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

    def test_zero_stays_zero(self):
        w = np.where(_weights() > 0.5, _weights(), 0).astype(np.float32)
        q = symmetric.quantize_symmetric(w, bits=8)
        self.assertAllEqual(q[w == 0], np.zeros(np.sum(w == 0)))

    def test_is_odd(self):
        plus = symmetric.quantize_symmetric(_weights(), bits=4)
        minus = symmetric.quantize_symmetric(-_weights(), bits=4)
        self.assertAllEqual(minus, -plus)

    def test_a_channel_does_not_see_the_others(self):
        w = _weights()
        louder = w * np.float32([1, 1, 1, 1, 1, 1000])
        first = symmetric.quantize_symmetric(w, bits=8)
        second = symmetric.quantize_symmetric(louder, bits=8)
        self.assertAllEqual(first[..., :5], second[..., :5])

    def test_an_empty_channel_has_scale_one(self):
        w = _weights()
        w[..., 2] = 0.0
        scale = symmetric.symmetric_scale(tf.constant(w), bits=8)
        self.assertEqual(scale.shape, [1, 1, 1, 6])
        self.assertEqual(scale.numpy().ravel()[2], 1.0)
        q = symmetric.quantize_symmetric(w, bits=8).numpy()
        self.assertAllEqual(q[..., 2], np.zeros(CONV[:3]))
        self.assertTrue(np.all(np.isfinite(q)))

    @parameterized.parameters(2, 8, 32)
    def test_gradient_passes(self, bits):
        w, dy = tf.constant(_weights()), _weights(seed=1)
        with tf.GradientTape() as tape:
            tape.watch(w)
            q = symmetric.quantize_symmetric(w, bits=bits)
        self.assertAllEqual(tape.gradient(q, w, tf.constant(dy)), dy)

    @parameterized.parameters(25, 31, 32)
    def test_wider_than_a_float_passes(self, bits):
        w = _weights()
        self.assertAllEqual(symmetric.quantize_symmetric(w, bits=bits), w)

    def test_a_graph_gives_the_eager_result(self):
        w = tf.constant(_weights())
        graph = tf.function(lambda w: symmetric.quantize_symmetric(w, bits=8))
        self.assertAllEqual(graph(w), symmetric.quantize_symmetric(w, bits=8))

    @parameterized.parameters(
        (1, "a symmetric grid needs 2 bits or more, got 1"),
        (0, "bits must be in 1..32, got 0"),
        (33, "bits must be in 1..32, got 33"),
        (True, "bits must be an integer in 1..32, got True"),
        (8.0, "bits must be an integer in 1..32, got 8.0"),
    )
    def test_errors(self, bits, message):
        with self.assertRaisesRegex(InputError, message):
            symmetric.quantize_symmetric(_weights(), bits=bits)


if __name__ == "__main__":
    tf.test.main()
