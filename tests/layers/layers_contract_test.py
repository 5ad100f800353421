"""What every layer must do, whatever it computes."""

import json
import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import layers, quantizers
from qmia_tf.layers import integer_layers as integer
from qmia_tf.quantizers.grids import activation_grid

SHAPE = (5, 8, 8, 4)
STEPS = 15
# What changes of a kernel layer's configuration.
KERNEL = {
    "weight_bits": 5,
    "gradient_bits": 6,
    "input_steps": STEPS,
    "seed": 7,
    "use_bias": False,
    "name": "again",
}
EDGE = {**KERNEL, "weight_quantizer": "symmetric"}
FIRST = {**KERNEL, "data_format": "channels_first"}
FULL = quantizers.get("dorefa", bits=3, detach_max=False)
GRID = activation_grid(4)
LEVELS = {"input_scale": 1 / 15, "grid": GRID}
LAYERS = {
    "quantize": lambda: layers.Quantize(quantizers.get("residual", bits=4)),
    "activation": lambda: layers.DoReFaActivation(4, name="again"),
    "clip": lambda: layers.DoReFaActivation(32, clip=True),
    "relu": lambda: layers.DoReFaActivation(32),
    "residual": lambda: layers.ResidualQuantizer(4, projection=True),
    "linear": lambda: layers.ResidualQuantizer(3, linear=True),
    "add": lambda: layers.DoReFaAdd(4, projection=True, rounded=False),
    "pooling": lambda: layers.RoundedAveragePooling2D(
        (2, 3), scale=1 / 15, strides=1, padding="same"
    ),
    "conv": lambda: layers.DoReFaConv2D(6, 3, **EDGE),
    "conv_first": lambda: layers.DoReFaConv2D(6, 3, strides=2, **FIRST),
    "conv_object": lambda: layers.DoReFaConv2D(6, 3, weight_quantizer=FULL),
    "depthwise": lambda: layers.DoReFaDepthwiseConv2D(3, **EDGE),
    "depthwise_first": lambda: layers.DoReFaDepthwiseConv2D(
        (3, 2), strides=(2, 1), **FIRST
    ),
    "dense": lambda: layers.DoReFaDense(6, **EDGE),
    "to_levels": lambda: integer.ToLevels(GRID),
    "from_levels": lambda: integer.FromLevels(1 / 15),
    "integer_conv": lambda: integer.IntegerConv2D(
        (3, 3, 4, 2), 2, strides=(2, 2), padding="valid", wide=True, **LEVELS
    ),
    "integer_depthwise": lambda: integer.IntegerDepthwiseConv2D(
        (3, 3, 4, 2), 8, dilation_rate=(2, 2), **LEVELS
    ),
    "integer_dense": lambda: integer.IntegerDense((4, 3), 3, **LEVELS),
    "integer_add": lambda: integer.IntegerAdd((0.5, 0.25), (2, 1, 1), GRID),
    "integer_softmax": lambda: integer.IntegerSoftmax(0.05),
}
INTEGER = tuple(
    name for name in LAYERS if "integer" in name or "levels" in name
)
OURS = tuple(name for name in LAYERS if name not in INTEGER)


def inputs(name):
    codes = np.random.default_rng(0).integers(0, STEPS + 1, SHAPE)
    if name == "integer_softmax":
        codes = codes[:, 0, 0]
    is_level = name in INTEGER and name != "to_levels"
    return (codes / (1 if is_level else STEPS)).astype(np.float32)


def model_of(name, layer=None):
    """The layer alone; both inputs of a sum are the model's."""
    layer = layer or LAYERS[name]()
    keras.utils.set_random_seed(0)
    x = keras.Input(inputs(name).shape[1:])
    return keras.Model(x, layer([x, x] if "add" in name else x))


def fill(layer):
    """Gives an integer kernel numbers; its own start is zeros."""
    if hasattr(layer, "multipliers"):
        rng = np.random.default_rng(1)
        kernel = rng.integers(-9, 10, layer.kernel.shape)
        scales = np.full(layer.channels, 0.02)
        layer.set_weights([kernel, 0 * scales, scales, scales])


class ContractTest(parameterized.TestCase, tf.test.TestCase):
    def test_every_layer_is_here(self):
        classes = {
            kind
            for module in (layers, integer)
            for name, kind in vars(module).items()
            if isinstance(kind, type)
            and issubclass(kind, keras.layers.Layer)
            and kind.__module__.startswith("qmia_tf.layers")
            and name[0].isupper()
            and name != "ElementwiseLayer"
        }
        self.assertEqual({type(make()) for make in LAYERS.values()}, classes)

    @parameterized.parameters(*LAYERS)
    def test_config_makes_the_layer_again(self, name):
        layer = LAYERS[name]()
        config = keras.layers.serialize(layer)
        self.assertEqual(config["registered_name"][:8], "qmia_tf>")
        again = keras.layers.deserialize(json.loads(json.dumps(config)))
        self.assertIs(type(again), type(layer))
        self.assertEqual(again.get_config(), layer.get_config())

    @parameterized.parameters(*LAYERS)
    def test_saved_and_loaded_in_safe_mode(self, name):
        model, x = model_of(name), inputs(name)
        fill(model.layers[-1])
        outputs = model(x)
        self.assertEqual(model.output_shape, (None, *outputs.shape[1:]))
        self.assertGreater(len(np.unique(outputs)), 1)
        path = os.path.join(self.create_tempdir().full_path, "model.keras")
        model.save(path)
        again = keras.saving.load_model(path, safe_mode=True)
        self.assertAllEqual(again(x), outputs)
        for one, other in zip(again.weights, model.weights, strict=True):
            self.assertEqual(one.dtype, other.dtype)
            self.assertAllEqual(one, other)

    @parameterized.parameters(*LAYERS)
    def test_alike_in_a_graph_under_xla_and_for_any_batch(self, name):
        model, x = model_of(name), inputs(name)
        fill(model.layers[-1])
        outputs = model(x).numpy()
        self.assertAllEqual(tf.function(model)(x), outputs)
        # XLA may fuse a product and a sum into one rounding.
        compiled = tf.function(model, jit_compile=True)
        self.assertAllClose(compiled(x), outputs, rtol=0, atol=1e-6)
        if name != "conv_object":  # which sums floats
            self.assertAllEqual(model(x[::-1])[1:], outputs[::-1][1:])
            self.assertAllEqual(model(x[:1]), outputs[:1])

    @parameterized.product(
        name=OURS, policy=("mixed_bfloat16", "mixed_float16")
    )
    def test_mixed_precision(self, name, policy):
        config = {**LAYERS[name]().get_config(), "dtype": policy}
        half = model_of(name, type(LAYERS[name]()).from_config(config))
        outputs = half(inputs(name))
        self.assertEqual(outputs.dtype, policy[len("mixed_") :])
        full = model_of(name)
        full.set_weights(half.get_weights())
        # An input that half precision moves may round to the next level.
        off = np.abs(tf.cast(outputs, tf.float32) - full(inputs(name)))
        self.assertLess(np.mean(off > 0.02), 0.25)
        self.assertLess(np.max(off), 0.3 if name == "linear" else 0.07)

    @parameterized.product(
        name=INTEGER, policy=("mixed_float16", "mixed_bfloat16", "float64")
    )
    def test_levels_are_float32_under_any_policy(self, name, policy):
        keras.config.set_dtype_policy(policy)
        self.addCleanup(keras.config.set_dtype_policy, "float32")
        layer = LAYERS[name]()
        self.assertEqual(layer.compute_dtype, "float32")
        self.assertFalse(layer.trainable)

    @parameterized.parameters(*OURS)
    def test_gradients_flow(self, name):
        model = model_of(name)
        layer, x = model.layers[-1], tf.constant(inputs(name))
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(model(x, training=True) ** 2)
        watched = [x, *(weight.value for weight in layer.trainable_weights)]
        for gradient in tape.gradient(loss, watched):
            self.assertTrue(np.all(np.isfinite(gradient)))
            self.assertTrue(np.any(gradient != 0))


if __name__ == "__main__":
    tf.test.main()
