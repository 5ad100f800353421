"""The tables of attacks, of the strongest, and of two artefacts together."""

import dataclasses

import synthetic_outputs
import tensorflow as tf
from report_runs import FULL, Reports

from qmia_tf.auditing import audit, audit_result
from qmia_tf.report import run_list, run_summary, run_tables, tables
from qmia_tf.report.table_formats import as_latex


class Attacks(Reports):
    def audited(self):
        """Two runs; in the second two targets are queried together."""
        full = self.run_of("full", FULL)
        folder = self.run_of("w4a4", (4, 4), targets=("keras", "int8"))
        joint = synthetic_outputs.outputs(gain=(4.0, 3.0), target="keras")
        audit.audit_outputs(folder, joint_with=[joint])
        return full, folder

    def ordered(self, *folders):
        return run_list.sort_runs([audit_result.load(x) for x in folders])


class EveryAttackTest(Attacks):
    def test_a_row_for_each_attack_on_each_target(self):
        full, folder = self.audited()
        self.report(full, folder)
        rows = self.rows("attacks")
        self.assertLen(rows, 3 * 8)
        self.assertEqual(
            [row["attack"] for row in rows[:8]],
            [
                "gap attack",
                "largest confidence",
                "true-class confidence",
                "loss",
                "margin in logit space",
                "entropy",
                "modified entropy",
                "likelihood ratio",
            ],
        )
        self.assertEqual(
            [(row["run"], row["target"]) for row in rows[::8]],
            [("full", "keras"), ("w4a4", "keras"), ("w4a4", "int8")],
        )

    def test_csv_has_what_the_audit_has(self):
        folder = self.run_of("w4a4", (4, 4))
        self.report(folder)
        row = {x["attack"]: x for x in self.rows("attacks")}["loss"]
        attack = audit_result.load(folder).targets[0].attack("loss")
        at = {low_rate.rate: low_rate.tpr for low_rate in attack.tpr_at_fpr}
        point = attack.held_out.point
        for key, estimate in (
            ("auc", attack.auc),
            ("held_out", point.balanced_accuracy),
            ("excess", attack.excess),
            ("by_class", attack.by_class.point.balanced_accuracy),
            ("cross_fitted", attack.cross_fitted.balanced_accuracy),
            ("advantage", point.advantage),
            ("precision", point.precision),
            ("recall", point.recall),
            ("f1", point.f1),
            ("in_sample", attack.point("peak_accuracy").balanced_accuracy),
            ("tpr_at_fpr_10", at[0.1]),
            ("tpr_at_fpr_1", at[0.01]),
            ("tpr_at_fpr_0.1", at[0.001]),
            ("tpr_at_fpr_0.01", at[0.0001]),
        ):
            for name, want in (
                (key, estimate.value),
                (f"{key}_low", estimate.low),
                (f"{key}_high", estimate.high),
            ):
                self.assertEqual(float(row[name]), want, name)
        self.assertEqual(float(row["optimism"]), attack.held_out.optimism)
        self.assertEqual(
            float(row["least_false_positive_rate"]),
            attack.least_false_positive_rate,
        )
        self.assertEqual(float(row["epsilon"]), attack.epsilon.value)
        self.assertEqual(
            [row[key] for key in ("members", "nonmembers", "excluded")],
            ["60", "60", "0"],
        )

    def test_the_gap_attack_has_its_fixed_point(self):
        folder = self.run_of("w4a4", (4, 4))
        self.report(folder)
        (row,) = (
            x for x in self.rows("attacks") if x["attack"] == "gap attack"
        )
        point = (
            audit_result.load(folder).targets[0].attack("gap").point("fixed")
        )
        self.assertEqual(float(row["held_out"]), point.balanced_accuracy.value)
        for key in ("excess", "by_class", "in_sample", "tpr_at_fpr_1"):
            self.assertEqual(row[key], "", key)

    def test_people_get_the_keras_models_on_a_page(self):
        full, folder = self.audited()
        text = self.report(full, folder)
        start = text.index("Every attack on the Keras model")
        shown = text[start : text.index("Held out: the strongest")]
        self.assertIn("w=4, a=4; w4a4; keras", shown)
        self.assertNotIn("; int8", shown)
        attack = audit_result.load(full).targets[0].attack("margin")
        rate = attack.held_out.point.balanced_accuracy
        value, low, high = (100 * x for x in dataclasses.astuple(rate))
        self.assertIn(f"{value:.2f} [{low:.1f}, {high:.1f}]", shown)
        change = 100 * attack.excess.value
        self.assertIn(f"{change:+.2f} [", shown)
        for name in ("attacks", "tails"):
            latex = (self.root / "report" / f"{name}.tex").read_text()
            self.assertIn(rf"\label{{tab:{name}}}", latex)
            self.assertIn("margin in logit space & ", latex)

    def test_without_a_keras_model_all_targets_are_shown(self):
        text = self.report(self.run_of("w4a4", (4, 4), targets=("int8",)))
        self.assertIn("w=4, a=4; w4a4; int8", text)

    def test_every_table_fits_on_110_columns(self):
        text = self.report(*self.audited())
        start = text.index("Every attack on the Keras model")
        widths = [
            len(line)
            for line in text[start:].splitlines()
            if line.startswith("  ")
        ]
        self.assertGreater(len(widths), 30)
        self.assertLessEqual(max(widths), 110)


class AnswersTest(Attacks):
    def test_a_row_for_each_artefact(self):
        full, folder = self.audited()
        text = self.report(full, folder)
        rows = self.rows("answers")
        targets = [
            target
            for path in (full, folder)
            for target in audit_result.load(path).targets
        ]
        self.assertEqual(
            [(row["run"], row["target"]) for row in rows],
            [("full", "keras"), ("w4a4", "keras"), ("w4a4", "int8")],
        )
        for row, target in zip(rows, targets, strict=True):
            leak = target.leak
            self.assertEqual(row["answer"], leak.verdict)
            self.assertEqual(float(row["p_value"]), leak.p_value)
            title = target.attack(leak.strongest).title
            self.assertEqual(row["attack"], title)
            self.assertEqual(
                [float(row[x]) for x in ("auc", "auc_low", "auc_high")],
                list(dataclasses.astuple(leak.auc)),
            )
            self.assertEqual(float(row["detectable_auc"]), leak.detectable.auc)
            # 60 nonmembers suffice for 10 %, and for nothing below.
            self.assertEqual(
                float(row["tpr_10_low"]), leak.tpr_at_fpr[0].tpr.low
            )
            self.assertEqual(row["tpr_1"], "")
            self.assertEqual(row["attacks"], "8")
            self.assertEqual(row["permutations"], "5000")
            self.assertEqual(row["strata"], "class")
        shown = text[text.index("The verdict on each artefact") :]
        self.assertIn(rows[0]["answer"], shown)
        self.assertIn("hold for all attacks at once", " ".join(shown.split()))

    def test_every_attack_has_its_adjusted_p(self):
        folder = self.run_of("full", FULL)
        self.report(folder)
        leak = audit_result.load(folder).targets[0].leak
        p_values = [float(row["p_value"]) for row in self.rows("attacks")]
        wanted = [
            leak.attack(x.name).p_value
            for x in audit_result.load(folder).targets[0].attacks
        ]
        self.assertEqual(p_values, wanted)
        self.assertEqual(min(p_values), leak.p_value)

    def test_no_table_of_old_audits(self):
        (run,) = self.ordered(self.run_of("w4a4", (4, 4)))
        targets = [
            dataclasses.replace(target, leak=None)
            for target in run.audit.targets
        ]
        old = run_list.Run(dataclasses.replace(run.audit, targets=targets))
        made = {x.stored.name: x.stored for x in run_tables.run_tables([old])}
        self.assertNotIn("answers", made)
        self.assertEqual(set(made["attacks"].column("p_value")), {None})

    def test_twins_and_other_kernels_have_no_answer_of_their_own(self):
        folder = self.run_of("w4a4", (4, 4))
        for name, kernels in (("int8", "default"), ("int8_twin", "twin")):
            outputs = synthetic_outputs.outputs(target=name, kernel_set=kernels)
            outputs.save(folder / "outputs" / f"{name}.npz")
        audit.audit_outputs(folder)
        made = run_tables.run_tables(self.ordered(folder))
        targets = {x.stored.name: x.stored.column("target") for x in made}
        self.assertEqual(targets["answers"], ["keras", "int8"])


class StrongestTest(Attacks):
    def test_a_row_for_each_artefact(self):
        full, folder = self.audited()
        text = self.report(full, folder)
        rows = self.rows("strongest")
        self.assertEqual(
            [(row["run"], row["target"]) for row in rows],
            [("full", "keras"), ("w4a4", "keras"), ("w4a4", "int8")],
        )
        best = audit_result.load(folder).targets[0].strongest
        row = rows[1]
        self.assertEqual(row["candidates"], "8")
        title = audit_result.load(folder).targets[0].attack(best.attack).title
        self.assertEqual(row["attack"], title)
        rate = best.point.balanced_accuracy
        self.assertEqual(float(row["auc_high"]), best.auc.high)
        self.assertEqual(float(row["accuracy"]), rate.value)
        self.assertEqual(float(row["advantage_low"]), best.point.advantage.low)
        self.assertEqual(
            [float(row[f"tpr_{x}"]) for x in ("10", "1", "0.1", "0.01")],
            [low_rate.tpr.value for low_rate in best.tpr_at_fpr],
        )
        self.assertIn("having chosen does not flatter it", text)
        latex = (self.root / "report" / "strongest.tex").read_text()
        self.assertIn(f"keras & {title} & {best.auc.value:.3f} ", latex)

    def test_twins_and_other_kernels_are_left_to_the_csv(self):
        folder = self.run_of("w4a4", (4, 4))
        for name, kernels in (("int8", "default"), ("int8_twin", "twin")):
            outputs = synthetic_outputs.outputs(target=name, kernel_set=kernels)
            outputs.save(folder / "outputs" / f"{name}.npz")
        audit.audit_outputs(folder)
        made = run_tables.run_tables(self.ordered(folder))
        targets = {x.stored.name: x.stored.column("target") for x in made}
        self.assertEqual(targets["strongest"], ["keras", "int8"])
        self.assertIn("int8_twin", targets["attacks"])


class JointTest(Attacks):
    def test_a_row_for_each_pair(self):
        full, folder = self.audited()
        text = self.report(full, folder)
        (joint,) = audit_result.load(folder).joint_attacks
        (row,) = self.rows("joint")
        self.assertEqual(
            [row[key] for key in ("run", "first", "second", "records")],
            ["w4a4", "int8", "keras", str(joint.members + joint.nonmembers)],
        )
        for key, estimate in (
            ("auc_alone", joint.single_auc),
            ("auc_together", joint.joint_auc),
            ("gain", joint.gain),
        ):
            self.assertEqual(float(row[key]), estimate.value)
            self.assertEqual(float(row[f"{key}_low"]), estimate.low)
            self.assertEqual(float(row[f"{key}_high"]), estimate.high)
        self.assertEqual(float(row["p_value"]), joint.p_value)
        self.assertIn("Two artefacts queried together", text)
        gain = joint.gain
        self.assertIn(
            f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]", text
        )

    def test_no_table_without(self):
        self.assertNotIn(
            "queried together", self.report(self.run_of("full", FULL))
        )
        self.assertFalse((self.root / "report/joint.csv").exists())


class CellsTest(Attacks):
    def test_every_table_has_as_many_cells_as_columns(self):
        report = run_summary.collect(self.audited())
        self.assertEqual(
            [table.name for table in report.stored],
            [
                *("table1", "table2", "answers", "artefacts", "attacks"),
                *("strongest", "joint", "agreement"),
            ],
        )
        for table in (*report.stored, *report.shown):
            keys = [column.key for column in table.columns]
            self.assertLen(set(keys), len(keys))
            for row in table.rows:
                self.assertLen(row, len(keys))
            for render in (tables.as_text, tables.as_csv, as_latex):
                self.assertNotIn("None", render(table))


if __name__ == "__main__":
    tf.test.main()
