"""The tables: the paper's numbers beside ours, as text, CSV and LaTeX."""

import synthetic_outputs
import tensorflow as tf
from report_runs import FULL, Reports

from paper import paper_numbers
from qmia_tf import files
from qmia_tf.attacks import tfprivacy
from qmia_tf.auditing import audit, audit_result
from qmia_tf.report import table_formats, tables
from qmia_tf.statistics.intervals import Estimate


class TablesTest(Reports):
    def test_paper_beside_ours(self):
        text = self.report(
            self.run_of("full", FULL),
            self.run_of("w4a4", (4, 4)),
            self.run_of("w2a2", (2, 2)),
            self.run_of("clip", FULL, model__clip=True),
            published=paper_numbers.PAPER,
        )
        rows = {row["run"]: row for row in self.rows("table1")}
        self.assertEqual(rows["full"]["paper_test_accuracy"], "75.68")
        self.assertEqual(rows["full"]["paper_gap_attack"], "62.15")
        self.assertEqual(rows["w4a4"]["paper_gap_attack"], "57.32")
        self.assertEqual(rows["w2a2"]["paper_gap_attack"], "")
        self.assertEqual(rows["clip"]["paper_gap_attack"], "")
        self.assertEqual(
            [rows[name]["model"] for name in ("full", "w4a4", "clip")],
            ["full precision", "w=4, a=4", "w=32, a=32, clip"],
        )
        self.assertIn("57.32", text)
        target = audit_result.load(self.root / "full").targets[0]
        gap = target.attack("gap").point("fixed").balanced_accuracy
        row = rows["full"]
        self.assertAlmostEqual(float(row["gap_attack"]), gap.value)
        self.assertAlmostEqual(float(row["gap_attack_low"]), gap.low)
        value, low, high = (100 * x for x in (gap.value, gap.low, gap.high))
        self.assertIn(f"{value:.2f} [{low:.1f}, {high:.1f}]", text)

    def test_places_of_published_numbers_are_empty_without_them(self):
        self.report(self.run_of("full", FULL))
        (row,) = self.rows("table1")
        self.assertEqual(row["paper_gap_attack"], "")
        points = self.rows("table2")
        self.assertEqual({row["paper_f1"] for row in points}, {""})

    def test_table_2_has_the_papers_numbers_at_the_papers_recall(self):
        text = self.report(
            self.run_of("cifar", (4, 4)),
            self.run_of("fashion", FULL, dataset="fashion_mnist"),
            published=paper_numbers.PAPER,
        )
        f1_by_point = {
            (row["run"], row["operating_point"]): row["paper_f1"]
            for row in self.rows("table2")
        }
        self.assertEqual(
            f1_by_point,
            {
                ("cifar", "recall >= 94 %"): "",
                ("cifar", "recall 100 %"): "70.12",
                ("fashion", "recall >= 94 % (*)"): "66.15",
                ("fashion", "recall 100 %"): "",
            },
        )
        self.assertIn(
            "(*) The paper's Fashion-MNIST, full precision: F1 66.15 does not "
            "follow from precision 54 and recall 94, which give 68.59.",
            text,
        )
        self.assertIn("everyone a member already gives F1 66.67 %", text)

    def test_one_row_an_artefact(self):
        folder = self.run_of("w4a4", (4, 4), targets=("float32", "keras"))
        self.report(folder)
        rows = self.rows("artefacts")
        self.assertEqual([row["target"] for row in rows], ["keras", "float32"])
        attack = audit_result.load(folder).targets[1].attack("confidence")
        self.assertAlmostEqual(
            float(rows[1]["confidence_held_out"]),
            attack.held_out.point.balanced_accuracy.value,
        )
        self.assertAlmostEqual(
            float(rows[1]["confidence_auc_high"]), attack.auc.high
        )
        self.assertEqual(rows[1]["distinct_scores"], "120")
        self.assertEqual(rows[1]["size_mb"], "2.5")

    def test_without_a_keras_target_there_are_no_paper_tables(self):
        text = self.report(self.run_of("w4a4", (4, 4), targets=("int8",)))
        self.assertNotIn("table 1", text)
        self.assertIn("int8", text)

    def test_tensorflow_privacy(self):
        folder = self.run_of(
            "w4a4", (4, 4), settings=tfprivacy.Settings(attacks=("threshold",))
        )
        self.assertIn("THRESHOLD_ATTACK", self.report(folder))
        self.assertLen(self.rows("tfprivacy"), 1)
        self.assertEqual(self.rows("tfprivacy")[0]["records"], "120")

    def test_full_precision_first_then_by_bits(self):
        folders = [
            self.run_of(f"r{w}_{a}", (w, a))
            for w, a in ((16, 16), (16, 4), (4, 4), (32, 32))
        ]
        self.report(*folders)
        self.assertEqual(
            [row["run"] for row in self.rows("table1")],
            ["r32_32", "r4_4", "r16_4", "r16_16"],
        )

    def test_a_run_of_unknown_make(self):
        folder = self.root / "phone"
        files.write_json(folder / "config.json", {})
        synthetic_outputs.outputs().save(folder / "outputs" / "keras.npz")
        audit.audit_outputs(folder)
        self.assertIn("phone", self.report(folder))

    def test_cells(self):
        columns = [
            tables.Column("a_b %", "a", "percent"),
            tables.Column("AUC", "auc", "area"),
            tables.Column("n", "n", "count"),
            tables.Column("x", "x", "number"),
            tables.Column("note", "note"),
        ]
        table = tables.Table(
            name="made",
            title="50 % & more",
            columns=columns,
            rows=[
                [
                    Estimate(0.5, 0.25, 0.75),
                    Estimate(0.5, 0.25, 0.75),
                    1234,
                    0.5,
                    "w_4",
                ],
                [Estimate(None, None, None), None, None, None, None],
            ],
            notes=["that is $5"],
        )
        lines = tables.as_text(table).splitlines()
        self.assertEqual(
            [" ".join(line.split()) for line in lines[4:6]],
            [
                "50.00 [25.0, 75.0] 0.500 [0.250, 0.750] 1,234 0.50 w_4",
                "- - - -",
            ],
        )
        self.assertLen(
            {line.find("1,234") for line in lines if "1,2" in line}, 1
        )
        self.assertEqual(
            tables.as_csv(table).splitlines(),
            [
                "a,a_low,a_high,auc,auc_low,auc_high,n,x,note",
                "0.5,0.25,0.75,0.5,0.25,0.75,1234,0.5,w_4",
                ",,,,,,,,",
            ],
        )
        latex = table_formats.as_latex(table)
        self.assertIn(r"\caption{50 \% \& more}", latex)
        self.assertIn(r"\begin{tabular}{rrrrl}", latex)
        self.assertIn(r"a\_b \% & AUC & n & x & note \\", latex)
        self.assertIn(r"that is \$5", latex)

    def test_cells_of_changes_and_small_numbers(self):
        kinds = (
            "change",
            "change",
            "signed",
            "growth",
            "measure",
            "tiny",
            "tiny",
        )
        table = tables.Table(
            name="made",
            title="made",
            columns=[tables.Column(k, f"{n}", k) for n, k in enumerate(kinds)],
            rows=[
                [
                    Estimate(-0.025, -0.05, 0.0125),
                    Estimate(0.125, None, None),
                    Estimate(0.0125, -0.25, 0.5),
                    -0.756,
                    0.02713,
                    3.01e-6,
                    0.0,
                ]
            ],
            notes=[],
        )
        cells = tables.as_text(table).splitlines()[4]
        self.assertEqual(
            " ".join(cells.split()),
            "-2.50 [-5.0, +1.2] +12.50 +0.013 [-0.250, +0.500] -75.6 0.0271 "
            "3.0e-06 0",
        )
        self.assertEqual(
            tables.as_csv(table).splitlines()[1],
            "-0.025,-0.05,0.0125,0.125,,,0.0125,-0.25,0.5,-0.756,0.02713,"
            "3.01e-06,0.0",
        )

    def test_groups_and_columns_without_a_value(self):
        table = tables.Table(
            name="made",
            title="made",
            columns=[
                tables.Column("data", "data"),
                tables.Column("run", "run"),
                tables.Column("file", "file"),
                tables.Column("ms", "ms", "measure"),
                tables.Column("n", "n", "count"),
            ],
            rows=[
                ["d", "one_1", "a", None, 1],
                ["d", "one_1", "b", None, 22],
                ["d", "two", "a", None, None],
            ],
            notes=[],
            grouped=2,
        )
        self.assertEqual(
            tables.as_text(table).splitlines(),
            [
                "made",
                "",
                "  file   n",
                "  ----  --",
                "d; one_1",
                "  a      1",
                "  b     22",
                "d; two",
                "  a      -",
            ],
        )
        latex = table_formats.as_latex(table)
        self.assertIn(r"\begin{tabular}{lr}", latex)
        self.assertIn(r"\multicolumn{2}{l}{d; one\_1} \\", latex)
        self.assertIn("a & 1 \\\\\nb & 22 \\\\\n", latex)
        # Programs get every column in every row.
        self.assertEqual(
            tables.as_csv(table).splitlines()[:2],
            ["data,run,file,ms,n", "d,one_1,a,,1"],
        )


if __name__ == "__main__":
    tf.test.main()
