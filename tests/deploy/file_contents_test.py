"""Tests of what is read from a .tflite file, against its flatbuffer."""

import collections
import hashlib
import json
import pathlib

import flatbuffer_view
import keras
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.deploy.tflite import file_contents, post_training
from qmia_tf.errors import InputError

GRIDS = (
    "input_scale",
    "input_zero_point",
    "weight_scales",
    "output_scale",
    "output_zero_point",
)


def flatbuffer_ops(content):
    """Counts the ops of the file itself, without LiteRT's runtime."""
    return collections.Counter(op.name for op in flatbuffer_view.read(content))


class DescribeTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def describe(self, model=None, **options):
        self.path = self.dir / "model.tflite"
        tiny_models.write_tflite(
            model or tiny_models.classifier(), self.path, **options
        )
        return file_contents.describe(str(self.path))

    def test_float_file(self):
        facts = self.describe()
        content = self.path.read_bytes()
        self.assertEqual(facts["file"], "model.tflite")
        self.assertEqual(facts["sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual(facts["size_bytes"], len(content))
        self.assertEqual(facts["ops"], dict(flatbuffer_ops(content)))
        self.assertEqual(facts["flex"], [])
        floats = dict.fromkeys(("input", "weights", "output"), "float32")
        floats |= dict.fromkeys(GRIDS)
        self.assertEqual(
            facts["layers"],
            [
                {"op": "CONV_2D", "name": "conv", **floats},
                {"op": "FULLY_CONNECTED", "name": "logits", **floats},
            ],
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
        self.assertEqual(facts["input"]["dtype"], "uint8")
        self.assertEqual(facts["output"]["scale"], 1 / 256)
        self.assertEqual(facts["output"]["zero_point"], -128)
        for layer in facts["layers"]:
            self.assertEqual(
                [layer[key] for key in ("input", "weights", "output")],
                ["int8"] * 3,
            )
        kernels = flatbuffer_view.kernels(content)
        for layer, (data, weights, output) in zip(
            facts["layers"], kernels, strict=True
        ):
            for side, tensor in (("input", data), ("output", output)):
                self.assertEqual(layer[f"{side}_scale"], tensor.scales[0])
                self.assertEqual(
                    layer[f"{side}_zero_point"], tensor.zero_points[0]
                )
            self.assertEqual(
                layer["weight_scales"],
                {
                    "count": len(weights.scales),
                    "min": weights.scales.min(),
                    "max": weights.scales.max(),
                },
            )
        counts = [layer["weight_scales"]["count"] for layer in facts["layers"]]
        self.assertEqual(counts, [3, 4])
        json.dumps(facts, allow_nan=False)

    def test_float16_weights_are_said_as_they_are_stored(self):
        path = self.dir / "half.tflite"
        model = tiny_models.classifier()
        path.write_bytes(post_training.to_float16(model))
        facts = file_contents.describe(path)
        self.assertEqual(
            [(x["name"], x["input"], x["weights"]) for x in facts["layers"]],
            [
                (model.layers[1].name, "float32", "float16"),
                ("logits", "float32", "float16"),
            ],
        )

    def test_names_that_end_in_a_number(self):
        pixels = x = keras.Input((6, 6, 1))
        for name in ("conv_2", "conv", "conv_1"):
            x = keras.layers.Conv2D(2, 2, name=name)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(pixels, x, name="net_3")
        path = self.dir / "numbers.tflite"
        path.write_bytes(post_training.to_float32(model))
        layers = file_contents.describe(path)["layers"]
        self.assertEqual(
            [layer["name"] for layer in layers], ["conv_2", "conv", "conv_1"]
        )

    @parameterized.parameters(
        ("tfmot/quant_stem/Conv2D;tfmot/quant_norm/add", "stem"),
        ("tfmot/quant_conv_1/Conv2D", "conv_1"),
        ("net_1/conv_1_2/convolution", "conv_1"),
        ("stem_1", "stem_1"),
        ("stem_1/kernel", "stem_1"),
        ("net_1/scale_1/mul;net_1/head_1/MatMul", "head"),
        ("tfl.quantize", "tfl.quantize"),
    )
    def test_names_of_tensors(self, text, name):
        self.assertEqual(file_contents.layer_name(text), name)

    def test_what_xnnpack_takes(self):
        pixels = keras.Input((6, 6, 2))
        x = keras.layers.DepthwiseConv2D(3)(pixels)
        x = keras.layers.GlobalAveragePooling2D()(x)
        facts = self.describe(keras.Model(pixels, x))
        self.assertEqual(facts["ops"], {"DEPTHWISE_CONV_2D": 1, "MEAN": 1})
        (layer,) = facts["layers"]
        self.assertEqual(layer["op"], "DEPTHWISE_CONV_2D")
        self.assertEqual(facts["delegated"], 2)
        self.assertEqual(facts["left"], {})

    def test_what_xnnpack_leaves(self):
        # In the middle of the network, so that there are two parts.
        pixels = keras.Input((6, 6, 2))
        x = keras.layers.Conv2D(2, 3, activation="relu")(pixels)
        x = keras.ops.cumsum(x, axis=1)
        x = keras.layers.Conv2D(2, 3)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        facts = self.describe(keras.Model(pixels, x))
        self.assertEqual(facts["left"], {"CUMSUM": 1})
        self.assertEqual(facts["ops"]["CUMSUM"], 1)
        self.assertEqual(facts["delegated"], sum(facts["ops"].values()) - 1)
        self.assertEqual(facts["ops"]["CONV_2D"], 2)

    def test_fixed_batch_and_damage(self):
        self.assertEqual(self.describe(batch=3)["input"]["shape"], [3, 6, 5, 1])
        self.path.write_bytes(self.path.read_bytes()[:500])
        with self.assertRaisesRegex(InputError, "model.tflite"):
            file_contents.describe(self.path)


if __name__ == "__main__":
    tf.test.main()
