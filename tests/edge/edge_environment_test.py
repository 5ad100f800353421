"""qmia_edge.pyz in an environment of NumPy and LiteRT, and none else.

Builds both: a venv with the tested versions of the two through pip, and the
file from this checkout. Takes some ten seconds; skipped where the package
index cannot be reached.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import outputs
from qmia_tf.data.records import Records
from qmia_tf.edge import device_data
from qmia_tf.targets.tflite_target import TFLiteTarget
from tools import edge_zipapp

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGES = ("numpy", "ai-edge-litert")
NO_NETWORK = "connection broken by"


def run(*command, **options):
    """Runs a program that sees nothing of this Python's packages."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON")
    }
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        env=environment,
        **options,
    )


def installed(folder):
    """Makes the environment; returns its Python.

    Raises: unittest.SkipTest if the package index cannot be reached.
    """
    done = run(sys.executable, "-m", "venv", folder / "venv")
    if done.returncode:
        raise unittest.SkipTest(f"no venv can be made: {done.stdout}")
    python = folder / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "-q", "--retries=1", "--timeout=20")
    done = run(*pip, "-c", CHECKOUT / "constraints.txt", *PACKAGES)
    if not done.returncode:
        return python
    if os.environ.get("PIP_NO_INDEX") or NO_NETWORK in done.stderr:
        raise unittest.SkipTest(
            "pip cannot reach a package index: "
            + " ".join(done.stderr.split())[:300]
        )
    raise RuntimeError(done.stderr)


class EnvironmentTest(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.dir = pathlib.Path(folder.name)
        cls.program = edge_zipapp.make(cls.dir)
        cls.python = installed(cls.dir)

    @parameterized.parameters(
        *("tensorflow", "keras", "scipy", "sklearn", "matplotlib"),
        *("absl", "filelock", "qmia_tf"),
    )
    def test_package_is_not_there(self, name):
        done = run(self.python, "-c", f"import {name}", cwd=self.dir)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"No module named '{name}'", done.stderr)

    @parameterized.parameters(
        ("--help", 0, "stdout", "\n  --model: the .tflite file\n"),
        ("--data=x.npz", 2, "stderr", "error: --model is missing\n"),
    )
    def test_answers_as_a_program(self, flag, status, stream, text):
        done = run(self.python, self.program, flag, cwd=self.dir)
        self.assertEqual(done.returncode, status, done)
        self.assertIn(text, getattr(done, stream))

    @parameterized.parameters(
        (tf.uint8, tf.int8, "default"),
        (tf.uint8, None, "reference"),
        (None, None, "builtin"),
    )
    def test_answers_as_the_target_does_here(self, inputs, outs, kernels):
        model = tiny_models.write_tflite(
            tiny_models.classifier(),
            self.dir / "model.tflite",
            inputs=inputs,
            outputs=outs,
        )
        images = tiny_models.images(40)
        records = Records.numbered(
            "tiny",
            images,
            np.arange(40) % tiny_models.CLASSES,
            np.arange(40) < 20,
            classes=tiny_models.CLASSES,
        )
        device_data.save(records, self.dir / "data.npz", run="r")
        done = run(
            self.python,
            self.program,
            f"--model={model}",
            "--data=data.npz",
            "--outputs=out.npz",
            "--threads=1",
            "--seconds=0",
            f"--kernels={kernels}",
            cwd=self.dir,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.assertIn("out.npz is written", done.stdout)
        target = TFLiteTarget(model, kernels=kernels, num_threads=1)
        probabilities = outputs.load(self.dir / "out.npz").probabilities
        off = int(np.sum(probabilities != target.predict(images)))
        self.assertEqual(off, 0, f"{off} of {probabilities.size} differ")


if __name__ == "__main__":
    tf.test.main()
