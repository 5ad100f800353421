import contextlib
import os
import pathlib
import runpy
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from unittest import mock

import setuptools
from absl.testing import absltest

import qmia_tf

ROOT = pathlib.Path(__file__).resolve().parent.parent


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=os.path.expanduser("~"),
    ).stdout.splitlines()


def set_up():
    """What setup.py says."""
    with (
        contextlib.chdir(ROOT),
        mock.patch.object(setuptools, "setup") as setup,
    ):
        runpy.run_path("setup.py")
    return setup.call_args.kwargs


class PackageTest(absltest.TestCase):
    def test_import_brings_only_the_package(self):
        code = (
            "import sys; before = set(sys.modules); import qmia_tf;"
            "print(*sorted(set(sys.modules) - before), sep='\\n')"
        )
        self.assertEqual(python(code), ["qmia_tf"])

    def test_names_of_the_package_are_brought_when_asked_for(self):
        code = (
            "import sys, qmia_tf;"
            "from qmia_tf.experiments.model_audit import audit;"
            "print(qmia_tf.audit is audit, 'audit' in dir(qmia_tf),"
            "'tensorflow' in sys.modules, hasattr(qmia_tf, 'gone'))"
        )
        self.assertEqual(python(code), ["True True False False"])

    def test_installed_version_is_the_version_in_the_source(self):
        self.assertEqual(metadata.version("qmia_tf"), qmia_tf.__version__)

    def test_this_checkout_is_what_is_installed(self):
        self.assertEqual(
            python("import qmia_tf; print(qmia_tf.__file__)"),
            [str(ROOT / "qmia_tf" / "__init__.py")],
        )

    def test_paper_and_tools_are_not_installed(self):
        packages = set_up()["packages"]
        self.assertContainsSubset(["qmia_tf", "qmia_tf.report"], packages)
        self.assertEqual({x.partition(".")[0] for x in packages}, {"qmia_tf"})

    def test_wheel_is_whole(self):
        """Modules, templates and data of the package; nothing besides."""
        source = pathlib.Path(self.create_tempdir().full_path)
        for name in ("setup.py", "pyproject.toml", "LICENSE"):
            shutil.copy(ROOT / name, source)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "qmia_tf", source / "qmia_tf", ignore=ignored)
        (source / "tests").mkdir()
        (source / "tests" / "__init__.py").touch()
        code = "import sys; from setuptools import build_meta as build;"
        code += "print(build.build_wheel(sys.argv[1]))"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, str(source)],
            cwd=source,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": ""},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        wheel = source / done.stdout.splitlines()[-1]
        with zipfile.ZipFile(wheel) as archive:
            held = {n for n in archive.namelist() if ".dist-info/" not in n}
        kept = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "qmia_tf").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        self.assertEqual(held, kept)
        self.assertIn("qmia_tf/py.typed", held)

    def test_every_requirement_of_the_tests_is_locked(self):
        names = {
            line.split("==")[0]
            for line in (ROOT / "constraints.txt").read_text().splitlines()
            if "==" in line
        }
        options = set_up()
        needs = options["install_requires"] + options["extras_require"]["test"]
        for name in needs:
            for sign in "<>=!~ ":
                name = name.split(sign)[0]
            self.assertIn(name.lower().replace("_", "-"), names)

    def test_the_lock_names_no_place(self):
        text = (ROOT / "constraints.txt").read_text()
        for word in ("://", "--index", "--find-links", " @ ", "/home", "/tmp"):
            self.assertNotIn(word, text)


if __name__ == "__main__":
    absltest.main()
