"""Audits of records in the numbers that they come in, held against LiteRT."""

import pathlib
import shutil
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert.interpreter import Interpreter as LiteRT
from colour_nets import SIDE, SIZE, images, nearest, records

from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.outputs import load
from qmia_tf.targets import listing, queries, range_trial
from qmia_tf.targets.model_options import ModelOptions

SIXTEEN = (
    tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
)
EIGHT = tf.lite.OpsSet.TFLITE_BUILTINS_INT8


def converted(model, path, values, *, ops, inputs, outputs=tf.float32):
    """A quantized file, calibrated on values."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in values)
    converter.target_spec.supported_ops = [ops]
    converter.inference_input_type = inputs
    converter.inference_output_type = outputs
    path.write_bytes(converter.convert())


def plainly(path, codes):
    """What a file answers to codes; float32 [N, C]."""
    lite = LiteRT(str(path))
    entry, leave = lite.get_input_details()[0], lite.get_output_details()[0]
    lite.resize_tensor_input(entry["index"], codes.shape)
    lite.allocate_tensors()
    lite.set_tensor(entry["index"], codes)
    lite.invoke()
    rows = lite.get_tensor(leave["index"]).astype(np.float32)
    step, zero = leave["quantization"]
    return (rows - zero) * np.float32(step) if step else rows


class Asked(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        # How many are tried depends on the time, unless there is enough.
        self.enter_context(mock.patch.object(range_trial, "SECONDS", 999))


class FilesTest(Asked):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.values, cls.labels, cls.members = images()
        unit = np.float32(cls.values) / np.float32(255)
        # Black and white, so that a calibration sees the whole range.
        ends = np.concatenate([unit[:50], np.zeros_like(unit[:1])])
        ends = np.concatenate([ends, np.ones_like(unit[:1])])
        for name, pixels, ops, kind in (
            ("int16", "0..1", SIXTEEN, tf.int16),
            ("int8", "0..1", EIGHT, tf.int8),
            ("uint8", "0..1", EIGHT, tf.uint8),
            ("inside", "0..1", EIGHT, tf.float32),
            ("signed", "-1..1", EIGHT, tf.uint8),
        ):
            taken = ends * 2 - 1 if pixels == "-1..1" else ends
            path = cls.folder / f"{name}.tflite"
            converted(nearest(pixels), path, taken, ops=ops, inputs=kind)

    def ask(self, name, values, input_range=None, *, allow_chance=False):
        data = records(values, self.labels, self.members)
        self.lines = []
        model = listing.list_model(
            "m",
            self.folder / f"{name}.tflite",
            ModelOptions(input_range),
            numbers=data.numbers,
        )
        return queries.query(
            model,
            data,
            run_dir=self.create_tempdir().full_path,
            allow_chance=allow_chance,
            say=self.lines.append,
        )

    def assertStops(self, pattern, *arguments):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.ask(*arguments)
        self.assertNotIn("\n", str(caught.exception))

    def assertRight(self, answered, name, codes):
        expected = plainly(self.folder / f"{name}.tflite", codes)
        # One step of the file's int8 softmax is 1/256; sums of floats.
        self.assertAllClose(answered.probabilities, expected, atol=1e-6)
        right = expected.argmax(axis=1) == self.labels
        self.assertGreater(right[:SIDE].mean(), 0.9)

    def test_int16_takes_what_the_members_say_or_input_range(self):
        rng = np.random.default_rng(0)
        labels, self.labels = self.labels, rng.permutation(self.labels)
        self.assertStops(
            "takes int16 codes and says in its scale only the largest absolute "
            "value, 1, not which range, .*: give input_range=.0, 1. or .-1, "
            r".*100 members, and mean loss: 0..1 on \d+, .*; -1..1 on .*; nam"
            r"ing one class on \d+: none is clearly right",
            "int16",
            self.values,
        )
        self.labels = labels
        entry = LiteRT(str(self.folder / "int16.tflite")).get_input_details()
        step, zero = entry[0]["quantization"]
        self.assertEqual(zero, 0)
        unit = np.float32(self.values) / np.float32(255)
        codes = np.rint(unit / np.float32(step)).clip(max=32767)
        for given in ("0..1", None):
            outputs = self.ask("int16", self.values, given)
            self.assertRight(outputs, "int16", codes.astype(np.int16))
            self.assertEqual(outputs.info["input_range"], "0..1")
        (line,) = self.lines
        self.assertRegex(
            line,
            r"^m: input_range=\(0, 1\) is taken: right on 9\d of 100 members, "
            r"mean loss .*; -1..1 on \d+, .*; naming one class on 29 \(exact ",
        )
        self.assertEndsWith(line, outputs.info["measured"]["input_range"])
        self.assertStops(
            "give input_range=.0, 1.", "int16", self.values, "-1..1"
        )
        self.assertStops(
            "100 % of the values other than 0 are above the input's largest, 1",
            "int16",
            self.values,
            "0..255",
        )

    def test_int16_codes(self):
        codes = np.round(np.float32(self.values) * (32767 / 255))
        outputs = self.ask("int16", codes.astype(np.int16))
        self.assertRight(outputs, "int16", codes.astype(np.int16))
        self.assertIn("are taken as the codes of its int16", self.lines[0])

    def test_int8_codes(self):
        codes = (self.values.astype(np.int16) - 128).astype(np.int8)
        outputs = self.ask("int8", codes)
        self.assertRight(outputs, "int8", codes)
        (line,) = self.lines
        self.assertEndsWith(line, "int8 records are taken as the codes of its "
                            "int8 input")  # fmt: skip

    @parameterized.parameters("int8", "uint8", "inside")
    def test_images_and_whatever_has_their_numbers(self, name):
        codes = {
            "int8": (self.values.astype(np.int16) - 128).astype(np.int8),
            "uint8": self.values,
            "inside": np.float32(self.values) / np.float32(255),
        }[name]
        for values in (self.values, self.values.astype(np.int32)):
            outputs = self.ask(name, values)
            self.assertRight(outputs, name, codes)
            self.assertEqual(outputs.info["input_range"], "0..1")
            self.assertEmpty(self.lines)
        floats = self.values.astype(np.float32)
        self.assertStops(
            "100 % of the values other than 0 are above the input's largest, 1 "
            ".*give input_range=.0, 1.",
            name,
            floats,
        )
        self.assertRight(self.ask(name, floats, "0..1"), name, codes)
        self.assertRight(self.ask(name, floats / 255), name, codes)

    def test_uint8_records_are_pixels_by_the_scale(self):
        """For a uint8 input of -1..1 the codes are the pixels, within one."""
        outputs = self.ask("signed", self.values)
        self.assertEqual(outputs.info["input_range"], "-1..1")
        entry = LiteRT(str(self.folder / "signed.tflite")).get_input_details()
        step, zero = entry[0]["quantization"]
        mapped = np.float32(self.values) / np.float32(127.5) - 1
        codes = np.rint(mapped / np.float32(step)) + zero
        self.assertLessEqual(np.abs(codes - self.values).max(), 1)
        self.assertRight(outputs, "signed", codes.clip(0, 255).astype(np.uint8))
        # Half a code each: far below what the int8 file rounds elsewhere.
        other = plainly(self.folder / "signed.tflite", self.values)
        self.assertAllClose(outputs.probabilities, other, atol=0.05)

    def test_channels_of_an_int8_file(self):
        self.assertStops(
            "reverse the channels", "int8", self.values[..., ::-1].copy()
        )

    def test_is_tried_again_where_it_was_not(self):
        """Outputs that were allowed, or of an earlier version, do not stay."""
        folder = pathlib.Path(self.create_tempdir().full_path)
        path = folder / "net.keras"
        nearest("0..1").save(path)
        data = records(self.values, self.labels, self.members)
        model = listing.list_model(
            "m", path, ModelOptions("-1..1"), numbers=data.numbers
        )
        queries.query(model, data, run_dir=folder, allow_chance=True)
        stored = load(folder / "outputs" / "m.npz")
        self.assertIs(stored.info[queries.CHECKED], False)
        queries.query(model, data, run_dir=folder, allow_chance=True)
        with self.assertRaisesRegex(InputError, "give input_range=.0, 1."):
            queries.query(model, data, run_dir=folder, allow_chance=False)
        right = listing.list_model(
            "m", path, ModelOptions("0..1"), numbers=data.numbers
        )
        queries.query(right, data, run_dir=folder, allow_chance=False)
        right.close()
        right.opener = None
        outputs = queries.query(right, data, run_dir=folder, allow_chance=False)
        self.assertEqual(outputs.info["preprocessing"], listing.PREPROCESSING)
        right.options["preprocessing"] += 1
        with self.assertRaises(TypeError):
            queries.query(right, data, run_dir=folder, allow_chance=False)


class TokensTest(Asked):
    """Letters 0..200 for a network that looks them up."""

    @parameterized.parameters("float32", "int32")
    def test_are_never_asked_about(self, kind):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 4, 2 * SIDE)
        letters = rng.integers(0, 201, (2 * SIDE, 12))
        letters[:, 3] = 50 * labels + rng.integers(0, 50, 2 * SIDE)
        entry = keras.Input((12,), dtype=kind)
        x = keras.layers.Embedding(201, 4)(entry)
        x = keras.layers.Flatten()(x)
        model = keras.Model(entry, keras.layers.Dense(4, "softmax")(x))
        table = np.eye(4)[np.arange(201).clip(max=199) // 50]
        kernel = np.zeros((12, 4, 4))
        kernel[3] = 5 * np.eye(4)
        model.layers[1].set_weights([table])
        model.layers[-1].set_weights([kernel.reshape(48, 4), np.zeros(4)])
        members = np.arange(2 * SIDE) < SIDE
        for values in (letters, letters.astype(np.float32)):
            data = Records.numbered(
                "letters", values, labels, members, classes=4
            )
            listed = listing.list_model(
                "m", model, ModelOptions(), numbers=data.numbers
            )
            outputs = queries.query(
                listed,
                data,
                run_dir=self.create_tempdir().full_path,
                allow_chance=False,
            )
            self.assertEqual((outputs.predicted == labels)[members].mean(), 1.0)

    def test_a_table_of_bytes_for_a_network_of_bytes(self):
        """Flat uint8 that a network takes as they are: no question."""
        self.assertEqual(SIZE, (6, 6, 3))
        values, labels, members = images()
        entry = keras.Input((108,))
        model = keras.Model(entry, nearest("0..255").layers[-1](entry))
        data = records(values.reshape(-1, 108), labels, members)
        listed = listing.list_model(
            "m", model, ModelOptions(), numbers=data.numbers
        )
        outputs = queries.query(
            listed,
            data,
            run_dir=self.create_tempdir().full_path,
            allow_chance=False,
        )
        expected = model.predict(np.float32(data.values), verbose=0)
        self.assertAllClose(outputs.probabilities, expected, atol=1e-5)


if __name__ == "__main__":
    tf.test.main()
