"""Tests of export_data.py and evaluate_edge.py: their flags and their way."""

import json
import os
import subprocess
import sys

import numpy as np
import script_calls
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import outputs
from qmia_tf.auditing import device_outputs
from qmia_tf.data import loaders
from qmia_tf.edge import device_data
from qmia_tf.experiments import configuration, training_run
from qmia_tf.targets.tflite_target import TFLiteTarget


class ExportDataTest(script_calls.Folder):
    def export(self, *arguments, **options):
        return script_calls.call(
            "export_data",
            f"--run_dir={self.finished_run(**options)}",
            f"--out={self.dir / 'data.npz'}",
            *arguments,
        )

    def test_everything(self):
        status, out, errors = self.export()
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(
            out, r"data.npz: 899 members, 898 nonmembers, 0.1 MB\n\Z"
        )
        loaded, run = device_data.load(self.dir / "data.npz")
        data = loaders.load("digits")
        config = configuration.read(self.run_dir)
        split = training_run.open_split(self.run_dir, data, config)
        self.assertAllEqual(loaded.record_ids[loaded.members], split.members)
        self.assertAllEqual(loaded.values, data.images[loaded.record_ids])
        self.assertAllEqual(loaded.labels, data.labels[loaded.record_ids])
        self.assertEqual(
            (loaded.name, loaded.fingerprint, loaded.classes, run),
            ("digits", data.fingerprint(), 10, "run"),
        )

    def test_some(self):
        status, out, _ = self.export("--records=60", "--seed=1")
        self.assertEqual(status, 0)
        self.assertIn("30 members, 30 nonmembers", out)
        loaded, _ = device_data.load(self.dir / "data.npz")
        self.assertAllEqual(
            np.bincount(loaded.labels[loaded.members]), [3] * 10
        )

    def test_labels_are_those_that_the_run_trained_on(self):
        status, _, errors = self.export(label_noise=0.2)
        self.assertEqual((status, errors), (0, ""))
        loaded, _ = device_data.load(self.dir / "data.npz")
        clean = loaders.load("digits").labels[loaded.record_ids]
        self.assertEqual((loaded.labels != clean).sum(), round(0.2 * 1797))

    @parameterized.parameters(
        (["--records=5"], "records must be an even number .* got 5"),
        (["--records=4000"], "the run has 899 members, 2000 of them cannot"),
        (["--out=data.csv"], "--out is an .npz file, got data.csv"),
        (["--out="], "--out is missing"),
        (["--run_dir="], "--run_dir is missing"),
        (["--run_dir=/no/such/run"], "/no/such/run is not a run directory"),
    )
    def test_bad_flags(self, arguments, pattern):
        status, out, errors = self.export(*arguments)
        self.assertEqual((status, out), (2, ""), errors)
        self.assertOneLine(errors, pattern)
        self.assertFalse((self.dir / "data.npz").exists())


class EvaluateEdgeTest(script_calls.Folder):
    def setUp(self):
        super().setUp()
        self.data, self.out = self.dir / "data.npz", self.dir / "pi4.npz"
        self.model = self.dir / "int8.tflite"

    def files(self):
        """Writes the data of a run and a model for it."""
        script_calls.call(
            "export_data",
            f"--run_dir={self.finished_run()}",
            f"--out={self.data}",
            "--records=60",
        )
        tiny_models.write_tflite(
            tiny_models.classifier(shape=(8, 8, 1), classes=10),
            self.model,
            inputs=tf.uint8,
            outputs=tf.int8,
        )

    def flags(self, *more):
        return [
            f"--model={self.model}",
            f"--data={self.data}",
            f"--outputs={self.out}",
            "--seconds=0",
            *more,
        ]

    def test_device_outputs_belong_to_the_run(self):
        self.files()
        place = self.dir / "pi4.json"
        done = subprocess.run(
            [
                sys.executable,
                script_calls.SCRIPTS / "evaluate_edge.py",
                *self.flags(f"--json={place}", "--threads=1,2"),
            ],
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^members +\d+ +30 +\d")
        self.assertRegex(done.stdout, r"pi4.npz is written: copy it back")
        summary = json.loads(place.read_text())
        self.assertEqual([t["threads"] for t in summary["timings"]], [1, 2])
        data = loaders.load("digits")
        config = configuration.read(self.run_dir)
        records = training_run.records_of(self.run_dir, data, config)
        (device,) = device_outputs.load_device_outputs(
            [self.out], records, used_names=["int8"]
        )
        self.assertEqual(device.target, "int8.pi4")
        self.assertAllEqual(
            device.probabilities,
            TFLiteTarget(self.model).predict(data.images[device.record_ids]),
        )

    def test_kernels_and_batches(self):
        self.files()
        status, out, errors = script_calls.call(
            "evaluate_edge",
            *self.flags("--kernels=builtin", "--batch_size=7", "--threads=1"),
        )
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("in batches of 7", out)
        info = outputs.load(self.out).info
        self.assertEqual(info["kernel_set"], "builtin")
        self.assertEqual(info["target"], "int8.builtin")

    @parameterized.parameters("model", "data", "outputs")
    def test_flag_that_is_missing(self, name):
        given = [f for f in self.flags() if not f.startswith(f"--{name}=")]
        self.assertRefused(f"--{name} is missing", "evaluate_edge", *given)

    @parameterized.parameters(
        ("--threads=two", "--threads must be numbers such as 1,2,4, got two"),
        ("--threads=1,,2", "--threads must be numbers .* got 1,,2"),
        (
            "--threads=1,0",
            r"threads must be numbers of 1 or more, got \[1, 0\]",
        ),
        ("--kernels=gpu", "kernels must be one of .*, got 'gpu'"),
        ("--batch_size=0", "batch_size must be >= 1, got 0"),
        ("--seconds=-1", "seconds must be 0 or more, got -1"),
        ("--logits", "outputs probabilities, not logits: leave out --logits"),
    )
    def test_bad_value(self, flag, pattern):
        self.files()
        self.assertRefused(pattern, "evaluate_edge", *self.flags(flag))
        self.assertFalse(self.out.exists())

    def test_json_that_cannot_be_written(self):
        self.files()
        self.assertRefused(
            "cannot write",
            "evaluate_edge",
            *self.flags(f"--json={os.path.join(self.data, 'x.json')}"),
        )
        self.assertFalse(self.out.exists())

    @parameterized.parameters(
        ("int8.tflite", "int8.tflite cannot be run by LiteRT: .*cut off"),
        ("data.npz", "data.npz is damaged or not an .npz file"),
    )
    def test_file_that_is_cut_off(self, name, pattern):
        self.files()
        path = self.dir / name
        path.write_bytes(path.read_bytes()[:-400])
        self.assertRefused(pattern, "evaluate_edge", *self.flags())


if __name__ == "__main__":
    tf.test.main()
