"""Tables as text, CSV and LaTeX."""

import tensorflow as tf

from qmia_tf.report import table_formats, tables
from qmia_tf.statistics.intervals import Estimate


class TablesTest(tf.test.TestCase):
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
