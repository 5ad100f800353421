"""What quantize_model refuses by name, and what it warns about."""

import warnings

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from keras import layers

from qmia_tf.errors import InputError
from qmia_tf.layers import DoReFaDense
from qmia_tf.qat import plan, quantize_model

SHAPE = (8, 8, 2)
BITS = dict(weight_bits=4, activation_bits=4)


def _model(body):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE, name="pixels")
    return keras.Model(inputs, body(inputs), name="network")


def _head(x):
    return layers.Dense(3, name="logits")(layers.Flatten(name="flat")(x))


def _lambda(x):
    return _head(layers.Lambda(lambda y: y * 2, name="twice")(x))


def _transposed(x):
    return _head(layers.Conv2DTranspose(2, 3, name="up")(x))


def _layer_norm(x):
    return _head(layers.LayerNormalization(name="alone")(x))


def _prelu(x):
    return _head(layers.PReLU(name="alone")(x))


def _gelu(x):
    return _head(layers.Conv2D(2, 1, activation="gelu", name="alone")(x))


def _shared(x):
    dense = layers.Dense(4, name="twice")
    x = layers.Flatten(name="flat")(x)
    return layers.Dense(3)(layers.Add()([dense(x), dense(x)]))


def _in_a_row(x):
    conv = layers.Conv2D(2, 1, name="twice")
    return _head(conv(conv(x)))


def _relu_in_a_row(x):
    relu = layers.ReLU(name="twice")
    return _head(relu(layers.Conv2D(2, 1)(relu(x))))


def _model_in_a_row(x):
    inputs = keras.Input(SHAPE)
    inner = keras.Model(inputs, layers.Conv2D(2, 1)(inputs), name="twice")
    return _head(inner(inner(x)))


def _quantized(x):
    return DoReFaDense(3, name="logits")(layers.Flatten()(x))


class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


class RefusalTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (_lambda, r"'twice' \(Lambda\) holds code .* put a layer"),
        (
            _transposed,
            r"'up' \(Conv2DTranspose\) has weights .*overrides=\{'up': None\}",
        ),
        (_shared, r"'twice' \(Dense\) is used 2 times"),
        (_in_a_row, r"'twice' \(Conv2D\) is used 2 times"),
        (_relu_in_a_row, r"'twice' \(ReLU\) is used 2 times"),
        (_model_in_a_row, r"'twice' \(Functional\) is used 2 times"),
        (_quantized, r"'logits' \(DoReFaDense\) is quantized already"),
    )
    def test_layers_by_name(self, body, message):
        with self.assertRaisesRegex(InputError, message) as caught:
            quantize_model(_model(body), **BITS)
        self.assertNotIn("\n", str(caught.exception))

    def test_the_way_out_of_unknown_weights(self):
        model = _model(_transposed)
        quantized = quantize_model(model, overrides={"up": None}, **BITS)
        kept = quantized.get_layer("up")
        self.assertIs(type(kept), layers.Conv2DTranspose)
        self.assertAllEqual(kept.kernel, model.get_layer("up").kernel)

    def test_a_graph_with_a_call_of_its_own(self):
        """What its graph says is not what it computes."""

        class Twice(keras.Model):
            def call(self, inputs, training=None, mask=None):
                return 2 * super().call(inputs)

        inputs = keras.Input(SHAPE)
        model = Twice(inputs, _head(inputs), name="graph")
        with self.assertRaisesRegex(
            InputError, "'graph' is a subclassed model"
        ):
            quantize_model(model, **BITS)

    def test_lambda_inside_a_model_inside(self):
        inner = _model(lambda x: layers.Lambda(lambda y: y, name="deep")(x))
        with self.assertRaisesRegex(InputError, "'deep' \\(Lambda\\)"):
            quantize_model(_model(lambda x: _head(inner(x))), **BITS)

    def test_a_class_of_its_own(self):
        model = Own()
        model(np.zeros((1, 4), np.float32))
        with self.assertRaisesRegex(InputError, "'own' is a subclassed model"):
            quantize_model(model, **BITS)

    def test_no_input_yet(self):
        model = keras.Sequential([layers.Dense(3)], name="early")
        with self.assertRaisesRegex(InputError, "'early' has no input yet"):
            quantize_model(model, **BITS)

    def test_no_model(self):
        with self.assertRaisesRegex(InputError, "takes a keras.Model, got str"):
            quantize_model("model.keras", **BITS)

    @parameterized.parameters("inputs", "outputs")
    def test_several_ends(self, which):
        first, second = keras.Input((4,)), keras.Input((4,))
        ends = layers.Dense(3)(first), layers.Dense(3)(first)
        model = keras.Model(
            [first, second] if which == "inputs" else first,
            layers.Add()([first, second]) if which == "inputs" else ends,
            name="forked",
        )
        with self.assertRaisesRegex(InputError, f"'forked' has 2 {which}"):
            quantize_model(model, **BITS)

    def test_unknown_size_of_an_average(self):
        inputs = keras.Input((None, None, 2))
        x = layers.ReLU()(layers.Conv2D(3, 3)(inputs))
        x = layers.GlobalAveragePooling2D(name="whole")(x)
        model = keras.Model(inputs, layers.Dense(3)(layers.Dense(4)(x)))
        with self.assertRaisesRegex(InputError, "'whole' averages over a size"):
            quantize_model(model, **BITS)

    @parameterized.parameters(
        (dict(weight_bits=0), "weight_bits must be in 1..32"),
        (dict(activation_bits=33), "activation_bits must be in 1..32"),
        (dict(first_last_bits=1), "first_last_bits must be in 2..32"),
        (dict(residual_bits=4), "residual_bits must be 8 or 32"),
        (dict(input_steps=0), "input_steps must be None or"),
        (dict(input_steps=True), "input_steps must be None or"),
    )
    def test_arguments(self, changes, message):
        with self.assertRaisesRegex(InputError, message):
            quantize_model(_model(_head), **{**BITS, **changes})


class NestedTest(parameterized.TestCase, tf.test.TestCase):
    def _nested(self):
        block = keras.Sequential(
            [
                keras.Input((8, 8, 4)),
                layers.Conv2D(4, 3, name="conv"),
                layers.BatchNormalization(name="bn"),
                layers.ReLU(name="relu"),
            ],
            name="block",
        )

        def body(x):
            x = layers.Conv2D(4, 3, padding="same", name="conv")(x)
            x = layers.ReLU(name="stem")(layers.BatchNormalization()(x))
            return _head(block(x, training=False))

        return _model(body)

    def test_inlined_under_free_names(self):
        model = self._nested()
        quantized = quantize_model(model, **BITS)
        names = [layer.name for layer in quantized.layers]
        for name in ("conv", "block_conv", "bn", "relu"):
            self.assertIn(name, names)
        inner = model.get_layer("block").get_layer("conv")
        self.assertAllEqual(
            quantized.get_layer("block_conv").kernel, inner.kernel
        )

    def test_32_bits_change_nothing(self):
        model = self._nested()
        same = quantize_model(model, weight_bits=32, activation_bits=32)
        x = np.random.default_rng(0).random((3, *SHAPE), np.float32)
        self.assertAllClose(same(x), model(x), atol=1e-5)

    def test_sequential_around_an_application(self):
        inner = _model(lambda x: layers.Conv2D(2, 1, name="conv")(x))
        model = keras.Sequential(
            [keras.Input(SHAPE), inner, layers.Flatten(), layers.Dense(3)]
        )
        names = [entry.layer for entry in plan(model, **BITS)]
        self.assertEqual(names[0], "conv")


class WarningTest(parameterized.TestCase, tf.test.TestCase):
    def _plain(self, x):
        x = layers.Conv2D(3, 3, activation="relu", name="first")(x)
        x = layers.Conv2D(3, 3, name="second")(x)
        return _head(layers.ReLU(name="relu")(x))

    def test_no_norm_before_the_clip(self):
        message = "layers first, relu: no batch norm before the clip"
        with self.assertWarnsRegex(UserWarning, message):
            quantize_model(_model(self._plain), **BITS)
        entries = plan(_model(self._plain), **BITS)
        warned = [entry.layer for entry in entries if entry.warning]
        self.assertEqual(warned, ["first", "relu"])

    def test_inserted_norms_answer_it(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            quantized = quantize_model(
                _model(self._plain), insert_batch_norm=True, **BITS
            )
        for name in ("first_norm", "second_norm"):
            norm = quantized.get_layer(name)
            self.assertAllClose(norm.gamma, [0.3] * 3)

    def test_no_warning_where_nothing_is_clipped(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            quantize_model(
                _model(self._plain), weight_bits=4, activation_bits=32
            )

    def test_linear_without_norm(self):
        def body(x):
            return _head(layers.Conv2D(3, 3, name="linear")(x))

        message = "layer linear: no batch norm before the rounding"
        with self.assertWarnsRegex(UserWarning, message):
            quantize_model(_model(body), **BITS)

    def test_norm_behind_an_activation(self):
        def body(x):
            x = layers.Conv2D(3, 3, activation="relu", name="first")(x)
            return _head(layers.BatchNormalization(name="after")(x))

        message = "layer after: batch norm behind an activation"
        with self.assertWarnsRegex(UserWarning, message):
            quantized = quantize_model(_model(body), **BITS)
        self.assertIsNotNone(quantized.get_layer("after_signed"))

    @parameterized.parameters(_layer_norm, _prelu, _gelu)
    def test_what_stays_in_floats_is_named(self, body):
        def behind(x):
            return body(layers.Conv2D(2, 1)(x))

        message = "layer alone: left in floats, .*: int8 files cannot hold it"
        with self.assertWarnsRegex(UserWarning, message):
            quantize_model(_model(behind), insert_batch_norm=True, **BITS)

    def test_dorefa_weights_before_what_minds_their_scale(self):
        def body(x):
            x = layers.Conv2D(3, 3, activation="relu")(x)
            x = layers.Conv2D(3, 3, name="unnormed")(x)
            return _head(layers.Activation("swish")(x))

        message = "unnormed: no batch norm between DoReFa weights"
        with self.assertWarnsRegex(UserWarning, message):
            quantize_model(_model(body), **BITS)
        quantized = quantize_model(_model(body), insert_batch_norm=True, **BITS)
        self.assertIsNotNone(quantized.get_layer("unnormed_norm"))

    def test_one_norm_for_all_that_read_a_kernel(self):
        def body(x):
            x = layers.Conv2D(3, 3, activation="relu")(x)
            x = layers.Conv2D(3, 3, name="shared")(x)
            swish = layers.Activation("swish")(x)
            return _head(layers.Add()([swish, layers.LeakyReLU()(x)]))

        quantized = quantize_model(_model(body), insert_batch_norm=True, **BITS)
        norms = [x.name for x in quantized.layers if "shared_norm" in x.name]
        self.assertEqual(norms, ["shared_norm"])

    def test_unknown_without_weights_is_left_alone(self):
        def body(x):
            x = layers.BatchNormalization()(layers.Conv2D(3, 3)(x))
            x = layers.LeakyReLU(name="leaky")(x)
            return _head(x)

        model = _model(body)
        entries = {entry.layer: entry for entry in plan(model, **BITS)}
        self.assertTrue(entries["leaky"].alone)
        quantized = quantize_model(model, **BITS)
        self.assertIs(type(quantized.get_layer("leaky")), layers.LeakyReLU)
        self.assertIsNone(quantized.get_layer("logits").input_steps)


if __name__ == "__main__":
    tf.test.main()
