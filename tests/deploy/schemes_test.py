"""Tests of which scheme suits which model, and what is said if it does not."""

import keras
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import layers
from qmia_tf.deploy import schemes
from qmia_tf.errors import InputError
from qmia_tf.models import resnet

ALWAYS = ("float32", "float16", "dynamic")
FULL = (*ALWAYS, "int8_ptq", "tfmot_int8")
EXACT = (*ALWAYS, "int8", "int8_io")
INTEGERS = ("int8_ptq", "int8", "int8_io", "tfmot_int8")


def network(weight_bits=32, activation_bits=32, **options):
    bits = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    return resnet.resnet18(
        (8, 8, 1), 10, stem="cifar", width=2, **bits, **options
    )


def leaky(*heads):
    """A model with a layer that neither integers nor tfmot know."""
    pixels = x = keras.Input((8, 8, 1))
    for layer in heads:
        x = layer(x)
    x = keras.layers.LeakyReLU(name="leaky")(x)
    x = keras.layers.Dense(4, activation="softmax")(keras.layers.Flatten()(x))
    return keras.Model(pixels, x)


class ChooseTest(parameterized.TestCase, tf.test.TestCase):
    def assertRefused(self, name, model, *patterns):
        with self.assertRaises(InputError) as caught:
            schemes.choose([name], model)
        for pattern in (f"scheme {name} cannot carry this model", *patterns):
            self.assertRegex(str(caught.exception), pattern)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        ((32, 32), {}, FULL, "int8_ptq", "not quantized"),
        (
            (32, 32),
            {"clip": True},
            (*ALWAYS, "int8_ptq"),
            "int8_ptq",
            "not quantized|clips at 1",
        ),
        ((4, 4), {}, EXACT, "int8", "quantized already"),
        ((7, 8), {}, EXACT, "int8", "quantized already"),
        ((8, 8), {}, ALWAYS, "float32", "8-bit weights|quantized already"),
        ((4, 16), {}, ALWAYS, "float32", "16-bit|quantized already"),
        ((32, 4), {}, ALWAYS, "float32", "32-bit weights|quantized already"),
        (
            (4, 4),
            {"residual_bits": 32},
            ALWAYS,
            "float32",
            "layer '.*'|quantized already",
        ),
    )
    def test_suits(self, bits, options, suited, nearest, reason):
        model = network(*bits, **options)
        for name in schemes.SCHEMES.names():
            if name in suited:
                self.assertEqual(schemes.choose([name], model), [name])
            else:
                self.assertRefused(
                    name, model, reason, f": use --schemes={nearest}$"
                )
        for automatic, names in schemes.AUTOMATIC.items():
            chosen = schemes.choose(["float16", automatic, "float16"], model)
            expected = [name for name in names if name in suited]
            self.assertEqual(chosen, ["float16", *expected])

    def test_float_ends(self):
        model = network(4, 4, first_last_bits=32)
        self.assertEqual(schemes.choose(["int8"], model), ["int8"])
        self.assertRefused(
            "int8_io", model, "first_last_bits=8", "--schemes=int8$"
        )

    def test_layer_that_is_not_known(self):
        first = layers.DoReFaConv2D(2, 3, weight_bits=4, input_steps=255)
        model = leaky(first, keras.layers.BatchNormalization())
        self.assertRefused("int8", model, "leaky", "--schemes=float32")
        self.assertRefused("tfmot_int8", leaky(), "leaky", "--schemes=int8_ptq")

    def test_dynamic_needs_1024_weights(self):
        self.assertRefused(
            "dynamic", tiny_models.classifier(), "1024", "--schemes=float32"
        )
        large = tiny_models.classifier(shape=(8, 8, 1), classes=10)
        self.assertEqual(schemes.choose(["dynamic"], large), ["dynamic"])


class TableTest(parameterized.TestCase):
    @parameterized.parameters(["int4"], ["float32", ""], [])
    def test_unknown(self, *names):
        with self.assertRaisesRegex(
            InputError, "unknown scheme '(int4)?': choose from float32, .*auto"
        ):
            schemes.check_names(names)

    def test_entries(self):
        schemes.check_names(["auto", *schemes.SCHEMES.names()])
        self.assertLen(schemes.SCHEMES, 7)
        for name, scheme in schemes.SCHEMES.items():
            # What everybody can be sent to suits every model.
            self.assertEqual(scheme.nearest[-1], "float32")
            self.assertEqual(scheme.weights is None, name in INTEGERS)
            if "calibration_seed" in scheme.settings:
                self.assertTrue(scheme.members)


if __name__ == "__main__":
    tf.test.main()
