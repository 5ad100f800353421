"""Tests of the standard conversions: what is stored, and what is answered."""

import pathlib

import flatbuffer_view
import keras
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.deploy.tflite import post_training
from qmia_tf.errors import InputError
from qmia_tf.targets.tflite_target import TFLiteTarget

SHAPE, CLASSES = (8, 8, 1), 10
# The largest difference of a probability from Keras' own: float16 keeps 11
# bits of the weights; int8 weights and activations keep 7 or 8.
CASES = (("to_float16", 2e-3), ("to_dynamic", 0.04), ("to_int8_ptq", 0.08))


def kernels_of(model):
    """The Keras kernels in TFLite's order: output channels first.

    The factor 4 behind the last layer goes into its weights.
    """
    conv, dense = (
        layer.get_weights()[0]
        for layer in model.layers
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense))
    )
    return [conv.transpose(3, 0, 1, 2), 4 * dense.T]


class PostTrainingTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.model = tiny_models.classifier(shape=SHAPE, classes=CLASSES)
        self.images = tiny_models.images(200, shape=SHAPE)

    def convert(self, name):
        more = [self.images[:50]] if name == "to_int8_ptq" else []
        return getattr(post_training, name)(self.model, *more)

    def answers(self, content):
        path = pathlib.Path(self.create_tempdir().full_path) / "x.tflite"
        path.write_bytes(content)
        return TFLiteTarget(path).predict(self.images)

    @parameterized.parameters(*CASES)
    def test_answers_nearly_as_keras(self, name, tolerance):
        ours = self.model(self.images / np.float32(255)).numpy()
        answers = self.answers(self.convert(name))
        off = np.abs(ours - answers).max()
        self.assertLess(off, tolerance)
        # The rounding is there: it is not the float32 file once more.
        self.assertGreater(off, 1e-5)
        self.assertGreater(np.mean(ours.argmax(1) == answers.argmax(1)), 0.97)
        self.assertGreater(len(np.unique(ours.argmax(1))), 3)

    def test_float16_weights_are_the_kernels_rounded(self):
        stored = flatbuffer_view.kernels(self.convert("to_float16"))
        for (_, weights, _), kernel in zip(
            stored, kernels_of(self.model), strict=True
        ):
            self.assertEqual(weights.dtype, np.float16)
            self.assertAllEqual(weights.values, kernel.astype(np.float16))

    def test_dynamic_weights_are_int8_from_1024_on(self):
        (_, conv, _), (data, dense, output) = flatbuffer_view.kernels(
            self.convert("to_dynamic")
        )
        small, large = kernels_of(self.model)
        self.assertLess(small.size, 1024)
        self.assertAllEqual(conv.values, small)
        self.assertEqual(conv.dtype, np.float32)
        self.assertGreaterEqual(large.size, 1024)
        self.assertEqual(dense.dtype, np.int8)
        self.assertLen(dense.scales, CLASSES)
        scales = dense.scales.reshape(-1, 1)
        self.assertAllLessEqual(
            np.abs(dense.values * scales - large) / scales, 0.5 + 1e-4
        )
        self.assertAllEqual(np.abs(dense.values).max(axis=1), [127] * CLASSES)
        self.assertEqual({data.dtype, output.dtype}, {np.float32})

    def test_int8_ptq_is_integer_throughout(self):
        content = self.convert("to_int8_ptq")
        for data, weights, output in flatbuffer_view.kernels(content):
            self.assertEqual(
                {data.dtype, weights.dtype, output.dtype}, {np.int8}
            )
        ops = flatbuffer_view.read(content)
        self.assertNotIn("DEQUANTIZE", [op.name for op in ops])
        (image,), (answer,) = ops[0].inputs, ops[-1].outputs
        self.assertEqual(image.dtype, np.uint8)
        self.assertAllClose(image.scales, [1 / 255])
        self.assertAllEqual(image.zero_points, [0])
        self.assertEqual(answer.dtype, np.int8)
        self.assertAllEqual(answer.scales, [1 / 256])
        self.assertAllEqual(answer.zero_points, [-128])

    def test_int8_ptq_measures_what_it_is_shown(self):
        dark = self.images[:50] // 4
        content = post_training.to_int8_ptq(self.model, dark)
        (image,) = flatbuffer_view.read(content)[0].inputs
        self.assertAllClose(image.scales, [dark.max() / 255 / 255], rtol=1e-4)

    @parameterized.parameters(*(name for name, _ in CASES))
    def test_op_that_tflite_lacks(self, name):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Flatten()(keras.ops.erfinv(pixels))
        self.model = keras.Model(pixels, keras.layers.Softmax()(x))
        with self.assertRaisesRegex(
            InputError, "TFLite cannot carry this model: .*Erfinv"
        ):
            self.convert(name)


if __name__ == "__main__":
    tf.test.main()
