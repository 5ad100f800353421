"""Gradient norms by layer, against GradientTape on plain Keras networks."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized
from file_network_test import SHAPE, Folder, convert, mobile
from flatbuffer_view import kernels, read

from qmia_tf.deploy import differentiable
from qmia_tf.deploy.differentiable import gradient_norms
from qmia_tf.deploy.differentiable.gradient_norms import GradientNorms
from qmia_tf.errors import InputError

CLASSES = 5


def trained(shape=(9, 8, 3)):
    """Convolutions and batch norms that the converter folds."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    biased = {"bias_initializer": keras.initializers.RandomNormal(0, 0.1)}
    pixels = x = keras.Input(shape)
    for name, options in (
        ("first", {"padding": "same"}),
        ("second", {"strides": 2, "padding": "same"}),
    ):
        x = layers.Conv2D(6, 3, use_bias=False, name=name, **options)(x)
        norm = layers.BatchNormalization()
        x = layers.ReLU()(norm(x))
        norm.moving_mean.assign(np.linspace(-0.2, 0.3, 6))
        norm.moving_variance.assign(np.linspace(0.3, 2, 6))
        norm.beta.assign(np.linspace(-0.1, 0.4, 6))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="deep", **biased)(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x))
    x = layers.Dense(CLASSES, activation="softmax", name="logits", **biased)(x)
    return keras.Model(pixels, x)


def rebuilt(content, *, is_rounded):
    """A plain Keras network of a file's dequantized weights.

    Read from the flatbuffer by the tests' own reader. If it is rounded, what
    the file stores in codes goes through TensorFlow's fake quantization.
    """

    def codes(tensor):
        if not is_rounded or not tensor.scales.size:
            return lambda x: x
        scale, zero = float(tensor.scales[0]), int(tensor.zero_points[0])
        low, high = (-128 - zero) * scale, (127 - zero) * scale
        return lambda x: tf.quantization.fake_quant_with_min_max_args(
            x, low, high
        )

    weights = [
        [_values(stored), _values(op.inputs[2])]
        for (_, stored, _), op in zip(
            kernels(content),
            [op for op in read(content) if op.name in NAMES],
            strict=True,
        )
    ]
    first, second, deep, dense = weights
    ends = [output for _, _, output in kernels(content)]
    source = kernels(content)[0][0]
    (mean,) = [op.outputs[0] for op in read(content) if op.name == "MEAN"]
    layers = keras.layers
    network = {
        "first": layers.Conv2D(6, 3, padding="same"),
        "second": layers.Conv2D(6, 3, strides=2, padding="same"),
        "deep": layers.DepthwiseConv2D(3, depth_multiplier=2),
        "logits": layers.Dense(CLASSES),
    }
    network["first"].build((None, 9, 8, 3))
    network["second"].build((None, 9, 8, 6))
    network["deep"].build((None, 5, 4, 6))
    network["logits"].build((None, 12))
    network["first"].set_weights([first[0].transpose(1, 2, 3, 0), first[1]])
    network["second"].set_weights([second[0].transpose(1, 2, 3, 0), second[1]])
    network["deep"].set_weights([deep[0].reshape(3, 3, 6, 2), deep[1]])
    network["logits"].set_weights([dense[0].T, dense[1]])

    def logits(x):
        x = codes(source)(x)
        x = codes(ends[0])(tf.nn.relu(network["first"](x)))
        x = codes(ends[1])(tf.nn.relu(network["second"](x)))
        x = codes(ends[2])(tf.nn.relu6(network["deep"](x)))
        x = codes(mean)(tf.reduce_mean(x, [1, 2]))
        return codes(ends[3])(network["logits"](x))

    return network, logits


NAMES = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def _values(tensor):
    if not tensor.scales.size:
        return tensor.values.astype(np.float32)
    shape = [1] * tensor.values.ndim
    axis = int(np.argmax(np.array(tensor.shape) == tensor.scales.size))
    axis = 3 if tensor.values.ndim == 4 and tensor.shape[0] == 1 else axis
    shape[axis] = tensor.scales.size
    scales = (
        tensor.scales.reshape(shape)
        if tensor.scales.size > 1
        else (tensor.scales)
    )
    return (tensor.values * scales).astype(np.float32)


def by_tape(network, logits, values, labels):
    """Norms [N, layers], one tape a record."""
    rows = []
    for value, label in zip(values, labels, strict=True):
        with tf.GradientTape() as tape:
            loss = keras.losses.sparse_categorical_crossentropy(
                np.array([label]), logits(value[None]), from_logits=True
            )
        weights = [layer.trainable_weights for layer in network.values()]
        rows.append(
            [
                np.sqrt(sum(np.sum(np.square(part)) for part in parts))
                for parts in tape.gradient(loss, weights)
            ]
        )
    return np.array(rows)


class KerasTest(Folder):
    def norms(self, kind):
        path = convert(trained(), kind, self.path)
        images = tiny_models.images(24, shape=(9, 8, 3))
        values = images.astype(np.float32) / 255
        labels = np.arange(24) % CLASSES
        norms = GradientNorms(differentiable.load(path), batch_size=24)
        self.assertEqual(norms.names, ["first", "second", "deep", "logits"])
        rows, _ = norms(values, labels)
        return rows, path.read_bytes(), values, labels

    def test_floats(self):
        rows, content, values, labels = self.norms("float")
        network, logits = rebuilt(content, is_rounded=False)
        # float32 sums in another order.
        self.assertAllClose(
            rows, by_tape(network, logits, values, labels), rtol=1e-4, atol=1e-6
        )

    def test_int8_with_rounded_activations(self):
        rows, content, values, labels = self.norms("int8")
        network, logits = rebuilt(content, is_rounded=True)
        expected = by_tape(network, logits, values, labels)
        away = np.abs(rows / expected - 1).max(axis=1)
        # Where a sum is half-way between two codes they round differently.
        self.assertLess(np.quantile(away, 0.75), 1e-3)
        self.assertLess(away.max(), 0.05)

    def test_int8_without_rounding(self):
        rows, content, values, labels = self.norms("int8")
        network, logits = rebuilt(content, is_rounded=False)
        expected = by_tape(network, logits, values, labels)
        # What rounding the activations to 8 bits makes of a gradient.
        away = np.abs(rows / expected - 1)
        self.assertLess(np.median(away), 0.05)
        correlation = np.corrcoef(rows.sum(1), expected.sum(1))[0, 1]
        self.assertGreater(correlation, 0.99)


class TapeTest(Folder):
    @parameterized.parameters("float", "int8", "dynamic")
    def test_every_kind_of_layer(self, kind):
        network = differentiable.load(convert(mobile(), kind, self.path))
        values = tiny_models.images(3, shape=SHAPE).astype(np.float32) / 255
        labels = np.arange(3)
        norms = GradientNorms(network)
        expected = []
        for row in range(3):
            part = slice(row, row + 1)
            with tf.GradientTape() as tape:
                loss = network.losses(values[part], labels[part])
            gradients = tape.gradient(loss, network.trainable_weights)
            expected.append(
                [tf.linalg.global_norm(gradients[x]) for x in norms.names]
            )
        for by_places in (False, True):
            with mock.patch.object(
                gradient_norms, "_is_by_places", lambda *_, x=by_places: x
            ):
                # Without compiling it.
                rows, _ = norms._norms(values, labels)
            self.assertAllClose(rows, expected, rtol=1e-4, msg=by_places)

    def test_a_short_batch(self):
        path = convert(tiny_models.classifier(), "float", self.path)
        norms = GradientNorms(differentiable.load(path), batch_size=16)
        values = tiny_models.images(16).astype(np.float32) / 255
        labels = np.arange(16) % tiny_models.CLASSES
        rows, outputs = norms(values, labels)
        short, some = norms(values[:3], labels[:3])
        self.assertAllClose(short, rows[:3], rtol=1e-6)
        self.assertAllClose(some, outputs[:3], rtol=1e-6)

    def test_last_layer_in_closed_form(self):
        """|p - e_y| sqrt(1 + |h|^2)."""
        model = tiny_models.classifier(softmax=False)
        path = tiny_models.write_tflite(model, self.path)
        norms = GradientNorms(differentiable.load(path), logits=True)
        values = tiny_models.images().astype(np.float32) / 255
        labels = np.arange(len(values)) % tiny_models.CLASSES
        rows, _ = norms(values, labels)
        before = keras.Model(model.inputs, model.layers[-2].output)
        h = before(values).numpy()
        p = tf.nn.softmax(model(values)).numpy()
        p[np.arange(len(p)), labels] -= 1
        expected = np.linalg.norm(p, axis=1)
        expected *= np.sqrt(1 + np.square(h).sum(1))
        self.assertAllClose(rows[:, -1], expected, rtol=1e-4)

    def test_no_softmax(self):
        model = tiny_models.classifier(softmax=False)
        path = tiny_models.write_tflite(model, self.path)
        with self.assertRaisesRegex(InputError, "not in SOFTMAX"):
            GradientNorms(differentiable.load(path))


if __name__ == "__main__":
    tf.test.main()
