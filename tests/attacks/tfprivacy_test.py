"""tensorflow-privacy 0.7.3: its direction, its traps, its repeatability."""

import contextlib
import csv
import dataclasses
import importlib.metadata
import io
import pathlib
import subprocess
import sys
import types
from unittest import mock

import numpy as np
import slow_tests
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from sklearn import metrics

from qmia_tf import extras
from qmia_tf.attacks import tfprivacy
from qmia_tf.attacks.entropy import modified_entropies
from qmia_tf.attacks.losses import losses
from qmia_tf.attacks.tfprivacy import module_loader, privacy_report
from qmia_tf.errors import InputError
from qmia_tf.statistics.auc import auc

UNTRAINED = tfprivacy.Settings(
    attacks=("threshold", "threshold-entropy"), sliced=()
)
WHOLE = "Entire dataset"


def settings(*attacks, sliced=()):
    return tfprivacy.Settings(attacks=attacks, sliced=sliced)


class DirectionTest(tf.test.TestCase):
    """The example of the facts: 5 members, 7 nonmembers."""

    MEMBERS = np.array([0.0, 0, 0, 1, 2])
    NONMEMBERS = np.array([0.5, 3, 4, 5, 6, 7, 8])

    def curve(self):
        tfp = module_loader.load()
        given = tfp.data_structures.AttackInputData(
            loss_train=self.MEMBERS, loss_test=self.NONMEMBERS
        )
        results = tfp.membership_inference_attack.run_attacks(given)
        return results.single_attack_results[0].roc_curve

    def test_release_073_takes_nonmembers_as_positive(self):
        curve = self.curve()
        self.assertAllClose(curve.fpr, [0, 0, 0, 0.4, 0.4, 1])
        self.assertAllClose(
            curve.tpr, [0, 1 / 7, 6 / 7, 6 / 7, 1, 1], atol=1e-6
        )

    def test_conversion_takes_members_as_positive(self):
        curve = self.curve()
        fpr, tpr = tfprivacy.members_positive(curve.fpr, curve.tpr)
        # What release 0.8.12, which takes members as positive, gives.
        later = {(0, 0), (0, 0.6), (0.143, 0.6), (0.143, 1), (1, 1)}
        points = {
            (round(x, 3), round(y, 3)) for x, y in zip(fpr, tpr, strict=True)
        }
        self.assertTrue(later <= points, points)
        every = metrics.roc_curve(
            np.arange(12) < 5,
            -np.concatenate([self.MEMBERS, self.NONMEMBERS]),
            drop_intermediate=False,
        )
        every = {
            (round(x, 3), round(y, 3)) for x, y in zip(*every[:2], strict=True)
        }
        self.assertTrue(points <= every, points - every)
        self.assertAllGreaterEqual(np.diff(fpr), 0)
        self.assertAllGreaterEqual(np.diff(tpr), 0)
        self.assertAlmostEqual(
            metrics.auc(fpr, tpr), metrics.auc(curve.fpr, curve.tpr)
        )


class RunTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(0.0, 1 / 256)
    def test_threshold_attacks_rank_as_ours(self, step):
        """Rounded rows do not sum to one; nothing softmaxes them again."""
        outputs = synthetic_outputs.outputs(150, 100, classes=10, step=step)
        report = tfprivacy.run(outputs, settings=UNTRAINED)
        for row, values in zip(
            report.rows,
            (losses(outputs), modified_entropies(outputs)),
            strict=True,
        ):
            want = auc(-values, outputs.members)
            self.assertAlmostEqual(row.auc.value, want.value)
            self.assertEqual((row.members, row.nonmembers), (150, 100))
            self.assertEqual(row.slice, WHOLE)
        self.assertGreater(want.value, 0.55)

    def test_slices(self):
        outputs = synthetic_outputs.outputs(60, 60, classes=3)
        report = tfprivacy.run(
            outputs, settings=settings("threshold", sliced=("threshold",))
        )
        rows = {row.slice: row for row in report.rows}
        classes = [f"CLASS={label}" for label in range(3)]
        correct = [f"CORRECTLY_CLASSIFIED={x}" for x in (True, False)]
        self.assertEqual(list(rows), [WHOLE, *classes, *correct])
        for label, name in enumerate(classes):
            chosen = outputs.labels == label
            self.assertEqual(
                rows[name].members, (chosen & outputs.members).sum()
            )
        right = outputs.probabilities.argmax(axis=1) == outputs.labels
        self.assertEqual(
            rows[correct[1]].nonmembers, (~right & ~outputs.members).sum()
        )
        self.assertIn("CLASS=2", report.summary)

    @parameterized.parameters(
        # Nobody is classified wrong; an AUC below 2/5 stopped the summary.
        ((40.0, 2.0), {"CORRECTLY_CLASSIFIED=True"}, 0.6, 1.0),
        ((0.0, 4.0), {"CORRECTLY_CLASSIFIED=False"}, 0.0, 0.4),
    )
    def test_slices_and_summaries_of_extremes(self, gain, names, low, high):
        outputs = synthetic_outputs.outputs(80, 80, gain=gain)
        report = tfprivacy.run(
            outputs, settings=settings("threshold", sliced=("threshold",))
        )
        slices = {row.slice for row in report.rows}
        self.assertContainsSubset(names, slices)
        wrong = "CORRECTLY_CLASSIFIED=False"
        self.assertEqual(wrong in slices, gain[0] < 9)
        self.assertBetween(report.rows[0].auc.value, low, high)
        self.assertIn("achieved an AUC of", report.summary)

    def test_trained_attacks_repeat_and_leave_numpys_generator(self):
        outputs = synthetic_outputs.outputs(90, 90)
        before = np.random.get_state()[1].tolist()
        one, other, third = (
            tfprivacy.run(outputs, settings=settings("lr", "knn"), seed=seed)
            for seed in (0, 0, 1)
        )
        self.assertEqual(one, other)
        self.assertNotEqual(one.rows, third.rows)
        self.assertEqual(np.random.get_state()[1].tolist(), before)
        self.assertEqual(
            [(row.attack, row.members, row.nonmembers) for row in one.rows],
            [
                ("LOGISTIC_REGRESSION", 23, 22),
                ("K_NEAREST_NEIGHBORS", 23, 22),
            ],
        )
        alone = tfprivacy.run(outputs, settings=settings("knn"), seed=0)
        self.assertEqual(alone.rows[0], one.rows[1])

    @slow_tests.slow
    def test_every_attack_repeats(self):
        outputs = synthetic_outputs.outputs(60, 60)
        one, other = (tfprivacy.run(outputs, seed=3) for _ in range(2))
        self.assertEqual(one, other)
        self.assertLen({row.attack for row in one.rows}, 6)

    def test_trained_attackers_get_a_capped_share(self):
        outputs = synthetic_outputs.outputs(300, 100, classes=4)
        report = tfprivacy.run(
            outputs,
            settings=dataclasses.replace(settings("lr"), trained_records=160),
        )
        self.assertEqual(report.trained_records, 160)
        # Of 120 and 40 it balances 40 and 40, and judges on a quarter.
        self.assertEqual(
            (report.rows[0].members, report.rows[0].nonmembers), (10, 10)
        )

    def test_too_few_records_to_train_on(self):
        outputs = synthetic_outputs.outputs(15, 40)
        with self.assertRaisesRegex(InputError, "attacks lr, knn .*20 members"):
            tfprivacy.run(outputs, settings=settings("lr", "knn"))
        report = tfprivacy.run(outputs, settings=settings("lr", "threshold"))
        self.assertLen(report.rows, 1)

    def test_subsample_keeps_the_shares(self):
        outputs = synthetic_outputs.outputs(600, 200, classes=4)
        chosen = privacy_report.subsample(outputs, 200, seed=0)
        self.assertAllGreater(np.diff(chosen), 0)
        some = outputs.take(chosen)
        self.assertEqual(some.members.sum(), 150)
        for label in range(4):
            for kind in (True, False):
                whole = (outputs.labels == label) & (outputs.members == kind)
                part = (some.labels == label) & (some.members == kind)
                self.assertAlmostEqual(part.sum(), whole.sum() / 4, delta=1)
        again, other, all_of_them = (
            privacy_report.subsample(outputs, count, seed=seed)
            for count, seed in ((200, 0), (200, 1), (5000, 0))
        )
        self.assertAllEqual(chosen, again)
        self.assertNotAllEqual(chosen, other)
        self.assertAllEqual(all_of_them, np.arange(800))

    def test_files_and_progress(self):
        folder = pathlib.Path(self.create_tempdir()) / "tfprivacy"
        outputs = synthetic_outputs.outputs(40, 40, target="float32")
        lines = []
        report = tfprivacy.run(
            outputs, settings=UNTRAINED, folder=folder, progress=lines.append
        )
        self.assertEqual(
            sorted(path.name for path in folder.iterdir()),
            ["float32-losses.png", "float32.csv", "float32.png", "float32.txt"],
        )
        with open(folder / "float32.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(rows[1]["attack type"], "THRESHOLD_ENTROPY_ATTACK")
        self.assertAlmostEqual(float(rows[0]["AUC"]), report.rows[0].auc.value)
        text = (folder / "float32.txt").read_text()
        self.assertEqual(text, report.summary + "\n")
        for path in folder.glob("*.png"):
            self.assertEqual(path.read_bytes()[:4], b"\x89PNG")
        self.assertEqual(
            lines[0], "float32: tensorflow-privacy threshold on 80 records"
        )

    @parameterized.parameters(
        ({"attacks": ("lira",)}, "got lira"),
        ({"attacks": ()}, "got none"),
        ({"sliced": ("lira",)}, "got lira"),
        ({"trained_records": 79}, "80 or more, got 79"),
    )
    def test_settings_refuse(self, options, message):
        with self.assertRaisesRegex(InputError, message):
            tfprivacy.Settings(**options)

    def test_choice_of_what_to_run(self):
        threshold = tfprivacy.Settings(
            attacks=("threshold", "threshold-entropy")
        )
        mine = settings("knn")
        for choice, expected in (
            ("off", None),
            (None, None),
            ("threshold", threshold),
            ("trained", tfprivacy.Settings()),
            (mine, mine),
        ):
            self.assertEqual(tfprivacy.settings_of(choice), expected)
        for choice in (True, "all", ("lr",)):
            with self.assertRaisesRegex(InputError, "off, threshold, trained"):
                tfprivacy.settings_of(choice)

    def test_threshold_is_left_out_where_it_is_not_installed(self):
        out = io.StringIO()
        with (
            mock.patch.object(extras, "is_installed", return_value=False),
            contextlib.redirect_stdout(out),
        ):
            self.assertIsNone(tfprivacy.settings_of("threshold"))
            self.assertEqual(
                tfprivacy.settings_of("trained"), tfprivacy.Settings()
            )
        self.assertIn("not installed, its attacks are left out", out.getvalue())


class LoadingTest(parameterized.TestCase, tf.test.TestCase):
    def test_needs_no_tensorflow_and_leaves_no_parent(self):
        code = (
            "import sys\n"
            "from qmia_tf.attacks.tfprivacy import module_loader\n"
            "module_loader.load()\n"
            "left = [m for m in sys.modules if m.partition('.')[0] in\n"
            "        ('tensorflow', 'keras', 'tensorflow_privacy')]\n"
            "sys.exit(', '.join(left) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr.decode())

    def test_modules_that_were_there_come_back(self):
        real = types.ModuleType("tensorflow_privacy")
        with mock.patch.dict(sys.modules, {"tensorflow_privacy": real}):
            module_loader.load.__wrapped__()
            self.assertIs(sys.modules["tensorflow_privacy"], real)
            names = [n for n in sys.modules if n.startswith(real.__name__)]
            self.assertEqual(names, ["tensorflow_privacy"])

    @parameterized.parameters(
        (
            importlib.metadata.PackageNotFoundError,
            r"not installed: pip install .qmia_tf.tfprivacy.., "
            ".*--tfprivacy=off",
        ),
        ([types.SimpleNamespace(version="0.9.0")], "0.9.0 is installed"),
        (
            [
                types.SimpleNamespace(
                    version="0.7.3", locate_file=lambda name: "/nowhere"
                )
            ],
            "cannot be loaded",
        ),
    )
    def test_package_that_cannot_be_used(self, found, message):
        with mock.patch("importlib.metadata.distribution", side_effect=found):
            with self.assertRaisesRegex(InputError, message):
                module_loader.load.__wrapped__()


if __name__ == "__main__":
    tf.test.main()
