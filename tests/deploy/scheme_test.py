"""Tests of what a file must hold to be called by its scheme's name."""

import keras
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import layers
from qmia_tf.deploy.manifest import float_fallbacks
from qmia_tf.deploy.scheme import Scheme, is_quantized
from qmia_tf.errors import InputError

INTEGER = ("stem", "int8", "int8", "int8")
PACKED = ("conv", "int8", "int4", "int8")
FLOAT = ("logits", "float32", "float32", "float32")
HALF = ("half", "float32", "float16", "float32")
HYBRID = ("conv_1", "float32", "int8", "float32")
OPEN_END = ("conv_2", "int8", "int8", "int32")


def facts(*layers_, flex=()):
    names = ("name", "input", "weights", "output")
    return {
        "layers": [dict(zip(names, one, strict=True)) for one in layers_],
        "flex": list(flex),
    }


def check(held, weights=None, expected=(), name="one"):
    scheme = Scheme("of the tests", lambda job: None, weights=weights)
    return scheme.check(held, name, expected)


class CheckTest(parameterized.TestCase):
    @parameterized.parameters(
        ((INTEGER, PACKED), ()),
        ((INTEGER, FLOAT, HYBRID, OPEN_END), ("logits", "conv_1", "conv_2")),
        ((FLOAT, FLOAT), ("logits",)),
        (
            (
                ("a", "int16", "int8", "int16"),
                ("b", "int8", "float32", "int8"),
                ("c", "int8", "int8", "int16"),
            ),
            ("a", "b", "c"),
        ),
    )
    def test_float_fallbacks(self, layers_, names):
        held = facts(*layers_)
        self.assertEqual(float_fallbacks(held["layers"]), [*names])
        self.assertEqual(check(held, expected=names), [*names])

    @parameterized.parameters(
        ("float32", FLOAT), ("float16", HALF), ("int8", FLOAT, HYBRID)
    )
    def test_weights_as_promised(self, wanted, *layers_):
        self.assertEqual(check(facts(*layers_), wanted), [])

    @parameterized.parameters(
        (
            *(None, [INTEGER, FLOAT, HYBRID, OPEN_END]),
            r"^scheme one: .* left 2 of 4 layers in float kernels "
            r"\(conv_1, conv_2\)",
        ),
        (
            *(None, [(f"c{i}", *FLOAT[1:]) for i in range(9)]),
            r"\(c0, c1, c2, c3, c4, ...\)",
        ),
        ("float32", [FLOAT, HYBRID], "conv_1 are int8 in .*, not float32"),
        ("float16", [FLOAT], "logits are float32 .* not float16"),
        ("int8", [FLOAT], "logits are float32 .* not int8"),
    )
    def test_layers_that_are_not(self, wanted, layers_, message):
        with self.assertRaisesRegex(InputError, message):
            check(facts(*layers_), wanted, ["logits"])

    def test_ops_of_tensorflow(self):
        with self.assertRaisesRegex(InputError, "^scheme one: .*FlexErfinv"):
            check(facts(flex=["FlexErfinv"]), "float32")


class IsQuantizedTest(parameterized.TestCase):
    @parameterized.parameters(
        (lambda: layers.DoReFaConv2D(2, 3, weight_bits=8), True),
        (lambda: layers.DoReFaConv2D(2, 3), False),
        (lambda: layers.DoReFaDense(2, weight_bits=23), True),
        (lambda: layers.DoReFaActivation(16), True),
        (lambda: layers.DoReFaActivation(32, clip=True), False),
        (lambda: layers.ResidualQuantizer(4), True),
        (lambda: keras.layers.Conv2D(2, 3), False),
    )
    def test_is_quantized(self, make, expected):
        pixels = keras.Input((4, 4, 1))
        inner = keras.Model(pixels, make()(pixels))
        outer = keras.Sequential([keras.Input((4, 4, 1)), inner])
        for model in (inner, outer):
            self.assertEqual(is_quantized(model), expected)


if __name__ == "__main__":
    tf.test.main()
