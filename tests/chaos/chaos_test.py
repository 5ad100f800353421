"""Tests of what is done to stages, on programs of some lines; and on all."""

import dataclasses
import io
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile

import by_value
import chaos_rounds
import disturbances
import h5py
import numpy as np
import processes
import slow_tests
import stages
from absl.testing import absltest, parameterized

PROGRAM = pathlib.Path(__file__).with_name("chaos.py")
# Writes whole files, and goes on where it was.
GOOD = """
import pathlib, sys, time
from qmia_tf import files
from qmia_tf.programs import program

def main(argv):
    start = int(pathlib.Path("start.txt").read_text())
    for number in range(5):
        path = pathlib.Path("run", f"{number}.json")
        if not path.exists():
            with files.atomic(path) as temporary:
                temporary.write_text(str(list(range(start, 20_000))))
                time.sleep(0.05)

program.run(sys.modules[__name__])
"""
# Goes on at the end of what is there, whatever that is.
BAD = """
import time
with open("run.csv", "a") as file:
    for number in range(50):
        file.write("x" * 1000)
        file.flush()
        time.sleep(0.01)
"""


@dataclasses.dataclass(frozen=True)
class Toy(stages.Stage):
    """A stage that is a text."""

    @property
    def command(self):
        """See Stage."""
        return [sys.executable, "-c", self.program]


class DisturbancesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        # Not absl's, which another user cannot enter.
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)
        self.dir.chmod(0o755)
        (self.dir / "start").mkdir()
        (self.dir / "start" / "start.txt").write_text("3")
        self.draw = random.Random(0)

    def trial(self, program):
        return disturbances.Trial(
            "toy", self.dir, self.dir / "start", stage=Toy(program, ())
        )

    def test_what_goes_on_ends_alike(self):
        trial = self.trial(GOOD)
        self.assertGreater(trial.pace.seconds, 0.2)
        self.assertBetween(trial.pace.writes, 1, 5)
        for number in range(4):
            outcome = disturbances.kill(trial, self.draw, number)
            self.assertEqual(outcome.result, disturbances.EQUAL)
            self.assertEqual(outcome.what, ("SIGKILL", "SIGTERM")[number % 2])
            pattern = r"at \d+%" if number < 2 else r"writing file \d"
            self.assertRegex(outcome.moment, pattern)
        for number in range(2):
            outcome = disturbances.fill(trial, self.draw, number)
            self.assertEqual(outcome.result, disturbances.EQUAL)
            self.assertEndsWith(outcome.moment, ": status 2")
        for number in range(2):
            outcome = disturbances.forbid(trial, self.draw, number)
            self.assertTrue(outcome.is_good, outcome)

    def test_what_does_not_is_found(self):
        trial = self.trial(BAD)
        outcome = disturbances.kill(trial, self.draw, 0)
        self.assertStartsWith(outcome.result, "differs: run.csv: ")
        for act in (disturbances.fill, disturbances.forbid):
            outcome = act(trial, self.draw, 0)
            self.assertRegex(outcome.result, "stopped with 1: .*Error")
            self.assertFalse(outcome.is_good)

    def test_stage_that_fails_undisturbed(self):
        with self.assertRaisesRegex(RuntimeError, "toy ended with 1: (.|\n)*x"):
            self.trial("raise ValueError('x')")

    def test_kill_that_is_always_too_late(self):
        trial = self.trial("open('a', 'w').close()")
        outcome = disturbances.kill(trial, self.draw, 0)
        if outcome.is_skipped:
            self.assertEqual(outcome.result, "it had ended every time")

    def test_kill_reaches_what_was_started(self):
        code = (
            "import subprocess, time\n"
            "child = subprocess.Popen(['sleep', '60'])\n"
            "open('pid', 'w').write(str(child.pid))\n"
            "time.sleep(60)\n"
        )
        pace = processes.Pace(seconds=0.1, writes=0)
        moment = processes.Moment(share=1.0)
        self.assertTrue(
            processes.kill(
                Toy(code, ()).command,
                *(self.dir, moment, pace, processes.SIGNALS[0]),
            )
        )
        child = (self.dir / "pid").read_text()
        state = subprocess.run(
            ["ps", "-o", "stat=", child], capture_output=True, text=True
        )
        self.assertNotIn("S", state.stdout)


class TableTest(absltest.TestCase):
    def test_a_line_a_stage_and_disturbance(self):
        make = disturbances.Outcome
        text = chaos_rounds.table(
            [
                make("train", "SIGKILL", "at 5%", disturbances.EQUAL),
                make("train", "SIGKILL", "at 7%", "differs: a: b"),
                make("train", "may not read", "", "no user", True),
            ]
        )
        head, kills, permissions = map(str.split, text.splitlines())
        self.assertEqual(head[:2], ["stage", "disturbance"])
        self.assertEqual(
            " ".join(kills),
            "train SIGKILL at 5%, at 7% 1 of 2 differs: a: b",
        )
        self.assertEqual(
            " ".join(permissions),
            "train may not read 0 of 0 not tried: no user",
        )

    def test_needed_stages_come_first(self):
        self.assertEqual(
            stages.with_needed(["audit"]), ["train", "export", "audit"]
        )

    def test_unknown_stage(self):
        done = subprocess.run(
            processes.command(PROGRAM, "--stages=train,tarin"),
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 2)
        self.assertStartsWith(done.stderr, "error: unknown stage 'tarin'")


def npz(latency=1.0, value=0.5):
    file = io.BytesIO()
    info = json.dumps({"latency_ms": latency, "target": "keras"})
    np.savez(file, info=np.array(info), probabilities=np.array([value]))
    return file.getvalue()


def keras(saved="1", weight=0.5, units=3):
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.array([weight, np.nan])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("metadata.json", json.dumps({"date_saved": saved}))
        layer = {"shared_object_id": int(saved), "units": units}
        parts.writestr("config.json", json.dumps({"dense": layer}))
        parts.writestr("model.weights.h5", weights.getvalue())
    return file.getvalue()


def table(loss="0.5", seconds="1"):
    return f"epoch,loss,seconds\n1,{loss},{seconds}\n".encode()


def tree(auc=0.5, latency=1):
    return json.dumps({"auc": auc, "latency_ms": latency}).encode()


class ByValueTest(parameterized.TestCase):
    def compared(self, one, other, **options):
        folders = []
        for files in (one, other):
            folder = pathlib.Path(self.create_tempdir().full_path)
            for name, content in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(content)
            folders.append(folder)
        return by_value.differences(*folders, **options)

    @parameterized.parameters(
        ("a.npz", npz(), npz(latency=2.0)),
        ("a.keras", keras(), keras(saved="2")),
        ("a.csv", table(), table(seconds="2")),
        ("a.json", tree(), tree(latency=2)),
        (".a.lock", b"1", b"2"),
        (".partial-1/a.npz", b"1", b"2"),
    )
    def test_times_do_not_count(self, name, one, other):
        self.assertEqual(self.compared({name: one}, {name: other}), [])

    @parameterized.parameters(
        ("a.npz", npz(), npz(value=0.6), "probabilities: 1 of 1 differ"),
        ("a.keras", keras(), keras(weight=0.6), "layers/.*0: .* of 2 differ"),
        ("a.keras", keras(), keras(units=4), "dense.units: 3 -> 4"),
        ("a.csv", table(), table(loss="0.6"), "loss: '0.5' -> '0.6'"),
        ("a.json", tree(), tree(auc=0.6), "auc: 0.5 -> 0.6"),
        ("a.tflite", b"1", b"2", "other bytes"),
    )
    def test_numbers_do(self, name, one, other, pattern):
        (line,) = self.compared({name: one}, {name: other})
        self.assertRegex(line, f"{name}: .*{pattern}")

    def test_files(self):
        lines = self.compared({"a": b"", "b": b""}, {"b": b"", "c": b""})
        self.assertEqual(lines, ["a: missing", "c: too much"])
        pages = {"report/a.html": b"1"}, {"report/a.html": b"2"}
        self.assertLen(self.compared(*pages), 1)
        self.assertEqual(self.compared(*pages, timed=("report/*",)), [])
        empty = {"report/a.html": b""}
        lines = self.compared(pages[0], empty, timed=("report/*",))
        self.assertEqual(lines, ["report/a.html: empty"])


@slow_tests.slow
class StagesTest(absltest.TestCase):
    def test_every_stage_killed_filled_and_forbidden_ends_alike(self):
        done = subprocess.run(
            processes.command(PROGRAM, "--kills=1", "--seed=3"),
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout)


if __name__ == "__main__":
    absltest.main()
