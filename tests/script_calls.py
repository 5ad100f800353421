"""Programs called by tests, in this process or in one of their own."""

import contextlib
import importlib.util
import io
import os
import pathlib
import subprocess
import sys
import tempfile

import tensorflow as tf
import tiny_models
from absl import app, flags
from absl.testing import parameterized

from qmia_tf.data import loaders
from qmia_tf.experiments import configuration, training_run
from qmia_tf.models.resnet import Bits
from qmia_tf.programs import program
from qmia_tf.run_dir import RunDir
from qmia_tf.training import recipes

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"
# absl defines them once in a process, not once a script.
app.define_help_flags()


def start(name, *arguments, **options):
    """Starts a script in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@contextlib.contextmanager
def flags_removed():
    """Removes the flags that were defined inside."""
    before = set(flags.FLAGS)
    try:
        yield
    finally:
        for flag in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, flag)


def loaded(name, folder=SCRIPTS):
    """Imports the program that a script runs."""
    path = folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"script_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module if hasattr(module, "main") else program.load(name)


@contextlib.contextmanager
def captured_stderr():
    """Catches file descriptor 2 as well: C++ libraries write there."""
    texts = []
    with tempfile.TemporaryFile("w+", buffering=1) as file:
        terminal = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            with contextlib.redirect_stderr(file):
                yield texts
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            file.seek(0)
            texts.append(file.read())


def call(name, *arguments, folder=SCRIPTS):
    """Runs a script in this process; returns status, stdout and stderr."""
    status, out = 0, io.StringIO()
    module = loaded(name, folder)
    with (
        flags_removed(),
        captured_stderr() as errors,
        contextlib.redirect_stdout(out),
    ):
        try:
            left = program.parse(module, [f"{name}.py", *arguments])
            program.guarded(module.main, left)
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), errors[0]


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.run_dir = self.dir / "run"

    def assertOneLine(self, errors, pattern):
        """One line that begins with `error:`, and no traceback."""
        self.assertRegex(errors, r"\Aerror: [^\n]+\n\Z")
        self.assertRegex(errors, pattern)

    def assertRefused(self, pattern, name, *arguments):
        status, out, errors = call(name, *arguments)
        self.assertEqual(status, 2, out + errors)
        self.assertOneLine(errors, pattern)
        self.assertEqual(out, "")

    def finished_run(
        self,
        name="run",
        *,
        bits=None,
        recipe=None,
        split_seed=0,
        label_noise=0.0,
        **options,
    ):
        """A run directory with a model of a few weights for the digits."""
        run_dir = self.dir / name
        data = loaders.load("digits", label_noise=label_noise)
        config = configuration.describe(
            data,
            recipe=recipe or recipes.get("digits"),
            bits=bits or Bits(),
            split_seed=split_seed,
        )
        RunDir(run_dir).open(config)
        training_run.open_split(run_dir, data, config)
        given = {"shape": (8, 8, 1), "classes": 10, **options}
        tiny_models.classifier(**given).save(run_dir / "model.keras")
        return run_dir
