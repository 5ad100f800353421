"""The worked cases of examples/: quick, and with --slow as they stand."""

import importlib
import json
import pathlib
import re
import subprocess
import sys

import slow_tests
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.auditing import audit_result

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
QUICK = {
    "keras_file": {"epochs": 3},
    "device_outputs": {"epochs": 3},
    "quantized_cnn": {"bits": (4,), "epochs": 5, "more_epochs": 1},
    "reference_models": {"epochs": 3, "count": 2},
}
TARGETS = {
    "keras_file": ["mine"],
    "device_outputs": ["file", "log"],
    "quantized_cnn": ["float", "w4a4", "w4a4_int8"],
    "reference_models": ["mine"],
}
AS_IT_STANDS = {
    **TARGETS,
    "quantized_cnn": [
        "float",
        "w8a8",
        "w4a4",
        "w2a2",
        "w4a4_int8",
        "w2a2_int8",
    ],
}


class ExamplesTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        sys.path.insert(0, str(EXAMPLES))
        self.addCleanup(sys.path.remove, str(EXAMPLES))

    def test_all_of_them_are_run(self):
        names = [path.stem for path in EXAMPLES.glob("*.py")]
        self.assertCountEqual(names, QUICK)

    def test_the_guide_names_them_and_flags_that_there_are(self):
        guide = "".join(
            (ROOT / "docs" / name).read_text()
            for name in ("your_model.md", "inputs.md", "read_the_result.md")
        )
        for name in QUICK:
            self.assertIn(f"{name}.py", guide)
        sources = [
            ROOT / "qmia_tf/programs/audit.py",
            ROOT / "qmia_tf/programs/gate_options.py",
            ROOT / "qmia_tf/programs/options.py",
        ]
        text = "".join(path.read_text() for path in sources)
        known = re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", text)
        named = set(re.findall(r"--(\w+)", guide))
        # --quiet is every program's.
        self.assertContainsSubset(named, [*known, "quiet"])

    def run_example(self, name):
        result = importlib.import_module(name).main(self.dir, **QUICK[name])
        self.assertEqual([x.target for x in result.targets], TARGETS[name])
        self.assertEqual(audit_result.load(self.dir / "audit"), result)
        self.assertFalse(result.blind_baseline.distinguishable)
        for target in result.targets:
            self.assertEqual((target.members, target.nonmembers), (899, 898))
            self.assertIsNotNone(target.strongest)
            self.assertNotEqual(target.leak.verdict, "cannot say")
        return result

    def test_keras_file(self):
        result = self.run_example("keras_file")
        self.assertEqual(result.config["models"][0]["input_range"], "0..255")
        self.assertIn("quantile", result.targets[0].strongest.candidates)

    def test_device_outputs(self):
        result = self.run_example("device_outputs")
        file, log = result.targets
        # Three digits change an answer by up to half a thousandth.
        (alike,) = result.agreements
        self.assertLess(alike.largest_difference, 0.0006)
        self.assertAlmostEqual(log.probability_step, 0.001)
        # A log cannot be asked about changed copies.
        left_out = {attack.name for attack in log.attacks_left_out}
        self.assertIn("noise_robustness", left_out)
        self.assertIn("noise_robustness", file.strongest.candidates)

    def test_quantized_cnn(self):
        result = self.run_example("quantized_cnn")
        _, model, file = result.targets
        self.assertEqual((model.kind, file.kind), ("keras", "tflite"))
        self.assertLess(file.size_bytes, model.size_bytes / 2)
        # The file computes the same integers but for its folded batch norms.
        self.assertAllClose(
            file.accuracy_nonmembers.value,
            model.accuracy_nonmembers.value,
            atol=0.02,
        )

    def test_reference_models(self):
        result = self.run_example("reference_models")
        self.assertEqual(result.references, ["r00", "r01"])
        self.assertIn("lira_online", result.targets[0].strongest.candidates)

    @slow_tests.slow
    @parameterized.parameters(*QUICK)
    def test_as_it_stands(self, name):
        done = subprocess.run(
            [sys.executable, EXAMPLES / f"{name}.py"],
            cwd=self.dir,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        (path,) = self.dir.glob("runs/*/audit/audit.json")
        self.assertEqual(
            [x["target"] for x in json.loads(path.read_text())["targets"]],
            AS_IT_STANDS[name],
        )
        self.assertIn("The strongest of ", " ".join(done.stdout.split()))


if __name__ == "__main__":
    tf.test.main()
