"""Tests of the integer sums against int64 NumPy, equal in every bit."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import quantizers
from qmia_tf.layers.exact_convolutions import (
    ExactKernel,
    exact_sums,
    split_kernel,
)

KERNEL = (3, 3, 4, 5)
IMAGES = (3, 6, 6, 4)
WEIGHTS = (1, 2, 4, 8, 16)
STEPS = (1, 3, 15, 255, 65535)


def _conv(x, k):
    return tf.nn.conv2d(x, k, 1, "VALID")


def _conv_int64(x, k):
    x, k = np.asarray(x, np.int64), np.asarray(k, np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(x, k.shape[:2], (1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows, k)


def _kernel(seed=0, shape=KERNEL):
    random = np.random.default_rng(seed)
    return tf.constant(random.normal(size=shape).astype(np.float32))


def _split(kernel, bits, name="dorefa", **options):
    quantizer = quantizers.get(name, bits=bits, **options)
    quantized = quantizer(kernel)
    return quantized.numpy(), split_kernel(kernel, quantized, quantizer).numpy()


def _codes(cut):
    """Puts the pieces together again, in int64."""
    total = 0
    for piece in cut.pieces:
        if not np.array_equal(piece, np.rint(piece)):
            raise AssertionError("a piece is no integer")
        total = 256 * total + piece.astype(np.int64)
    return total


def _inputs(steps, shape=IMAGES, seed=0):
    """Returns integer codes and the float32 inputs code / steps."""
    codes = np.random.default_rng(seed).integers(0, steps + 1, shape)
    codes.flat[:2] = 0, steps
    return codes, (codes / steps).astype(np.float32)


class SplitTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(1, 2, 4, 7, 8, 9, 12, 16, 17, 23, 24)
    def test_dorefa(self, bits):
        quantized, cut = _split(_kernel(), bits)
        scale = np.abs(quantized).max() if bits == 1 else 1 / (2**bits - 1)
        self.assertEqual(cut.scale, np.float32(scale))
        codes = quantized.astype(np.float64) / np.float32(scale)
        codes = 2 * np.rint((codes - 1) / 2) + 1
        # At 24 bits float32's quotient may be half a step off.
        self.assertAllClose(_codes(cut), codes, rtol=0, atol=bits // 24)
        self.assertLen(cut.pieces, -(-bits // 8))
        for piece in cut.pieces:
            self.assertLessEqual(np.abs(piece).max(), 256)

    @parameterized.product(
        bits=(2, 4, 8, 9, 16), channel_axes=((-1,), (-2, -1))
    )
    def test_symmetric(self, bits, channel_axes):
        quantized, cut = _split(
            _kernel(), bits, "symmetric", channel_axes=channel_axes
        )
        channels = KERNEL[3] if channel_axes == (-1,) else 4 * 5
        self.assertEqual(cut.scale.shape, (channels,))
        scale = cut.scale.reshape(KERNEL[4 - len(channel_axes) :])
        self.assertLen(cut.pieces, -(-bits // 8))
        self.assertAllEqual(np.abs(_codes(cut)).max(), 2 ** (bits - 1) - 1)
        values = _codes(cut) * scale.astype(np.float64)
        self.assertAllClose(values, quantized, rtol=2.0**-23, atol=0)

    @parameterized.product(bits=(25, 32), quantizer=("dorefa", "symmetric"))
    def test_floats_become_24_bit_fixed_point(self, bits, quantizer):
        kernel = _kernel(1)
        _, cut = _split(kernel, bits, quantizer)
        self.assertLen(cut.pieces, 3)
        largest = np.abs(kernel).max()
        self.assertEqual(cut.scale, largest / 2.0**23)
        self.assertEqual(np.abs(_codes(cut)).max(), 2**23)
        moved = _codes(cut) * np.float64(cut.scale) - kernel.numpy()
        # Half a step of 2**-23, and float32's own half step above 1/2.
        self.assertLess(np.abs(moved).max(), 1.5 * 2.0**-24 * largest)

    @parameterized.parameters(1, 4, 16, 32)
    def test_all_zeros(self, bits):
        quantized, cut = _split(tf.zeros(KERNEL), bits)
        values = _codes(cut) * np.float64(cut.scale)
        self.assertAllClose(values, quantized, rtol=2.0**-23, atol=0)


class SumsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(bits=WEIGHTS, steps=STEPS)
    def test_convolution(self, bits, steps):
        _, cut = _split(_kernel(bits), bits)
        codes, x = _inputs(steps)
        computed = exact_sums(_conv, x, cut, input_steps=steps).numpy()
        sums = _conv_int64(codes, _codes(cut))
        if len(cut.pieces) == 1 and steps <= 255:
            self._assert_one_product(computed, sums, cut, steps)
        # 1/steps, the factor, the last product; and two joints of pieces.
        values = sums * np.float64(cut.scale) / steps
        self.assertAllClose(computed, values, rtol=5 * 2.0**-24, atol=0)

    def _assert_one_product(self, computed, sums, cut, steps):
        expected = np.float32(sums) * (cut.scale * np.float32(1 / steps))
        wrong = np.sum(computed != expected)
        self.assertEqual(wrong, 0, f"{wrong} of {sums.size} differ")

    @parameterized.product(bits=(4, 8, 16, 32), steps=(15, 255, 65535))
    def test_dense(self, bits, steps):
        _, cut = _split(_kernel(bits, (40, 7)), bits)
        codes, x = _inputs(steps, (5, 40))
        computed = exact_sums(tf.matmul, x, cut, input_steps=steps)
        # As above; the pieces of 24 bits have one joint more.
        values = codes @ _codes(cut) * np.float64(cut.scale) / steps
        self.assertAllClose(computed, values, rtol=6 * 2.0**-24, atol=0)

    def test_a_scale_for_each_channel(self):
        _, cut = _split(_kernel(), 8, "symmetric")
        codes, x = _inputs(255)
        computed = exact_sums(_conv, x, cut, input_steps=255)
        sums = _conv_int64(codes, _codes(cut))
        self._assert_one_product(computed, sums, cut, 255)

    def test_the_widest_layer_of_resnet18(self):
        # 4608 inputs: 255 * 255 * 4608 passes 2**24, the sums do not.
        _, cut = _split(_kernel(0, (4608, 3)), 8)
        codes, x = _inputs(255, (4, 4608))
        computed = exact_sums(tf.matmul, x, cut, input_steps=255)
        self._assert_one_product(computed, codes @ _codes(cut), cut, 255)

    @parameterized.parameters((4, 15), (16, 65535), (32, 255))
    def test_neither_order_nor_a_graph_matters(self, bits, steps):
        _, cut = _split(_kernel(0, (40, 7)), bits)
        _, x = _inputs(steps, (5, 40))
        order = np.random.default_rng(0).permutation(40)
        pieces = [piece[order] for piece in cut.pieces]

        def sums(x, kernel):
            return exact_sums(tf.matmul, x, kernel, input_steps=steps)

        expected = sums(x, cut)
        mixed = sums(x[:, order], ExactKernel(pieces, cut.scale))
        self.assertAllEqual(mixed, expected)
        graph = tf.function(lambda x: sums(x, cut))
        self.assertAllEqual(graph(x), expected)

    @parameterized.parameters((1, 1), (4, 15), (8, 255), (16, 65535), (32, 255))
    def test_gradient_is_straight_through(self, bits, steps):
        quantized, cut = _split(_kernel(), bits)
        x = tf.constant(_inputs(steps)[1])
        random = np.random.default_rng(2)
        dy = random.normal(size=(3, 4, 4, 5)).astype(np.float32)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            whole = exact_sums(_conv, x, cut, input_steps=steps)
            plain = _conv(x, quantized)
        self.assertAllClose(
            tape.gradient(whole, x, dy),
            tape.gradient(plain, x, dy),
            rtol=1e-5,
            atol=1e-5,
        )


if __name__ == "__main__":
    tf.test.main()
