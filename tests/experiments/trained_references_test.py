"""Reference models trained for real: equal whatever the executor, and kills."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import slow_tests
import tensorflow as tf

from qmia_tf import outputs
from qmia_tf.data import loaders
from qmia_tf.experiments import configuration
from qmia_tf.models.resnet import Bits
from qmia_tf.run_dir import RunDir
from qmia_tf.training import recipes

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
COUNT = 4


@slow_tests.slow
class TrainedReferencesTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.dir = pathlib.Path(folder)

    def train(self, run, *flags):
        # One thread everywhere: more add in another order.
        variables = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1"}
        return subprocess.Popen(
            [
                sys.executable,
                SCRIPTS / "train_references.py",
                f"--run_dir={self.dir / run}",
                f"--count={COUNT}",
                *flags,
            ],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, process):
        text, _ = process.communicate(timeout=1200)
        self.assertEqual(process.returncode, 0, text)

    def kill_when_it_trains(self, process, folder):
        """Kills the parent alone: its workers end by themselves."""
        while not (
            (folder / "checkpoints/last.keras").exists()
            or (folder / "model.keras").exists()
        ):
            if process.poll() is not None:
                self.fail(f"it ended before: {process.communicate()[0]}")
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    def references(self, run):
        return [
            outputs.load(
                self.dir / run / "references" / f"r{i:02d}/outputs/keras.npz"
            )
            for i in range(COUNT)
        ]

    def test_equal_whatever_the_executor_and_however_often_killed(self):
        config = configuration.describe(
            loaders.load("digits"),
            recipe=recipes.get("digits", width=4, epochs=3),
            bits=Bits(4, 4),
        )
        for run in ("serial", "process"):
            RunDir(self.dir / run).open(config)
        self.finish(self.train("serial"))
        flags = ("--executor=process", "--jobs=2")
        for part in ("r00", "r02"):
            self.kill_when_it_trains(
                self.train("process", *flags),
                self.dir / "process" / "references" / part,
            )
        self.finish(self.train("process", *flags))
        pairs = zip(
            self.references("serial"), self.references("process"), strict=True
        )
        for one, other in pairs:
            self.assertAllEqual(one.members, other.members)
            off = int(np.sum(one.probabilities != other.probabilities))
            self.assertEqual(off, 0, f"{off} probabilities differ")


if __name__ == "__main__":
    tf.test.main()
