import contextlib
import os
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from unittest import mock

import setuptools
from absl.testing import absltest

import qmia_tf

ROOT = Path(__file__).resolve().parent.parent


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=os.path.expanduser("~"),
    ).stdout.splitlines()


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
        with (
            contextlib.chdir(ROOT),
            mock.patch.object(setuptools, "setup") as setup,
        ):
            runpy.run_path("setup.py")
        packages = setup.call_args.kwargs["packages"]
        self.assertContainsSubset(["qmia_tf", "qmia_tf.report"], packages)
        self.assertEqual({x.partition(".")[0] for x in packages}, {"qmia_tf"})

    def test_every_requirement_is_locked(self):
        names = {
            line.split("==")[0]
            for line in (ROOT / "constraints.txt").read_text().splitlines()
            if "==" in line
        }
        for requirement in metadata.requires("qmia_tf"):
            name = requirement.split(";")[0]
            for sign in "<>=!~ ":
                name = name.split(sign)[0]
            self.assertIn(name.lower().replace("_", "-"), names)

    def test_the_lock_names_no_place(self):
        text = (ROOT / "constraints.txt").read_text()
        for word in ("://", "--index", "--find-links", " @ ", "/home", "/tmp"):
            self.assertNotIn(word, text)


if __name__ == "__main__":
    absltest.main()
