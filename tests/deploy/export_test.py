"""Tests of the .tflite files: the same answers, the ops, the manifest."""

import errno
import hashlib
import importlib.metadata
import os
import pathlib
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
import tiny_models
import tqdm
from absl.testing import parameterized

from qmia_tf import datasets, keras_files, recipes, resnet, runs
from qmia_tf.deploy import export
from qmia_tf.errors import InputError
from qmia_tf.targets import KerasTarget, TFLiteTarget
from qmia_tf.trainer import Trainer

DIGITS = 1797
FAST = ((1, 1), (4, 4), (16, 4), (32, 32))
SLOW = ((2, 2), (8, 8), (16, 16))
PAIRS = FAST + (SLOW if os.environ.get("QMIA_SLOW") else ())
# Rounding to codes, and clipping; none of them in a float network.
QUANTIZER_OPS = {"ROUND", "MAXIMUM", "MINIMUM", "MUL", "RELU", "SUB"}
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

    def tiny_file(self, **options):
        path = self.dir / "model.keras"
        tiny_models.classifier(**options).save(path)
        return path


class ParityTest(Folder):
    """Networks that have learnt the digits, queried about all of them."""

    def trained(self, weight_bits, activation_bits):
        data = datasets.load("digits")
        recipe = recipes.get(
            "digits", epochs=3, batch_size=64, width=8, learning_rate=0.004
        )
        model = resnet.resnet18(
            data.image_shape,
            data.classes,
            stem=recipe.stem,
            width=recipe.width,
            weight_bits=weight_bits,
            activation_bits=activation_bits,
        )
        members = data.images[::2], data.labels[::2]
        trainer = Trainer(model, members, recipe, 0)
        for _ in range(recipe.epochs):
            trainer.run_epoch(tqdm.tqdm(disable=True))
        keras_files.save(model, self.dir / "model.keras")
        return data

    @parameterized.parameters(*PAIRS)
    def test_float32_file_answers_as_keras(self, *bits):
        data = self.trained(*bits)
        (entry,) = export.export(self.dir / "model.keras", self.out)
        keras_target = KerasTarget(self.dir / "model.keras")
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
            self.check_batches(keras_target, data.images, ours)
            self.check_batches(file_target, data.images, theirs)

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

    def check_batches(self, target, images, answers):
        """Neither a record's place nor the batch size may change a bit."""
        order = np.random.default_rng(0).permutation(DIGITS)[:300]
        for target.batch_size in (1, 7, 300):
            some = order[:30] if target.batch_size == 1 else order
            moved = target.predict(images[some])
            off = int(np.sum(moved != answers[some]))
            self.assertEqual(
                off,
                0,
                f"{off} of {moved.size} differ in batches of "
                f"{target.batch_size}, by at most "
                f"{np.abs(moved - answers[some]).max()}",
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
        stored = runs.read_json(self.out / "manifest.json")
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
        with mock.patch.object(export, "to_float32") as convert:
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
        self.assertEqual(runs.sha256(path), second["sha256"])
        self.assertEqual(first["ops"], second["ops"])
        self.assertEqual(self.names(), ["float32.tflite", "manifest.json"])


class RefusalTest(Folder):
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
            self.assertIn("sha256", runs.read_json(path)["float32"])


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
