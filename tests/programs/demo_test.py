"""Tests of `qmia demo`: an audit from an installed wheel, without training."""

import pathlib
import subprocess
import sys
import tempfile

from absl.testing import absltest

import qmia_tf
from qmia_tf.programs import demo

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Packages that the light core does not bring.
HEAVY = (
    *("tensorflow", "keras", "tf_keras", "sklearn", "tensorflow_datasets"),
    *("tensorflow_privacy", "tensorflow_model_optimization", "h5py"),
)
WITHOUT = f"""
import sys

class Blocked:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)

sys.meta_path.insert(0, Blocked)
from qmia_tf import cli
cli.main(["demo", *sys.argv[1:]])
"""


class DemoTest(absltest.TestCase):
    def test_files_are_those_of_tflite_models(self):
        files = sorted(demo.FOLDER.iterdir())
        self.assertEqual(
            files, sorted([demo.MODEL, demo.MEMBERS, demo.NONMEMBERS])
        )
        for path in files:
            shipped = ROOT / "tflite_models" / path.name
            self.assertEqual(path.read_bytes(), shipped.read_bytes(), path.name)

    def test_shows_a_severe_leak_with_the_light_core_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-c", WITHOUT, "--out=demo"],
                cwd=folder,
                capture_output=True,
                text=True,
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("severe leak", done.stdout)
            self.assertLessEqual(done.stdout.count("\n"), 40)
            page = pathlib.Path("demo/report/report.html")
            self.assertIn(str(page), done.stdout)
            self.assertTrue((folder / page).is_file())
            result = qmia_tf.load_audit(pathlib.Path(folder, "demo"))
        (target,) = result.targets
        self.assertEqual(target.leak.verdict, "severe leak")
        # Wrong labels do not tell members without the model.
        self.assertFalse(result.blind_baseline.distinguishable)


if __name__ == "__main__":
    absltest.main()
