"""Tests of the layers with quantized kernels against the stock layers."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import quantizers
from qmia_tf.errors import InputError
from qmia_tf.layers import DoReFaConv2D, DoReFaDense, DoReFaDepthwiseConv2D

STEPS = 15
IMAGES = (5, 8, 8, 4)
LAYERS = {
    "conv": (DoReFaConv2D, keras.layers.Conv2D, (6, 3)),
    "depthwise": (DoReFaDepthwiseConv2D, keras.layers.DepthwiseConv2D, (3,)),
    "dense": (DoReFaDense, keras.layers.Dense, (6,)),
}
KINDS = tuple(LAYERS)
# The arguments that change what is computed.
CASES = (
    ("conv", {}),
    ("conv", {"strides": 2, "padding": "same"}),
    ("conv", {"strides": (2, 1), "kernel_size": (2, 3)}),
    ("conv", {"dilation_rate": 2, "padding": "same"}),
    ("conv", {"groups": 2}),
    ("conv", {"data_format": "channels_first"}),
    ("conv", {"use_bias": False, "activation": "tanh"}),
    ("depthwise", {}),
    ("depthwise", {"strides": 2, "padding": "same", "depth_multiplier": 2}),
    ("depthwise", {"dilation_rate": 2}),
    ("depthwise", {"strides": (3, 3), "data_format": "channels_first"}),
    ("depthwise", {"data_format": "channels_first", "depth_multiplier": 2}),
    ("depthwise", {"use_bias": False, "activation": "relu"}),
    ("dense", {}),
    ("dense", {"use_bias": False, "activation": "softmax"}),
)


def dorefa(bits, **options):
    return quantizers.get("dorefa", bits=bits, **options)


def _make(kind, *, stock=False, **options):
    quantized, plain, arguments = LAYERS[kind]
    if "kernel_size" in options:
        arguments = arguments[:1]
    if not stock:
        options = {"weight_bits": 4, **options}
    options.setdefault(
        "bias_initializer", keras.initializers.RandomNormal(seed=1)
    )
    return (plain if stock else quantized)(*arguments, **options)


def _stock(layer, x):
    """What a stock layer computes, also where TensorFlow refuses its format."""
    if getattr(layer, "data_format", None) != "channels_first":
        return layer(x)
    config = {**layer.get_config(), "data_format": "channels_last"}
    last = type(layer).from_config(config)
    x = np.transpose(x, (0, 2, 3, 1))
    last.build(x.shape)
    last.set_weights(layer.get_weights())
    return np.transpose(last(x), (0, 3, 1, 2))


def _inputs(steps=STEPS, seed=0):
    codes = np.random.default_rng(seed).integers(0, steps + 1, IMAGES)
    return (codes / steps).astype(np.float32)


def _model(kind, **options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(IMAGES[1:])
    x = _make(kind, name="quantized", **options)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def _fit(model, *, epochs=1, **options):
    model.compile("sgd", "mse", **options)
    targets = np.random.default_rng(1).normal(size=(5, 2))
    return model.fit(_inputs(), targets, batch_size=5, epochs=epochs, verbose=0)


class StockLayerTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(case=CASES, training=(True, False))
    def test_equals_it_on_quantized_weights(self, case, training):
        kind, options = case
        layer = _make(kind, **options)
        stock = _make(kind, stock=True, **options)
        x = _inputs()
        stock.build(x.shape)
        outputs = layer(x, training=training)
        kernel, *bias = layer.get_weights()
        stock.set_weights([dorefa(4)(kernel), *bias])
        self.assertAllClose(outputs, _stock(stock, x), rtol=0, atol=1e-5)
        shape = layer.compute_output_shape(x.shape)
        self.assertEqual(shape, tuple(outputs.shape))

    @parameterized.product(
        kind=KINDS,
        case=(
            *((bits, "dorefa") for bits in (1, 4, 8, 16, 32)),
            *((bits, "symmetric") for bits in (2, 8, 32)),
        ),
    )
    def test_kernel_is_the_quantizers(self, kind, case):
        bits, quantizer = case
        layer = _make(kind, weight_bits=bits, weight_quantizer=quantizer)
        layer.build(IMAGES)
        kernel = layer.kernel.numpy()
        expected = quantizers.get(quantizer, bits=bits)
        if kind == "depthwise":
            expected = expected.along((-2, -1))
        expected = expected(kernel)
        self.assertAllEqual(layer.quantized_kernel(), expected)
        self.assertEqual(layer.quantized_kernel().dtype, tf.float32)
        self.assertEqual(np.any(expected != kernel), bits < 32)

    @parameterized.parameters(*KINDS)
    def test_takes_its_arguments(self, kind):
        options = {
            "kernel_regularizer": keras.regularizers.L2(0.1),
            "bias_regularizer": keras.regularizers.L1(0.2),
            "activity_regularizer": keras.regularizers.L2(0.3),
            "kernel_constraint": keras.constraints.NonNeg(),
            "bias_initializer": keras.initializers.Constant(0.5),
        }
        name = "depthwise" if kind == "depthwise" else "kernel"
        if kind == "depthwise":
            for option in ("regularizer", "constraint"):
                options[f"depthwise_{option}"] = options.pop(f"kernel_{option}")
        options[f"{name}_initializer"] = keras.initializers.HeNormal(3)
        layer = _make(kind, weight_bits=32, **options)
        stock = _make(kind, stock=True, **options)
        x = _inputs()
        self.assertAllClose(layer(x), stock(x), rtol=0, atol=1e-5)
        self.assertLen(layer.losses, 3)
        self.assertAllClose(layer.losses, stock.losses, rtol=1e-5)
        self.assertIsInstance(layer.kernel.constraint, keras.constraints.NonNeg)

    def test_dense_takes_any_rank(self):
        for shape in ((5, 4), (5, 3, 4), (5, 2, 3, 4)):
            x = np.random.default_rng(0).normal(size=shape).astype("f")
            layer = _make("dense")
            outputs = layer(x)
            expected = x @ layer.quantized_kernel().numpy() + layer.bias.numpy()
            self.assertAllClose(outputs, expected, rtol=0, atol=1e-5)

    def test_sizes_not_known_yet(self):
        inputs = keras.Input((None, None, 4))
        layer = _make("conv", input_steps=STEPS)
        model = keras.Model(inputs, layer(inputs))
        x = _inputs()
        self.assertAllEqual(model(x[:, :5]), layer(x[:, :5]))


class IntegerInferenceTest(parameterized.TestCase, tf.test.TestCase):
    def assertTrainsAlike(self, layer, x):
        self.assertTrue(layer.runs_on_integers)
        trained = layer(x, training=True)
        self.assertAllClose(layer(x), trained, rtol=0, atol=1e-5)

    @parameterized.product(case=CASES, quantizer=("dorefa", "symmetric"))
    def test_agrees_with_training(self, case, quantizer):
        kind, options = case
        options = {**options, "weight_quantizer": quantizer}
        layer = _make(kind, input_steps=STEPS, **options)
        self.assertTrainsAlike(layer, _inputs())

    @parameterized.parameters((1, 1), (8, 255), (16, 65535), (32, 255))
    def test_agrees_at_other_widths(self, bits, steps):
        layer = _make("conv", weight_bits=bits, input_steps=steps)
        self.assertTrainsAlike(layer, _inputs(steps))

    @parameterized.product(kind=KINDS, quantizer=("dorefa", "symmetric"))
    def test_batch_size_changes_no_bit(self, kind, quantizer):
        layer = _make(
            kind,
            weight_bits=8,
            weight_quantizer=quantizer,
            input_steps=STEPS,
            activation="tanh",
        )
        x = _inputs()
        whole = layer(x).numpy()
        alone = np.concatenate([layer(x[i : i + 1]) for i in range(len(x))])
        wrong = np.sum(whole != alone)
        self.assertEqual(wrong, 0, f"{wrong} of {whole.size} differ")
        self.assertAllEqual(layer(x[::-1]), whole[::-1])

    @parameterized.product(kind=KINDS, input_steps=(None, STEPS))
    def test_frozen_answers_with_the_same_bits(self, kind, input_steps):
        layer = _make(kind, input_steps=input_steps)
        x = _inputs()
        before, trained = layer(x), layer(x, training=True)
        layer.freeze()
        self.assertAllEqual(layer(x), before)
        layer.set_weights(
            [2 * w + 1 for w in layer.get_weights()[:1]]
            + layer.get_weights()[1:]
        )
        self.assertAllEqual(layer(x), before)
        self.assertNotAllClose(layer(x, training=True), trained)

    @parameterized.parameters((None, "float32"), (STEPS, "mixed_bfloat16"))
    def test_only_where_it_can(self, input_steps, policy):
        layer = _make("conv", input_steps=input_steps, dtype=policy)
        self.assertFalse(layer.runs_on_integers)

    def test_gradient_of_the_inputs_agrees_with_training(self):
        layer = _make("conv", input_steps=STEPS)
        x = tf.constant(_inputs())
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            sums = [
                tf.reduce_sum(layer(x, training=training) ** 2)
                for training in (True, False)
            ]
        first, second = (tape.gradient(total, x) for total in sums)
        self.assertAllClose(first, second, rtol=1e-4, atol=1e-4)


class TrainingTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(("conv", 4), ("depthwise", 4), ("dense", 1))
    def test_kernel_moves(self, kind, bits):
        model = _model(kind, weight_bits=bits)
        before = model.get_layer("quantized").kernel.numpy()
        _fit(model)
        moved = model.get_layer("quantized").kernel.numpy() != before
        self.assertGreater(moved.mean(), 0.9)

    @parameterized.parameters(True, False)
    def test_gradient_is_the_quantizers(self, detach_max):
        quantizer = dorefa(4, detach_max=detach_max)
        layer = _make("dense", weight_quantizer=quantizer, use_bias=False)
        x = tf.constant(_inputs()[:, 0, 0])
        with tf.GradientTape() as tape:
            y = layer(x, training=True)
        gradient = tape.gradient(y, layer.kernel.value)
        kernel = tf.constant(layer.kernel.numpy())
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            q = quantizer(kernel)
        expected = tape.gradient(q, kernel, tf.matmul(x, tf.ones([5, 6]), True))
        self.assertAllClose(gradient, expected, rtol=1e-5, atol=1e-5)

    def test_constraint_holds_the_kernel_itself(self):
        model = _model("conv", kernel_constraint=keras.constraints.NonNeg())
        _fit(model)
        self.assertAllGreaterEqual(model.get_layer("quantized").kernel, 0)

    @parameterized.parameters(
        ("conv", "mixed_bfloat16", 32),
        ("conv", "mixed_float16", 4),
        ("depthwise", "mixed_bfloat16", 32),
        ("depthwise", "mixed_float16", 32),
        ("dense", "mixed_bfloat16", 4),
        ("dense", "mixed_float16", 32),
    )
    def test_mixed_precision(self, kind, policy, gradient_bits):
        keras.config.set_dtype_policy(policy)
        self.addCleanup(keras.config.set_dtype_policy, "float32")
        model = _model(kind, input_steps=STEPS, gradient_bits=gradient_bits)
        layer = model.get_layer("quantized")
        self.assertEqual(layer.kernel.dtype, "float32")
        expected = dorefa(4)(layer.kernel.numpy())
        self.assertAllEqual(layer.quantized_kernel(), expected)
        outputs = layer(_inputs(), training=True)
        self.assertEqual(outputs.dtype, policy[len("mixed_") :])
        before = layer.kernel.numpy()
        # float16: the loss scale starts too high and halves a few times.
        history = _fit(model, epochs=8)
        self.assertTrue(np.isfinite(history.history["loss"][-1]))
        self.assertGreater(np.mean(layer.kernel.numpy() != before), 0.5)
        self.assertTrue(np.all(np.isfinite(layer.kernel)))

    @parameterized.product(
        policy=("mixed_bfloat16", "mixed_float16"), training=(True, False)
    )
    def test_mixed_precision_quantizes_in_float32(self, policy, training):
        layer = DoReFaDense(64, weight_bits=16, use_bias=False, dtype=policy)
        outputs = layer(np.eye(32, dtype=np.float32), training=training)
        expected = dorefa(16)(layer.kernel.numpy())
        self.assertAllEqual(outputs, tf.cast(expected, layer.compute_dtype))

    @parameterized.parameters(("conv", 4), ("depthwise", 32), ("dense", 32))
    def test_jit_compile(self, kind, gradient_bits):
        kernels = []
        for jit_compile in (True, False):
            model = _model(kind, gradient_bits=gradient_bits, seed=1)
            _fit(model, jit_compile=jit_compile)
            kernels.append(model.get_layer("quantized").kernel.numpy())
        # XLA sums in another order.
        self.assertAllClose(*kernels, rtol=0, atol=1e-5)


class GradientBitsTest(parameterized.TestCase, tf.test.TestCase):
    def _layer(self, **options):
        layer = DoReFaDense(
            40,
            kernel_initializer="identity",
            gradient_bits=2,
            use_bias=False,
            **options,
        )
        layer.build([None, 40])
        return layer

    def _flow(self, layer, dy):
        x = tf.zeros_like(dy)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return tape.gradient(y, x, dy)

    def _gradient(self):
        random = np.random.default_rng(0)
        dy = random.uniform(-1, 1, (3, 40)).astype(np.float32)
        dy[:, 0] = 1.0
        return tf.constant(dy)

    def test_gradient_is_on_the_grid(self):
        # Two bits: -1, -1/3, 1/3 and 1 times each sample's largest.
        scale = np.float32([[1], [10], [100]])
        gradient = self._flow(self._layer(seed=1), self._gradient() * scale)
        thirds = gradient.numpy() / scale * 3
        self.assertAllClose(thirds, np.rint(thirds), rtol=0, atol=1e-4)
        self.assertAllEqual(np.unique(np.rint(thirds)), [-3, -1, 1, 3])

    def test_noise_is_the_seeds_and_new_each_step(self):
        dy = self._gradient()
        one, same, other = (self._layer(seed=seed) for seed in (1, 1, 2))
        first = self._flow(one, dy)
        self.assertAllEqual(self._flow(same, dy), first)
        self.assertNotAllClose(self._flow(other, dy), first)
        second = self._flow(one, dy)
        self.assertNotAllClose(second, first)
        self.assertAllEqual(self._flow(same, dy), second)

    def test_saved_with_its_noise(self):
        dy = self._gradient()
        model = keras.Sequential([keras.Input([40]), self._layer(seed=None)])
        self._flow(model, dy)
        path = os.path.join(self.create_tempdir().full_path, "model.keras")
        model.save(path)
        again = keras.saving.load_model(path, safe_mode=True)
        self.assertAllEqual(self._flow(again, dy), self._flow(model, dy))

    def test_answering_changes_nothing(self):
        layer = self._layer(seed=1)
        before = layer.seed_generator.state.numpy()
        layer(tf.zeros([3, 40]))
        layer(tf.zeros([3, 40]), training=False)
        self.assertAllEqual(layer.seed_generator.state, before)

    def test_off_by_default(self):
        layer = _make("dense")
        layer.build([None, 4])
        self.assertLen(layer.variables, 2)


class ErrorsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        *(
            ({name: bits}, f"^{name} must be .*1..32")
            for name in ("weight_bits", "gradient_bits")
            for bits in (0, 33, -1, True, 4.0, "4", None)
        ),
        *(
            ({"input_steps": steps}, "input_steps must be.*got")
            for steps in (0, -1, True, 15.0, "15")
        ),
        ({"weight_quantizer": "ternary"}, "no quantizer 'ternary'.*symmetric"),
        ({"weight_quantizer": "simmetric"}, "did you mean 'symmetric'"),
        ({"weight_quantizer": dorefa(5)}, "weight_bits=4, but .* 5 bits"),
        (
            {"weight_quantizer": "symmetric", "weight_bits": 1},
            "symmetric.*2..32",
        ),
        (
            {"weight_quantizer": "dorefa_activations"},
            "must quantize weights, got dorefa_activations",
        ),
    )
    def test_messages(self, options, message):
        for kind in KINDS:
            with self.assertRaisesRegex(InputError, message):
                _make(kind, **options)

    @parameterized.product(name=("weight_bits", "gradient_bits"), bits=(25, 31))
    def test_more_than_a_float_carries_warns(self, name, bits):
        with self.assertWarnsRegex(UserWarning, f"{name}={bits}: float32"):
            _make("dense", **{"weight_bits": 32, name: bits})

    @parameterized.parameters(
        ("dorefa", False, dorefa(4, detach_max=False)),
        ("dorefa", True, dorefa(4)),
        ("symmetric", False, quantizers.get("symmetric", bits=4)),
    )
    def test_configurations_of_before(self, name, detach_max, quantizer):
        """Quantizers were a name and options of the layer."""
        config = {**_make("dense").get_config(), "weight_bits": 4}
        config |= {"weight_quantizer": name, "detach_max": detach_max}
        layer = DoReFaDense.from_config(config)
        self.assertEqual(layer.weight_quantizer, quantizer)


if __name__ == "__main__":
    tf.test.main()
