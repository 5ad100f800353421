"""Tests of convolutions in forms that every kernel set computes."""

import os
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from numpy_convolutions import depthwise, windows

from qmia_tf.deploy import export
from qmia_tf.deploy.tflite import file_contents
from qmia_tf.layers import (
    DoReFaActivation,
    DoReFaConv2D,
    DoReFaDense,
    DoReFaDepthwiseConv2D,
    portable_convolutions,
)
from qmia_tf.models.keras_files import save
from qmia_tf.targets.keras_target import KerasTarget
from qmia_tf.targets.tflite_target import TFLiteTarget

SIZES = (7, 10)
UNEQUAL = ((2, 1), (1, 2), (2, 3), (4, 2))


def whole(rng, *shape):
    """Integers in float32: sums of them are exact in any order."""
    return rng.integers(-9, 10, shape).astype(np.float32)


def backward(rng, operation, x, kernel, **options):
    """Gives the result, a gradient of it, and what flows back to both."""
    given = tf.constant(x), tf.constant(kernel)
    with tf.GradientTape() as tape:
        tape.watch(given)
        y = operation(*given, **options)
    dy = whole(rng, *y.shape)
    return y, dy, *tape.gradient(y, given, tf.constant(dy))


def gradients(x, kernel, *, data_format, **options):
    """A convolution in a format, and what flows back; channels last."""
    move = data_format == "channels_first"
    maps = np.moveaxis(x, -1, 1) if move else x
    given = tf.constant(maps), tf.constant(kernel)
    with tf.GradientTape() as tape:
        tape.watch(given)
        y = portable_convolutions.conv2d(
            *given, data_format=data_format, **options
        )
        loss = tf.reduce_sum(y**2)
    of_x, of_kernel = tape.gradient(loss, given)
    maps = [np.moveaxis(z, 1, -1) if move else z for z in (y, of_x)]
    return *maps, of_kernel


class DepthwiseTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        strides=((1, 1), (2, 2), *UNEQUAL),
        kernel_size=((3, 3), (2, 5), (1, 1)),
        padding=("same", "valid"),
        data_format=("channels_last", "channels_first"),
    )
    def test_equals_numpy(self, strides, kernel_size, padding, data_format):
        rng = np.random.default_rng(0)
        x, kernel = whole(rng, 3, *SIZES, 4), whole(rng, *kernel_size, 4, 2)
        expected = depthwise(x, kernel, strides, padding)
        first = data_format == "channels_first"
        given = np.moveaxis(x, -1, 1) if first else x
        outputs = portable_convolutions.depthwise_conv2d(
            given,
            kernel,
            strides=strides,
            padding=padding,
            data_format=data_format,
        ).numpy()
        outputs = np.moveaxis(outputs, 1, -1) if first else outputs
        self.assertAllEqual(outputs, expected)

    @parameterized.product(strides=UNEQUAL, padding=("same", "valid"))
    def test_gradients(self, strides, padding):
        rng = np.random.default_rng(1)
        x, kernel = whole(rng, 3, *SIZES, 4), whole(rng, 3, 2, 4, 2)
        operation = portable_convolutions.depthwise_conv2d
        options = {"strides": strides, "padding": padding}
        _, dy, of_x, of_kernel = backward(rng, operation, x, kernel, **options)
        seen = windows(x, kernel.shape[:2], strides, padding)
        apart = dy.reshape(*dy.shape[:3], 4, 2)
        expected = np.einsum("nrchwi,nrcim->hwim", seen, apart)
        self.assertAllEqual(of_kernel, expected)
        # It is linear in x: the gradient and any step give the difference.
        step = whole(rng, *x.shape)
        moved = depthwise(x + step, kernel, strides, padding)
        moved = np.sum((moved - depthwise(x, kernel, strides, padding)) * dy)
        self.assertEqual(np.sum(of_x * step), moved)

    @parameterized.product(channels=(1, 3), strides=((2, 2), (4, 2)))
    def test_gradients_of_one_tap(self, channels, strides):
        rng = np.random.default_rng(5)
        x, kernel = whole(rng, 3, 8, 8, channels), whole(rng, 1, 1, channels, 1)
        operation = portable_convolutions.depthwise_conv2d
        _, dy, of_x, of_kernel = backward(
            rng, operation, x, kernel, strides=strides
        )
        picked = x[:, :: strides[0], :: strides[1]]
        self.assertAllEqual(of_kernel[0, 0, :, 0], (picked * dy).sum((0, 1, 2)))
        placed = np.zeros_like(x)
        placed[:, :: strides[0], :: strides[1]] = dy * kernel[0, 0, :, 0]
        self.assertAllEqual(of_x, placed)

    def test_sizes_not_known_yet(self):
        rng = np.random.default_rng(2)
        x, kernel = whole(rng, 2, *SIZES, 3), whole(rng, 3, 3, 3, 1)
        compiled = tf.function(
            lambda x: portable_convolutions.depthwise_conv2d(
                x, kernel, strides=(2, 1), padding="same"
            ),
            input_signature=[tf.TensorSpec([None, None, None, 3])],
        )
        expected = depthwise(x, kernel, (2, 1), "same")
        self.assertAllEqual(compiled(x), expected)

    def test_sizes_stay_known(self):
        layer = DoReFaDepthwiseConv2D(3, strides=(2, 1), padding="same")
        traced = tf.function(layer).get_concrete_function(
            tf.TensorSpec([None, *SIZES, 3])
        )
        self.assertEqual(traced.output_shapes.as_list(), [None, 4, 10, 3])

    @parameterized.parameters("same", "valid")
    def test_a_written_file_has_one_op(self, padding):
        pixels = keras.Input((*SIZES, 1))
        x = DoReFaConv2D(4, 3, weight_bits=4, input_steps=255)(pixels)
        x = DoReFaActivation(4)(x)
        x = DoReFaDepthwiseConv2D(
            (3, 2), strides=(2, 1), padding=padding, weight_bits=4
        )(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(pixels, DoReFaDense(3, activation="softmax")(x))
        folder = self.create_tempdir().full_path
        path = os.path.join(folder, "model.keras")
        save(model, path)
        export.export(path, folder)
        file = os.path.join(folder, "float32.tflite")
        ops = file_contents.describe(file)["ops"]
        self.assertEqual(ops["DEPTHWISE_CONV_2D"], 1)
        self.assertNoCommonElements(ops, ("STRIDED_SLICE", "PAD", "PADV2"))
        images = np.random.default_rng(0).integers(
            0, 256, (20, *SIZES, 1), np.uint8
        )
        self.assertAllClose(
            TFLiteTarget(file).predict(images),
            KerasTarget(path).predict(images),
            rtol=0,
            atol=1e-5,
        )
        # Written once, it computes as before.
        self.assertFalse(model.layers[3].written_whole)


class ChannelsFirstTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        strides=(1, 2), padding=("same", "valid"), kernel_size=(1, 3)
    )
    def test_equals_channels_last(self, strides, padding, kernel_size):
        rng = np.random.default_rng(3)
        x = whole(rng, 2, *SIZES, 4)
        kernel = whole(rng, kernel_size, kernel_size, 4, 5)
        options = {"strides": (strides, strides), "padding": padding}
        last, first = (
            gradients(x, kernel, data_format=data_format, **options)
            for data_format in ("channels_last", "channels_first")
        )
        for ours, theirs in zip(first, last, strict=True):
            self.assertAllEqual(ours, theirs)


class PickingTest(parameterized.TestCase, tf.test.TestCase):
    """A 1x1 convolution with strides, of few channels."""

    @parameterized.product(
        channels=(1, 3, 7, 8),
        strides=((2, 2), (2, 1), (3, 3)),
        padding=("same", "valid"),
    )
    def test_equals_numpy(self, channels, strides, padding):
        rng = np.random.default_rng(4)
        x = whole(rng, 3, *SIZES, channels)
        kernel = whole(rng, 1, 1, channels, 5)
        operation = portable_convolutions.conv2d
        options = {"strides": strides, "padding": padding}
        y, dy, of_x, of_kernel = backward(rng, operation, x, kernel, **options)
        picked = x[:, :: strides[0], :: strides[1]]
        self.assertAllEqual(y, picked @ kernel[0, 0])
        expected = np.einsum("nrci,nrco->io", picked, dy)
        self.assertAllEqual(of_kernel[0, 0], expected)
        placed = np.zeros_like(x)
        placed[:, :: strides[0], :: strides[1]] = dy @ kernel[0, 0].T
        self.assertAllEqual(of_x, placed)

    def test_training_reaches_no_strided_gradient(self):
        layer = DoReFaConv2D(8, 1, strides=2, weight_bits=4)
        layer.build([None, 8, 8, 4])

        @tf.function
        def gradients(x):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(x, training=True) ** 2)
            return tape.gradient(loss, layer.kernel.value)

        graph = gradients.get_concrete_function(tf.TensorSpec([6, 8, 8, 4]))
        strides = [
            list(op.get_attr("strides"))
            for op in graph.graph.get_operations()
            if op.type.startswith("Conv2DBackprop")
        ]
        self.assertNotEmpty(strides)
        self.assertAllEqual(strides, np.ones_like(strides))

    def test_a_written_file_has_no_slices(self):
        pixels = keras.Input((*SIZES, 1))
        x = DoReFaConv2D(4, 1, strides=2, weight_bits=4, input_steps=255)(
            pixels
        )
        x = keras.layers.GlobalAveragePooling2D()(DoReFaActivation(4)(x))
        model = keras.Model(pixels, DoReFaDense(3, activation="softmax")(x))
        folder = self.create_tempdir().full_path
        path = os.path.join(folder, "model.keras")
        save(model, path)
        export.export(path, folder)
        ops = file_contents.describe(os.path.join(folder, "float32.tflite"))[
            "ops"
        ]
        self.assertEqual(ops["CONV_2D"], 1)
        self.assertNotIn("STRIDED_SLICE", ops)

    @parameterized.parameters(1, 2)
    def test_trains_with_onednn(self, threads):
        """In a process that dies where the heap was damaged."""
        code = (
            "import numpy as np, tensorflow as tf\n"
            "from qmia_tf.layers import DoReFaConv2D\n"
            "tf.keras.utils.set_random_seed(0)\n"
            "x = tf.random.normal([64, 8, 8, 4])\n"
            "layer = DoReFaConv2D(8, 1, strides=2, weight_bits=4, seed=0)\n"
            "found = []\n"
            "for _ in range(20):\n"
            "    with tf.GradientTape() as tape:\n"
            "        y = tf.reduce_sum(layer(x, training=True) ** 2)\n"
            "    found.append(tape.gradient(y, layer.kernel.value).numpy())\n"
            "assert all(np.array_equal(found[0], each) for each in found)\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "TF_ENABLE_ONEDNN_OPTS": "1",
                "TF_NUM_INTRAOP_THREADS": str(threads),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr[-2000:])


if __name__ == "__main__":
    tf.test.main()
