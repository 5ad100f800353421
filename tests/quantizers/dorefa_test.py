"""Tests of DoReFa's quantizers against NumPy and plain TensorFlow.

NumPy's tanh and XLA's differ in the last bit, so a code may differ where its
position n u lies next to a tie, and nowhere else.
"""

from fractions import Fraction

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.quantizers.dorefa import (
    DoReFaActivations,
    DoReFaWeights,
    quantize_gradients,
)

SHAPE = (3, 3, 8, 16)
SEED = (1, 2)
BITS = (2, 3, 4, 5, 6, 7, 8, 16)


def _weights(seed=0, spread=1.0):
    random = np.random.default_rng(seed)
    return (spread * random.normal(size=SHAPE)).astype(np.float32)


def _codes(w, bits):
    codes, scale = DoReFaWeights(bits).codes(w)
    return codes.numpy(), scale.numpy()


def _positions(w, bits):
    """Returns n u in float64, the position of each weight on the grid."""
    t = np.tanh(w.astype(np.float64))
    return (2**bits - 1) * (t / np.abs(t).max() + 1) / 2


def _near_tie(positions, bits):
    """Where float32 cannot tell on which side of a tie a position is."""
    window = 1e-4 + (2**bits - 1) * 2.0**-23
    return np.abs(positions - np.floor(positions) - 0.5) <= window


def _gradient(function, x, dy):
    """Returns what function sends back to x for dy."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x, tf.constant(dy)).numpy()


@tf.custom_gradient
def _pass_round(x):
    return tf.round(x), lambda dy: dy


def _authors_weights(w, bits, detach_max):
    """The authors' weights in plain TensorFlow ops, autodiff's gradient."""
    t = tf.tanh(w)
    peak = tf.reduce_max(tf.abs(t))
    if detach_max:
        peak = tf.stop_gradient(peak)
    u = t / peak * 0.5 + 0.5
    n = float(2**bits - 1)
    return 2.0 * _pass_round(u * n) / n - 1.0


class QuantizerTest(parameterized.TestCase, tf.test.TestCase):
    def assert_codes(self, codes, positions, bits):
        """Codes are the rounded positions, but for ties, which are rare."""
        near = _near_tie(positions, bits)
        self.assertLess(near.mean(), 0.01 if bits <= 8 else 0.05)
        expected = np.rint(positions)
        wrong = np.sum((codes != expected) & ~near)
        self.assertEqual(wrong, 0, f"{wrong} of {codes.size} codes are wrong")
        self.assertLessEqual(np.abs(codes - expected).max(), 1)


class WeightsTest(QuantizerTest):
    @parameterized.product(bits=BITS, spread=(0.05, 1.0))
    def test_numpy(self, bits, spread):
        w = _weights(bits, spread)
        levels = (_codes(w, bits)[0] + 2**bits - 1) / 2
        self.assert_codes(levels, _positions(w, bits), bits)

    def test_24_bits_move_a_weight_by_float32s_own_error(self):
        w = _weights()
        q = DoReFaWeights(24)(w).numpy()
        expected = 2 * _positions(w, 24) / (2**24 - 1) - 1
        self.assertAllClose(q, expected, rtol=0, atol=4 * 2.0**-23)
        self.assertEqual(np.abs(q).max(), 1.0)

    @parameterized.parameters(*BITS, 12, 24)
    def test_a_value_is_its_code_times_float32s_scale(self, bits):
        q = DoReFaWeights(bits)(_weights(bits)).numpy()
        scale = np.float32(1 / (2**bits - 1))
        codes = 2 * np.rint((q.astype(np.float64) / scale - 1) / 2) + 1
        wrong = np.sum(np.float32(codes) * scale != q)
        self.assertEqual(wrong, 0, f"{wrong} of {q.size} values differ")

    @parameterized.parameters(2, 3, 4, 5, 6, 7, 8)
    def test_codes_are_all_the_odd_integers(self, bits):
        w = np.arctanh(np.linspace(-0.9, 0.9, np.prod(SHAPE))).reshape(SHAPE)
        n = 2**bits - 1
        odd = [code for code in range(-n, n + 1) if code % 2]
        self.assertAllEqual(np.unique(_codes(w.astype("f"), bits)[0]), odd)
        grid = DoReFaWeights(bits).grid
        self.assertAllEqual(grid.codes(), odd)
        # (2 i - n) / n for i in 0..n, the facts' code book.
        book = [float(Fraction(2 * i - n, n)) for i in range(n + 1)]
        self.assertAllClose(grid.values(), book, rtol=0, atol=2e-16)

    @parameterized.parameters(*BITS)
    def test_is_odd_but_for_ties(self, bits):
        w = _weights(bits)
        plus, minus = (DoReFaWeights(bits)(x).numpy() for x in (w, -w))
        wrong = np.sum((minus != -plus) & ~_near_tie(_positions(w, bits), bits))
        self.assertEqual(wrong, 0, f"{wrong} of {w.size} are not mirrored")

    @parameterized.parameters(1e-3, 1.0, 30.0)
    def test_16_bits_stay_inside_one(self, spread):
        for seed in range(20):
            q = DoReFaWeights(16)(_weights(seed, spread))
            self.assertEqual(np.abs(q).max(), 1.0)

    @parameterized.parameters(2, 4, 8, 16)
    def test_zero_goes_to_the_smallest_positive_code(self, bits):
        # There is no code 0: 0 is the tie of 1/n and -1/n; the even index.
        for w in (np.zeros(SHAPE), np.where(_weights() > 1, 1.0, 0.0)):
            codes, _ = _codes(w.astype(np.float32), bits)
            self.assertAllEqual(np.unique(codes[w == 0]), [1])

    def test_one_bit_is_the_sign_times_the_mean(self):
        w = _weights()
        w[0, 0, 0, :4] = [0.0, -0.0, 1e-30, -1e-30]
        q = DoReFaWeights(1)(w).numpy()
        mean = np.abs(w.astype(np.float64)).mean()
        sign = np.copysign(1.0, w)
        sign[0, 0, 0, 1] = 1.0
        # float32's sum of 1152 numbers.
        self.assertAllClose(q, mean * sign, rtol=1e-6, atol=0)
        self.assertLen(np.unique(np.abs(q)), 1)
        codes, scale = _codes(w, 1)
        self.assertAllEqual(codes, sign)
        self.assertAllEqual(codes * scale, q)

    def test_one_bit_of_all_zeros_is_zero(self):
        q = DoReFaWeights(1)(np.zeros(SHAPE, np.float32))
        self.assertAllEqual(q, np.zeros(SHAPE))

    @parameterized.product(bits=(2, 4, 8, 16), detach_max=(True, False))
    def test_authors(self, bits, detach_max):
        w, dy, n = _weights(2), _weights(3), 2**bits - 1
        quantizer = DoReFaWeights(bits, detach_max)

        def authors(w):
            return _authors_weights(w, bits, detach_max)

        codes, expected = (
            np.rint((values.numpy() + 1.0) / 2 * n)
            for values in (quantizer(w), authors(tf.constant(w)))
        )
        positions = np.where(codes == expected, codes, _positions(w, bits))
        self.assert_codes(codes, positions, bits)
        # At the peak the full gradient sums 1152 terms in float32.
        self.assertAllClose(
            _gradient(quantizer, w, dy),
            _gradient(authors, w, dy),
            rtol=1e-5,
            atol=1e-5,
        )

    def test_gradient_numpy(self):
        w, dy = _weights(2).astype(np.float64), _weights(3)
        gradient = _gradient(DoReFaWeights(4), w.astype(np.float32), dy)
        expected = dy / np.cosh(w) ** 2 / np.tanh(np.abs(w).max())
        self.assertAllClose(gradient, expected, rtol=1e-5, atol=1e-6)

    def test_detaching_matters_at_the_largest_weight_alone(self):
        w, dy = _weights(2), _weights(3)
        detached, full = (
            _gradient(DoReFaWeights(4, detach), w, dy)
            for detach in (True, False)
        )
        differs = np.abs(full - detached) > 1e-5
        self.assertAllEqual(differs, np.abs(w) == np.abs(w).max())

    @parameterized.parameters(True, False)
    def test_gradient_with_ties_at_the_peak(self, detach_max):
        w, dy = np.clip(_weights(2), -0.5, 0.5), _weights(3)
        self.assertGreater(np.sum(np.abs(w) == 0.5), 100)
        gradient = _gradient(DoReFaWeights(4, detach_max), w, dy)
        expected = _gradient(
            lambda w: _authors_weights(w, 4, detach_max), w, dy
        )
        self.assertAllClose(gradient, expected, rtol=1e-5, atol=1e-5)

    @parameterized.product(bits=(1, 4), detach_max=(True, False))
    def test_gradient_of_zeros_and_at_one_bit(self, bits, detach_max):
        quantizer, dy = DoReFaWeights(bits, detach_max), _weights(3)
        gradient = _gradient(quantizer, np.zeros(SHAPE, np.float32), dy)
        self.assertAllEqual(gradient, dy if bits == 1 else np.zeros(SHAPE))
        if bits == 1:
            self.assertAllEqual(_gradient(quantizer, _weights(), dy), dy)


class ActivationsTest(QuantizerTest):
    def _inputs(self):
        return np.random.default_rng(0).normal(0.5, 0.7, 4000).astype("f")

    @parameterized.parameters(1, *BITS)
    def test_numpy(self, bits):
        n = 2**bits - 1
        x = self._inputs()
        q = DoReFaActivations(bits)(x)
        codes = np.rint(q.numpy().astype(np.float64) * n)
        # Two roundings of float32: 1/n, and the product.
        self.assertAllClose(q, codes / n, rtol=2.0**-23, atol=0)
        positions = np.minimum(np.maximum(x.astype(np.float64), 0), 1) * n
        self.assert_codes(codes, positions, bits)
        self.assertAllEqual(DoReFaActivations(bits)(q), q)

    @parameterized.parameters(1, *BITS, 24)
    def test_rounds_to_the_nearest_level(self, bits):
        n = 2**bits - 1
        x = np.random.default_rng(bits).uniform(size=999).astype(np.float32)
        q = DoReFaActivations(bits)(x).numpy().astype(np.float64)
        # Half a step, and one float32 rounding of the product x n.
        furthest = Fraction(1, 2 * n) + Fraction(1, 2**24)
        for value, level in zip(x, q, strict=True):
            code = round(Fraction(float(level)) * n)
            self.assertLessEqual(abs(float(level) - code / n), 2.0**-23)
            self.assertLessEqual(
                abs(Fraction(code, n) - Fraction(float(value))), furthest
            )

    @parameterized.parameters((1, 0), (2, 2), (3, 4), (4, 8), (8, 128))
    def test_a_half_goes_to_the_even_neighbour(self, bits, code):
        q = DoReFaActivations(bits)([0.5])
        self.assertAllClose(q * (2.0**bits - 1), [code], rtol=1e-6)

    @parameterized.parameters(1, 2, 3, 4, 5, 6, 7, 8)
    def test_tensorflows_fake_quant_kernel(self, bits):
        n = 2**bits - 1
        x = self._inputs()
        fake = tf.quantization.fake_quant_with_min_max_vars(
            tf.nn.relu(x), (n - 255) / n, 1.0, num_bits=8
        )
        q = DoReFaActivations(bits)(x)
        position = np.clip(x.astype(np.float64), 0, 1) * n
        away = np.abs(position - np.floor(position) - 0.5) > 1e-4
        self.assertGreater(away.mean(), 0.99)
        wrong = np.sum((np.rint(fake * n) != np.rint(q * n)) & away)
        self.assertEqual(wrong, 0, f"{wrong} of {x.size} codes differ")
        self.assertAllClose(fake[away], q[away], rtol=0, atol=1e-6)

    @parameterized.parameters(1, 2, 4, 8)
    def test_reaches_every_level_and_both_ends(self, bits):
        q = DoReFaActivations(bits)(np.linspace(-1, 2, 4000))
        self.assertLen(np.unique(q), 2**bits)
        self.assertEqual((np.min(q), np.max(q)), (0.0, 1.0))

    @parameterized.parameters(25, 31, 32)
    def test_wider_than_a_float_only_clips(self, bits):
        x = self._inputs()
        q = DoReFaActivations(bits)(x)
        self.assertAllEqual(q, np.minimum(np.maximum(x, 0), 1))
        self.assertIsNone(DoReFaActivations(bits).grid)

    @parameterized.parameters(1, 4, 8, 16, 24, 32)
    def test_gradient_passes_inside_ends_included(self, bits):
        x = np.float32([-9, -1e-6, -0.0, 0.0, 1e-6, 0.5, 1, 1 + 1e-6, 9])
        dy = np.arange(1, 10, dtype=np.float32)
        gradient = _gradient(DoReFaActivations(bits), x, dy)
        self.assertAllEqual(gradient, [0, 0, 3, 4, 5, 6, 7, 0, 0])

    @parameterized.product(dtype=("float16", "bfloat16"), bits=(1, 4, 8, 16))
    def test_half_precision(self, dtype, bits):
        x = tf.cast([-1.0, 0.0, 0.125, 0.3, 0.875, 1.0, 7.0, 60000.0], dtype)
        q = DoReFaActivations(bits)(x)
        self.assertEqual(q.dtype, x.dtype)
        wide = DoReFaActivations(bits)(tf.cast(x, "float32"))
        # Rounded once more, to 11 or 8 bits.
        atol = 2.0**-11 if dtype == "float16" else 2.0**-8
        self.assertAllClose(tf.cast(q, "float32"), wide, rtol=0, atol=atol)

    @parameterized.parameters(None, ([None],), ([None, 3],))
    def test_shapes_not_known_yet(self, shape):
        graph = tf.function(
            DoReFaActivations(2).__call__,
            input_signature=[tf.TensorSpec(shape, tf.float32)],
        )
        x = np.float32([[0.1, 0.6, 7.0]]) if shape != [None] else [0.6]
        self.assertAllClose(
            graph(tf.constant(x)), np.rint(np.clip(x, 0, 1) * 3.0) / 3.0
        )


class GradientsTest(QuantizerTest):
    """The noise is random: means are held to 5 standard deviations."""

    def _flow(self, dy, bits, seed=SEED):
        return _gradient(
            lambda x: quantize_gradients(x, tf.constant(seed), bits=bits),
            np.zeros_like(dy),
            dy,
        )

    @parameterized.parameters(1, 4, 25, 32)
    def test_value_passes_and_wide_gradients(self, bits):
        x = np.float32([[0.1, -7, 1e9]])
        y = quantize_gradients(x, tf.constant(SEED), bits=bits)
        self.assertAllEqual(y, x)
        if bits > 24:
            self.assertAllEqual(self._flow(x, bits), x)

    @parameterized.parameters(1, 2, 4, 8, 16)
    def test_grid_and_range_of_each_sample(self, bits):
        random = np.random.default_rng(bits)
        n = 2**bits - 1
        sizes = np.float32([1e-6, 1.0, 300.0])[:, None, None]
        dy = (sizes * random.normal(size=(3, 5, 40))).astype(np.float32)
        g = self._flow(dy, bits).astype(np.float64)
        peak = np.abs(dy.astype(np.float64)).max((1, 2), keepdims=True)
        index = (g / (2 * peak) + 0.5) * n
        # float32's error of an index.
        self.assertAllClose(index, np.rint(index), rtol=0, atol=n * 2.0**-22)
        self.assertBetween(index.min(), -1e-3, n)
        self.assertBetween(index.max(), 0, n + 1e-2)
        # At most one step from where it was.
        self.assertTrue(np.all(np.abs(g - dy) <= 2 * peak / n * 1.01))

    @parameterized.parameters(1, 2, 4)
    def test_peak_stays(self, bits):
        dy = np.float32([[1, -0.25, 0.1], [0.5, -4, 0.1], [2, 0, -2]])
        g = self._flow(dy, bits)
        at_peak = np.abs(dy) == np.abs(dy).max(1, keepdims=True)
        self.assertAllClose(g[at_peak], dy[at_peak], rtol=1e-6)

    @parameterized.product(bits=(1, 2, 4), place=(0.05, 0.3, 0.5, 0.93))
    def test_noise_law(self, bits, place):
        # A position between two levels goes up in that share of the cases.
        n = 2**bits - 1
        low = n // 2
        dy = np.full([1, 20_001], 2 * (low + place) / n - 1, np.float32)
        dy[0, 0] = 1.0
        index = np.rint((self._flow(dy, bits)[0, 1:] + 1) / 2 * n)
        self.assertAllEqual(np.unique(index), [low, low + 1])
        sigma = np.sqrt(place * (1 - place) / index.size)
        self.assertNear(np.mean(index) - low, place, 5 * sigma)

    @parameterized.parameters(1, 2, 4, 8)
    def test_is_unbiased(self, bits):
        row = np.random.default_rng(bits).normal(size=9).astype(np.float32)
        dy = np.tile(row, [2000, 1])
        g = self._flow(dy, bits)
        # A two-point law's deviation is at most half a step.
        sigma = np.abs(row).max() / (2**bits - 1) / np.sqrt(len(dy))
        self.assertAllClose(g.mean(0), row, rtol=0, atol=5 * sigma)

    def test_each_element_has_noise_of_its_own(self):
        dy = np.zeros([40, 51], np.float32)
        dy[:, 0] = 1.0
        up = self._flow(dy, 1)[:, 1:] > 0
        self.assertBetween(up.mean(), 0.4, 0.6)
        self.assertLen(np.unique(up, axis=0), 40)
        self.assertLen(np.unique(up.T, axis=0), 50)

    def test_a_sample_does_not_see_the_others(self):
        dy = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
        louder = dy * np.float32([[1], [1], [1000]])
        self.assertAllEqual(self._flow(dy, 4)[:2], self._flow(louder, 4)[:2])

    def test_the_seed_decides(self):
        dy = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
        self.assertAllEqual(self._flow(dy, 2), self._flow(dy, 2))
        other = self._flow(dy, 2, seed=(1, 3))
        self.assertGreater(np.mean(self._flow(dy, 2) != other), 0.1)

    def test_no_gradient_stays_none(self):
        dy = np.float32([[0, 0, 0], [1, 2, 3]])
        self.assertAllEqual(self._flow(dy, 2)[0], [0, 0, 0])

    @parameterized.parameters("float16", "bfloat16")
    def test_half_precision(self, dtype):
        x = tf.zeros([2, 3], dtype)
        dy = tf.constant([[1, -1, 0.5], [256, 64, -256]], dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = quantize_gradients(x, tf.constant(SEED), bits=1)
        g = tape.gradient(y, x, dy)
        self.assertEqual(g.dtype, x.dtype)
        self.assertAllEqual(
            np.abs(tf.cast(g, "float32")), [[1, 1, 1], [256, 256, 256]]
        )

    @parameterized.parameters(0, -1, 33, True, 4.0, "4", None)
    def test_bits(self, bits):
        with self.assertRaisesRegex(InputError, "^bits must be .*1..32, got"):
            quantize_gradients(tf.zeros([1, 2]), tf.constant(SEED), bits=bits)


if __name__ == "__main__":
    tf.test.main()
