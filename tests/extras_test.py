"""The light core, and what is said where an extra is missing."""

import importlib.metadata
import pathlib
import subprocess
import sys
from unittest import mock

import numpy as np
import package_test
from absl.testing import absltest, parameterized
from sklearn.datasets import load_digits

from qmia_tf import extras, quiet
from qmia_tf.attacks.tfprivacy import module_loader
from qmia_tf.data import loaders
from qmia_tf.errors import InputError
from qmia_tf.targets import listing
from qmia_tf.targets.model_options import ModelOptions
from qmia_tf.training import tensorboard_events

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE = ROOT / "tflite_models/digits_w2a2_int8.tflite"
# qmia without what is named first, separated by commas.
BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in names:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

names = sys.argv[1].split(",")
sys.meta_path.insert(0, Blocked())
from qmia_tf import cli
cli.main(sys.argv[2:])
"""


def qmia_without(modules, *arguments):
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, ",".join(modules), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def names_of(requirements):
    return {item.split(">")[0].split("=")[0] for item in requirements}


class ExtrasTest(parameterized.TestCase):
    def test_every_extra_brings_what_the_message_says(self):
        options = package_test.set_up()
        core = names_of(options["install_requires"])
        by_extra = {
            name: names_of(needs)
            for name, needs in options["extras_require"].items()
        }
        for module, (package, extra) in extras.EXTRAS.items():
            with self.subTest(module):
                self.assertIn(package, by_extra[extra])
                self.assertNotIn(package, core)

    def test_all_is_all_and_the_tests_need_it(self):
        needs = {
            name: set(listed)
            for name, listed in package_test.set_up()["extras_require"].items()
        }
        # Ray is of use on a cluster alone.
        others = ("docs", "test", "ray")
        users = {name: needs[name] for name in needs if name not in others}
        self.assertEqual(needs["all"], set().union(*users.values()))
        self.assertContainsSubset(needs["all"], needs["test"])

    @parameterized.parameters(*extras.EXTRAS)
    def test_message(self, module):
        package, extra = extras.EXTRAS[module]
        with mock.patch.dict(sys.modules, {module: None}):
            with self.assertRaises(InputError) as caught:
                extras.require(module, "the work")
        self.assertEqual(
            str(caught.exception),
            f"the work needs {package}, which is not installed: pip install "
            f'"qmia_tf[{extra}]"',
        )

    def test_installed_ones_are_found_but_not_imported(self):
        before = set(sys.modules)
        for module in extras.EXTRAS:
            if module != "ray":
                extras.require(module, "the work")
        self.assertEqual(set(sys.modules) & set(extras.EXTRAS) - before, set())

    def test_import_that_failed(self):
        for name in ("tensorflow", "tensorflow.python"):
            error = extras.of_import(ModuleNotFoundError(name=name), "this")
            self.assertIn("this needs tensorflow, which", str(error))
        for name in ("qmia_tf.gone", None):
            error = ModuleNotFoundError(name=name)
            self.assertIsNone(extras.of_import(error, "this"))


class MissingTest(parameterized.TestCase):
    """Each place that needs an extra, without it."""

    def assert_needs(self, module, extra, work, *arguments, **options):
        with (
            mock.patch.dict(sys.modules, {module: None}),
            self.assertRaisesRegex(
                InputError, rf'pip install "qmia_tf\[{extra}\]"'
            ),
        ):
            work(*arguments, **options)

    def test_tensorflow(self):
        self.assert_needs("tensorflow", "train", quiet.start_tensorflow)

    @parameterized.parameters("tensorflow_datasets", "importlib_resources")
    def test_tfds(self, module):
        source = "tfds:cifar10:test"
        self.assert_needs(module, "tfds", loaders.load_side, source)

    def test_digits(self):
        self.assert_needs(
            "sklearn", "train", loaders.load, "digits", pool="all"
        )

    def test_keras_model(self):
        path = pathlib.Path(self.create_tempdir().full_path) / "a.keras"
        path.touch()
        self.assert_needs(
            *("keras", "train", listing.list_model, "a", path, ModelOptions()),
            numbers=None,
        )

    def test_tensorboard(self):
        work = tensorboard_events.require
        self.assert_needs("tensorboard", "tensorboard", work)

    def test_tfmot(self):
        self.assert_needs(
            *("tensorflow_model_optimization", "tfmot"),
            extras.require_packages,
            ("tensorflow-model-optimization", "of another"),
            "scheme a",
        )

    def test_tfprivacy(self):
        missing = importlib.metadata.PackageNotFoundError
        with mock.patch("importlib.metadata.distribution", side_effect=missing):
            self.assert_needs(
                *("tensorflow_privacy", "tfprivacy"),
                module_loader.load.__wrapped__,
            )

    def test_quantize_model(self):
        code = (
            "import sys; sys.modules['keras'] = None\n"
            "import qmia_tf; qmia_tf.quantize_model"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        )
        self.assertEndsWith(
            done.stderr,
            "InputError: qmia_tf.quantize_model needs keras, which is not "
            'installed: pip install "qmia_tf[train]"\n',
        )


class ProgramsTest(parameterized.TestCase):
    """Programs where only the light core, or not everything, is installed."""

    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        digits = load_digits()
        images = np.round(digits.images * (255 / 16)).astype(np.uint8)
        for name, start in (("members", 0), ("nonmembers", 300)):
            part = slice(start, start + 300)
            np.savez(
                self.dir / f"{name}.npz",
                images=images[part],
                labels=digits.target[part],
            )
        self.sides = [
            f"--{name}={self.dir / name}.npz"
            for name in ("members", "nonmembers")
        ]

    def audit(self, *arguments, out="audit"):
        return qmia_without(
            extras.EXTRAS, "audit", f"--out={self.dir / out}", *arguments
        )

    def test_the_light_core_audits_and_reports(self):
        done = self.audit(f"--model={FILE}", *self.sides)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn('pip install "qmia_tf[tfprivacy]"', done.stdout)
        saved = self.dir / "audit/outputs/digits_w2a2_int8.npz"
        done = self.audit(f"--model={saved}", out="again")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        pages = self.dir / "pages"
        done = qmia_without(
            extras.EXTRAS,
            "report",
            f"--run_dirs={self.dir / 'audit'},{self.dir / 'again'}",
            f"--out={pages}",
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue((pages / "report.html").is_file())

    @parameterized.parameters(
        (("--model={}/a.keras",), "tensorflow", "train"),
        (("--members=tfds:cifar10:test",), "tensorflow-datasets", "tfds"),
        (("--tfprivacy=trained",), "tensorflow-privacy", "tfprivacy"),
    )
    def test_audit_says_what_it_needs(self, flags, package, extra):
        (self.dir / "a.keras").touch()
        given = [flag.format(self.dir) for flag in flags]
        done = self.audit(f"--model={FILE}", *self.sides, *given)
        self.assert_missing(done, package, extra)

    @parameterized.parameters(
        ("train", "--run_dir={}/r"), ("quickstart", "--out={}/r")
    )
    def test_programs_that_train(self, command, flag):
        done = qmia_without(extras.EXTRAS, command, flag.format(self.dir))
        self.assert_missing(done, "tensorflow", "train")

    def test_data_set_of_tfds(self):
        arguments = ("train", f"--run_dir={self.dir}/r", "--dataset=cifar10")
        done = qmia_without(extras.EXTRAS, *arguments)
        self.assert_missing(done, "tensorflow-datasets", "tfds")

    def assert_missing(self, done, package, extra):
        self.assertEqual(done.returncode, 2, done)
        self.assertRegex(
            done.stderr,
            rf"\Aerror: [^\n]* needs {package}, which is not installed: pip "
            rf'install "qmia_tf\[{extra}\]"\n\Z',
        )


if __name__ == "__main__":
    absltest.main()
