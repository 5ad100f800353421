"""The reproduction from data to tables, on few digits, killed and resumed."""

import contextlib
import dataclasses
import io
import os
import pathlib
import signal
import subprocess
import sys
import time
from unittest import mock

import other_writer
import slow_tests
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from paper import (
    job_runner,
    keras_layer_control,
    plans,
    reproduction_files,
    stages,
    stored_results,
    workflow,
)
from qmia_tf import files
from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration, model_job
from qmia_tf.models.resnet import Bits
from qmia_tf.report.tables import as_csv
from qmia_tf.run_dir import RunDir
from qmia_tf.training import recipes

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "reproduce.py"


def times(place):
    """When each file of a run was written."""
    files = [path for path in place.rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files}


class QuickTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.out = pathlib.Path(self.create_tempdir())
        self.enterContext(tiny_models.short_resnet())

    def reproduce(self, *models, **options):
        return workflow.reproduce(
            ["digits"],
            seeds=[0],
            regimes=["plain"],
            models=models,
            quick=True,
            **{"out": self.out, **options},
        )

    def test_from_data_to_tables_and_only_what_is_missing_again(self):
        written = self.reproduce("w32a32")
        job = plans.Job("digits", "plain", "w32a32", 0, plans.QUICK)
        self.assertEqual(stages.done(job, self.out), stages.needed(job))
        results = self.out / "results"
        (entry,) = stored_results.load(results)
        self.assertEqual(
            [target.target for target in entry.run.audit.targets],
            ["keras", "int8_ptq", "keras_rounded"],
        )
        self.assertEqual([p.epoch for p in entry.sweep.points], [1, 2, 3, 4])
        # The audit and the sweep see the same trained model.
        self.assertEqual(
            entry.sweep.points[-1].accuracy_nonmembers,
            entry.run.target("keras").accuracy_nonmembers,
        )
        self.assertIn(results / "tables" / "regimes.csv", written)
        path = files.read_json(results / "digits" / stored_results.SAME_PATH)
        self.assertEqual((path["differ"], path["steps"]), (0, 3))

        # What is stored needs no run.
        options = {"skip_stored": True, "results": results, "plan": True}
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.reproduce("w32a32", out=self.out / "other", **options)
        self.assertIn("0 runs", said.getvalue())

        self.assertEqual(set(entry.artefacts), {"int8_ptq", "keras_rounded"})

        sweep = self.out / job.folder / stored_results.SWEEP
        timing = self.out / job.folder / stored_results.TIMING
        content, seconds = sweep.read_bytes(), files.read_json(timing)
        # As if that sweep had taken long: the next finds kept answers.
        files.write_json(timing, {**seconds, "sweep": 1e6})
        sweep.unlink()
        before = times(self.out / "digits")
        self.reproduce("w32a32")
        after = times(self.out / "digits")
        changed = {x.name for x in before if after[x] != before[x]}
        self.assertEqual(
            changed, {stored_results.TIMING, stored_results.ARTEFACTS}
        )
        self.assertEqual(sweep.read_bytes(), content)
        self.assertEqual(files.read_json(timing), {**seconds, "sweep": 1e6})

    def test_a_plan_does_nothing(self):
        # So the plan need not time anything.
        job = plans.Job("digits", "plain", "w32a32", 0, plans.QUICK)
        path = self.out / job.folder / stored_results.HISTORY
        path.parent.mkdir(parents=True)
        path.write_text("epoch,seconds\n1,2.0\n")
        self.assertEqual(self.reproduce("w32a32", plan=True), [])
        self.assertEqual(
            [x for x in self.out.rglob("*") if x.is_file()], [path]
        )
        self.assertEqual(
            self.reproduce("w4a4", only_trained=True, plan=True), []
        )

    def test_another_configuration_is_refused(self):
        job = plans.Job("digits", "plain", "w4a4", 0, plans.QUICK)
        RunDir(self.out / job.folder).open({"seed": 1})
        with self.assertRaisesRegex(InputError, "another configuration"):
            job_runner.run_stages(
                DatasetCache(records=600),
                job=job,
                names=stages.needed(job),
                out=self.out,
                results=self.out / "results",
            )

    def test_second_writer_stops(self):
        job = plans.Job("digits", "plain", "w32a32", 0, plans.QUICK)
        with (
            other_writer.writing(self.out / job.folder),
            mock.patch.object(model_job, "ORPHAN_SECONDS", 0),
        ):
            with self.assertRaisesRegex(
                InputError, "w32a32-seed0 is being written by process"
            ):
                self.reproduce("w32a32")
        self.assertFalse((self.out / job.folder).exists())

    def test_the_jobs_and_what_they_need(self):
        planned = plans.jobs(
            ["digits"],
            seeds=[0, 1],
            regimes=["plain", "augmented"],
            models=["w4a4", "w32a32"],
            size=plans.QUICK,
        )
        jobs = list(workflow._missing(planned, self.out, self.out / "r", None))
        needs = {job.name: job.after for job in jobs}
        # Of eight runs two each, and one control.
        self.assertLen(jobs, 2 * 8 + 1)
        full = "digits/plain/w32a32-seed0"
        self.assertEqual(needs["digits layers"], (full,))
        for seed in (0, 1):
            name = f"digits/plain/w4a4-seed{seed}"
            self.assertEqual(needs[name], ())
            self.assertEqual(
                needs[f"{name} sweep"],
                (name, f"digits/plain/w32a32-seed{seed} sweep"),
            )
        self.assertEqual(needs[f"{full} sweep"], (full,))
        # One that is there in full, and without full precision.
        alone = [job for job in planned if job.model == "w4a4"]
        with mock.patch.object(stages, "done", return_value=()):
            jobs = list(workflow._missing(alone[:1], self.out, self.out, None))
        name = str(alone[0].folder)
        self.assertEqual([job.after for job in jobs], [(), (name,)])
        with mock.patch.object(
            stages, "done", side_effect=lambda job, out: stages.needed(job)
        ):
            self.assertEmpty(
                [*workflow._missing(alone, self.out, self.out, None)]
            )

    def start(self, out, *flags):
        command = [sys.executable, str(SCRIPT), "--dataset=digits"]
        command += ["--seeds=0", "--regimes=plain", "--quick"]
        command += ["--models=w32a32,w4a4", f"--out={out}", *flags]
        # One thread everywhere: more add in another order.
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TF_NUM_INTRAOP_THREADS": "1",
        }
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL
        )

    def assertEndedAlike(self, name):
        ours, theirs = (
            stored_results.load(self.out / place / "results")
            for place in (name, "whole")
        )
        for one, other in zip(ours, theirs, strict=True):
            for a, b in zip(
                one.run.audit.targets, other.run.audit.targets, strict=True
            ):
                self.assertEqual(a.attacks, b.attacks)
            self.assertEqual(one.sweep, other.sweep)
            self.assertEqual(one.comparison, other.comparison)
        for a, b in zip(
            reproduction_files.tables(ours, {}),
            reproduction_files.tables(theirs, {}),
            strict=True,
        ):
            # Latencies and durations differ.
            if a.name != "times":
                self.assertEqual(as_csv(a), as_csv(b))

    @slow_tests.slow
    def test_killed_at_any_moment_it_ends_alike(self):
        self.assertEqual(self.start(self.out / "whole").wait(), 0)
        killed = self.out / "killed"
        folder = killed / "digits" / "plain"
        for moment in (
            folder / "w32a32-seed0" / "checkpoints" / "last.keras",
            folder / "w32a32-seed0" / "outputs" / "keras.npz",
            folder / "w4a4-seed0" / "model.keras",
        ):
            process = self.start(killed)
            while not moment.exists() and process.poll() is None:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.assertEqual(self.start(killed).wait(), 0)
        self.assertEndedAlike("killed")
        # And in processes.
        flags = ("--executor=process", "--jobs=2")
        self.assertEqual(self.start(self.out / "two", *flags).wait(), 0)
        self.assertEndedAlike("two")


class SamePathTest(tf.test.TestCase):
    def test_full_precision_is_keras_own_layers_bit_for_bit(self):
        dataset = DatasetCache(records=600).load("digits")
        recipe = dataclasses.replace(
            recipes.get("digits"), batch_size=32, width=8
        )
        config = configuration.describe(dataset, recipe=recipe, bits=Bits())
        run_dir = self.create_tempdir().full_path
        compared = keras_layer_control.check(
            dataset, config, recipe, run_dir, steps=2
        )
        self.assertEqual((compared["differ"], compared["records"]), (0, 64))
        # ResNet-18: 20 convolutions, 1 dense layer, 17 activations.
        self.assertEqual(compared["layers"], 38)


if __name__ == "__main__":
    tf.test.main()
