"""Tests of the .tflite files: the same outputs, the ops, the manifest."""

import errno
import hashlib
import importlib.metadata
import pathlib
import shutil
import tempfile
from unittest import mock

import keras
import numpy as np
import other_writer
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.deploy import export
from qmia_tf.deploy.integer import int8_file
from qmia_tf.deploy.tflite import file_contents, post_training
from qmia_tf.errors import InputError
from qmia_tf.targets.keras_target import KerasTarget
from qmia_tf.targets.tflite_target import TFLiteTarget


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
        return export.Members(lambda: (images, labels), source)

    def saved(self, model):
        path = self.dir / "model.keras"
        model.save(path)
        return path

    def quantized_file(self, **options):
        return self.saved(tiny_models.quantized(**options))

    def tiny_file(self, **options):
        return self.saved(tiny_models.classifier(**options))

    def export(self, model, *schemes, members=None, **settings):
        """Exports one scheme; returns its entry."""
        (entry,) = export.export(
            model,
            self.out,
            schemes=schemes or ["float32"],
            members=members,
            settings=export.Settings(**settings),
        )
        return entry

    def assertRefused(self, pattern, *args, **options):
        with self.assertRaises(InputError) as caught:
            self.export(*args, **options)
        self.assertRegex(str(caught.exception), pattern)
        self.assertNotIn("\n", str(caught.exception))

    def assertSame(self, model, file):
        images = tiny_models.images()
        self.assertAllClose(
            KerasTarget(model).predict(images),
            TFLiteTarget(self.out / file).predict(images),
            atol=1e-6,
        )


class ManifestTest(Folder):
    def test_entry_states_the_file(self):
        model = self.tiny_file()
        entry = self.export(str(model))
        self.assertEqual(self.names(), ["float32.tflite", "manifest.json"])
        content = (self.out / "float32.tflite").read_bytes()
        packages = ("tensorflow", "keras", "ai-edge-litert", "numpy")
        expected = {
            "scheme": "float32",
            "file": "float32.tflite",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
            "versions": {n: importlib.metadata.version(n) for n in packages},
        }
        self.assertEqual({**entry, **expected}, entry)
        stored = files.read_json(self.out / "manifest.json")
        self.assertEqual(stored, {"float32": entry})
        self.assertSame(model, "float32.tflite")
        # A current file is not made again.
        before = [p.stat().st_mtime_ns for p in sorted(self.out.iterdir())]
        with mock.patch.object(post_training, "to_float32") as convert:
            self.assertEqual(self.export(model), entry)
        convert.assert_not_called()
        after = [p.stat().st_mtime_ns for p in sorted(self.out.iterdir())]
        self.assertEqual(before, after)
        # One of another model is.
        second = self.export(self.tiny_file(seed=7))
        for name in ("sha256", "model_sha256"):
            self.assertNotEqual(entry[name], second[name])
        self.assertSame(tiny_models.classifier(seed=7), "float32.tflite")

    @parameterized.parameters("changed", "gone", "no manifest")
    def test_file_that_is_not_the_manifests_is_made_anew(self, case):
        model = self.tiny_file()
        first = self.export(model)
        path = self.out / "float32.tflite"
        if case == "changed":
            path.write_bytes(path.read_bytes() + b"\0")
        elif case == "gone":
            path.unlink()
        else:
            (self.out / "manifest.json").unlink()
        second = self.export(model)
        self.assertEqual(files.sha256(path), second["sha256"])
        self.assertEqual(first["ops"], second["ops"])
        self.assertEqual(self.names(), ["float32.tflite", "manifest.json"])


class IntegerTest(Folder):
    """What an integer file's entry says, and what lies beside the file."""

    def check_twin(self, entry):
        path = self.out / entry["twin"]["file"]
        self.assertEqual(entry["twin"]["sha256"], files.sha256(path))
        self.assertSame(path, entry["file"])

    def test_int8_and_its_twin(self):
        entry = self.export(self.quantized_file(), "int8")
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

    def test_float_ends_are_said(self):
        entry = self.export(self.quantized_file(ends=32), "int8")
        self.assertEqual(entry["float_layers"], ["conv_0", "logits"])
        self.assertEqual(
            [layer["weights"] for layer in entry["layers"]],
            ["float32", "int8", "float32"],
        )

    def test_int8_io(self):
        model = self.quantized_file()
        entry = self.export(model, "int8_io", members=self.members())
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
        entry = self.export(
            model, "int8_io", members=self.members(), int8_output="logits"
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
        model, hashes = self.tiny_file(), set()
        for count, seed, used in ((7, 3, 7), (500, 0, 40), (7, 4, 7)):
            entry = self.export(
                *(model, "int8_ptq"),
                members=self.members(),
                calibration_records=count,
                calibration_seed=seed,
            )
            self.assertEqual(entry["calibrated_on"], used)
            self.assertEqual(entry["settings"]["calibration_records"], count)
            self.assertEqual(entry["settings"]["calibration_seed"], seed)
            hashes.add(entry["sha256"])
        self.assertIsNone(entry["twin"])
        self.assertEqual(self.names(), ["int8_ptq.tflite", "manifest.json"])
        self.assertLen(hashes, 3)


class CurrentTest(Folder):
    """Which change makes a file anew, and which does not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.made)
        tiny_models.quantized().save(cls.made / "model.keras")

    def setUp(self):
        super().setUp()
        if not (self.made / "artifacts").exists():
            self.out = self.made / "artifacts"
            self.assertEqual(self.remade(), ["int8", "int8_io"])
        self.out = self.dir / "artifacts"
        shutil.copytree(self.made / "artifacts", self.out)

    def remade(self, source="these", members=None, **settings):
        """Exports; returns the schemes that were really made."""
        lines = []
        export.export(
            self.made / "model.keras",
            self.out,
            schemes=["int8", "int8_io"],
            members=members or self.members(source=source),
            settings=export.Settings(**settings),
            progress=lines.append,
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
        self.assertEqual(self.remade(**settings), anew)
        self.assertEqual(self.remade(**settings), [])

    @parameterized.parameters("changed", "gone")
    def test_twin(self, case):
        path = self.out / "int8_twin.keras"
        if case == "gone":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes() + b"\0")
        self.assertEqual(self.remade(), ["int8"])

    def test_members_are_not_loaded_without_need(self):
        load = mock.Mock(side_effect=AssertionError("loaded"))
        members = export.Members(load, "these")
        self.assertEqual(self.remade(members=members), [])
        load.assert_not_called()


class CheckTest(Folder):
    """A file that is not what its scheme says is not kept."""

    def refuse(self, module, name, pattern, model, *schemes, **options):
        """Exports where a conversion gives a float file."""
        content = post_training.to_float32(keras.models.load_model(model))
        with mock.patch.object(module, name, return_value=content):
            self.assertRefused(pattern, model, *schemes, **options)

    def test_float_fallback(self):
        self.refuse(
            *(int8_file, "to_tflite"),
            r"scheme int8: .* left 2 of 3 layers in float kernels "
            r"\(conv_0, conv_1\)",
            *(self.quantized_file(), "int8"),
        )
        self.assertEmpty(self.names())

    def test_weights_of_another_type(self):
        self.refuse(
            *(post_training, "to_float16"),
            "float16: .*float32 in the file, not float16",
            *(self.tiny_file(), "float16"),
        )
        self.assertEmpty(self.names())

    def test_old_file_stays(self):
        model, members = self.tiny_file(), self.members()
        entry = self.export(model, "int8_ptq", members=members)
        before = (self.out / "int8_ptq.tflite").read_bytes()
        self.refuse(
            *(post_training, "to_int8_ptq"),
            "in float kernels .*logits",
            *(model, "int8_ptq"),
            members=members,
            calibration_seed=1,
        )
        self.assertEqual((self.out / "int8_ptq.tflite").read_bytes(), before)
        stored = files.read_json(self.out / "manifest.json")
        self.assertEqual(stored["int8_ptq"], entry)

    def test_entries_of_another_process_stay(self):
        model, manifest = self.tiny_file(), self.out / "manifest.json"
        entry = self.export(model, "float16")
        manifest.unlink()
        make = export._make

        def make_while_another_ends(name, job):
            files.write_json(manifest, {"float16": entry})
            return make(name, job)

        with mock.patch.object(export, "_make", make_while_another_ends):
            self.export(model)
        entries = files.read_json(manifest)
        self.assertEqual(list(entries), ["float16", "float32"])
        self.assertEqual(entries["float16"], entry)

    def test_same_scheme_in_another_process(self):
        with other_writer.writing(self.out / "float32.tflite"):
            self.assertRefused("being written by process", self.tiny_file())
            self.export(self.tiny_file(), "float16")

    def test_flex(self):
        facts = {"flex": ["FlexErfinv"], "layers": []}
        with mock.patch.object(file_contents, "describe", return_value=facts):
            self.assertRefused("TensorFlow ops: FlexErfinv", self.tiny_file())
        self.assertEmpty(self.names())


class RefusalTest(Folder):
    """What is refused before any file is made."""

    def tearDown(self):
        self.assertFalse(self.out.exists())
        super().tearDown()

    def file_for(self, scheme):
        bits = {} if scheme == "int8_io" else {"bits": 32, "ends": 32}
        return self.quantized_file(**bits)

    def test_unknown_scheme(self):
        self.assertRefused(
            "unknown scheme 'int4': choose from float32",
            *(self.tiny_file(), "int4"),
        )

    def test_scheme_that_the_model_cannot_carry(self):
        with mock.patch.object(post_training, "to_float32") as convert:
            self.assertRefused(
                r"scheme int8 cannot carry this model \(it is not quantized"
                ".*: use --schemes=int8_ptq$",
                *(self.tiny_file(), "float32", "int8"),
            )
        convert.assert_not_called()

    @parameterized.parameters("int8_ptq", "int8_io", "tfmot_int8")
    def test_members(self, scheme):
        call = (self.file_for(scheme), "float32", scheme)
        self.assertRefused(
            f"scheme {scheme} needs members of the run, and none were given",
            *call,
        )
        for shape, dtype, message in (
            ((0, 6, 5, 1), np.uint8, "no calibration images"),
            ((9, 6, 5, 1), np.float32, "float32, not uint8"),
            ((9, 8, 8, 1), np.uint8, r"the model takes \[6, 5, 1\]"),
            ((9, 6, 5, 3), np.uint8, r"the model takes \[6, 5, 1\]"),
        ):
            members = self.members(np.zeros(shape, dtype))
            self.assertRefused(message, *call, members=members)

    @parameterized.parameters(None, b"", b"PK\x03\x04 cut")
    def test_no_model(self, content):
        path = self.dir / "model.keras"
        if content is not None:
            path.write_bytes(content)
        self.assertRefused(r"model\.keras", path)


class DamagedManifestTest(Folder):
    @parameterized.parameters(
        b"[]", b"{", b'{"float32": 3}', b'{"float32": {}}'
    )
    def test_is_refused_by_name(self, content):
        self.out.mkdir()
        (self.out / "manifest.json").write_bytes(content)
        self.assertRefused("manifest.json", self.tiny_file())


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

        with mock.patch.object(pathlib.Path, "write_bytes", full):
            self.assertRefused(f"{name}: the disk is full", model)
        self.assertNotIn(name, self.names())
        self.export(model)
        self.assertEqual(self.names(), ["float32.tflite", "manifest.json"])


if __name__ == "__main__":
    tf.test.main()
