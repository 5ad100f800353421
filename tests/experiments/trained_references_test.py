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

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
COUNT = 4


@slow_tests.slow
class TrainedReferencesTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.dir = pathlib.Path(folder)

    def command(self, name, run, *flags):
        # One thread everywhere: more add in another order.
        variables = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1"}
        return subprocess.Popen(
            [
                sys.executable,
                SCRIPTS / f"{name}.py",
                f"--run_dir={self.dir / run}",
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

    def references(self, run):
        return [
            outputs.load(
                self.dir / run / "references" / f"r{i:02d}/outputs/keras.npz"
            )
            for i in range(COUNT)
        ]

    def test_equal_whatever_the_executor_and_however_often_killed(self):
        train = ("--width=4", "--epochs=3", "--weight_bits=4")
        for run in ("serial", "process"):
            self.finish(
                self.command("train", run, *train, "--activation_bits=4")
            )
        count = f"--count={COUNT}"
        self.finish(self.command("train_references", "serial", count))
        flags = (count, "--executor=process", "--jobs=2")
        for part in ("r00", "r02"):
            process = self.command("train_references", "process", *flags)
            checkpoint = f"references/{part}/checkpoints/last.keras"
            for _ in range(6000):
                if (self.dir / "process" / checkpoint).exists():
                    break
                time.sleep(0.05)
            else:
                self.fail(f"{checkpoint} was never there")
            # The parent alone: its workers end by themselves.
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        self.finish(self.command("train_references", "process", *flags))
        pairs = zip(
            self.references("serial"), self.references("process"), strict=True
        )
        for one, other in pairs:
            self.assertAllEqual(one.members, other.members)
            off = int(np.sum(one.probabilities != other.probabilities))
            self.assertEqual(off, 0, f"{off} probabilities differ")


if __name__ == "__main__":
    tf.test.main()
