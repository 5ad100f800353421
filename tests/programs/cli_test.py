"""Tests of `qmia COMMAND` and of what all its programs have in common."""

import contextlib
import os
import pathlib
import runpy
import subprocess
import sys
from unittest import mock

import setuptools
from absl.testing import absltest, parameterized

from qmia_tf import cli

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMPORT_ALL = """
import sys
from absl import flags, app, logging
app.define_help_flags()
before = set(flags.FLAGS)
from qmia_tf import cli
list(cli.COMMANDS)
print(sorted(set(flags.FLAGS) - before))
print(sorted({"tensorflow", "keras", "scipy", "pandas"} & set(sys.modules)))
"""
# A command, and the script with the same program.
SCRIPTS = {
    **{name: name for name in cli.COMMANDS.names()},
    "edge": "evaluate_edge",
    "references": "train_references",
}


def qmia(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "qmia_tf", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


class CliTest(parameterized.TestCase):
    @parameterized.parameters((), ("--help",), ("help",), ("-h",))
    def test_lists_the_commands(self, *arguments):
        done = qmia(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertContainsSubset(
            cli.COMMANDS.names(),
            [line.split()[0] for line in done.stdout.splitlines() if line],
        )

    def test_version(self):
        done = qmia("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\Aqmia_tf \d+\.\d+\.\d+\n\Z")

    @parameterized.parameters(
        (["adit"], r"no command 'adit': .*did you mean 'audit'\?"),
        (["--model=m.keras"], "name a command before --model=m.keras: one of"),
        (["report", "--out=x"], "--run_dirs is missing"),
        (["report", "--ouf=x"], "Unknown command line flag 'ouf'"),
        (["report", "x"], "unexpected argument 'x'"),
    )
    def test_one_line_says_what_is_wrong(self, arguments, pattern):
        done = qmia(*arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, rf"\Aerror: [^\n]*{pattern}[^\n]*\n\Z")

    def test_a_command_and_its_script_are_the_same(self):
        for command, script in SCRIPTS.items():
            with self.subTest(command):
                module = cli.COMMANDS[command]
                self.assertEqual(module.__name__, f"qmia_tf.programs.{script}")
                text = (ROOT / "scripts" / f"{script}.py").read_text()
                self.assertIn(f'program.run("{script}")', text)
                self.assertIn(f"`qmia {command}`", text)
                self.assertIn(f"\n    qmia {command}", module.__doc__)

    def test_help_is_of_the_command(self):
        done = qmia("edge", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        module = cli.COMMANDS["edge"]
        self.assertStartsWith(done.stdout, module.__doc__.strip())
        self.assertIn("\n  --model: the .tflite file\n", done.stdout)

    def test_imports_define_no_flag_and_import_nothing_heavy(self):
        done = subprocess.run(
            [sys.executable, "-c", IMPORT_ALL],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(done.stdout, "[]\n[]\n")

    def test_it_is_installed(self):
        with (
            contextlib.chdir(ROOT),
            mock.patch.object(setuptools, "setup") as setup,
        ):
            runpy.run_path("setup.py")
        self.assertEqual(
            setup.call_args.kwargs["entry_points"]["console_scripts"],
            ["qmia = qmia_tf.cli:main"],
        )


if __name__ == "__main__":
    absltest.main()
