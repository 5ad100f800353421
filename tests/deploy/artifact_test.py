"""Tests of what is read from a .tflite file, against its flatbuffer."""

import collections
import hashlib
import pathlib

import keras
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.deploy import artifact
from qmia_tf.errors import InputError


def flatbuffer_ops(content):
    """Reads the op codes from the file itself, without LiteRT's runtime."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    names = {
        code: name
        for name, code in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    return collections.Counter(
        names[model.operatorCodes[op.opcodeIndex].builtinCode]
        for op in model.subgraphs[0].operators
    )


class DescribeTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def describe(self, model=None, **options):
        self.path = self.dir / "model.tflite"
        tiny_models.write_tflite(
            model or tiny_models.classifier(), self.path, **options
        )
        return artifact.describe(str(self.path))

    def test_float_file(self):
        facts = self.describe()
        content = self.path.read_bytes()
        self.assertEqual(facts["file"], "model.tflite")
        self.assertEqual(facts["sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual(facts["size_bytes"], len(content))
        self.assertEqual(facts["ops"], dict(flatbuffer_ops(content)))
        self.assertEqual(facts["flex"], [])
        floats = dict.fromkeys(("input", "weights", "output"), "float32")
        self.assertEqual(
            facts["layers"],
            [{"op": "CONV_2D", **floats}, {"op": "FULLY_CONNECTED", **floats}],
        )
        self.assertEqual(
            facts["input"],
            {
                "shape": [-1, 6, 5, 1],
                "dtype": "float32",
                "scale": 0.0,
                "zero_point": 0,
            },
        )

    def test_int8_file(self):
        facts = self.describe(inputs=tf.uint8, outputs=tf.int8)
        content = self.path.read_bytes()
        self.assertEqual(facts["ops"], dict(flatbuffer_ops(content)))
        self.assertLen(facts["layers"], 2)
        for layer in facts["layers"]:
            self.assertEqual(
                [layer[key] for key in ("input", "weights", "output")],
                ["int8"] * 3,
            )
        self.assertEqual(facts["input"]["dtype"], "uint8")
        self.assertEqual(facts["output"]["scale"], 1 / 256)
        self.assertEqual(facts["output"]["zero_point"], -128)

    def test_depthwise_convolutions_count(self):
        pixels = keras.Input((6, 6, 2))
        x = keras.layers.DepthwiseConv2D(3)(pixels)
        x = keras.layers.GlobalAveragePooling2D()(x)
        facts = self.describe(keras.Model(pixels, x))
        self.assertEqual(
            [layer["op"] for layer in facts["layers"]], ["DEPTHWISE_CONV_2D"]
        )

    def test_fixed_batch_shows(self):
        self.assertEqual(self.describe(batch=3)["input"]["shape"], [3, 6, 5, 1])

    def test_damaged(self):
        self.describe()
        self.path.write_bytes(self.path.read_bytes()[:500])
        with self.assertRaisesRegex(InputError, "model.tflite"):
            artifact.describe(self.path)


if __name__ == "__main__":
    tf.test.main()
