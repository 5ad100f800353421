"""The tables of artefacts: changes, agreement, latency, what is left out."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from report_runs import FULL, Reports

from qmia_tf import outputs
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


class TablesTest(Artefacts):
    def test_all_of_it(self):
        folder = self.run_of("full", FULL)
        for name, kernels in (("int8", "default"), ("int8.ref", "reference")):
            self.add(
                folder,
                name,
                seed=len(name),
                sha256="c" * 64,
                kernel_set=kernels,
                latency_ms=0.0271,
                latency_threads=2,
            )
        left_out = [outputs.LeftOut("float32.ref", "reference", "no ROUND")]
        audit.audit_outputs(folder, left_out=left_out)
        text = self.report(folder)
        self.assertIn("Left out: full, float32.ref: no ROUND", text)
        rows = {row["target"]: row for row in self.rows("artefacts")}
        self.assertEqual(list(rows), ["keras", "int8", "int8.ref"])
        row = rows["int8"]
        self.assertEqual(row["latency_ms"], "0.0271")
        self.assertEqual(row["latency_threads"], "2")
        self.assertEqual(row["kernel_set"], "default")
        self.assertAlmostEqual(float(row["size_change"]), -0.8)
        self.assertEqual(rows["keras"]["latency_ms"], "")
        change = self.changes(folder)["full", "int8"]
        self.assertAlmostEqual(
            float(row["accuracy_change_low"]), change.accuracy.low
        )
        value, low, high = (
            100 * x for x in dataclasses.astuple(change.accuracy)
        )
        self.assertIn(f"{value:+.2f} [{low:+.1f}, {high:+.1f}]", text)
        for name in ("artefacts", "leaks", "changes", "agreement"):
            latex = (self.root / "report" / f"{name}.tex").read_text()
            self.assertIn(rf"\label{{tab:{name}}}", latex)
            self.assertIn("int8 & ", latex)
        # Every table fits on 110 columns.
        tables = text[text.index("What each artefact is") :].splitlines()
        widths = [len(line) for line in tables if line.startswith("  ")]
        self.assertLessEqual(max(widths), 110)

    def test_agreement(self):
        folder = self.run_of("full", FULL)
        options = {"sha256": "c" * 64, "kernel_set": "default"}
        one = self.add(folder, "int8", seed=3, **options)
        options["kernel_set"] = "reference"
        other = self.add(folder, "int8.reference", seed=4, **options)
        audit.audit_outputs(folder)
        self.report(folder)
        rows = {row["target"]: row for row in self.rows("agreement")}
        self.assertEqual(rows["int8"]["other"], "keras")
        row = rows["int8.reference"]
        self.assertEqual(row["other"], "int8")
        self.assertEqual(row["records"], "120")
        labels = [x.probabilities.argmax(axis=1) for x in (one, other)]
        self.assertEqual(
            int(row["labels_differ"]), np.sum(labels[0] != labels[1])
        )
        apart = np.abs(one.probabilities - other.probabilities).max()
        self.assertAlmostEqual(float(row["largest_difference"]), apart)

    def test_audit_without_kernels_latency_and_sizes(self):
        folder = self.run_of("full", FULL)
        answers = synthetic_outputs.outputs(60, 60, gain=(4.0, 3.0))
        answers.save(folder / "outputs" / "keras.npz")
        audit.audit_outputs(folder)
        head = self.report(folder).split("What each artefact is")[1]
        head = head.splitlines()[2]
        self.assertNotIn("ms", head.split())
        self.assertNotIn("MB", head.split())


if __name__ == "__main__":
    tf.test.main()
