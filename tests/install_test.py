"""The shell scripts, on a copy of the checkout and with a make-believe Python.

The make-believe Python's `-m venv DIR` puts itself into DIR, its `-m pip`
notes its arguments and ends as FAKE_PIP says, its uv as FAKE_UV says, and a
program it is asked to run is noted and not run. Tests at the end use a real
venv and the real pip.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from absl.testing import absltest, parameterized

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "setup.py",
    "constraints.txt",
    "pyproject.toml",
    "LICENSE",
    "qmia_tf/__init__.py",
    "scripts/setup_venv.sh",
    "scripts/quickstart.sh",
    "scripts/test.sh",
    "tools/uv_installer.py",
    ".ci/run",
)
FOLDERS = {"quickstart.sh": "scripts", "test.sh": "scripts", "run": ".ci"}
FAKE_PYTHON = """#!/usr/bin/env bash
version={version}
log={log}
case "$1 $2" in
  "-c "*version_info*) echo "$version" ;;
  "-c import uv") [ -e "$0-uv" ] ;;
  "-c "*) exit {import_status} ;;
  "-m venv")
    [ -z "$FAKE_VENV" ] || {{ echo "$FAKE_VENV" >&2; exit 1; }}
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    ;;
  "-m pip")
    echo "pip $*" >>"$log"
    case $FAKE_PIP in
      stop) kill -KILL 0 ;;
      none) echo "ERROR: No matching distribution found for a"; exit 1 ;;
      cut) echo "WARNING: Retrying after connection broken by" \\
        "'NewConnectionError('<x at 0x7f>: Failed: no route')': /simple/a/"
        echo "ERROR: ResolutionImpossible: for help visit"; exit 1 ;;
      half) echo "Installing collected packages: a"; exit 1 ;;
      full) echo "ERROR: Could not install packages due to an OSError:" \\
        "[Errno 28] No space left on device"; exit 1 ;;
    esac
    case " $* " in
      *" uv "*) [ -z "$FAKE_NO_UV" ] || exit 1; : >"$0-uv" ;;
    esac
    ;;
  "tools/uv_installer.py "*)
    echo "uv $*" >>"$log"
    case $FAKE_UV in
      stop) kill -KILL 0 ;;
      fetch) echo "Resolved 9 packages in 1s"
        echo "error: Failed to fetch: a"; exit 1 ;;
      half) echo "Resolved 9 packages in 1s"
        echo "error: Failed to install: a"; exit 1 ;;
      full) echo "error: No space left on device (os error 28)"; exit 1 ;;
      wait) sleep 1 ;;
    esac
    ;;
  *)
    echo "${{TF_ENABLE_ONEDNN_OPTS:+oneDNN $TF_ENABLE_ONEDNN_OPTS: }}run $*" \\
      >>"$log"
    case $FAKE_FAILING in
      "") ;;
      "${{TF_ENABLE_ONEDNN_OPTS-as it is}}") exit 1 ;;
    esac
    ;;
esac
"""


class ScriptsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.checkout = Path(self.create_tempdir().full_path) / "check out"
        for name in COPIED:
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.checkout / name)
        self.bin = Path(self.create_tempdir().full_path)
        self.log = self.bin / "log"
        self.venv = self.checkout / ".venv"

    def fake_python(self, name, version="3.12", import_status=0):
        path = self.bin / name
        path.write_text(
            FAKE_PYTHON.format(
                version=version, log=self.log, import_status=import_status
            )
        )
        path.chmod(0o755)
        return str(path)

    def command(self, script, arguments, python, settings):
        keep = ("PATH", "HOME", "LANG", "TMPDIR")
        environment = {k: os.environ[k] for k in keep if k in os.environ}
        if python:
            environment["PYTHON"] = python
        return {
            "args": ["bash", str(self.checkout / FOLDERS[script] / script)]
            + list(arguments),
            "env": environment | settings,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "start_new_session": True,
            "cwd": self.bin,
        }

    def run_script(self, script, *arguments, python=None, **settings):
        command = self.command(script, arguments, python, settings)
        return subprocess.run(**command, check=False)

    def logged(self):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines

    def assert_stops(self, done, *words):
        self.assertEqual(done.returncode, 2, done)
        self.assertRegex(done.stderr, r"\Aerror: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, done.stderr)

    def assert_works(self, done):
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(done.stderr, "")

    @parameterized.product(
        script=["quickstart.sh", "test.sh"], version=["3.9", "3.10", "3.14"]
    )
    def test_python_of_another_age(self, script, version):
        python = self.fake_python("python3", version)
        self.assert_stops(
            self.run_script(script, python=python), version, "3.11, 3.12 or"
        )
        self.assertFalse(self.venv.exists())

    @parameterized.parameters("quickstart.sh", "test.sh")
    def test_python_that_is_not_there(self, script):
        done = self.run_script(script, python="python3.12-not-there")
        self.assert_stops(done, "python3.12-not-there was not found")

    def test_python_that_does_not_run(self):
        python = self.bin / "python3.12"
        python.write_text("#!/bin/sh\necho 'shim: no such version' >&2; exit 1")
        python.chmod(0o755)
        done = self.run_script("test.sh", python=str(python))
        self.assert_stops(done, "does not run (shim: no such version)")

    def test_python_without_ensurepip(self):
        python = self.fake_python("python3.12", import_status=1)
        done = self.run_script("test.sh", python=python)
        self.assert_stops(done, "apt-get install python3.12-venv")
        self.assertFalse(self.venv.exists())

    def test_first_fitting_python_is_found(self):
        for name in ("bash", "dirname", "cksum", "cat", "mkdir", "cp", "rm"):
            os.symlink(shutil.which(name), self.bin / name)
        path = str(self.bin)
        done = self.run_script("quickstart.sh", PATH=path)
        self.assert_stops(done, "none was found", "PYTHON=/path/to")
        self.fake_python("python3", "3.9")
        self.fake_python("python3.11", import_status=1)
        done = self.run_script("quickstart.sh", PATH=path)
        self.assert_stops(done, "python3 is Python 3.9", "python3.12-venv")
        self.fake_python("python3.13", "3.13")
        done = self.run_script("quickstart.sh", PATH=path)
        self.assert_works(done)
        self.assertIn("making .venv with python3.13", done.stdout)

    def test_venv_that_fails_is_made_anew(self):
        python = self.fake_python("python3.12")
        done = self.run_script(
            "test.sh", python=python, FAKE_VENV="Error: no room"
        )
        self.assert_stops(done, "-m venv failed: Error: no room")
        done = self.run_script("test.sh", python=python)
        self.assert_works(done)
        self.assertIn("removing .venv: an earlier run", done.stdout)

    @parameterized.parameters(
        ({"FAKE_UV": "stop"}, True),
        ({"FAKE_UV": "full"}, False),
        ({"FAKE_PIP": "stop"}, True),
        ({"FAKE_PIP": "half"}, True),
        ({"FAKE_PIP": "full"}, False),
    )
    def test_half_installed_is_not_taken_for_whole(self, how, is_anew):
        python = self.fake_python("python3.12")
        done = self.run_script("test.sh", python=python, **how)
        if "stop" in how.values():
            self.assertEqual(done.returncode, -signal.SIGKILL)
        else:
            self.assert_stops(done, str(self.venv / "install.log"))
        if "full" in how.values():
            self.assertIn("the disk is full", done.stderr)
        self.logged()
        done = self.run_script("test.sh", python=python)
        self.assert_works(done)
        if is_anew:
            self.assertIn("removing .venv", done.stdout)
        *_, uv, tests = self.logged()
        self.assertStartsWith(uv, "uv tools/uv_installer.py")
        self.assertStartsWith(tests, "run -m pytest")

    def test_uv_installs(self):
        python = self.fake_python("python3.12")
        self.assert_works(self.run_script("test.sh", python=python))
        pip, uv, _ = self.logged()
        self.assertRegex(pip, "^pip -m pip install .* -c constraints.txt uv$")
        self.assertEqual(
            uv, "uv tools/uv_installer.py -c constraints.txt -e .[test]"
        )

    @parameterized.parameters({"FAKE_NO_UV": "1"}, {"FAKE_UV": "half"})
    def test_pip_installs_what_uv_does_not(self, **settings):
        python = self.fake_python("python3.12")
        done = self.run_script("quickstart.sh", python=python, **settings)
        self.assert_works(done)
        *_, pip, _ = self.logged()
        self.assertRegex(
            pip, r"^pip -m pip install .* -c constraints.txt -e \.\[all\]$"
        )
        self.assertEqual("pip goes on" in done.stdout, "FAKE_UV" in settings)

    def test_second_run_installs_nothing(self):
        python = self.fake_python("python3.12")
        self.assert_works(self.run_script("test.sh", python=python))
        self.assertLen(self.logged(), 3)
        self.assert_works(self.run_script("test.sh"))
        self.assertLen(self.logged(), 1)
        self.assert_works(self.run_script("quickstart.sh", "--seed=1"))
        program = self.checkout / "scripts" / "quickstart.py"
        self.assertEqual(self.logged(), [f"run {program} --seed=1"])

    def test_tests_need_more_than_the_quickstart(self):
        python = self.fake_python("python3.12")
        self.assert_works(self.run_script("quickstart.sh", python=python))
        self.assertEndsWith(self.logged()[1], "-c constraints.txt -e .[all]")
        self.assert_works(self.run_script("test.sh"))
        self.assertEndsWith(self.logged()[0], "-c constraints.txt -e .[test]")

    @parameterized.parameters(
        {"FAKE_UV": "stop"}, {"FAKE_UV": "half", "FAKE_PIP": "none"}
    )
    def test_stopped_update_is_not_taken_for_whole(self, **how):
        python = self.fake_python("python3.12")
        self.assert_works(self.run_script("test.sh", python=python))
        (self.checkout / "constraints.txt").write_text("numpy==2.4.6\n")
        self.run_script("test.sh", **how)
        done = self.run_script("test.sh", python=python)
        self.assert_works(done)
        self.assertIn("removing .venv", done.stdout)

    def test_update_that_could_not_begin_keeps_what_is_there(self):
        python = self.fake_python("python3.12")
        self.assert_works(self.run_script("test.sh", python=python))
        (self.checkout / "constraints.txt").write_text("numpy==2.4.6\n")
        done = self.run_script("test.sh", FAKE_UV="fetch", FAKE_PIP="none")
        self.assert_stops(done, "network", "No matching distribution")
        done = self.run_script("test.sh")
        self.assert_works(done)
        self.assertNotIn("removing .venv", done.stdout)
        self.assertIn("installed", done.stdout)

    @parameterized.parameters("constraints.txt", "setup.py")
    def test_changed_needs_are_installed(self, name):
        python = self.fake_python("python3.12")
        self.assert_works(self.run_script("test.sh", python=python))
        self.logged()
        with open(self.checkout / name, "a") as file:
            file.write("# changed\n")
        self.assert_works(self.run_script("quickstart.sh"))
        self.assertLen(self.logged(), 2)
        self.assert_works(self.run_script("test.sh"))
        self.assertLen(self.logged(), 2)

    def test_moved_checkout_is_installed_again(self):
        python = self.fake_python("python3.12")
        self.assert_works(self.run_script("test.sh", python=python))
        self.logged()
        self.checkout = self.checkout.rename(self.checkout.parent / "moved")
        self.assert_works(self.run_script("test.sh"))
        self.assertLen(self.logged(), 2)

    def test_another_python_makes_another_venv(self):
        python = self.fake_python("python3.12")
        self.assert_works(self.run_script("test.sh", python=python))
        other = self.fake_python("python3.13", "3.13")
        done = self.run_script("test.sh", python=other)
        self.assert_works(done)
        self.assertIn("it is Python 3.12 and PYTHON=", done.stdout)

    def test_venv_whose_python_is_gone_is_made_anew(self):
        (self.venv / "bin").mkdir(parents=True)
        os.symlink(self.bin / "gone", self.venv / "bin" / "python")
        (self.venv / "stray").touch()
        done = self.run_script("test.sh", python=self.fake_python("python3.12"))
        self.assert_works(done)
        self.assertFalse((self.venv / "stray").exists())

    @absltest.skipUnless(shutil.which("flock"), "needs flock")
    def test_two_runs_at_once_take_turns(self):
        python = self.fake_python("python3.12")
        settings = {"FAKE_UV": "wait"}
        first = subprocess.Popen(
            **self.command("quickstart.sh", [], python, settings)
        )
        while not (self.venv / "unfinished").exists():
            time.sleep(0.02)
        second = self.run_script("quickstart.sh", python=python)
        self.assertIn("waiting for it", second.stdout)
        self.assertNotIn("removing", second.stdout)
        self.assert_works(second)
        first.communicate()
        self.assertEqual(first.returncode, 0)
        self.assertLen([s for s in self.logged() if s.startswith("uv")], 1)

    def test_options_of_the_tests(self):
        python = self.fake_python("python3.12")
        one = self.checkout / "tests" / "a_test.py"
        one.parent.mkdir()
        one.touch()
        self.run_script("test.sh", python=python)
        self.assertIn("-n logical", self.logged()[-1])
        self.run_script("test.sh", "--slow", "tests/a_test.py", "-x")
        line = self.logged()[-1]
        self.assertIn("-n 0 ", line)
        self.assertEndsWith(line, " tests/a_test.py -x")
        self.run_script("test.sh", "--fast")
        self.assertEndsWith(self.logged()[-1], " --fast")
        self.run_script("test.sh", "../check out/tests/a_test.py::T::t")
        self.assertIn("tests/a_test.py::T::t", self.logged()[-1])

    def list_kernel_tests(self, *names):
        path = self.checkout / "tests" / "kernel_tests.txt"
        path.parent.mkdir()
        path.write_text("# Which and why.\n\n" + "\n".join(names) + "\n")
        return " ".join(f"{path.parent.parent}/{name}" for name in names)

    def test_those_that_depend_on_kernels(self):
        python = self.fake_python("python3.12")
        files = self.list_kernel_tests("tests/a_test.py", "tests/b/c_test.py")
        self.assert_works(
            self.run_script("test.sh", "--kernels", "-x", python=python)
        )
        line = self.logged()[-1]
        self.assertIn("-n logical", line)
        self.assertEndsWith(line, f" {files} -x")

    @parameterized.parameters(
        ({}, 0), ({"FAKE_FAILING": "as it is"}, 1), ({"FAKE_FAILING": "0"}, 1)
    )
    def test_ci_runs_kernels_under_both_settings(self, settings, status):
        python = self.fake_python("python3.12")
        files = self.list_kernel_tests("tests/a_test.py", "tests/b_test.py")
        done = self.run_script("run", python=python, **settings)
        self.assertEqual(done.returncode, status, done)
        *_, whole, some = self.logged()
        self.assertStartsWith(whole, "run -m pytest")
        self.assertStartsWith(some, "oneDNN 0: run -m pytest")
        self.assertNotIn("_test.py", whole)
        self.assertEndsWith(some, f" {files}")
        self.assertIn("TF_ENABLE_ONEDNN_OPTS=0", done.stdout)

    def test_no_network_is_said_in_the_first_place(self):
        python = self.fake_python("python3.12")
        done = self.run_script("test.sh", python=python, FAKE_PIP="cut")
        self.assert_stops(
            done, "there is no network", "Failed: no route')': /simple/a/"
        )

    def test_packages_that_cannot_be_reached(self):
        done = self.run_script(
            "test.sh",
            python=sys.executable,
            PIP_NO_INDEX="1",
            PIP_CONFIG_FILE=os.devnull,
        )
        self.assert_stops(
            done, "is there a network? pip said: No matching distribution"
        )
        self.assertFalse((self.venv / "installed-test").exists())
        self.assertIn("ERROR", (self.venv / "install.log").read_text())


if __name__ == "__main__":
    absltest.main()
