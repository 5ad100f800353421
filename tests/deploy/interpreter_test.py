"""Tests of running a .tflite file: ports, batches, threads, bad files."""

import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.deploy.tflite.interpreter import KERNELS, Interpreter
from qmia_tf.deploy.tflite.ports import Port
from qmia_tf.errors import InputError
from qmia_tf.targets.tflite_target import TFLiteTarget

SHAPE = tiny_models.SHAPE
ONE = (1, *SHAPE)
ANY = (None, *SHAPE)


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "m.tflite")

    def file(self, **options):
        model = tiny_models.classifier()
        return tiny_models.write_tflite(model, self.path, **options)

    def function(self, function, *shapes):
        return tiny_models.write_function(function, shapes, self.path)


class PortTest(parameterized.TestCase, tf.test.TestCase):
    def test_quantize_rounds_half_to_even_and_saturates(self):
        port = Port(0, (1,), np.int8, 0.5, -3)
        values = np.array([0, 0.25, 0.75, 1, -0.25, 100, -100], np.float32)
        codes = port.quantize(values)
        self.assertEqual(codes.dtype, np.int8)
        self.assertAllEqual(codes, [-3, -3, -1, -1, -3, 127, -128])

    @parameterized.parameters(
        (np.int8, 0.003, -128), (np.uint8, 1 / 255, 0), (np.int16, 3e-5, 7)
    )
    def test_codes_come_back(self, dtype, step, zero_point):
        port = Port(0, (1,), dtype, step, zero_point)
        limits = np.iinfo(dtype)
        codes = np.arange(limits.min, limits.max + 1).astype(dtype)
        values = port.dequantize(codes)
        self.assertEqual(values.dtype, np.float32)
        expected = (codes.astype(np.float64) - zero_point) * step
        self.assertAllClose(values, expected, rtol=1e-6, atol=1e-9)
        self.assertAllEqual(port.quantize(values), codes)

    def test_floats_pass(self):
        port = Port(0, (1,), np.float32, 0.0, 0)
        values = np.array([0.1, 3.5], np.float32)
        self.assertAllEqual(port.dequantize(values), values)

    @parameterized.parameters(
        (np.uint8, np.float32(1 / 255), 0, True),
        (np.uint8, 1 / 256, 0, False),
        (np.uint8, 1 / 255, 3, False),
        (np.int8, 1 / 255, 0, False),
        (np.float32, 0.0, 0, False),
    )
    def test_is_pixels(self, dtype, step, zero_point, expected):
        port = Port(0, (1,), dtype, float(step), zero_point)
        self.assertEqual(port.is_pixels, expected)


class InterpreterTest(Folder):
    def test_ports(self):
        interpreter = Interpreter(self.file())
        self.assertEqual(interpreter.input.shape, (-1, *SHAPE))
        self.assertEqual(interpreter.input.dtype, np.float32)
        self.assertEqual(interpreter.input.step, 0)
        self.assertEqual(interpreter.output.shape, (-1, tiny_models.CLASSES))
        self.assertIsNone(interpreter.fixed_batch)
        interpreter = Interpreter(self.file(inputs=tf.uint8, outputs=tf.int8))
        self.assertEqual(interpreter.input.dtype, np.uint8)
        self.assertEqual(interpreter.output.dtype, np.int8)
        # TFLite's specification fixes the softmax at 1/256 and -128.
        self.assertEqual(interpreter.output.step, 1 / 256)
        self.assertEqual(interpreter.output.zero_point, -128)

    def test_batch_sizes_one_after_the_other(self):
        path = self.file()
        images = tiny_models.images(9).astype(np.float32) / 255
        interpreter = Interpreter(path)
        for size in (4, 1, 9, 4):
            fresh = Interpreter(path).run(images[:size])
            self.assertAllEqual(interpreter.run(images[:size]), fresh)
            self.assertEqual(fresh.shape, (size, tiny_models.CLASSES))

    @parameterized.parameters(1, 4)
    def test_fixed_batch_is_filled_up(self, batch):
        interpreter = Interpreter(self.file(batch=batch))
        self.assertEqual(interpreter.fixed_batch, batch)
        images = tiny_models.images(batch).astype(np.float32) / 255
        whole = interpreter.run(images)
        expected = tiny_models.classifier()(images)
        self.assertAllClose(whole, expected, atol=1e-6)
        self.assertAllEqual(interpreter.run(images[:1]), whole[:1])

    @parameterized.parameters(*KERNELS)
    def test_kernels(self, kernels):
        images = tiny_models.images().astype(np.float32) / 255
        interpreter = Interpreter(self.file(), kernels=kernels, num_threads=2)
        expected = tiny_models.classifier()(images)
        # float32 sums in another order.
        self.assertAllClose(interpreter.run(images), expected, atol=1e-6)

    def test_lists_its_ops(self):
        interpreter = Interpreter(self.file(batch=1), kernels="builtin")
        names = [op["op_name"] for op in interpreter.ops()]
        self.assertEqual(
            names, ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
        )
        indices = {tensor["index"] for tensor in interpreter.tensors()}
        for op in interpreter.ops():
            self.assertContainsSubset(op["outputs"], indices)


def converted(function, **options):
    """The file of a function of one row of three numbers."""
    traced = tf.function(
        function, input_signature=[tf.TensorSpec([1, 3], tf.float32)]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()]
    )
    for name, value in options.items():
        setattr(converter, name, value)
    return converter


class BadFileTest(Folder):
    def assertRefused(self, pattern, path, **options):
        with self.assertRaises(InputError) as caught:
            Interpreter(path, **options)
        self.assertRegex(str(caught.exception), pattern)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        ({"num_threads": 0}, "num_threads must be >= 1, got 0"),
        (
            {"kernels": "fast"},
            r"kernels must be one of \('default', 'builtin', 'reference'\), "
            "got 'fast'",
        ),
    )
    def test_options(self, options, message):
        self.assertRefused(message, self.file(), **options)

    def test_missing(self):
        self.assertRefused("there is no model file .*m.tflite", self.path)

    @parameterized.parameters(
        b"", b"TFL3", b"PK\x03\x04 a .keras file", b"\0" * 100
    )
    def test_something_else(self, content):
        self.path.write_bytes(content)
        what = "not a .tflite file" if content else "empty"
        self.assertRefused(f"m.tflite is {what}: copy it", self.path)

    @parameterized.parameters(None, tf.int8)
    def test_cut_off_at_any_length(self, kind):
        whole = self.file(inputs=kind, outputs=kind).read_bytes()
        lengths = [
            *range(0, 64),
            *range(64, len(whole), 41),
            *range(len(whole) - 16, len(whole)),
        ]
        for length in lengths:
            self.path.write_bytes(whole[:length])
            with self.assertRaises(InputError, msg=f"{length} bytes") as caught:
                TFLiteTarget(self.path)
            self.assertIn("m.tflite", str(caught.exception))

    @parameterized.parameters(
        (
            *(lambda a, b: a + b, [ONE, ONE]),
            "m.tflite has 2 inputs; an image classifier with one input",
        ),
        (
            *(lambda a: (a + 1.0, a * 2.0), [ONE]),
            "m.tflite has 2 outputs; .* one output",
        ),
        (
            *(lambda a: tf.cast(a, tf.int32), [(1, 3)]),
            r"the output is int32 and its scale is unknown \(scales: \[\]\)",
        ),
        *(
            (
                lambda a: tf.nn.softmax(tf.reduce_mean(a, axis=[1, 2])),
                [shape],
                rf"takes an input of shape {shown}, where -1 is open: convert "
                "the model with a fixed height, width",
            )
            for shape, shown in (
                ((None, None, None, 1), r"\[-1, -1, -1, 1\]"),
                ((None, 6, None, 1), r"\[-1, 6, -1, 1\]"),
                ((1, None, 5, 1), r"\[1, -1, 5, 1\]"),
            )
        ),
    )
    def test_ports(self, function, shapes, message):
        self.assertRefused(message, self.function(function, *shapes))

    @parameterized.product(
        scales=([], [0.0], [float("nan")], [-0.5], [0.5, 0.5]),
        port=("input", "output"),
    )
    def test_scales_that_cannot_be(self, scales, port):
        path = self.file(inputs=tf.int8, outputs=tf.int8)
        model = flatbuffer.unpack(path.read_bytes())
        (graph,) = model.subgraphs
        index = (graph.inputs if port == "input" else graph.outputs)[0]
        quantization = graph.tensors[index].quantization
        quantization.scale, quantization.zeroPoint = scales, [0] * len(scales)
        path.write_bytes(flatbuffer.pack(model))
        self.assertRefused(
            f"the {port} is int8 and its scale is unknown|cannot be run", path
        )

    def test_custom_op(self):
        converter = converted(tf.math.acosh, allow_custom_ops=True)
        self.path.write_bytes(converter.convert())
        self.assertRefused(
            "m.tflite cannot be run by LiteRT with its default kernels: it "
            "needs Acosh: .*unresolved custom op",
            self.path,
        )

    def test_op_of_tensorflow(self):
        converter = converted(tf.math.erf)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
        self.path.write_bytes(converter.convert())
        self.assertRefused(
            "m.tflite cannot be run by LiteRT .*it needs FlexErf: .*Select "
            "TensorFlow op",
            self.path,
        )

    @parameterized.parameters(
        (lambda a: tf.reduce_mean(a, axis=[1, 2, 3]), "its output"),
        (lambda a: a * 2.0, "its output"),
        (lambda a: tf.reduce_mean(a, axis=[0, 1]), "its output"),
        # A kernel that fails on a batch.
        (lambda a: tf.nn.softmax(tf.reshape(a, [1, 30])), ".*reshape"),
    )
    def test_output_that_is_no_row_an_image(self, function, reason):
        interpreter = Interpreter(self.function(function, ANY))
        with self.assertRaisesRegex(
            InputError, rf"m.tflite cannot run 3 images at once: {reason}"
        ):
            interpreter.run(np.zeros((3, 6, 5, 1), np.float32))


class ImportTest(Folder):
    def test_runs_a_file_without_tensorflow(self):
        path = self.file()
        code = (
            "import sys, numpy as np;"
            "from qmia_tf.targets import tflite_target;"
            "from qmia_tf.deploy.tflite import file_contents;"
            f"target = tflite_target.TFLiteTarget({str(path)!r});"
            "answer = target.predict(np.zeros((3, 6, 5, 1), np.uint8));"
            f"file_contents.describe({str(path)!r});"
            "loaded = {'tensorflow', 'keras'} & set(sys.modules);"
            "sys.exit(repr((answer.shape, loaded)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        )
        self.assertEqual(
            done.stderr.splitlines()[-1], "((3, 4), set())", done.stderr
        )


if __name__ == "__main__":
    tf.test.main()
