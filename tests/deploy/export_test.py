"""Tests of the .tflite files: the same answers, the ops, the manifest."""

import errno
import hashlib
import importlib.metadata
import pathlib
from unittest import mock

import integer_runs
import keras
import numpy as np
import slow_tests
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.deploy import conversions, export
from qmia_tf.deploy.calibration_images import Members
from qmia_tf.deploy.tflite import file_contents, post_training
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files
from qmia_tf.targets.keras_target import KerasTarget
from qmia_tf.targets.tflite_target import TFLiteTarget

DIGITS = 1797
FAST = ((4, 4), (16, 4))
SLOW = ((1, 1), (2, 2), (8, 8), (16, 16), (32, 32))
PAIRS = FAST + (SLOW if slow_tests.SLOW else ())
# Records a batch.
SIZES = (1, 7, 300)
# Rounding to codes, and clipping; none of them in a float network.
QUANTIZER_OPS = {"ROUND", "MAXIMUM", "MINIMUM", "MUL", "RELU", "SUB"}
# Of a probability. The head sums floats, in an order that TensorFlow's kernels
# choose by the batch: 2.4e-7 was the most on an AMD EPYC without oneDNN.
FLOAT_HEAD = 1e-6
FLOAT_OPS = {
    "ADD": 8,
    "CONV_2D": 20,
    "FULLY_CONNECTED": 1,
    "MEAN": 1,
    "SOFTMAX": 1,
}


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.out = self.dir / "artifacts"

    def names(self):
        return sorted(path.name for path in self.out.glob("*"))

    def members(self, images=None, source="these"):
        if images is None:
            images = tiny_models.images(40)
        labels = np.arange(len(images)) % tiny_models.CLASSES
        return Members(lambda: (images, labels), source)

    def quantized_file(self, **options):
        path = self.dir / "model.keras"
        tiny_models.quantized(**options).save(path)
        return path

    def tiny_file(self, **options):
        path = self.dir / "model.keras"
        tiny_models.classifier(**options).save(path)
        return path


class ParityTest(Folder):
    """Networks that have learnt the digits, queried about all of them."""

    @parameterized.parameters(*PAIRS)
    def test_float32_file_answers_as_keras(self, *bits):
        data = integer_runs.digits()
        model = integer_runs.trained(*bits)
        keras_files.save(model, self.dir / "model.keras")
        (entry,) = export.export(self.dir / "model.keras", self.out)
        path = self.dir / "model.keras"
        keras_target = KerasTarget(path, batch_size=SIZES[-1])
        file_target = TFLiteTarget(self.out / "float32.tflite")
        ours = keras_target.predict(data.images)
        theirs = file_target.predict(data.images)
        self.assertEqual(ours.shape, (DIGITS, 10))
        # It is not one answer for everybody.
        self.assertGreaterEqual(len(np.unique(ours.argmax(axis=1))), 5)
        self.assertGreater(len(np.unique(ours, axis=0)), 500)
        off = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
        self.assertEqual(off, 0, f"{off} of {DIGITS} labels differ")
        # The head sums floats; a float network does so in every layer.
        self.assertAllClose(ours, theirs, atol=1e-5, rtol=0)
        self.check_file(entry, *bits)
        if bits[1] <= 16:
            self.check_batches(file_target, data.images, theirs)
            self.check_batches(
                keras_target, data.images, ours, off_by=FLOAT_HEAD
            )
            # What the head reads is integers times a scale.
            inside = keras_target.model.get_layer("average").input
            inside = keras.Model(keras_target.model.inputs, inside)
            inside = KerasTarget(inside, batch_size=SIZES[-1])
            self.check_batches(inside, data.images, inside.predict(data.images))

    def check_file(self, entry, weight_bits, activation_bits):
        self.assertEqual(entry["flex"], [])
        self.assertEqual(
            entry["input"],
            {
                "shape": [-1, 8, 8, 1],
                "dtype": "float32",
                "scale": 0.0,
                "zero_point": 0,
            },
        )
        self.assertEqual(entry["output"]["shape"], [-1, 10])
        ops, layers = entry["ops"], entry["layers"]
        self.assertLen(layers, ops["CONV_2D"] + ops["FULLY_CONNECTED"])
        for layer in layers:
            for side in ("input", "weights", "output"):
                self.assertEqual(layer[side], "float32", layer)
        if activation_bits == 32:
            self.assertEqual(ops, FLOAT_OPS)
            return
        self.assertEqual(ops["FULLY_CONNECTED"], 1)
        if weight_bits <= 8:
            self.assertEqual(ops["CONV_2D"], 20)
        else:
            # Weights that no float32 sum carries exactly come in pieces.
            self.assertGreater(ops["CONV_2D"], 20)
        self.assertGreaterEqual(ops["ROUND"], 17)
        extra = set(ops) - set(FLOAT_OPS) - QUANTIZER_OPS
        self.assertEmpty(extra)

    def check_batches(self, target, images, answers, off_by=0):
        """What a record's place and the batch size may change: nothing."""
        order = np.random.default_rng(0).permutation(DIGITS)[: SIZES[-1]]
        for target.batch_size in SIZES:
            some = order[:30] if target.batch_size == 1 else order
            moved = target.predict(images[some])
            apart = np.abs(moved - answers[some])
            off = int(np.sum(apart > off_by))
            self.assertEqual(
                off,
                0,
                f"{off} of {moved.size} differ in batches of "
                f"{target.batch_size}, by at most {apart.max()}",
            )


class ManifestTest(Folder):
    def test_entry_states_the_file(self):
        model = self.tiny_file()
        (entry,) = export.export(str(model), str(self.out))
        self.assertEqual(self.names(), ["float32.tflite", "manifest.json"])
        content = (self.out / "float32.tflite").read_bytes()
        self.assertEqual(entry["scheme"], "float32")
        self.assertEqual(entry["file"], "float32.tflite")
        self.assertEqual(entry["size_bytes"], len(content))
        self.assertEqual(entry["sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual(
            entry["model_sha256"],
            hashlib.sha256(model.read_bytes()).hexdigest(),
        )
        self.assertEqual(
            entry["versions"],
            {
                name: importlib.metadata.version(name)
                for name in ("tensorflow", "keras", "ai-edge-litert", "numpy")
            },
        )
        stored = files.read_json(self.out / "manifest.json")
        self.assertEqual(stored, {"float32": entry})

    def test_any_keras_model_can_be_exported(self):
        model = self.tiny_file()
        export.export(model, self.out)
        images = tiny_models.images()
        self.assertAllClose(
            KerasTarget(model).predict(images),
            TFLiteTarget(self.out / "float32.tflite").predict(images),
            atol=1e-6,
        )

    def test_current_file_is_not_made_again(self):
        model = self.tiny_file()
        first = export.export(model, self.out)
        before = [p.stat().st_mtime_ns for p in sorted(self.out.iterdir())]
        with mock.patch.object(post_training, "to_float32") as convert:
            self.assertEqual(export.export(model, self.out), first)
        convert.assert_not_called()
        after = [p.stat().st_mtime_ns for p in sorted(self.out.iterdir())]
        self.assertEqual(before, after)

    def test_other_model_is_exported_anew(self):
        (first,) = export.export(self.tiny_file(), self.out)
        (second,) = export.export(self.tiny_file(seed=7), self.out)
        self.assertNotEqual(first["sha256"], second["sha256"])
        self.assertNotEqual(first["model_sha256"], second["model_sha256"])
        images = tiny_models.images()
        self.assertAllClose(
            tiny_models.classifier(seed=7)(images / np.float32(255)),
            TFLiteTarget(self.out / "float32.tflite").predict(images),
            atol=1e-6,
        )

    @parameterized.parameters("changed", "gone", "no manifest")
    def test_file_that_is_not_the_manifests_is_made_anew(self, case):
        model = self.tiny_file()
        (first,) = export.export(model, self.out)
        path = self.out / "float32.tflite"
        if case == "changed":
            path.write_bytes(path.read_bytes() + b"\0")
        elif case == "gone":
            path.unlink()
        else:
            (self.out / "manifest.json").unlink()
        (second,) = export.export(model, self.out)
        self.assertEqual(files.sha256(path), second["sha256"])
        self.assertEqual(first["ops"], second["ops"])
        self.assertEqual(self.names(), ["float32.tflite", "manifest.json"])


class IntegerTest(Folder):
    """What an integer file's entry says, and what lies beside the file."""

    def test_int8_and_its_twin(self):
        (entry,) = export.export(
            self.quantized_file(), self.out, schemes=["int8"]
        )
        self.assertEqual(
            self.names(), ["int8.tflite", "int8_twin.keras", "manifest.json"]
        )
        self.assertEqual(entry["settings"], {})
        self.assertEqual(entry["outputs"], "probabilities")
        self.assertEqual(entry["float_layers"], ["logits"])
        self.assertEqual(entry["input"]["dtype"], "uint8")
        self.assertEqual(entry["output"]["dtype"], "float32")
        self.assertLen(entry["layers"], 3)
        self.check_twin(entry)

    def check_twin(self, entry):
        path = self.out / entry["twin"]["file"]
        self.assertEqual(entry["twin"]["sha256"], files.sha256(path))
        images = tiny_models.images()
        self.assertAllClose(
            KerasTarget(path).predict(images),
            TFLiteTarget(self.out / entry["file"]).predict(images),
            atol=1e-6,
        )

    def test_float_ends_are_said(self):
        model = self.quantized_file(ends=32)
        (entry,) = export.export(model, self.out, schemes=["int8"])
        self.assertEqual(entry["float_layers"], ["conv_0", "logits"])
        self.assertEqual(
            [layer["weights"] for layer in entry["layers"]],
            ["float32", "int8", "float32"],
        )

    def test_int8_io(self):
        (entry,) = export.export(
            self.quantized_file(),
            self.out,
            schemes=["int8_io"],
            members=self.members(),
        )
        self.assertEqual(
            entry["settings"],
            {
                "calibration_records": 500,
                "calibration_seed": 0,
                "int8_output": "softmax",
                "members": "these",
            },
        )
        self.assertEqual(entry["calibrated_on"], 40)
        self.assertEqual(entry["float_layers"], [])
        self.assertEqual(entry["outputs"], "probabilities")
        output = entry["output"]
        self.assertEqual(
            (output["dtype"], output["scale"], output["zero_point"]),
            ("int8", 1 / 256, -128),
        )
        self.check_twin(entry)

    def test_int8_logits(self):
        model = self.quantized_file()
        options = {"schemes": ["int8_io"], "members": self.members()}
        export.export(model, self.out, **options)
        (entry,) = export.export(
            model,
            self.out,
            settings=export.Settings(int8_output="logits"),
            **options,
        )
        self.assertEqual(entry["outputs"], "logits")
        self.assertEqual(entry["output"]["dtype"], "int8")
        self.assertNotIn("SOFTMAX", entry["ops"])
        # The grid spans what the calibration images show, and no more.
        images = tiny_models.images(40) / np.float32(255)
        network = keras.models.load_model(model)
        logits = keras.Model(
            network.inputs, network.get_layer("logits").output
        )([images]).numpy()
        span = max(logits.max(), 0) - min(logits.min(), 0)
        self.assertAllClose(entry["output"]["scale"], span / 255, rtol=0.02)

    def test_ptq_says_what_it_was_calibrated_on(self):
        model = self.tiny_file()
        options = {"schemes": ["int8_ptq"], "members": self.members()}
        (entry,) = export.export(
            model,
            self.out,
            settings=export.Settings(calibration_records=7, calibration_seed=3),
            **options,
        )
        self.assertEqual(entry["calibrated_on"], 7)
        self.assertEqual(entry["settings"]["calibration_records"], 7)
        self.assertEqual(entry["settings"]["calibration_seed"], 3)
        self.assertIsNone(entry["twin"])
        self.assertEqual(self.names(), ["int8_ptq.tflite", "manifest.json"])
        (all_of_them,) = export.export(model, self.out, **options)
        self.assertEqual(all_of_them["calibrated_on"], 40)
        (others,) = export.export(
            model,
            self.out,
            settings=export.Settings(calibration_records=7, calibration_seed=4),
            **options,
        )
        hashes = {e["sha256"] for e in (entry, all_of_them, others)}
        self.assertLen(hashes, 3)


class CurrentTest(Folder):
    """Which change makes a file anew, and which does not."""

    def setUp(self):
        super().setUp()
        self.model = self.quantized_file()
        self.given = {"schemes": ["int8", "int8_io"]}
        self.exported = self.export()

    def export(self, source="these", **settings):
        """Exports; returns the schemes that were really made."""
        lines = []
        export.export(
            self.model,
            self.out,
            members=Members(self.members().load, source),
            settings=export.Settings(**settings),
            progress=lines.append,
            **self.given,
        )
        return [line.split()[1].rstrip(":") for line in lines]

    @parameterized.parameters(
        ({}, []),
        ({"tfmot_epochs": 9, "seed": 5}, []),
        ({"calibration_records": 3}, ["int8_io"]),
        ({"calibration_seed": 1}, ["int8_io"]),
        ({"int8_output": "logits"}, ["int8_io"]),
        ({"source": "others"}, ["int8_io"]),
    )
    def test_settings(self, settings, anew):
        self.assertEqual(self.exported, ["int8", "int8_io"])
        self.assertEqual(self.export(**settings), anew)
        self.assertEqual(self.export(**settings), [])

    @parameterized.parameters("changed", "gone")
    def test_twin(self, case):
        path = self.out / "int8_twin.keras"
        if case == "gone":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes() + b"\0")
        self.assertEqual(self.export(), ["int8"])

    def test_members_are_not_loaded_without_need(self):
        load = mock.Mock(side_effect=AssertionError("loaded"))
        export.export(
            self.model,
            self.out,
            schemes=["float32", "int8", "int8_io"],
            members=Members(load, "these"),
        )
        load.assert_not_called()


class CheckTest(Folder):
    """A file that is not what its scheme says is not kept."""

    def test_float_fallback(self):
        model = self.quantized_file()
        float_file = conversions.to_float32(
            conversions.Job(keras.models.load_model(model), None, None, None)
        ).content
        with (
            mock.patch.object(
                conversions.int8_file, "to_tflite", return_value=float_file
            ),
            self.assertRaisesRegex(
                InputError,
                r"scheme int8: .* left 2 of 3 layers in float kernels "
                r"\(conv_0, conv_1\)",
            ),
        ):
            export.export(model, self.out, schemes=["int8"])
        self.assertEmpty(self.names())

    def test_old_file_stays(self):
        model = self.tiny_file()
        options = {"schemes": ["int8_ptq"], "members": self.members()}
        (entry,) = export.export(model, self.out, **options)
        before = (self.out / "int8_ptq.tflite").read_bytes()
        float_file = post_training.to_float32(keras.models.load_model(model))
        with (
            mock.patch.object(
                post_training, "to_int8_ptq", return_value=float_file
            ),
            self.assertRaisesRegex(InputError, "in float kernels .*logits"),
        ):
            export.export(
                model,
                self.out,
                settings=export.Settings(calibration_seed=1),
                **options,
            )
        self.assertEqual((self.out / "int8_ptq.tflite").read_bytes(), before)
        stored = files.read_json(self.out / "manifest.json")
        self.assertEqual(stored["int8_ptq"], entry)

    def test_weights_of_another_type(self):
        model = self.tiny_file()
        float_file = post_training.to_float32(keras.models.load_model(model))
        with (
            mock.patch.object(
                post_training, "to_float16", return_value=float_file
            ),
            self.assertRaisesRegex(
                InputError, "float16: .*float32 in the file, not float16"
            ),
        ):
            export.export(model, self.out, schemes=["float16"])
        self.assertEmpty(self.names())

    def test_flex(self):
        facts = {"flex": ["FlexErfinv"], "layers": []}
        with (
            mock.patch.object(file_contents, "describe", return_value=facts),
            self.assertRaisesRegex(InputError, "TensorFlow ops: FlexErfinv"),
        ):
            export.export(self.tiny_file(), self.out)
        self.assertEmpty(self.names())


class RefusalTest(Folder):
    def file_for(self, scheme):
        bits = {} if scheme == "int8_io" else {"bits": 32, "ends": 32}
        return self.quantized_file(**bits)

    def assertRefused(self, pattern, *args, **options):
        with self.assertRaises(InputError) as caught:
            export.export(*args, **options)
        self.assertRegex(str(caught.exception), pattern)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        (["int4"], "'int4'"), (["float32", ""], "''"), ([], "''")
    )
    def test_unknown_scheme(self, schemes, name):
        self.assertRefused(
            f"unknown scheme {name}: choose from float32",
            self.tiny_file(),
            self.out,
            schemes=schemes,
        )
        self.assertFalse(self.out.exists())

    def test_scheme_that_the_model_cannot_carry(self):
        with mock.patch.object(post_training, "to_float32") as convert:
            self.assertRefused(
                r"scheme int8 cannot carry this model \(it is not quantized"
                ".*: use --schemes=int8_ptq$",
                self.tiny_file(),
                self.out,
                schemes=["float32", "int8"],
            )
        convert.assert_not_called()
        self.assertFalse(self.out.exists())

    @parameterized.parameters("int8_ptq", "int8_io", "tfmot_int8")
    def test_no_members(self, scheme):
        model = self.file_for(scheme)
        self.assertRefused(
            f"scheme {scheme} needs members of the run, and none were given",
            model,
            self.out,
            schemes=["float32", scheme],
        )
        self.assertFalse(self.out.exists())

    @parameterized.product(
        scheme=("int8_ptq", "int8_io", "tfmot_int8"),
        case=(
            (np.zeros((0, 6, 5, 1), np.uint8), "no calibration images"),
            (np.zeros((9, 6, 5, 1), np.float32), "float32, not uint8"),
            (np.zeros((9, 8, 8, 1), np.uint8), r"the model takes \[6, 5, 1\]"),
            (np.zeros((9, 6, 5, 3), np.uint8), r"the model takes \[6, 5, 1\]"),
        ),
    )
    def test_calibration_images(self, scheme, case):
        images, message = case
        model = self.file_for(scheme)
        self.assertRefused(
            message,
            model,
            self.out,
            schemes=["float32", scheme],
            members=self.members(images),
        )
        self.assertFalse(self.out.exists())

    @parameterized.parameters(None, b"", b"PK\x03\x04 cut")
    def test_no_model(self, content):
        path = self.dir / "model.keras"
        if content is not None:
            path.write_bytes(content)
        self.assertRefused(r"model\.keras", path, self.out)
        self.assertFalse(self.out.exists())

    def test_op_that_tflite_lacks(self):
        pixels = keras.Input(tiny_models.SHAPE)
        x = keras.layers.Flatten()(keras.ops.erfinv(pixels))
        model = keras.Model(pixels, keras.layers.Softmax()(x))
        path = self.dir / "model.keras"
        model.save(path)
        self.assertRefused(
            "TFLite cannot carry this model: .*Erfinv", path, self.out
        )
        self.assertEmpty(self.names())

    @parameterized.parameters(
        b"[]", b"{", b'{"float32": 3}', b'{"float32": {}}'
    )
    def test_damaged_manifest(self, content):
        self.out.mkdir()
        path = self.out / "manifest.json"
        path.write_bytes(content)
        try:
            export.export(self.tiny_file(), self.out)
        except InputError as error:
            self.assertIn("manifest.json", str(error))
        else:
            self.assertIn("sha256", files.read_json(path)["float32"])


class FullDiskTest(Folder):
    @parameterized.parameters("float32.tflite", "manifest.json")
    def test_leaves_nothing_half_written(self, name):
        model = self.tiny_file()
        write = pathlib.Path.write_bytes

        def full(path, data):
            if path.name != name:
                return write(path, data)
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        with (
            mock.patch.object(pathlib.Path, "write_bytes", full),
            self.assertRaisesRegex(InputError, f"{name}: the disk is full"),
        ):
            export.export(model, self.out)
        self.assertNotIn(name, self.names())
        export.export(model, self.out)
        self.assertEqual(self.names(), ["float32.tflite", "manifest.json"])

    def test_old_file_stays(self):
        export.export(self.tiny_file(), self.out)
        before = {p.name: p.read_bytes() for p in self.out.iterdir()}
        other = self.tiny_file(seed=7)
        full = OSError(errno.ENOSPC, "No space left on device")
        with (
            mock.patch.object(pathlib.Path, "write_bytes", side_effect=full),
            self.assertRaisesRegex(InputError, "the disk is full"),
        ):
            export.export(other, self.out)
        after = {p.name: p.read_bytes() for p in self.out.iterdir()}
        self.assertEqual(before, after)


if __name__ == "__main__":
    tf.test.main()
