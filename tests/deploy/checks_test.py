"""Tests of what a file must hold to be called by its scheme's name."""

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy import scheme_checks
from qmia_tf.errors import InputError


def facts(*layers, flex=()):
    names = ("name", "input", "weights", "output")
    return {
        "layers": [dict(zip(names, one, strict=True)) for one in layers],
        "flex": list(flex),
    }


INTEGER = ("stem", "int8", "int8", "int8")
PACKED = ("conv", "int8", "int4", "int8")
FLOAT = ("logits", "float32", "float32", "float32")
HYBRID = ("conv_1", "float32", "int8", "float32")
OPEN_END = ("conv_2", "int8", "int8", "int32")


class ChecksTest(parameterized.TestCase):
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
    def test_float_fallbacks(self, layers, names):
        fallbacks = scheme_checks.float_fallbacks(facts(*layers)["layers"])
        self.assertEqual(fallbacks, list(names))

    def test_expected_floats_are_listed(self):
        held = facts(INTEGER, FLOAT)
        self.assertEqual(
            scheme_checks.check_integer(held, "int8", ["logits"]), ["logits"]
        )

    def test_unexpected_floats_are_named(self):
        held = facts(INTEGER, FLOAT, HYBRID, OPEN_END)
        with self.assertRaisesRegex(
            InputError,
            r"scheme int8_ptq: .* left 2 of 4 layers in float kernels "
            r"\(conv_1, conv_2\)",
        ):
            scheme_checks.check_integer(held, "int8_ptq", ["logits"])

    def test_many_names_are_cut(self):
        layers = [(f"c{i}", *FLOAT[1:]) for i in range(9)]
        with self.assertRaisesRegex(InputError, r"\(c0, c1, c2, c3, c4, ...\)"):
            scheme_checks.check_integer(facts(*layers), "int8", [])

    @parameterized.parameters(
        ("float32", FLOAT, HYBRID, "conv_1 are int8 in the file, not float32"),
        ("float16", FLOAT, FLOAT, "logits are float32 .* not float16"),
        ("int8", FLOAT, FLOAT, "logits are float32 .* not int8"),
    )
    def test_weights_of_another_type(self, wanted, first, second, message):
        with self.assertRaisesRegex(InputError, message):
            scheme_checks.check_weights(facts(first, second), "name", wanted)

    def test_weights_as_promised(self):
        scheme_checks.check_weights(facts(FLOAT), "float32", "float32")
        half = ("a", "float32", "float16", "float32")
        scheme_checks.check_weights(facts(half), "float16", "float16")
        # TFLite leaves small kernels in float32.
        scheme_checks.check_weights(facts(FLOAT, HYBRID), "dynamic", "int8")

    def test_flex(self):
        scheme_checks.check_ops(facts(), "float32")
        with self.assertRaisesRegex(InputError, "float32: .*FlexErfinv"):
            scheme_checks.check_ops(facts(flex=["FlexErfinv"]), "float32")


if __name__ == "__main__":
    tf.test.main()
