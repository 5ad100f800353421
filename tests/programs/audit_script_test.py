"""Tests of scripts/audit.py, end to end on models of a few weights."""

import functools
import pathlib
import shutil
import tempfile
from unittest import mock

import keras
import numpy as np
import own_task
import tensorflow as tf
import tiny_models
from PIL import Image
from script_calls import Folder, call

from qmia_tf import outputs, report
from qmia_tf.auditing import audit_result
from qmia_tf.report import report_formats

QUICK = ("--tfprivacy=off", "--label_only_records=40", "--augmentation_shift=0")
NO_COPIES = ("--tfprivacy=off", "--label_only_records=0")


class Script(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.model = tiny_models.classifier()
        cls.sides = own_task.images(cls.model)
        for name, (values, labels) in zip("ab", cls.sides, strict=True):
            np.savez(cls.folder / f"{name}.npz", x=values, y=labels)
        cls.records = (
            f"--members={cls.folder}/a.npz",
            f"--nonmembers={cls.folder}/b.npz",
        )
        cls.model.save(cls.folder / "net.keras")

    def setUp(self):
        super().setUp()
        self.out = self.dir / "out"

    def audit(self, *arguments, status=0, formats=("csv",)):
        """Runs the script; returns what it printed and what it wrote.

        Drawing the figures takes seconds, so only if asked for.
        """
        written = functools.partial(report.make_report, formats=formats)
        with mock.patch.object(report, "make_report", written):
            ended, out, errors = call("audit", *arguments, f"--out={self.out}")
        self.assertEqual(ended, status, out + errors)
        self.assertTrue((self.out / "report" / "report.txt").is_file())
        return out, audit_result.load(self.out)

    def assertStops(self, pattern, *arguments):
        """Stops with one line on stderr; records may have been shown."""
        status, out, errors = call("audit", *arguments, f"--out={self.out}")
        self.assertEqual(status, 2, out + errors)
        self.assertOneLine(errors, pattern)
        self.assertFalse((self.out / "audit.json").exists())


class ModelsTest(Script):
    def test_keras_saved_model_and_tflite_are_compared(self):
        tiny_models.write_tflite(self.model, self.dir / "net.tflite")
        tiny_models.write_tflite(
            self.model,
            self.dir / "small.tflite",
            inputs=tf.int8,
            outputs=tf.int8,
        )
        self.model.export(self.dir / "saved", verbose=False)
        names = ["net.keras", "net.tflite", "small", "saved"]
        files = [
            self.folder / "net.keras",
            self.dir / "net.tflite",
            self.dir / "small.tflite",
            self.dir / "saved",
        ]
        out, result = self.audit(
            f"--model={','.join(map(str, files))}",
            *self.records,
            "--input_range=0..1",
            "--outputs=auto,auto,auto,probabilities",
            *QUICK,
            formats=report_formats.DEFAULT,
        )
        self.assertEqual([audited.target for audited in result.targets], names)
        self.assertEqual(
            [audited.kind for audited in result.targets],
            ["keras", "tflite", "tflite", "savedmodel"],
        )
        self.assertLen(
            {audited.records_sha256 for audited in result.targets}, 1
        )
        steps = [audited.probability_step for audited in result.targets]
        self.assertAllClose(steps, [0, 0, 1 / 256, 0])
        for target in result.targets:
            self.assertGreater(target.latency_ms, 0)
            self.assertGreater(target.size_bytes, 0)
            ran = [attack.name for attack in target.attacks]
            self.assertContainsSubset(["noise_robustness", "quantile"], ran)
        self.assertEqual(
            [(pair.target, pair.other) for pair in result.agreements],
            [(name, "net.keras") for name in names[1:]],
        )
        written = {path.suffix for path in (self.out / "report").iterdir()}
        drawn = {".txt", ".html", ".png", ".svg", ".csv", ".tex"}
        self.assertEqual(written, {*drawn, ".json", ".xml", ".md"})
        apart = [pair.largest_difference for pair in result.agreements]
        # The same float32 network, and one of int8 steps.
        self.assertLess(max(apart[0], apart[2]), 1e-5)
        self.assertBetween(apart[1], 1e-3, 0.2)
        self.assertEqual(
            [(joint.first, joint.second) for joint in result.joint_attacks],
            [(name, "net.keras") for name in names[1:]],
        )
        self.assertIn("a.npz: 60 x 6x5x1 uint8 (records 'x', labels 'y')", out)
        self.assertIn("saved is a SavedModel: the program in it is run", out)
        said = " ".join(out.split())
        for target in result.targets:
            self.assertIn(f" {target.target}: {target.leak.verdict}: ", said)
        self.assertIn(" The strongest of ", said)
        answered = outputs.load(self.out / "outputs" / "net.keras.npz")
        values = np.concatenate([values for values, _ in self.sides])
        expected = self.model.predict(values / np.float32(255), verbose=0)
        self.assertAllClose(answered.probabilities, expected, atol=1e-6)
        self.assertAllEqual(answered.members, np.arange(110) < 60)

    def test_calibration_records(self):
        """Labels may be missing; nonmembers among them are said or go."""
        used = np.concatenate([self.sides[0][0][:8], self.sides[1][0][:4]])
        np.savez(self.dir / "used.npz", x=used)
        arguments = (
            f"--model={self.folder}/net.keras",
            *self.records,
            f"--calibration={self.dir}/used.npz",
            "--input_range=0..1",
            *NO_COPIES,
        )
        out, result = self.audit(*arguments)
        self.assertEqual(result.calibration.members, 8)
        self.assertEqual(result.calibration.nonmembers, 4)
        self.assertIn("of 12 records 8 are members and 4 nonmembers\n", out)
        self.assertIn("warning: 4 of 50 nonmembers, such as nonmember 0", out)
        report = (self.out / "report" / "report.txt").read_text()
        self.assertIn("are among the calibration records", report)
        _, result = self.audit(*arguments, "--leave_out_calibration")
        self.assertEqual(result.targets[0].nonmembers, 46)
        self.assertEqual(result.calibration.warning, "")

    def test_with_outputs_captured_elsewhere(self):
        values = np.concatenate([values for values, _ in self.sides])
        rows = self.model.predict(values / np.float32(255), verbose=0)
        np.savez(self.dir / "phone.npz", probabilities=rows)
        _, result = self.audit(
            f"--model={self.folder}/net.keras,{self.dir}/phone.npz",
            *self.records,
            "--input_range=0..1",
            "--tfprivacy=threshold",
            "--label_only_records=0",
        )
        self.assertEqual([x.target for x in result.targets], ["net", "phone"])
        self.assertIsNotNone(result.targets[1].tfprivacy)
        self.assertEqual(result.agreements[0].labels_differ, 0)

    def test_class_folders(self):
        names = ["ant", "bee", "cow", "dog"]
        for part, (values, labels) in zip("ab", self.sides, strict=True):
            for row, (image, label) in enumerate(
                zip(values, labels, strict=True)
            ):
                folder = self.dir / part / names[label]
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image[..., 0]).save(folder / f"{row}.png")
        arguments = (
            f"--model={self.folder}/net.keras",
            f"--members={self.dir}/a",
            f"--nonmembers={self.dir}/b",
            "--input_range=0..1",
            *NO_COPIES,
        )
        self.assertStops(
            "and chance is .*--class_names.*; --allow_chance goes on",
            *arguments,
            "--class_names=bee,cow,dog,ant",
        )
        # Nobody has to say what the members say.
        out, result = self.audit(*arguments)
        self.assertRegex(out, r"\nnet: --class_names=sorted is taken: in alpha")
        measured = result.config["models"][0]["measured"]
        self.assertEqual(list(measured), ["class_names"])
        (target,) = result.targets
        labels = self.sides[0][1]
        right = self.model.predict(self.sides[0][0] / 255.0, verbose=0)
        self.assertAlmostEqual(
            target.accuracy_members.value,
            np.mean(right.argmax(axis=1) == labels),
        )

    def test_a_table(self):
        """Rows of floats go into a model as they are."""
        (one, _), (two, _) = own_task.table()
        values = np.concatenate([one, two]).astype(np.float32)
        entry = keras.Input((5,))
        model = keras.Model(entry, keras.layers.Dense(3, "softmax")(entry))
        model.layers[-1].kernel.assign(
            np.random.default_rng(0).normal(0, 3, (5, 3))
        )
        model.save(self.dir / "table.keras")
        labels = own_task.labelled(model.predict(values, verbose=0))
        for name, (rows, true) in zip(
            "ab", own_task.split(values, labels), strict=True
        ):
            np.save(self.dir / f"{name}.npy", rows)
            np.save(self.dir / f"{name}y.npy", true)
        _, result = self.audit(
            f"--model={self.dir}/table.keras",
            f"--members={self.dir}/a.npy:{self.dir}/ay.npy",
            f"--nonmembers={self.dir}/b.npy:{self.dir}/by.npy",
            "--tfprivacy=off",
        )
        missing = {
            attack.name: attack.reason
            for attack in result.targets[0].attacks_left_out
        }
        self.assertIn("records are not uint8", missing["noise_robustness"])
        self.assertEqual(result.config["dataset"]["record_shape"], [5])


class SavedTest(Script):
    def csv(self, name, confidences):
        """Writes outputs of two classes that are sure of class 0 so far."""
        lines = [f"{p},{round(1 - p, 3)},0" for p in confidences]
        path = self.dir / name
        path.write_text("\n".join(["p0,p1,label", *lines]) + "\n")
        return path

    def leaking(self):
        rng = np.random.default_rng(0)
        return (
            f"--members={self.csv('a.csv', rng.uniform(0.9, 1, 80).round(3))}",
            f"--nonmembers={self.csv('b.csv', rng.uniform(0, 1, 80).round(3))}",
        )

    def test_csv_and_the_gates(self):
        out, result = self.audit(*self.leaking(), "--tfprivacy=off")
        (target,) = result.targets
        self.assertEqual(target.target, "saved")
        self.assertEqual((target.members, target.nonmembers), (80, 80))
        self.assertEqual(target.accuracy_members.value, 1)
        self.assertGreater(target.attack("loss").auc.value, 0.85)
        self.assertEqual(target.leak.verdict, "severe leak")
        self.assertIn("saved: severe leak: ", out)
        self.assertIn("audit.json", out)
        self.assertEmpty(result.gates)
        fast = (*self.leaking(), "--tfprivacy=off")
        _, result = self.audit(*fast, "--fail_if_auc_above=0.6", status=1)
        self.assertEqual([x.outcome for x in result.gates], ["failed"])
        out, result = self.audit(*fast, "--fail_if_auc_above=0.99")
        self.assertEqual([x.outcome for x in result.gates], ["passed"])
        self.assertIn("\npassed: saved: AUC <= 0.99: ", out)
        # 80 nonmembers are too few for 1 %.
        tpr = "--fail_if_tpr_above=0.05@0.01"
        _, result = self.audit(*fast, tpr, status=3)
        self.assertEqual([x.outcome for x in result.gates], ["not judged"])
        self.audit(*fast, "--fail_if_cannot_detect=0.51", status=3)
        self.audit(*fast, "--fail_if_cannot_detect=0.9")

    def test_strata(self):
        for strata in ("class", "none"):
            _, result = self.audit(
                *self.leaking(), "--tfprivacy=off", f"--strata={strata}"
            )
            self.assertEqual(result.targets[0].leak.strata, strata)

    def test_an_npz_with_members_in_it(self):
        labels = np.concatenate([labels for _, labels in self.sides])
        values = np.concatenate([values for values, _ in self.sides])
        logits = np.log(self.model.predict(values / np.float32(255), verbose=0))
        path = self.dir / "device.npz"
        np.savez(
            path, logits=logits, labels=labels, members=np.arange(110) < 60
        )
        _, result = self.audit(f"--model={path}", "--tfprivacy=off")
        self.assertEqual(result.targets[0].target, "device")
        self.assertEqual(result.targets[0].outputs, "logits")

    def test_few_records_are_said(self):
        rng = np.random.default_rng(0)
        out, _ = self.audit(
            f"--members={self.csv('a.csv', rng.uniform(0.9, 1, 30).round(3))}",
            f"--nonmembers={self.csv('b.csv', rng.uniform(0, 1, 60).round(3))}",
            "--tfprivacy=off",
            "--allow_chance",
        )
        self.assertIn("warning: only 30 members: the intervals are wide", out)


class ErrorsTest(Script):
    def test_flags(self):
        self.assertRefused("--out is missing", "audit")
        self.assertStops("nothing to audit: give a model")
        self.assertStops(
            "records are missing", f"--model={self.folder}/net.keras"
        )
        self.assertStops("no model gone.keras", "--model=gone.keras",
                         *self.records)  # fmt: skip
        self.assertStops("fail_if_auc_above takes", "--fail_if_auc_above=2")
        limits = ("0.05@0.01", "0.01@0.001")
        twice = [f"--fail_if_tpr_above={x}" for x in limits]
        self.assertRefused("already defined", "audit", *twice)
        self.assertStops("unexpected argument 'x'", "x")
        model = f"--model={self.folder}/net.keras"
        self.assertStops("--input_range must be one of 0..1", model,
                         *self.records, "--input_range=0..2")  # fmt: skip
        self.assertStops("--outputs has 2 values for 1 models", model,
                         *self.records, "--outputs=auto,logits")  # fmt: skip
        self.assertStops("num_threads=0: 0 is not a positive integer", model,
                         *self.records, "--num_threads=0")  # fmt: skip

    def test_files(self):
        model = f"--model={self.folder}/net.keras"
        other = self.records[1]
        (self.dir / "notes.txt").write_text("hello")
        self.assertStops("notes.txt is none of an .npz", model,
                         f"--members={self.dir}/notes.txt", other)  # fmt: skip
        np.savez(self.dir / "c.npz", x=np.zeros((9, 7, 5, 1), np.uint8),
                 y=np.zeros(9, int))  # fmt: skip
        self.assertStops(r"uint8 \[7, 5, 1\], the nonmembers .* uint8 \[6, 5",
                         model, f"--members={self.dir}/c.npz",
                         other)  # fmt: skip
        np.savez(self.dir / "d.npz", x=np.zeros((9, 6, 5, 1), np.uint8))
        self.assertStops("d.npz: the labels are missing", model,
                         f"--members={self.dir}/d.npz", other)  # fmt: skip
        self.assertStops("every member is also on the other side", model,
                         self.records[0], f"--nonmembers={self.folder}/a.npz",
                         "--input_range=0..1")  # fmt: skip
        (self.dir / "e.csv").write_text("p0,p1,label\n1,0,0\nx,1,0\n")
        self.assertStops("e.csv: row 3, column 'p0' is 'x', not a number",
                         f"--members={self.dir}/e.csv",
                         f"--nonmembers={self.dir}/e.csv")  # fmt: skip

    def test_models(self):
        path = self.dir / "lambda.keras"
        keras.Sequential(
            [
                keras.Input(tiny_models.SHAPE),
                keras.layers.Lambda(lambda x: x / 255),
                keras.layers.Flatten(),
                keras.layers.Dense(4, "softmax"),
            ]
        ).save(path)
        self.assertStops("lambda.keras has a Lambda layer, which is program",
                         f"--model={path}", *self.records)  # fmt: skip
        path = self.dir / "three.keras"
        tiny_models.classifier(classes=3).save(path)
        self.assertStops(
            "'three' outputs 3 classes, but there is a label 3",
            f"--model={path}",
            *self.records,
            "--input_range=0..1",
        )
        path = self.dir / "logits.tflite"
        tiny_models.write_tflite(tiny_models.classifier(softmax=False), path)
        self.assertStops(
            "does not output probabilities: those of record 0",
            f"--model={path}",
            *self.records,
            "--input_range=0..1",
            "--outputs=probabilities",
        )


if __name__ == "__main__":
    tf.test.main()
