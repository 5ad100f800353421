"""Artefacts minus the full-precision Keras model."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from report_runs import FULL, Reports

from qmia_tf.auditing import audit, audit_result
from qmia_tf.report import parent_changes, run_list
from qmia_tf.statistics import paired_differences


class Artefacts(Reports):
    def add(self, folder, target, *, seed=0, indices=slice(None), **info):
        """Another target of a run, asked about the same records."""
        keras = synthetic_outputs.outputs(60, 60, gain=(4.0, 3.0))
        rng = np.random.default_rng(seed)
        other = rng.permuted(keras.probabilities, axis=1)
        kept = rng.random(120) < 0.8
        rows = np.where(kept[:, None], keras.probabilities, other)
        answers = dataclasses.replace(
            keras,
            probabilities=rows,
            info={"target": target, "size_bytes": 500_000, **info},
        )
        answers.take(indices).save(folder / "outputs" / f"{target}.npz")
        return answers

    def changes(self, *folders):
        """Changes by run and target."""
        ordered = run_list.sort_runs([audit_result.load(x) for x in folders])
        return {
            (run.name, target.target): parent_changes.change(
                run, target, ordered
            )
            for run in ordered
            for target in run.audit.targets
        }


class ChangeTest(Artefacts):
    def test_is_counted_record_by_record(self):
        folder = self.run_of("full", FULL)
        after = self.add(folder, "int8_ptq").in_record_order()
        before = synthetic_outputs.outputs(60, 60, gain=(4.0, 3.0))
        before = before.in_record_order()
        audit.audit_outputs(folder)
        change_by_file = self.changes(folder)
        self.assertIsNone(change_by_file["full", "keras"])
        change = change_by_file["full", "int8_ptq"]
        inside = before.members
        now, then = (
            x.probabilities.argmax(axis=1) == x.labels for x in (after, before)
        )
        self.assertEqual(
            change.accuracy,
            paired_differences.tango(
                np.sum((now & ~then)[~inside]),
                np.sum((then & ~now)[~inside]),
                60,
            ),
        )
        self.assertEqual(
            change.gap,
            paired_differences.balanced_change(
                (now[inside], then[inside]), (now[~inside], then[~inside])
            ),
        )
        self.assertAlmostEqual(change.size, -0.8)
        audited = audit_result.load(folder)
        held_out = [
            target.attack("confidence").held_out.point.balanced_accuracy.value
            for target in audited.targets
        ]
        self.assertAlmostEqual(change.held_out.value, held_out[1] - held_out[0])
        self.assertLess(change.held_out.low, change.held_out.value)
        self.assertGreater(change.held_out.high, change.held_out.value)

    def test_full_precision_model_of_the_same_data_and_split(self):
        folders = [
            self.run_of("full", FULL),
            self.run_of("elsewhere", FULL, split__seed=5),
            self.run_of("w4a4", (4, 4), split__seed=5),
            self.run_of("other", (4, 4), split__seed=6),
            self.run_of("digits", (4, 4), dataset="digits"),
        ]
        ordered = run_list.sort_runs([audit_result.load(x) for x in folders])
        baselines = {
            run.name: parent_changes.baseline(run, ordered) for run in ordered
        }
        names = {
            name: pair and pair[0].name for name, pair in baselines.items()
        }
        self.assertEqual(
            names,
            {
                "full": "full",
                "elsewhere": "elsewhere",
                "w4a4": "elsewhere",
                "other": None,
                "digits": None,
            },
        )

    def test_model_without_a_full_precision_one(self):
        folder = self.run_of("w4a4", (4, 4))
        self.assertEqual(self.changes(folder), {("w4a4", "keras"): None})
        text = self.report(folder)
        self.assertNotIn("Change against", text)
        self.assertFalse((self.root / "report" / "changes.tex").exists())
        self.assertEqual(self.rows("artefacts")[0]["size_change"], "")

    def test_other_records_have_no_interval(self):
        folder = self.run_of("full", FULL)
        answers = self.add(folder, "int8_ptq", indices=np.arange(100))
        audit.audit_outputs(folder)
        change = self.changes(folder)["full", "int8_ptq"]
        some = answers.take(np.arange(100))
        right = some.probabilities.argmax(axis=1) == some.labels
        stored = audit_result.load(folder).targets[0].accuracy_nonmembers.value
        self.assertAlmostEqual(
            change.accuracy.value, right[~some.members].mean() - stored
        )
        for estimate in (change.accuracy, change.gap, change.held_out):
            self.assertIsNone(estimate.low)
        text = self.report(folder)
        self.assertIn("Without an interval: the two were not judged", text)

    def test_another_audit_seed_judges_another_half(self):
        full, quantized = self.run_of("full", FULL), self.run_of("w4", (4, 4))
        audit.audit_outputs(quantized, config=audit.AuditConfig(seed=9))
        change = self.changes(full, quantized)["w4", "keras"]
        self.assertIsNone(change.held_out.low)
        self.assertIsNotNone(change.gap.low)
        self.assertNotIn("Without an", self.report(full))
        self.assertIn("Without an interval", self.report(full, quantized))


if __name__ == "__main__":
    tf.test.main()
