"""Tests of files with several signatures, and of what is no .tflite file."""

import pathlib
import shutil
import tempfile
import zipfile

import numpy as np
import stateful_files
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.deploy.tflite import flatbuffer, model_file
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.errors import InputError
from qmia_tf.targets.tflite_target import TFLiteTarget

SIGNATURES = (
    r"classify \(x float32 \[-1, 4\] -> probabilities float32 \[-1, 3\]\), "
    r"embed \(x float32 \[-1, 4\] -> features float32 \[-1, 2\]\), "
    r"train \(x float32 \[-1, 4\], y float32 \[-1, 3\] -> error float32 \[\]\)"
)


def two_states():
    """A file of signatures "a" and "b", each of which keeps a state."""
    model = flatbuffer.unpack(stateful_files.recurrent("SVDF"))
    other = flatbuffer.unpack(stateful_files.recurrent("SVDF"))
    model.subgraphs.append(other.subgraphs[0])
    model.signatureDefs.append(other.signatureDefs[0])
    for index, name in enumerate("ab"):
        model.signatureDefs[index].signatureKey = name
        model.signatureDefs[index].subgraphIndex = index
    return flatbuffer.pack(model)


def softmax(values):
    return stateful_files.expected(values, np.eye(values.shape[1]))


class SignaturesTest(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.path = cls.folder / "several.tflite"
        content, module = stateful_files.convert(
            cls.folder / "saved", "embed", "classify", "train"
        )
        cls.path.write_bytes(content)
        cls.kernel = module.kernel.numpy()
        cls.rows = stateful_files.weights(6, 4, seed=7)

    @parameterized.parameters(
        (
            None,
            rf"several.tflite has 3 signatures, .* not known: {SIGNATURES}: "
            "choose one with signature$",
        ),
        ("infer", rf"has no signature 'infer', only {SIGNATURES}$"),
        ("train", "several.tflite has 2 inputs"),
    )
    def test_refused(self, signature, message):
        with self.assertRaisesRegex(InputError, message):
            Interpreter(self.path, signature=signature)

    @parameterized.parameters("default", "builtin", "reference")
    def test_classify(self, kernels):
        interpreter = Interpreter(
            self.path, signature="classify", kernels=kernels
        )
        self.assertEqual(interpreter.signature, "classify")
        self.assertEqual(interpreter.input.shape, (-1, 4))
        self.assertEqual(interpreter.output.shape, (-1, 3))
        expected = stateful_files.expected(self.rows, self.kernel)
        for size in (6, 1, 3):
            answers = interpreter.run(self.rows[:size])
            self.assertAllClose(answers, expected[:size], atol=1e-5)

    def test_ops_and_tensors_are_those_of_the_signature(self):
        interpreter = Interpreter(self.path, signature="classify")
        ops = interpreter.ops()
        self.assertEqual(ops[-1]["op_name"], "SOFTMAX")
        self.assertEqual(list(ops[-1]["outputs"]), [interpreter.output.index])
        names = {
            tensor["index"]: tensor["name"] for tensor in interpreter.tensors()
        }
        self.assertIn(interpreter.input.index, names)
        other = Interpreter(self.path, signature="embed").ops()
        self.assertNotIn("SOFTMAX", [op["op_name"] for op in other])

    def test_embed(self):
        interpreter = Interpreter(self.path, signature="embed")
        self.assertAllEqual(interpreter.run(self.rows), 2 * self.rows[:, :2])

    def test_a_single_one_needs_no_name(self):
        path = self.folder / "one.tflite"
        path.write_bytes(stateful_files.recurrent("RNN"))
        self.assertIsNone(Interpreter(path).signature)
        interpreter = Interpreter(path, signature="serving_default")
        rows = self.rows[:4]
        self.assertAllEqual(interpreter.run(rows), Interpreter(path).run(rows))

    def test_two_names_of_one_function_need_no_choice(self):
        model = flatbuffer.unpack(stateful_files.recurrent("RNN"))
        again = flatbuffer.unpack(stateful_files.recurrent("RNN"))
        again.signatureDefs[0].signatureKey = "again"
        model.signatureDefs += again.signatureDefs
        path = self.folder / "alias.tflite"
        path.write_bytes(flatbuffer.pack(model))
        self.assertLen(model_file.Contents(path.read_bytes()).signatures, 2)
        self.assertEqual(Interpreter(path).run(self.rows).shape, (6, 3))

    @parameterized.parameters("a", "b")
    def test_each_keeps_a_state(self, name):
        path = self.folder / "states.tflite"
        path.write_bytes(two_states())
        expected = stateful_files.fresh(two_states(), self.rows, name)
        interpreter = Interpreter(path, signature=name)
        for places in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]):
            self.assertAllEqual(
                interpreter.run(self.rows[places]), expected[places]
            )

    def test_targets_say_which_one_it_was(self):
        path = self.folder / "image.tflite"
        tiny_models.write_tflite(tiny_models.classifier(), path)
        target = TFLiteTarget(path, signature="serving_default")
        self.assertEqual(target.info["signature"], "serving_default")
        images = tiny_models.images(5)
        self.assertAllEqual(
            target.predict(images), TFLiteTarget(path).predict(images)
        )
        self.assertNotIn("signature", TFLiteTarget(path).info)


class PortsTest(parameterized.TestCase, tf.test.TestCase):
    """Inputs and outputs that were refused, or made a traceback."""

    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "m.tflite")

    def convert(self, function, *spec):
        traced = tf.function(function, input_signature=[tf.TensorSpec(*spec)])
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [traced.get_concrete_function()]
        )
        self.path.write_bytes(converter.convert())
        return self.path

    def test_ids_of_words(self):
        table = stateful_files.weights(50, 3)
        path = self.convert(
            lambda ids: tf.nn.softmax(
                tf.reduce_sum(tf.gather(tf.constant(table), ids), axis=1)
            ),
            (None, 4),
            tf.int32,
        )
        interpreter = Interpreter(path)
        self.assertTrue(interpreter.input.is_plain)
        ids = np.random.default_rng(0).integers(0, 50, (5, 4))
        expected = softmax(table[ids].sum(axis=1))
        for given in (ids, ids.astype(np.float64), ids.astype(np.uint8)):
            answers = interpreter.run(interpreter.input.cast(given))
            self.assertAllClose(answers, expected, atol=1e-5)
        for wrong in (ids + 0.5, ids + 2**33):
            with self.assertRaisesRegex(
                InputError, "int32 without a scale, which takes whole numbers"
            ):
                interpreter.input.cast(wrong)

    def test_bytes_without_a_scale(self):
        path = self.convert(
            lambda x: tf.nn.softmax(tf.cast(x[:, 0, :4, 0], tf.float32) / 99),
            (None, 6, 5, 1),
            tf.uint8,
        )
        images = tiny_models.images(5)
        expected = softmax(images[:, 0, :4, 0] / 99)
        answers = TFLiteTarget(path).predict(images)
        self.assertAllClose(answers, expected, atol=1e-5)

    @parameterized.parameters([[-1, 1, 1, 4]], [[-1, 1, 4]], [[-1, 4, 1, 1]])
    def test_axes_of_one_are_dropped(self, shape):
        path = self.convert(
            lambda x: tf.reshape(tf.nn.softmax(x), shape), (None, 4), tf.float32
        )
        interpreter = Interpreter(path)
        self.assertEqual(interpreter.output.shape, (-1, 4))
        rows = stateful_files.weights(5, 4)
        expected = softmax(rows)
        for size in (5, 1):
            self.assertAllClose(
                interpreter.run(rows[:size]), expected[:size], atol=1e-5
            )

    def test_text(self):
        path = self.convert(lambda x: tf.identity(x), (None, 4), tf.string)
        with self.assertRaisesRegex(
            InputError, r"the input is text \[-1, 4\], and numbers are needed"
        ):
            Interpreter(path)


class FileTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.content = stateful_files.recurrent("RNN")

    def test_any_name_will_do(self):
        path = self.dir / "model.lite"
        path.write_bytes(self.content)
        self.assertTrue(model_file.is_model_file(path))
        self.assertEqual(Interpreter(path).input.shape, (-1, 4))
        self.assertFalse(model_file.is_model_file(self.dir))
        self.assertFalse(model_file.is_model_file(self.dir / "gone"))

    def test_a_bundle_says_what_it_holds(self):
        path = self.dir / "hand.task"
        with zipfile.ZipFile(path, "w") as bundle:
            bundle.writestr("detector.tflite", self.content)
            bundle.writestr("TF_LITE_CLASSIFIER", self.content)
            bundle.writestr("labels.txt", "cat")
            bundle.writestr("inner.task", b"PK")
        with self.assertRaisesRegex(
            InputError,
            r"hand.task is a bundle .* holds detector.tflite, "
            r"TF_LITE_CLASSIFIER, inner.task: unzip it and give one of these$",
        ):
            Interpreter(path)

    def test_a_zip_of_something_else(self):
        path = self.dir / "x.tflite"
        with zipfile.ZipFile(path, "w") as bundle:
            bundle.writestr("labels.txt", "cat")
        with self.assertRaisesRegex(InputError, "x.tflite is not a .tflite"):
            Interpreter(path)


if __name__ == "__main__":
    tf.test.main()
