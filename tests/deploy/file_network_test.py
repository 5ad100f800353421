"""Whole .tflite files made differentiable, against LiteRT."""

import contextlib
import pathlib

import keras
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.deploy import differentiable
from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.deploy.tflite.isolation import BY_SIZES, IsolatedInterpreter
from qmia_tf.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "tflite_models").glob("*.tflite"))
SHAPE = (16, 16, 3)
INT16 = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"


def mobile(*, shape=SHAPE, classes=6, seed=0, swish="hard_silu"):
    """Every op of a small MobileNetV3, and a branch that is concatenated."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    pixels = x = keras.Input(shape, name="pixels")
    x = layers.Rescaling(2.0, -1.0)(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(x)
    x = start = layers.Activation(swish)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Conv2D(8, 1, activation="sigmoid", name="gate")(weights)
    x = layers.Multiply()([x, weights])
    x = layers.Add()([layers.Conv2D(8, 1, name="linear")(x), start])
    x = layers.Concatenate()(
        [
            layers.MaxPooling2D(2)(x),
            layers.AveragePooling2D(2)(x),
            layers.ZeroPadding2D(1)(
                layers.Conv2D(4, 3, strides=2, activation="relu", name="small")(
                    x
                )
            )[:, 1:, 1:],
        ]
    )
    x = layers.Conv2D(20, 3, groups=2, activation="relu", name="groups")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="tanh", name="hidden")(x)
    x = layers.LeakyReLU(negative_slope=0.1)(x)
    x = layers.Dense(classes, activation="softmax", name="logits")(
        layers.Rescaling(4.0)(x)
    )
    return keras.Model(pixels, x)


def convert(model, kind, path):
    """A file of one kind: float, float16, dynamic, int8, uint8 or int16."""
    if kind in ("float", "int8", "uint8"):
        ends = {
            "float": {},
            "int8": {"inputs": tf.int8, "outputs": tf.int8},
            "uint8": {"inputs": tf.uint8, "outputs": tf.uint8},
        }[kind]
        return tiny_models.write_tflite(model, path, **ends)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int16":
        images = tiny_models.images(32, shape=model.input_shape[1:])
        converter.representative_dataset = lambda: (
            [one[None].astype(np.float32) / 255] for one in images
        )
        converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, INT16)]
    path.write_bytes(converter.convert())
    return path


def measured(path, images):
    """The agreement of a file's graph with LiteRT, in a process of its own."""
    interpreter = IsolatedInterpreter(path, limits=BY_SIZES)
    with contextlib.closing(interpreter):
        values = interpreter.input.encode_pixels(images)
        network = differentiable.load(path)
        return differentiable.agreement(network, interpreter, values)


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "m.tflite")


class AgreementTest(Folder):
    # The share of records that may differ by more than a code, and by how
    # many codes: LiteRT's int16 kernels multiply with 15 bits and look up
    # their exponentials in tables, of a step of 1/32768.
    @parameterized.parameters(
        ("float", 0.0, 0.001),
        ("float16", 0.0, 0.001),
        ("dynamic", 0.0, 1.0),
        ("int8", 0.0, 1.0),
        ("uint8", 0.0, 1.0),
        ("int16", 0.4, 8.0),
    )
    def test_kinds(self, kind, share, most):
        # TFLite's int16 kernels know no hard swish.
        swish = "relu6" if kind == "int16" else "hard_silu"
        path = convert(mobile(swish=swish), kind, self.path)
        agreement = measured(path, tiny_models.images(60, shape=SHAPE))
        self.assertEqual(agreement.records, 60)
        self.assertLessEqual(agreement.apart, share)
        self.assertLessEqual(agreement.largest, most + 0.01)

    def test_float_inputs_of_rounded_records(self):
        """Layers of int8 weights that LiteRT gives floats round these."""
        network = differentiable.load(convert(mobile(), "dynamic", self.path))
        rounded = [layer.name for layer in network.layers if layer.is_dynamic]
        self.assertEqual(rounded, ["groups", "hidden"])

    @parameterized.parameters(*SHIPPED)
    def test_shipped(self, path):
        shape = Interpreter(path).input.shape[1:]
        agreement = measured(path, tiny_models.images(30, shape=shape))
        # Of float32 files that round, halves may go either way.
        share = 0.1 if "a4_float32" in path.name else 0.0
        self.assertLessEqual(agreement.apart, share)
        if "int8" in path.name:
            self.assertLess(agreement.largest, 1e-3)


class NetworkTest(Folder):
    def test_weights_by_layer(self):
        model = tiny_models.classifier()
        network = differentiable.load(
            tiny_models.write_tflite(model, self.path)
        )
        self.assertEqual(list(network.trainable_weights), ["conv", "logits"])
        kernel, bias = network.trainable_weights["conv"]
        expected = model.get_layer("conv").get_weights()
        self.assertAllClose([kernel, bias], expected)

    def test_a_fixed_batch_runs_any_number(self):
        model = tiny_models.classifier()
        path = tiny_models.write_tflite(model, self.path, batch=4)
        images = tiny_models.images(7).astype(np.float32) / 255
        ours = differentiable.load(path.read_bytes())(images)
        self.assertAllClose(ours, model(images), atol=1e-6)

    def test_values_are_rounded_to_the_input(self):
        path = convert(tiny_models.classifier(), "int8", self.path)
        network, images = differentiable.load(path), tiny_models.images()
        values = images.astype(np.float32) / 255
        codes = network.input.encode_pixels(images)
        self.assertEqual(codes.dtype, np.int8)
        self.assertAllEqual(network(values), network(codes))
        self.assertAllEqual(network.codes(codes), Interpreter(path).run(codes))

    @parameterized.parameters("float", "int8")
    def test_losses(self, kind):
        path = convert(tiny_models.classifier(), kind, self.path)
        network, images = differentiable.load(path), tiny_models.images()
        values = images.astype(np.float32) / 255
        labels = np.arange(len(images)) % tiny_models.CLASSES
        p = network(values).numpy()[np.arange(len(images)), labels]
        step = network.output.step
        # From logits, so that a probability of 0 has a loss as well.
        expected = -np.log(np.maximum(p, step / 2 or 1e-30))
        self.assertAllClose(
            np.exp(-network.losses(values, labels)),
            np.exp(-expected),
            atol=step or 1e-6,
        )

    def test_a_sigmoid_of_one_number(self):
        def answer(pixels):
            return tf.sigmoid(tf.reduce_mean(pixels, [1, 2]) * 9.0 - 4.0)

        path = tiny_models.write_function(
            answer, [(1, *tiny_models.SHAPE)], self.path
        )
        network = differentiable.load(path)
        values = tiny_models.images().astype(np.float32) / 255
        labels = np.arange(len(values)) % 2
        p = np.asarray(answer(values))[:, 0]
        self.assertAllClose(
            network.losses(values, labels),
            -np.log(np.where(labels, p, 1 - p)),
            atol=1e-5,
        )


class RefusalTest(Folder):
    def assertRefused(self, pattern, source):
        with self.assertRaises(InputError) as caught:
            differentiable.load(source)
        self.assertRegex(str(caught.exception), pattern)
        self.assertNotIn("\n", str(caught.exception))

    def function(self, function, shape=(1, *tiny_models.SHAPE)):
        return tiny_models.write_function(function, [shape], self.path)

    @parameterized.parameters(
        (lambda x: tf.sin(x) + tf.cos(x), "it has COS, SIN$"),
        (lambda x: tf.cumsum(x, axis=1), "it has CUMSUM$"),
    )
    def test_op(self, function, pattern):
        self.assertRefused(
            f"m.tflite cannot be made differentiable: {pattern}",
            self.function(function),
        )

    def test_two_outputs(self):
        path = self.function(lambda x: (x + 1.0, x * 2.0))
        self.assertRefused("it has 2 outputs, one is needed", path)

    def test_computed_weights(self):
        def answer(x):
            rows = tf.reshape(x, (6, 5))
            return tf.matmul(rows, rows, transpose_b=True)

        with self.assertRaises(InputError) as caught:
            differentiable.load(self.function(answer))
        self.assertRegex(
            str(caught.exception),
            "weights that the file computes|it has BATCH_MATMUL",
        )

    def test_several_subgraphs(self):
        model = flatbuffer.unpack(
            tiny_models.write_tflite(
                tiny_models.classifier(), self.path
            ).read_bytes()
        )
        model.subgraphs *= 2
        self.assertRefused(
            "the .tflite file cannot be made differentiable: it has 2 "
            "subgraphs, and one is needed",
            flatbuffer.pack(model),
        )

    def test_damaged(self):
        path = tiny_models.write_tflite(tiny_models.classifier(), self.path)
        self.path.write_bytes(path.read_bytes()[:900])
        self.assertRefused("damaged or cut off", self.path)

    def changed(self, change):
        path = tiny_models.write_tflite(tiny_models.classifier(), self.path)
        model = flatbuffer.unpack(path.read_bytes())
        change(model.subgraphs[0])
        return flatbuffer.pack(model)

    @parameterized.named_parameters(
        ("order", lambda ops: ops.reverse(), "reads what nothing writes"),
        ("twice", lambda ops: ops.append(ops[-1]), "writes a tensor again"),
        ("end", lambda ops: ops.clear(), "nothing writes its output"),
        (
            "padding",
            lambda ops: setattr(ops[0].builtinOptions, "padding", 9),
            r"CONV_2D \(op 0\): 9$",
        ),
    )
    def test_ops_of_a_damaged_file(self, change, pattern):
        content = self.changed(lambda graph: change(graph.operators))
        with self.assertRaisesRegex(InputError, pattern):
            differentiable.load(content)(np.zeros((1, *tiny_models.SHAPE)))

    def test_missing(self):
        self.assertRefused("there is no model file", self.path)

    def test_no_softmax(self):
        model = tiny_models.classifier(softmax=False)
        network = differentiable.load(
            tiny_models.write_tflite(model, self.path)
        )
        images = tiny_models.images().astype(np.float32) / 255
        labels = np.arange(len(images)) % tiny_models.CLASSES
        with self.assertRaisesRegex(InputError, "ends in FULLY_CONNECTED, not"):
            network.losses(images, labels)
        expected = keras.losses.sparse_categorical_crossentropy(
            labels, model(images), from_logits=True
        )
        losses = network.losses(images, labels, logits=True)
        self.assertAllClose(losses, expected, atol=1e-5)


if __name__ == "__main__":
    tf.test.main()
