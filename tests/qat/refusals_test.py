"""What quantize_model refuses by name, and what it warns about."""

import warnings

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from float_nets import quantize
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


def _of(*between):
    """A model of some layers in front of the last one."""

    def body(x):
        for layer in between:
            x = layer(x)
        return _head(x)

    return _model(body)


def _conv(name=None, **options):
    return layers.Conv2D(3, 3, name=name, **options)


def _transposed():
    return _of(layers.Conv2DTranspose(2, 3, name="up"))


def _shared():
    dense, flat = layers.Dense(4, name="twice"), layers.Flatten()

    def body(x):
        x = flat(x)
        return layers.Dense(3)(layers.Add()([dense(x), dense(x)]))

    return _model(body)


def _in_a_row(layer, *between):
    return _of(layer, *between, layer)


def _model_in_a_row():
    inputs = keras.Input(SHAPE)
    inner = keras.Model(inputs, layers.Conv2D(2, 1)(inputs), name="twice")
    return _in_a_row(inner)


def _lambda_inside():
    return _of(_model(lambda x: layers.Lambda(lambda y: y, name="deep")(x)))


class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


def _own():
    model = Own()
    model(np.zeros((1, 4), np.float32))
    return model


class Twice(keras.Model):
    """What its graph says is not what it computes."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs)


def _own_call():
    inputs = keras.Input(SHAPE)
    return Twice(inputs, _head(inputs), name="graph")


def _forked(inputs, outputs):
    ends = [keras.Input((4,)) for _ in range(inputs)]
    x = layers.Add()(ends) if inputs == 2 else ends[0]
    results = [layers.Dense(3)(x) for _ in range(outputs)]
    return keras.Model(ends, results, name="forked")


def _unknown_size():
    inputs = keras.Input((None, None, 2))
    x = layers.ReLU()(layers.Conv2D(3, 3)(inputs))
    x = layers.GlobalAveragePooling2D(name="whole")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Dense(4)(x)))


class RefusalTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (
            lambda: _of(layers.Lambda(lambda y: y * 2, name="twice")),
            r"'twice' \(Lambda\) holds code .* put a layer",
        ),
        (_lambda_inside, r"'deep' \(Lambda\)"),
        (
            _transposed,
            r"'up' \(Conv2DTranspose\) has weights .*overrides=\{'up': None\}",
        ),
        (_shared, r"'twice' \(Dense\) is used 2 times"),
        (
            lambda: _in_a_row(layers.Conv2D(2, 1, name="twice")),
            r"'twice' \(Conv2D\) is used 2 times",
        ),
        (
            lambda: _in_a_row(layers.ReLU(name="twice"), layers.Conv2D(2, 1)),
            r"'twice' \(ReLU\) is used 2 times",
        ),
        (_model_in_a_row, r"'twice' \(Functional\) is used 2 times"),
        (
            lambda: _of(layers.Flatten(), DoReFaDense(3, name="dense")),
            r"'dense' \(DoReFaDense\) is quantized already",
        ),
        (_own_call, "'graph' is a subclassed model"),
        (_own, "'own' is a subclassed model"),
        (
            lambda: keras.Sequential([layers.Dense(3)], name="early"),
            "'early' has no input yet",
        ),
        (lambda: "model.keras", "takes a keras.Model, got str"),
        (lambda: _forked(2, 1), "'forked' has 2 inputs"),
        (lambda: _forked(1, 2), "'forked' has 2 outputs"),
        (_unknown_size, "'whole' averages over a size"),
    )
    def test_models(self, make, message):
        with self.assertRaisesRegex(InputError, message) as caught:
            quantize(make())
        self.assertNotIn("\n", str(caught.exception))

    def test_the_way_out_of_unknown_weights(self):
        model = _transposed()
        kept = quantize(model, overrides={"up": None}).get_layer("up")
        self.assertIs(type(kept), layers.Conv2DTranspose)
        self.assertAllEqual(kept.kernel, model.get_layer("up").kernel)

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
            quantize_model(_of(), **{**BITS, **changes})


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
        quantized = quantize(model)
        names = [layer.name for layer in quantized.layers]
        for name in ("conv", "block_conv", "bn", "relu"):
            self.assertIn(name, names)
        inner = model.get_layer("block").get_layer("conv")
        self.assertAllEqual(
            quantized.get_layer("block_conv").kernel, inner.kernel
        )
        x = np.random.default_rng(0).random((3, *SHAPE), np.float32)
        self.assertAllClose(quantize(model, 32)(x), model(x), atol=1e-5)

    def test_sequential_around_an_application(self):
        inner = _model(lambda x: layers.Conv2D(2, 1, name="conv")(x))
        model = keras.Sequential(
            [keras.Input(SHAPE), inner, layers.Flatten(), layers.Dense(3)]
        )
        names = [entry.layer for entry in plan(model, **BITS)]
        self.assertEqual(names[0], "conv")


def _plain():
    first, relu = _conv("first", activation="relu"), layers.ReLU(name="relu")
    return _of(first, _conv("second"), relu)


def _unnormed():
    swish = layers.Activation("swish")
    return _of(_conv(activation="relu"), _conv("unnormed"), swish)


def _read_twice(x):
    x = _conv("shared")(_conv(activation="relu")(x))
    swish = layers.Activation("swish")(x)
    return _head(layers.Add()([swish, layers.LeakyReLU()(x)]))


class WarningTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (_plain, "layers first, relu: no batch norm before the clip"),
        (
            lambda: _of(_conv("linear")),
            "layer linear: no batch norm before the rounding",
        ),
        (
            lambda: _of(
                _conv(activation="relu"),
                layers.BatchNormalization(name="after"),
            ),
            "layer after: batch norm behind an activation",
        ),
        (_unnormed, "unnormed: no batch norm between DoReFa weights"),
        *(
            (
                lambda layer=layer: _of(layers.Conv2D(2, 1), layer()),
                "layer alone: left in floats, .*: int8 files cannot hold it",
            )
            for layer in (
                lambda: layers.LayerNormalization(name="alone"),
                lambda: layers.PReLU(name="alone"),
                lambda: _conv("alone", activation="gelu"),
            )
        ),
    )
    def test_is_named(self, make, message):
        with self.assertWarnsRegex(UserWarning, message):
            quantize(make())

    def test_the_plan_has_it(self):
        entries = plan(_plain(), **BITS)
        warned = [entry.layer for entry in entries if entry.warning]
        self.assertEqual(warned, ["first", "relu"])

    def test_inserted_norms_answer_it(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            quantized = quantize(_plain(), insert_batch_norm=True)
            # And nothing is said where nothing is clipped.
            quantize_model(_plain(), weight_bits=4, activation_bits=32)
        for name in ("first_norm", "second_norm"):
            norm = quantized.get_layer(name)
            self.assertAllClose(norm.gamma, [0.3] * 3)

    @parameterized.parameters(
        (_unnormed, "unnormed_norm"),
        (lambda: _model(_read_twice), "shared_norm"),
    )
    def test_one_norm_for_all_that_read_a_kernel(self, make, name):
        quantized = quantize(make(), insert_batch_norm=True)
        norms = [x.name for x in quantized.layers if name in x.name]
        self.assertEqual(norms, [name])

    def test_a_norm_behind_an_activation_is_put_on_a_grid(self):
        after = layers.BatchNormalization(name="after")
        quantized = quantize(_of(_conv(activation="relu"), after))
        self.assertIsNotNone(quantized.get_layer("after_signed"))

    def test_unknown_without_weights_is_left_alone(self):
        norm, leaky = (
            layers.BatchNormalization(),
            layers.LeakyReLU(name="leaky"),
        )
        model = _of(_conv(), norm, leaky)
        entries = {entry.layer: entry for entry in plan(model, **BITS)}
        self.assertTrue(entries["leaky"].alone)
        quantized = quantize(model)
        self.assertIs(type(quantized.get_layer("leaky")), layers.LeakyReLU)
        self.assertIsNone(quantized.get_layer("logits").input_steps)


if __name__ == "__main__":
    tf.test.main()
