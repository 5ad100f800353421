"""What every quantizer must do, whatever its numbers."""

import dataclasses
import json

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import quantizers
from qmia_tf.errors import InputError
from qmia_tf.quantizers.quantizer import WeightQuantizer

# Name -> the options of some quantizers of it.
CASES = {
    "dorefa": [
        *({"bits": bits} for bits in (1, 2, 4, 8, 16, 24)),
        {"bits": 4, "detach_max": False},
    ],
    "symmetric": [
        *({"bits": bits} for bits in (2, 4, 8, 16)),
        {"bits": 8, "channel_axes": (-2, -1)},
    ],
    "dorefa_activations": [{"bits": bits} for bits in (1, 4, 8, 16, 24)],
    "residual": [
        {"bits": 1},
        {"bits": 4, "projection": True},
        {"bits": 8, "linear": True},
    ],
}
EVERY = [(name, options) for name in CASES for options in CASES[name]]
WEIGHTS = [case for case in EVERY if case[0] in ("dorefa", "symmetric")]
SHAPE = (3, 3, 4, 6)


def inputs(seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0.2, 0.7, SHAPE).astype(np.float32)


def make(case):
    return quantizers.get(case[0], **case[1])


class ContractTest(parameterized.TestCase, tf.test.TestCase):
    def test_every_quantizer_is_here(self):
        self.assertEqual(quantizers.QUANTIZERS.names(), list(CASES))

    @parameterized.parameters(*EVERY)
    def test_options_make_it_again(self, *case):
        quantizer = make(case)
        config = json.loads(json.dumps(quantizers.serialize(quantizer)))
        self.assertEqual(config["name"], case[0])
        again = quantizers.get(config)
        self.assertEqual(again, quantizer)
        self.assertEqual(hash(again), hash(quantizer))
        self.assertIs(quantizers.get(quantizer), quantizer)

    @parameterized.parameters(*EVERY)
    def test_shape_type_and_gradient_in_a_graph_and_without(self, *case):
        quantizer, x = make(case), tf.constant(inputs())
        dy = tf.constant(inputs(1))

        def both(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = quantizer(x)
            return value, tape.gradient(value, x, dy)

        for eager, graph in zip(both(x), tf.function(both)(x), strict=True):
            self.assertEqual((eager.shape, eager.dtype), (x.shape, x.dtype))
            # 24 bits are float32's last ones.
            atol = 4e-7 if quantizer.bits == 24 else 0
            self.assertAllClose(eager, graph, rtol=0, atol=atol)
            self.assertTrue(np.all(np.isfinite(eager)))

    @parameterized.parameters(*EVERY)
    def test_values_lie_on_the_grid(self, *case):
        quantizer = make(case)
        value = quantizer(inputs()).numpy().astype(np.float64)
        grid, scale = quantizer.grid, quantizer.grid.scale
        if isinstance(quantizer, WeightQuantizer):
            scale = quantizer.scale(tf.constant(inputs()), value).numpy()
        codes = value / scale + grid.zero_point
        # float32 places a value within half a unit in the last place.
        self.assertAllClose(codes, np.rint(codes), rtol=2.0**-22, atol=1e-3)
        self.assertBetween(np.rint(codes).min(), grid.low, grid.high)
        self.assertBetween(np.rint(codes).max(), grid.low, grid.high)
        if grid.step == 2 and quantizer.bits < 24:
            self.assertAllEqual(np.rint(codes) % 2, np.ones(SHAPE))

    @parameterized.parameters(*WEIGHTS)
    def test_value_and_code_say_the_same(self, *case):
        quantizer, w = make(case), inputs()
        value = quantizer(w).numpy()
        codes, scale = quantizer.codes(w)
        self.assertAllEqual(codes, np.rint(codes))
        wrong = np.sum(codes.numpy() * scale.numpy() != value)
        # At 24 bits a quotient may be half a step off.
        most = value.size if quantizer.bits == 24 else 0
        self.assertLessEqual(wrong, most, f"{wrong} of {value.size} differ")

    @parameterized.product(name=("dorefa", "symmetric"), bits=(25, 31, 32))
    def test_weights_wider_than_a_float_pass(self, name, bits):
        quantizer, w = quantizers.get(name, bits=bits), tf.constant(inputs())
        with tf.GradientTape() as tape:
            tape.watch(w)
            value = quantizer(w)
        self.assertAllEqual(value, w)
        self.assertAllEqual(tape.gradient(value, w, w), w)
        self.assertIsNone(quantizer.grid)

    @parameterized.product(
        name=("dorefa", "symmetric", "dorefa_activations", "residual"),
        bits=(0, -1, 33, True, 4.0, "4", None),
    )
    def test_bits(self, name, bits):
        with self.assertRaisesRegex(InputError, "bits must be .*1..32, got"):
            quantizers.get(name, bits=bits)

    @parameterized.parameters(
        ("symmetric", 1, "a symmetric grid needs bits in 2..32, got 1"),
        ("residual", 9, "activation_bits in 1..8, got 9; use residual_bits=32"),
    )
    def test_bits_of_its_own(self, name, bits, message):
        with self.assertRaisesRegex(InputError, message):
            quantizers.get(name, bits=bits)

    @parameterized.parameters("ternary", 5, None)
    def test_an_unknown_name(self, name):
        with self.assertRaisesRegex(InputError, "no quantizer .*one of dorefa"):
            quantizers.get(name, bits=4)

    def test_options_are_frozen(self):
        with self.assertRaises(dataclasses.FrozenInstanceError):
            quantizers.get("dorefa", bits=4).bits = 5


if __name__ == "__main__":
    tf.test.main()
