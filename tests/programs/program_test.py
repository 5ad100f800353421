"""Tests of what every script shares, in processes without TensorFlow."""

import contextlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import time

from absl.testing import absltest, parameterized

from qmia_tf.auditing import audit_result
from qmia_tf.programs import gate_options

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = '''"""A program.

    python program.py --count=3
"""
import errno, sys
from absl import flags
from qmia_tf.errors import InputError
from qmia_tf.programs import program

def define_flags():
    flags.DEFINE_integer("count", 1, "how many")

def main(argv):
    """Runs."""
    {body}

if __name__ == "__main__":
    program.run(sys.modules[__name__])
'''
FAKE_TENSORFLOW = """
import os, sys
os.write(2, b"I0000 cuda is not here\\n")
print("W0000 nor a TPU", file=sys.stderr)
{body}
class config:
    @staticmethod
    def list_physical_devices():
        os.write(2, b"E0000 nor a GPU\\n")
"""


class Folder(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def write(self, body):
        path = self.dir / "program.py"
        path.write_text(PROGRAM.format(body=body))
        return [sys.executable, str(path)]

    def run_program(self, body, *arguments, **environment):
        return subprocess.run(
            [*self.write(body), *arguments],
            capture_output=True,
            text=True,
            cwd=self.dir,
            env={**os.environ, **environment},
        )


class RunTest(Folder):
    def test_success(self):
        done = self.run_program(
            "print(argv[1:], flags.FLAGS.count)", "--count=3"
        )
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr), (0, "[] 3\n", "")
        )

    @parameterized.named_parameters(
        (
            "input_error",
            "raise InputError('bits must be in 1..32, got 33')",
            "error: bits must be in 1..32, got 33\n",
        ),
        (
            "several_lines",
            r"raise InputError('x.keras:\n  cut off\nsave it again')",
            "error: x.keras: cut off save it again\n",
        ),
        (
            "missing_file",
            "open('/nowhere/x.json')",
            "error: No such file or directory (/nowhere/x.json)\n",
        ),
        (
            "full_disk",
            "raise OSError(errno.ENOSPC, 'No space left on device')",
            "error: No space left on device (stdout, or a temporary file)\n",
        ),
    )
    def test_what_a_user_can_mend(self, body, line):
        done = self.run_program(body)
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr), (2, "", line)
        )

    @parameterized.parameters(
        ("raise ValueError('a defect')", "ValueError: a defect"),
        ("raise OSError(errno.EBADF, 'Bad')", "OSError: [Errno 9] Bad"),
        ("raise MemoryError('too large')", "MemoryError: too large"),
    )
    def test_defects_keep_their_traceback(self, body, last):
        done = self.run_program(body)
        # Not Python's own status, 1, which says that a limit failed.
        self.assertEqual(done.returncode, 70)
        self.assertIn("Traceback", done.stderr)
        self.assertIn(last, done.stderr)

    def test_a_status_of_the_program_itself_is_kept(self):
        done = self.run_program("sys.exit(1)")
        self.assertEqual((done.returncode, done.stderr), (1, ""))

    def test_stray_argument(self):
        done = self.run_program("raise SystemError", "--count=3", "cifar10")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(
            done.stderr,
            "error: unexpected argument 'cifar10': every option is a --flag\n",
        )

    def test_unknown_flag_names_the_nearest(self):
        done = self.run_program("pass", "--coumt=3")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(
            done.stderr,
            "error: Unknown command line flag 'coumt'. Did you mean: count ? "
            "(--help lists the flags)\n",
        )

    def test_value_of_another_type(self):
        done = self.run_program("pass", "--count=many")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Aerror: flag --count=many: [^\n]*\n\Z")

    def test_help_shows_the_docstring_and_the_flags(self):
        done = self.run_program("raise SystemError", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("python program.py --count=3", done.stdout)
        self.assertIn("--count: how many", done.stdout)

    def test_log_lines_are_warnings_unless_asked_for(self):
        body = (
            "from absl import logging; logging.info('a detail');"
            "logging.warning('a warning')"
        )
        done = self.run_program(body)
        self.assertIn("a warning", done.stderr)
        self.assertNotIn("a detail", done.stderr)
        done = self.run_program(body, "--verbosity=0")
        self.assertIn("a detail", done.stderr)

    def test_quiet(self):
        body = (
            "from qmia_tf import terminal; terminal.say('going on');"
            "print('found')"
        )
        done = self.run_program(body)
        self.assertEqual(done.stdout, "going on\nfound\n")
        for flag in ("--quiet", "--verbosity=-2"):
            done = self.run_program(body, flag)
            self.assertEqual((done.stdout, done.stderr), ("found\n", ""))
            done = self.run_program("raise InputError('wrong')", flag)
            self.assertEqual(done.stderr, "error: wrong\n")

    def test_quiet_keeps_warnings(self):
        body = "from qmia_tf import terminal; terminal.say('warning: few')"
        done = self.run_program(body, "--quiet")
        self.assertEqual(done.stdout, "warning: few\n")

    def test_reader_that_stops_early(self):
        program = " ".join(self.write("[print(i) for i in range(100000)]"))
        done = subprocess.run(
            ["bash", "-c", f"{program} | head -1; exit ${{PIPESTATUS[0]}}"],
            capture_output=True,
            text=True,
        )
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr), (0, "0\n", "")
        )

    @parameterized.parameters(">&-", ">&- 2>&-", "<&- >&- 2>&-")
    def test_closed_streams_are_not_minded(self, closed):
        command = self.write("print(1); open('f', 'w').write(str(argv))")
        program = f"{' '.join(command)} {closed}"
        done = subprocess.run(["sh", "-c", program], cwd=self.dir)
        self.assertEqual(done.returncode, 0)
        self.assertEqual((self.dir / "f").read_text(), str([command[1]]))

    @parameterized.parameters(
        ("", "cannot write to stdout: "),
        ("1", r".*\(stdout, or a temporary file\)"),
    )
    @absltest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_full_stdout(self, unbuffered, text):
        for body in ("print(1)", "print(1); sys.exit(1)"):
            command = self.write(body)
            with open("/dev/full", "w") as full:
                done = subprocess.run(
                    command,
                    stdout=full,
                    stderr=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
                )
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, rf"\Aerror: {text}[^\n]*\n\Z")

    def test_ctrl_c(self):
        process = subprocess.Popen(
            self.write("print('up', flush=True); import time; time.sleep(60)"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background job, as CI may be, ignores SIGINT, and its
            # children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.assertEqual(process.stdout.readline(), "up\n")
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(errors, "stopped; run the same command to go on\n")


class LimitsTest(parameterized.TestCase):
    @parameterized.parameters(
        ((), 0),
        (("passed",), 0),
        (("failed",), 1),
        (("not judged",), 3),
        (("passed", "not judged"), 3),
        (("not judged", "failed", "passed"), 1),
    )
    def test_limits_end_a_program(self, outcomes, status):
        judged = [
            audit_result.GateResult(f"m{n}", "AUC <= 0.6", outcome, "why")
            for n, outcome in enumerate(outcomes)
        ]
        ended = 0
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as errors,
        ):
            try:
                gate_options.end_program(judged)
            except SystemExit as end:
                ended = end.code
        self.assertEqual(ended, status)
        lines = [
            f"{outcome}: m{n}: AUC <= 0.6: why\n"
            for n, outcome in enumerate(outcomes)
        ]
        passed = [x for x in lines if x.startswith("passed")]
        others = [x for x in lines if not x.startswith("passed")]
        self.assertEqual(out.getvalue(), "".join(passed))
        self.assertEqual(errors.getvalue(), "".join(others))


class StartTensorFlowTest(Folder):
    def start(self, body=""):
        (self.dir / "tensorflow.py").write_text(
            FAKE_TENSORFLOW.format(body=body)
        )
        return self.run_program(
            "from qmia_tf import quiet; quiet.start_tensorflow();"
            "print('after', file=sys.stderr, flush=True);"
            "import os; os.write(2, b'and here')",
            PYTHONPATH=os.pathsep.join([str(self.dir), str(ROOT)]),
        )

    def test_start_up_messages_are_turned_away(self):
        done = self.start()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "after\nand here")

    def test_keras_json_does_not_count(self):
        done = self.start(
            "import types\n"
            "keras = types.ModuleType('keras')\n"
            "keras.config = types.SimpleNamespace(\n"
            "    set_floatx=print, set_image_data_format=print)\n"
            "sys.modules['keras'] = keras"
        )
        self.assertIn("float32\nchannels_last\n", done.stdout)

    def test_failing_import_shows_them(self):
        done = self.start(body="raise ImportError('no such lib')")
        self.assertEqual(done.returncode, 70)
        self.assertIn("cuda is not here", done.stderr)
        self.assertIn("ImportError: no such lib", done.stderr)


if __name__ == "__main__":
    absltest.main()
