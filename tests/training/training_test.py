"""Tests of training that is killed and goes on."""

import csv
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from unittest import mock

import keras
import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import onednn
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration
from qmia_tf.models import keras_files
from qmia_tf.run_dir import RunDir
from qmia_tf.training import recipes, resumable_loop
from qmia_tf.training.epoch_loop import Trainer
from qmia_tf.training.history import COLUMNS
from qmia_tf.training.kept_trainer import KeptTrainer

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPE, CLASSES = (4, 4, 1), 3
TIMES = {
    *("seconds", "images_per_second", "input_wait_share"),
    "peak_memory_mb",
}


def a_recipe(**fields):
    given = {
        "name": "tests",
        "dataset": "digits",
        "optimizer": "sgd",
        "momentum": 0.9,
        "learning_rate": 0.05,
        "batch_size": 16,
        "epochs": 3,
        "crop_padding": 1,
        **fields,
    }
    return recipes.Recipe(**given)


def records(count, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *SHAPE), np.uint8)
    return images, rng.integers(0, CLASSES, count)


def a_model(units=8):
    pixels = keras.Input(SHAPE)
    x = keras.layers.Flatten()(pixels)
    for count, name in ((units, "hidden"), (CLASSES, "logits")):
        x = keras.layers.Dense(
            count,
            name=name,
            kernel_initializer=keras.initializers.HeNormal(count),
        )(x)
    return keras.Model(pixels, keras.layers.Activation("softmax")(x))


def history(run_dir):
    with open(run_dir / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def repeatable(run_dir):
    """The history without the columns that the clock decides."""
    return [
        {name: row[name] for name in row if name not in TIMES}
        for row in history(run_dir)
    ]


def state(path):
    """Every variable of a .keras file: path -> array."""
    return {
        f"{index} {variable.name}": variable.numpy()
        for index, variable in enumerate(keras_files.load(path).variables)
    }


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def names(self, folder=""):
        return sorted(path.name for path in (self.dir / folder).iterdir())

    def train(self, folder, *, model=None, fails_after=None, **options):
        """Trains on 50 records; optionally fails in the epoch behind."""
        options = {"recipe": a_recipe(), "seed": 5, **options}
        run_epoch = Trainer.run_epoch

        def failing(trainer, progress):
            if trainer.epoch == fails_after:
                raise KeyboardInterrupt
            return run_epoch(trainer, progress)

        with mock.patch.object(Trainer, "run_epoch", failing):
            return resumable_loop.train(
                model or a_model(),
                records(50, seed=1),
                run_dir=self.dir / folder,
                **options,
            )

    def assertSameState(self, ours, theirs):
        ours, theirs = state(ours), state(theirs)
        self.assertEqual(ours.keys(), theirs.keys())
        off = {
            name: int(np.sum(ours[name] != theirs[name]))
            for name in ours
            if not np.array_equal(ours[name], theirs[name])
        }
        self.assertEmpty(off, f"mismatches: {off}")


class TrainTest(Folder):
    def test_leaves_model_and_history(self):
        model = a_model()
        self.assertTrue(self.train("run", model=model))
        self.assertEqual(
            self.names("run"), ["checkpoints", "history.csv", "model.keras"]
        )
        self.assertEmpty(self.names("run/checkpoints"))
        saved = keras_files.load(self.dir / "run" / "model.keras")
        for ours, theirs in zip(
            model.get_weights(), saved.get_weights(), strict=True
        ):
            self.assertAllEqual(ours, theirs)
        # The saved model gives probabilities, not the trainer's logits.
        answers = saved(np.ones((2, *SHAPE), np.float32)).numpy()
        self.assertAllClose(answers.sum(axis=1), [1, 1], atol=1e-6)

    def test_history_has_a_row_an_epoch(self):
        self.train("run", nonmembers=records(20, seed=2))
        rows = history(self.dir / "run")
        self.assertEqual(tuple(rows[0]), COLUMNS)
        self.assertEqual([row["epoch"] for row in rows], ["1", "2", "3"])
        for row in rows:
            self.assertEqual(float(row["learning_rate"]), 0.05)
            self.assertEqual(row["nonmember_records"], "20")
            self.assertBetween(float(row["nonmember_accuracy"]), 0, 1)
            self.assertBetween(float(row["input_wait_share"]), 0, 1)
            self.assertGreater(float(row["seconds"]), 0)
        model = keras_files.load(self.dir / "run" / "model.keras")
        images, labels = records(20, seed=2)
        guesses = model(images / np.float32(255)).numpy().argmax(axis=1)
        self.assertAllClose(
            float(rows[-1]["nonmember_accuracy"]), (guesses == labels).mean()
        )

    def test_nobody_to_measure(self):
        self.train("run")
        (row, *_) = history(self.dir / "run")
        self.assertEqual(row["nonmember_accuracy"], "")
        self.assertEqual(row["nonmember_records"], "0")

    def test_finished_run_is_left_alone(self):
        self.train("run")
        files = [self.dir / "run" / name for name in self.names("run")]
        before = [path.stat().st_mtime_ns for path in files]
        with mock.patch.object(resumable_loop, "Trainer") as trainer:
            self.assertFalse(self.train("run"))
        trainer.assert_not_called()
        self.assertEqual([path.stat().st_mtime_ns for path in files], before)

    def test_keep_every(self):
        self.train("run", recipe=a_recipe(epochs=5), keep_every=2)
        self.assertEqual(
            self.names("run/checkpoints"),
            ["epoch_0002.keras", "epoch_0004.keras"],
        )
        self.train("short", recipe=a_recipe(epochs=2))
        self.assertSameState(
            self.dir / "run" / "checkpoints" / "epoch_0002.keras",
            self.dir / "short" / "model.keras",
        )

    def test_diverging_run_leaves_no_model(self):
        with self.assertRaisesRegex(InputError, r"at step \d+ \(epoch 1"):
            self.train("run", recipe=a_recipe(learning_rate=1e38))
        self.assertFalse((self.dir / "run").exists())

    def test_full_disk_keeps_the_checkpoint_before(self):
        with self.assertRaises(KeyboardInterrupt):
            self.train("run", fails_after=1)
        last = RunDir(self.dir / "run").last_checkpoint
        before = last.read_bytes()

        def half(model, path):
            path.write_bytes(b"half")
            raise OSError("Can't write data (No space left on device)")

        with (
            mock.patch.object(keras.Model, "save", half),
            self.assertRaisesRegex(
                InputError, r"last\.keras: the disk is full"
            ),
        ):
            self.train("run")
        self.assertEqual(last.read_bytes(), before)
        self.assertEqual(self.names("run/checkpoints"), ["last.keras"])
        self.train("run")
        self.train("whole")
        self.assertSameState(
            self.dir / "run" / "model.keras", self.dir / "whole" / "model.keras"
        )


class ResumeTest(Folder):
    @parameterized.product(
        optimizer=("sgd", "adam", "adamw"), fails_after=(1, 2)
    )
    def test_ends_with_the_same_weights(self, optimizer, fails_after):
        momentum = 0.9 if optimizer == "sgd" else 0.0
        recipe = a_recipe(optimizer=optimizer, momentum=momentum)
        judged = records(20, seed=2)
        options = {"recipe": recipe, "nonmembers": judged}
        with self.assertRaises(KeyboardInterrupt):
            self.train("broken", fails_after=fails_after, **options)
        self.assertTrue(RunDir(self.dir / "broken").last_checkpoint.exists())
        self.assertFalse((self.dir / "broken" / "model.keras").exists())
        self.assertTrue(self.train("broken", **options))
        self.train("whole", **options)
        self.assertSameState(
            self.dir / "broken" / "model.keras",
            self.dir / "whole" / "model.keras",
        )
        self.assertEqual(
            repeatable(self.dir / "broken"), repeatable(self.dir / "whole")
        )

    def test_goes_on_from_a_checkpoint_some_epochs_back(self):
        # As a reference does, whose Trainer has trained another one.
        options = {"checkpoint_seconds": 1e9, "kept": KeptTrainer()}
        self.train("other", seed=6, **options)
        with self.assertRaises(KeyboardInterrupt):
            self.train("broken", fails_after=2, **options)
        last = keras_files.load(
            RunDir(self.dir / "broken").last_checkpoint, optimizer=True
        )
        # One epoch of four steps.
        self.assertEqual(int(last.optimizer.iterations), 4)
        self.train("third", seed=7, **options)
        self.assertTrue(self.train("broken", **options))
        self.train("whole")
        self.assertSameState(
            self.dir / "broken" / "model.keras",
            self.dir / "whole" / "model.keras",
        )
        self.assertEqual(
            repeatable(self.dir / "broken"), repeatable(self.dir / "whole")
        )

    def test_only_the_epochs_that_are_missing_are_run(self):
        with self.assertRaises(KeyboardInterrupt):
            self.train("run", fails_after=2)
        with mock.patch.object(
            Trainer, "run_epoch", autospec=True, side_effect=Trainer.run_epoch
        ) as run_epoch:
            resumable_loop.train(
                a_model(),
                records(50, seed=1),
                recipe=a_recipe(),
                seed=5,
                run_dir=self.dir / "run",
            )
        self.assertEqual(run_epoch.call_count, 1)

    def test_history_that_is_ahead_of_the_checkpoint(self):
        with self.assertRaises(KeyboardInterrupt):
            self.train("run", fails_after=1)
        last = RunDir(self.dir / "run").last_checkpoint
        first = last.read_bytes()
        with self.assertRaises(KeyboardInterrupt):
            self.train("run", fails_after=2)
        # As if it had been killed between the history and the checkpoint.
        last.write_bytes(first)
        self.assertLen(history(self.dir / "run"), 2)
        self.train("run")
        epochs = [row["epoch"] for row in history(self.dir / "run")]
        self.assertEqual(epochs, ["1", "2", "3"])


class OtherComputingTest(Folder):
    """A checkpoint of a process that computed otherwise."""

    def setUp(self):
        super().setUp()
        with self.assertRaises(KeyboardInterrupt):
            self.train("run", fails_after=1)
        self.last = RunDir(self.dir / "run").last_checkpoint

    def leave_as_of(self, **changes):
        """Rewrites the checkpoint as such a process would have left it."""
        saved = keras_files.load(self.last, optimizer=True)
        self.assertEqual(keras_files.read_note(self.last), onednn.record())
        note = {**onednn.record(), **changes}
        keras_files.save(saved, self.last, note=note)

    def assertRefused(self, was, variables):
        before = self.last.read_bytes()
        with self.assertRaises(InputError) as caught:
            self.train("run")
        here = onednn.described(onednn.record())
        self.assertEqual(
            str(caught.exception),
            f"{self.last} was trained with {was}; this process has {here} and "
            f"would end with other weights: set {variables} to go on, or "
            "delete the checkpoint to train from the start",
        )
        self.assertEqual(self.last.read_bytes(), before)
        self.assertEqual(self.names("run"), ["checkpoints", "history.csv"])

    def test_other_setting(self):
        is_on, threads = onednn.is_on(), onednn.threads()
        self.leave_as_of(onednn=not is_on)
        was = onednn.described(
            {"onednn": not is_on, "intra_op_threads": threads}
        )
        self.assertStartsWith(was, "oneDNN off" if is_on else "oneDNN on")
        self.assertRefused(was, f"TF_ENABLE_ONEDNN_OPTS={int(not is_on)}")
        # The other way out.
        self.last.unlink()
        self.assertTrue(self.train("run"))
        self.train("whole")
        self.assertSameState(
            self.dir / "run" / "model.keras", self.dir / "whole" / "model.keras"
        )

    def test_other_number_of_threads(self):
        count = onednn.threads() + 1
        self.leave_as_of(intra_op_threads=count)
        on = "on" if onednn.is_on() else "off"
        self.assertRefused(
            f"oneDNN {on}, {count} threads", f"TF_NUM_INTRAOP_THREADS={count}"
        )

    def test_both(self):
        is_on = onednn.is_on()
        self.leave_as_of(onednn=not is_on, intra_op_threads=64)
        with self.assertRaisesRegex(
            InputError,
            f"set TF_ENABLE_ONEDNN_OPTS={int(not is_on)} and "
            "TF_NUM_INTRAOP_THREADS=64 to go on",
        ):
            self.train("run")

    def test_checkpoint_from_before_it_was_kept_goes_on(self):
        keras_files.save(keras_files.load(self.last, optimizer=True), self.last)
        self.assertIsNone(keras_files.read_note(self.last))
        self.assertTrue(self.train("run"))
        self.train("whole")
        self.assertSameState(
            self.dir / "run" / "model.keras", self.dir / "whole" / "model.keras"
        )

    def test_that_it_is_off_is_said_where_it_trains(self):
        with mock.patch.object(onednn, "say_if_off") as say:
            self.train("run")
            say.assert_called_once_with()
            self.assertFalse(self.train("run"))
            say.assert_called_once_with()


class CheckpointTest(Folder):
    def setUp(self):
        super().setUp()
        with self.assertRaises(KeyboardInterrupt):
            self.train("run", fails_after=1)
        self.last = RunDir(self.dir / "run").last_checkpoint

    def assertRefused(self, pattern):
        with self.assertRaises(InputError) as caught:
            self.train("run")
        self.assertRegex(str(caught.exception), pattern)
        self.assertIn("last.keras", str(caught.exception))
        self.assertRegex(
            str(caught.exception), r"delete .* to train from the start"
        )
        self.assertNotIn("\n", str(caught.exception))
        self.assertFalse((self.dir / "run" / "model.keras").exists())

    @parameterized.parameters(0.0, 0.01, 0.3, 0.9, 0.999)
    def test_cut_off(self, share):
        whole = self.last.read_bytes()
        self.last.write_bytes(whole[: int(share * len(whole))])
        self.assertRefused(r"is not a \.keras file \(or was cut off\)")

    def test_flipped_bytes_are_seen_or_do_no_harm(self):
        whole = self.last.read_bytes()
        good = state(self.last)
        refused = 0
        for place in range(0, len(whole), len(whole) // 60):
            damaged = bytearray(whole)
            damaged[place] ^= 0xFF
            self.last.write_bytes(damaged)
            trainer = Trainer(a_model(), records(50, 1), a_recipe(), 5)
            try:
                resumable_loop._resume(trainer, RunDir(self.dir / "run"))
            except InputError:
                refused += 1
                continue
            for ours, theirs in zip(
                trainer.model.variables, good.values(), strict=True
            ):
                self.assertAllEqual(ours.numpy(), theirs, f"byte {place}")
        self.assertGreater(refused, 40)

    def test_other_shapes(self):
        keras_files.save(
            Trainer(a_model(9), records(50, 1), a_recipe(), 5).model, self.last
        )
        self.assertRefused("is a checkpoint of another network")

    def test_other_optimizer(self):
        recipe = a_recipe(optimizer="adam")
        keras_files.save(
            Trainer(a_model(), records(50, 1), recipe, 5).model, self.last
        )
        self.assertRefused("is a checkpoint of another network")

    def test_model_without_optimizer(self):
        keras_files.save(a_model(), self.last)
        self.assertRefused("is a checkpoint of another network")

    def test_fewer_layers(self):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Flatten()(pixels)
        x = keras.layers.Dense(CLASSES, name="logits")(x)
        small = Trainer(keras.Model(pixels, x), records(50, 1), a_recipe(), 5)
        keras_files.save(small.model, self.last)
        self.assertRefused("is a checkpoint of another network")


# When a process is killed: each says of its run directory: it is time.


def while_it_writes(name):
    """A temporary is there that was not when the process started."""
    before = []

    def is_time(run_dir):
        folder, file = (run_dir / name).parent, (run_dir / name).name
        files = set(folder.glob(f".partial-*/{file}"))
        before.append(files)
        return bool(files - before[0])

    return is_time


def while_it_writes_another(name):
    """As above, of a file that is there already."""
    writes = while_it_writes(name)
    return lambda run_dir: (run_dir / name).exists() and writes(run_dir)


def in_the_middle_of_an_epoch(run_dir):
    """Half an epoch after a checkpoint, judged by the quickest till then."""
    last, rows = RunDir(run_dir).last_checkpoint, RunDir(run_dir).history
    if not last.exists() or last.stat().st_mtime < rows.stat().st_mtime:
        return False
    age = time.time() - last.stat().st_mtime
    return age > min(float(row["seconds"]) for row in history(run_dir)) / 2


def after(seconds):
    started = time.monotonic()
    return lambda run_dir: time.monotonic() - started > seconds


def behind_the_next_checkpoint(epochs):
    """So many epochs, or a part of one, after this process wrote one."""
    stamps = []

    def is_time(run_dir):
        last = RunDir(run_dir).last_checkpoint
        stamp = last.stat().st_mtime if last.exists() else 0
        stamps.append(stamp)
        if stamp == stamps[0]:
            return False
        rows = history(run_dir)
        return time.time() - stamp > epochs * float(rows[-1]["seconds"])

    return is_time


# scripts/train.py with a network of two blocks.
SHORT = """
import runpy, sys
from qmia_tf import quiet
quiet.start_tensorflow()
import tiny_models
sys.argv = sys.argv[1:]
with tiny_models.short_resnet():
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Runs:
    """Two runs of scripts/train.py, one of them killed again and again."""

    def __init__(self, folder, flags, *, short):
        self.folder = folder
        self.python = [sys.executable, *(["-c", SHORT] if short else ())]
        self.flags = ["--recipe=digits", "--width=4", "--seed=3", *flags]

    def start(self, run_dir, **environment):
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        return subprocess.Popen(
            [
                *self.python,
                str(ROOT / "scripts" / "train.py"),
                f"--run_dir={run_dir}",
                *self.flags,
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_when(self, is_time, run_dir):
        """Returns True if it was killed, False if it ended before."""
        process = self.start(run_dir)
        while process.poll() is None and not is_time(run_dir):
            time.sleep(0.001)
        process.kill()
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def finish(self, process):
        out, errors = process.communicate()
        if process.returncode:
            raise AssertionError(errors)
        return out, errors


class KillTest(Folder):
    """Kills real processes."""

    def compare(self, flags, is_time):
        """Kills a run when it is time; compares it with one left alone."""
        runs = Runs(self.dir, flags, short=True)
        whole, killed = self.dir / "whole", self.dir / "killed"
        undisturbed = runs.start(whole)
        self.addCleanup(undisturbed.kill)
        self.assertTrue(runs.kill_when(is_time, killed), "too late")
        self.assertFalse((killed / "model.keras").exists())
        out, errors = runs.finish(runs.start(killed))
        self.assertRegex(out, r"going on after epoch [1-5] (.|\n)* is trained")
        self.assertEqual(errors, "")
        out, errors = runs.finish(undisturbed)
        self.assertNotIn("going on", out)
        self.assertEqual(errors, "")
        self.assertSameState(killed / "model.keras", whole / "model.keras")
        self.assertEqual(repeatable(killed), repeatable(whole))
        self.assertFalse(RunDir(killed).last_checkpoint.exists())
        # What every process of the suite is told, and the programs set.
        stored = configuration.read(whole)["tensorflow"]
        self.assertEqual(stored, onednn.record())
        self.assertEqual(configuration.read(killed), configuration.read(whole))
        # What the kill in the middle of a checkpoint left behind.
        self.assertNotEmpty(list(killed.glob("checkpoints/.partial-*")))
        return whole

    def refuses_the_other_setting(self, runs, run_dir):
        other = str(int(not onednn.is_on()))
        process = runs.start(run_dir, TF_ENABLE_ONEDNN_OPTS=other)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 2, errors)
        self.assertRegex(
            errors,
            r"^error: .*last\.keras was trained with oneDNN "
            rf".* set TF_ENABLE_ONEDNN_OPTS={1 - int(other)} to go on, or "
            r"delete the checkpoint to train from the start\n$",
        )

    def test_quantized_gradients_and_adam(self):
        whole = self.compare(
            [
                "--epochs=6",
                "--optimizer=adam",
                "--crop_padding=1",
                "--flip",
                "--gradient_bits=8",
                # 896 members, whole batches: XLA compiles for each size.
                "--member_fraction=0.4987",
            ],
            while_it_writes_another("checkpoints/last.keras"),
        )
        noise = [
            value
            for name, value in state(whole / "model.keras").items()
            if name.endswith("seed_generator_state")
        ]
        # 896 members in batches of 64: every layer drew 14 times an epoch.
        self.assertLen(noise, 5)
        self.assertEqual({int(value[1]) for value in noise}, {6 * 14})
        losses = [float(row["loss"]) for row in history(whole)]
        self.assertLess(losses[-1], losses[0])

    @slow_tests.slow
    @parameterized.named_parameters(
        (
            "momentum",
            [
                "--optimizer=sgd",
                "--momentum=0.9",
                "--nesterov",
                "--learning_rate=0.05",
                "--schedule=cosine",
                "--weight_decay=0.001",
            ],
        ),
        (
            "quantized",
            ["--weight_bits=4", "--activation_bits=4", "--gradient_bits=8"],
        ),
        ("gradients", ["--gradient_bits=4", "--keep_every=1"]),
    )
    def test_at_any_moment(self, flags):
        draw = random.Random(sum(map(len, flags)))
        runs = Runs(self.dir, ["--epochs=25", *flags], short=False)
        whole, killed = self.dir / "whole", self.dir / "killed"
        undisturbed = runs.start(whole)
        self.addCleanup(undisturbed.kill)
        moments = [
            while_it_writes("checkpoints/last.keras"),
            in_the_middle_of_an_epoch,
        ]
        for _ in range(6):
            moments.append(behind_the_next_checkpoint(draw.uniform(0, 1)))
        moments += [
            while_it_writes("checkpoints/last.keras"),
            while_it_writes("model.keras"),
        ]
        for is_time in moments:
            self.assertTrue(runs.kill_when(is_time, killed), is_time)
        self.refuses_the_other_setting(runs, killed)
        # Not at work yet, or at the very end.
        runs.kill_when(after(draw.uniform(0, 20)), killed)
        runs.finish(runs.start(killed))
        runs.finish(undisturbed)
        self.assertSameState(killed / "model.keras", whole / "model.keras")
        self.assertEqual(repeatable(killed), repeatable(whole))


if __name__ == "__main__":
    tf.test.main()
