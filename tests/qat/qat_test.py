"""quantize_model: what becomes of each kind of layer, and of its weights."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from float_nets import quantize
from keras import layers

import qmia_tf
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files
from qmia_tf.qat import describe, plan, quantize_model

SHAPE = (8, 8, 2)


def _pixels(count=3, *, seed=0, shape=SHAPE):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, *shape))
    return pixels.astype(np.float32) / np.float32(255)


def _norm(x, name):
    return layers.BatchNormalization(name=name)(x)


def _conv(x, name, filters=4, taps=3, **options):
    return layers.Conv2D(filters, taps, padding="same", name=name, **options)(x)


def _network(body, *, shape=SHAPE, seed=0):
    """stem -> norm -> ReLU -> body -> flat -> dense, random norms."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(shape, name="pixels")
    x = layers.ReLU(name="stem_relu")(_norm(_conv(inputs, "stem"), "stem_bn"))
    x = layers.Flatten(name="flat")(body(x))
    x = layers.Dense(3, activation="softmax", name="logits")(x)
    model = keras.Model(inputs, x, name="network")
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            count = layer.gamma.shape
            layer.gamma.assign(random.normal(0.3, 0.2, count))
            layer.beta.assign(random.normal(0.3, 0.2, count))
            layer.moving_mean.assign(random.normal(0, 0.3, count))
            layer.moving_variance.assign(random.uniform(0.3, 2, count))
    return model


def _relu(x):
    return layers.ReLU(name="relu")(_norm(_conv(x, "conv"), "bn"))


def _depthwise(x):
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    return layers.Activation("relu6", name="relu")(_norm(x, "bn"))


def _separable(x):
    x = layers.SeparableConv2D(5, 3, strides=2, name="separable")(x)
    return layers.ReLU(6.0, name="relu")(_norm(x, "bn"))


def _own_activation(x):
    x = _conv(x, "conv", activation="relu")
    return layers.Dense(6, activation="relu6", name="hidden")(
        layers.Flatten(name="before")(x)
    )


def _linear_sum(x):
    x = _norm(_conv(x, "narrow"), "narrow_bn")
    y = _norm(_conv(x, "branch"), "branch_bn")
    x = layers.Add(name="add")([x, y])
    return layers.ReLU(name="relu")(_norm(_conv(x, "wide"), "wide_bn"))


def _identity(x):
    y = _norm(_conv(x, "branch"), "branch_bn")
    return layers.ReLU(name="relu")(layers.Add(name="add")([y, x]))


def _projection(x):
    y = _norm(_conv(x, "branch", 5), "branch_bn")
    x = _norm(_conv(x, "shortcut", 5, 1), "shortcut_bn")
    return layers.ReLU(name="relu")(layers.Add(name="add")([x, y]))


def _sum_of_three(x):
    y = _norm(_conv(x, "branch"), "branch_bn")
    z = _norm(_conv(x, "other"), "other_bn")
    return layers.ReLU(name="relu")(layers.Add(name="add")([x, y, z]))


def _shared_addend(x):
    y = _norm(_conv(x, "branch"), "branch_bn")
    z = layers.ReLU(name="relu")(layers.Add(name="add")([x, y]))
    return layers.Concatenate(name="cat")([y, z])


def _branches(x):
    return layers.Concatenate(name="cat")([x, _relu(x)])


def _linear_branches(x):
    x = layers.Concatenate(name="cat")(
        [_norm(_conv(x, "a"), "a_bn"), _norm(_conv(x, "b"), "b_bn")]
    )
    return layers.ReLU(name="relu")(_norm(_conv(x, "conv"), "bn"))


def _pooled_before_relu(x):
    x = layers.MaxPooling2D(2, name="pool")(_norm(_conv(x, "conv"), "bn"))
    return layers.ReLU(name="relu")(layers.Dropout(0.5, name="dropout")(x))


def _averages(x):
    x = layers.AveragePooling2D(2, name="average")(x)
    x = layers.ZeroPadding2D(((0, 1), (1, 0)), name="pad")(x)
    x = layers.GlobalAveragePooling2D(name="whole")(_relu(x))
    x = layers.Dense(6, name="hidden")(x)
    return layers.ReLU(name="hidden_relu")(_norm(x, "hidden_bn"))


BODIES = {
    _relu: "conv:DoReFaConv2D bn:BatchNormalization relu:DoReFaActivation",
    _depthwise: "depthwise:DoReFaDepthwiseConv2D bn:BatchNormalization "
    "relu:DoReFaActivation",
    _separable: "separable_depthwise:DoReFaDepthwiseConv2D "
    "separable_depthwise_norm:BatchNormalization "
    "separable_depthwise_signed:ResidualQuantizer "
    "separable_pointwise:DoReFaConv2D bn:BatchNormalization "
    "relu:DoReFaActivation",
    _own_activation: "conv:DoReFaConv2D conv_relu:DoReFaActivation "
    "before:Flatten hidden:DoReFaDense hidden_relu:DoReFaActivation",
    _linear_sum: "narrow:DoReFaConv2D narrow_bn:BatchNormalization "
    "narrow_bn_signed:ResidualQuantizer branch:DoReFaConv2D "
    "branch_bn:BatchNormalization branch_bn_signed:ResidualQuantizer add:Add "
    "add_signed:ResidualQuantizer wide:DoReFaConv2D "
    "wide_bn:BatchNormalization relu:DoReFaActivation",
    _identity: "branch:DoReFaConv2D branch_bn:BatchNormalization "
    "relu:DoReFaAdd",
    _projection: "branch:DoReFaConv2D shortcut:DoReFaConv2D "
    "branch_bn:BatchNormalization shortcut_bn:BatchNormalization "
    "relu:DoReFaAdd",
    _sum_of_three: "branch:DoReFaConv2D branch_bn:BatchNormalization "
    "branch_bn_signed:ResidualQuantizer add_1:Add "
    "add_1_signed:ResidualQuantizer other:DoReFaConv2D "
    "other_bn:BatchNormalization other_bn_signed:ResidualQuantizer add:Add "
    "relu:DoReFaActivation",
    _shared_addend: "branch:DoReFaConv2D branch_bn:BatchNormalization "
    "branch_bn_signed:ResidualQuantizer add:Add relu:DoReFaActivation "
    "cat_1_signed:ResidualQuantizer cat:Concatenate",
    _branches: "conv:DoReFaConv2D bn:BatchNormalization relu:DoReFaActivation "
    "cat:Concatenate",
    _linear_branches: "a:DoReFaConv2D b:DoReFaConv2D a_bn:BatchNormalization "
    "b_bn:BatchNormalization a_bn_signed:ResidualQuantizer "
    "b_bn_signed:ResidualQuantizer cat:Concatenate conv:DoReFaConv2D "
    "bn:BatchNormalization relu:DoReFaActivation",
    _pooled_before_relu: "conv:DoReFaConv2D bn:BatchNormalization "
    "relu:DoReFaActivation pool:MaxPooling2D dropout:Dropout",
    _averages: "average:RoundedAveragePooling2D pad:ZeroPadding2D "
    "conv:DoReFaConv2D bn:BatchNormalization relu:DoReFaActivation "
    "whole:RoundedAveragePooling2D whole_flat:Flatten hidden:DoReFaDense "
    "hidden_bn:BatchNormalization hidden_relu:DoReFaActivation",
}
ENDS = (
    "pixels:InputLayer stem:DoReFaConv2D stem_bn:BatchNormalization "
    "stem_relu:DoReFaActivation flat:Flatten logits:DoReFaDense"
)
ALL = [(body.__name__, body) for body in BODIES]


class KindTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.named_parameters(ALL)
    def test_layers_and_32_bits_change_nothing(self, body):
        model = _network(body)
        kinds = [f"{x.name}:{type(x).__name__}" for x in quantize(model).layers]
        self.assertCountEqual(kinds, f"{BODIES[body]} {ENDS}".split())
        same = quantize(model, 32)
        self.assertAllClose(same(_pixels()), model(_pixels()), atol=1e-5)

    @parameterized.named_parameters(ALL)
    def test_weights_are_carried(self, body):
        model = _network(body)
        for layer in model.layers[::2]:
            layer.trainable = False
        quantized = quantize(model)
        known = {layer.name: layer for layer in quantized.layers}
        for layer in model.layers:
            if isinstance(layer, layers.SeparableConv2D):
                first, second = (
                    known[f"separable_{part}"]
                    for part in ("depthwise", "pointwise")
                )
                weights = [first.kernel, *second.weights]
            elif layer.weights:
                weights = known[layer.name].weights
                self.assertEqual(layer.trainable, known[layer.name].trainable)
            else:
                continue
            for old, new in zip(layer.weights, weights, strict=True):
                self.assertAllEqual(old, new)

    @parameterized.named_parameters(ALL)
    def test_saved_and_loaded_in_safe_mode(self, body):
        quantized = quantize_model(
            _network(body), weight_bits=2, activation_bits=3, gradient_bits=6
        )
        path = os.path.join(self.create_tempdir().full_path, "q.keras")
        keras_files.save(quantized, path)
        loaded = keras_files.load(path)
        self.assertAllEqual(loaded(_pixels()), quantized(_pixels()))
        for old, new in zip(quantized.layers, loaded.layers, strict=True):
            self.assertEqual(new.get_config(), old.get_config())

    @parameterized.named_parameters(ALL)
    def test_inference_is_on_integers(self, body):
        """Not one bit depends on the batch; kernels read their grids."""
        quantized = quantize(_network(body))
        cut = keras.Model(quantized.inputs, quantized.get_layer("flat").output)
        together = cut(_pixels(9)).numpy()
        alone = np.concatenate([cut(_pixels(9)[i : i + 1]) for i in range(9)])
        self.assertEqual(np.sum(together != alone), 0)
        for layer in quantized.layers:
            if hasattr(layer, "kernel"):
                self.assertIsNotNone(layer.input_steps, layer.name)
                read = keras.Model(quantized.inputs, layer.input)(_pixels())
                codes = np.asarray(read, np.float64) * layer.input_steps
                self.assertAllClose(codes, np.rint(codes), atol=1e-3)


class NumberTest(parameterized.TestCase, tf.test.TestCase):
    def test_dense_network_in_numpy(self):
        keras.utils.set_random_seed(4)
        inputs = keras.Input((6,))
        x = layers.Dense(5, name="first")(inputs)
        x = layers.ReLU()(_norm(x, "norm1"))
        x = layers.Dense(7, activation="relu", name="middle")(x)
        x = layers.Dense(3, name="last")(x)
        model = keras.Model(inputs, x)
        weights = {layer.name: layer.get_weights() for layer in model.layers}
        quantized = quantize_model(model, weight_bits=3, activation_bits=4)

        def symmetric(kernel):
            scale = np.abs(kernel).max(0) / 127
            return np.rint(kernel / scale) * scale

        def clipped(x):
            return np.rint(np.clip(x, 0, 1) * 15) / 15

        x = _pixels(shape=(6,)).astype(np.float64)
        kernel, bias = weights["first"]
        x = x @ symmetric(kernel) + bias
        x = clipped(x / np.sqrt(1 + 1e-3))
        kernel, bias = weights["middle"]
        unit = np.tanh(kernel) / np.abs(np.tanh(kernel)).max() / 2 + 0.5
        x = clipped(x @ (2 * np.rint(unit * 7) / 7 - 1) + bias)
        kernel, bias = weights["last"]
        expected = x @ symmetric(kernel) + bias
        outputs = quantized(_pixels(shape=(6,)))
        self.assertAllClose(outputs, expected, atol=1e-5)

    @parameterized.parameters((1, True), (4, True), (8, True), (16, False))
    def test_first_and_last(self, weight_bits, edge):
        quantized = quantize_model(
            _network(_relu), weight_bits=weight_bits, activation_bits=4
        )
        for name in ("stem", "logits"):
            layer = quantized.get_layer(name)
            self.assertEqual(layer.weight_quantizer.name, "symmetric")
            self.assertEqual(layer.weight_bits, 8 if edge else 32)
        middle = quantized.get_layer("conv")
        self.assertEqual(middle.weight_quantizer.name, "dorefa")
        self.assertEqual(middle.weight_bits, weight_bits)

    def test_given_bits(self):
        quantized = quantize(
            _network(_linear_sum),
            first_last_bits=6,
            residual_bits=32,
            gradient_bits=7,
        )
        self.assertEqual(quantized.get_layer("stem").weight_bits, 6)
        self.assertEqual(quantized.get_layer("stem").gradient_bits, 32)
        self.assertEqual(quantized.get_layer("narrow").gradient_bits, 7)
        names = [layer.name for layer in quantized.layers]
        self.assertNotIn("add_signed", names)
        self.assertIsNone(quantized.get_layer("wide").input_steps)

    def test_seeds_of_the_noise_differ(self):
        quantized = quantize(_network(_linear_sum), gradient_bits=4)
        seeds = [x.seed for x in quantized.layers if hasattr(x, "seed")]
        self.assertLen(set(seeds), len(seeds))


class OverrideTest(parameterized.TestCase, tf.test.TestCase):
    def _bits(self, overrides):
        quantized = quantize(_network(_linear_sum), overrides=overrides)
        return {
            layer.name: getattr(layer, "weight_bits", None)
            or getattr(layer, "bits", None)
            for layer in quantized.layers
        }, quantized

    def test_names_and_patterns(self):
        bits, _ = self._bits(
            {
                "*r*": {"weight_bits": 2},
                "branch": {"weight_bits": 7},
                "relu": {"activation_bits": 6},
                "stem": {"weight_bits": 5},
            }
        )
        expected = dict(narrow=2, branch=7, wide=4, relu=6, stem_relu=4, stem=5)
        self.assertEqual({name: bits[name] for name in expected}, expected)

    def test_left_alone(self):
        _, quantized = self._bits({"wide": None, "relu": None})
        self.assertIs(type(quantized.get_layer("wide")), layers.Conv2D)
        self.assertIs(type(quantized.get_layer("relu")), layers.ReLU)

    @parameterized.parameters(
        ({"wid": None}, "no layer is called 'wid'; close to it: wide"),
        ({"wide": {}}, "must be None or a dict of weight_bits"),
        ({"wide": {"bits": 3}}, "must be None or a dict of weight_bits"),
        ({"wide": 4}, "must be None or a dict of weight_bits"),
        ({"wide": {"weight_bits": 0}}, r"\['weight_bits'\] must be in 1..32"),
        ({"stem": {"weight_bits": 1}}, "'stem' is the first or the last"),
    )
    def test_wrong(self, overrides, message):
        with self.assertRaisesRegex(InputError, message):
            self._bits(overrides)


class PixelTest(parameterized.TestCase, tf.test.TestCase):
    def _model(self, scale, offset):
        keras.utils.set_random_seed(0)
        inputs = keras.Input(SHAPE)
        x = layers.Rescaling(scale, offset, name="scale")(inputs)
        x = layers.RandomFlip(name="flip")(x)
        x = layers.ReLU(name="relu")(_norm(_conv(x, "stem"), "bn"))
        x = layers.Dense(3, name="logits")(layers.Flatten()(x))
        return keras.Model(inputs, x)

    @parameterized.parameters(
        (1 / 255, 0.0, 255), (1 / 127.5, -1.0, 255), (1 / 256, -0.5, 256)
    )
    def test_whole_pixels(self, scale, offset, steps):
        model = self._model(scale, offset)
        whole = np.rint(_pixels() * 255)
        for unit_pixels, fed in ((False, whole), (True, _pixels())):
            options = dict(activation_bits=32, unit_pixels=unit_pixels)
            expected = model(whole, training=False)
            for bits, atol in ((32, 1e-5), (16, 1e-4)):
                close = quantize_model(model, weight_bits=bits, **options)
                outputs = close(fed, training=False)
                self.assertAllClose(outputs, expected, atol=atol)
            self.assertEqual(close.get_layer("stem").input_steps, steps)

    def test_left_out(self):
        quantized = quantize(self._model(1 / 255, 0.0), unit_pixels=True)
        self.assertNotIn("scale", [layer.name for layer in quantized.layers])

    def test_unit_pixels_to_begin_with(self):
        model = self._model(2.0, -1.0)
        quantized = quantize_model(model, weight_bits=16, activation_bits=32)
        self.assertEqual(quantized.get_layer("stem").input_steps, 255)
        self.assertAllClose(
            quantized(_pixels(), training=False),
            model(_pixels(), training=False),
            atol=1e-4,
        )

    def test_no_grid(self):
        quantized = quantize(_network(_relu), input_steps=None)
        self.assertIsNone(quantized.get_layer("stem").input_steps)

    def test_normalization_at_the_input(self):
        inputs = keras.Input(SHAPE)
        normalize = layers.Normalization()
        normalize.adapt(_pixels(20))
        x = layers.ReLU()(_norm(_conv(normalize(inputs), "stem"), "bn"))
        model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        same = quantize(model, 32)
        self.assertAllClose(
            same(_pixels(), training=False),
            model(_pixels(), training=False),
            atol=1e-5,
        )
        quantized = quantize(model)
        self.assertIsNone(quantized.get_layer("stem").input_steps)


class PlanTest(parameterized.TestCase, tf.test.TestCase):
    def test_every_layer_once(self):
        for body in BODIES:
            model = _network(body)
            entries = plan(model, weight_bits=4, activation_bits=4)
            names = [layer.name for layer in model.layers[1:]]
            self.assertCountEqual([entry.layer for entry in entries], names)

    def test_text(self):
        model = _network(_linear_sum)
        overrides, lines = {"wide": None}, []
        quantize(model, overrides=overrides, progress=lines.append)
        options = dict(weight_bits=4, activation_bits=4, overrides=overrides)
        text = describe(plan(model, **options))
        self.assertEqual(text.splitlines()[:-2], lines)
        self.assertIn("branch (Conv2D): 4-bit weights (DoReFa)", lines)
        self.assertIn("relu (ReLU): 4-bit activation", lines)
        self.assertEqual(text.splitlines()[-2], "left alone: wide")
        self.assertEqual(text.splitlines()[-1], "warnings: none")

    def test_the_package_gives_it(self):
        self.assertIs(qmia_tf.quantize_model, quantize_model)
        self.assertIn("quantize_model", dir(qmia_tf))
        with self.assertRaisesRegex(AttributeError, "no attribute 'nothing'"):
            qmia_tf.nothing  # noqa: B018


if __name__ == "__main__":
    tf.test.main()
