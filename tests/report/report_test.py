"""The report: warnings, the formats, and the script."""

import pathlib
import subprocess
import sys

import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from report_runs import FULL, Reports

from qmia_tf import files
from qmia_tf.auditing import audit
from qmia_tf.errors import InputError
from qmia_tf.report import make_report

ROOT = pathlib.Path(__file__).resolve().parents[2]


class WarningsTest(Reports):
    def test_none_where_all_is_well(self):
        folders = self.run_of("full", FULL), self.run_of("w4a4", (4, 4))
        self.assertEmpty(self.warnings(*folders))

    def test_far_below_full_precision(self):
        full = self.run_of("full", FULL, targets=("keras", "float32"))
        weak = self.run_of(
            "w4a4", (4, 4), gain=(2.5, 2.0), targets=("keras", "float32")
        )
        (warning,) = self.warnings(full, weak)
        self.assertRegex(
            warning,
            r"w4a4 \(w=4, a=4\): points less accurate on nonmembers than full "
            r"precision \(full\): keras, float32 \d+\.\d;",
        )
        self.assertEmpty(self.warnings(full, weak, max_drop=60.0))
        text = self.report(full, weak)
        self.assertIn(f"warning: {warning}", text)
        latex = (self.root / "report/table1.tex").read_text()
        self.assertIn("warning: ", latex)

    def test_file_far_below_its_own_full_precision_model(self):
        folder = self.run_of("full", FULL)
        outputs = synthetic_outputs.outputs(gain=(2.5, 2.0), target="int8_ptq")
        outputs.save(folder / "outputs" / "int8_ptq.npz")
        audit.audit_outputs(folder)
        (warning,) = [x for x in self.warnings(folder) if "less accurate" in x]
        self.assertRegex(warning, r"precision \(full\): int8_ptq \d+\.\d;")

    def test_near_chance(self):
        bad = self.run_of("w1a1", (1, 1), gain=(0.0, 0.0))
        (warning,) = self.warnings(self.run_of("full", FULL), bad)
        self.assertRegex(
            warning, r"w1a1 .*better than guessing \(20.0 %\).* keras \d+"
        )

    @parameterized.parameters(
        (
            {"dataset__fingerprint": "e" * 64},
            "dataset.fingerprint dddddddddddd... / eeeeeeeeeeee...",
        ),
        ({"dataset__pool": "train"}, "dataset.pool all / train"),
        ({"split__seed": 7}, "split.seed 0 / 7"),
        ({"recipe__epochs": 10}, "recipe.epochs 30 / 10"),
        ({"model__width": 16}, "model.width 64 / 16"),
        # Settings that part the runs alike are told together.
        (
            {"split__seed": 7, "recipe__epochs": 10},
            "split.seed 0 / 7, recipe.epochs 30 / 10",
        ),
    )
    def test_runs_that_do_not_share(self, changes, message):
        warnings = self.warnings(
            self.run_of("full", FULL),
            self.run_of("w2a2", (2, 2), **changes),
            self.run_of("w4a4", (4, 4), **changes),
            max_drop=60.0,
        )
        want = f"CIFAR-10: the runs do not share {message} (full / w2a2, w4a4)"
        self.assertEqual(warnings, [want])

    def test_runs_that_were_computed_otherwise(self):
        folders = [self.run_of("full", FULL), self.run_of("w4a4", (4, 4))]
        for folder, on in zip(folders, (True, False), strict=True):
            computed = {"onednn": on, "intra_op_threads": 2}
            config = files.read_json(folder / "config.json")
            # Beside one from before it was noted nothing is said.
            self.assertEmpty(self.warnings(*folders))
            files.write_json(
                folder / "config.json", {**config, "tensorflow": computed}
            )
            audit.audit_outputs(folder)
        self.assertEqual(
            self.warnings(*folders),
            [
                "CIFAR-10: the runs do not share tensorflow.onednn True / "
                "False (full / w4a4)"
            ],
        )

    def test_two_data_sets_need_not_share(self):
        other = self.run_of(
            "other", FULL, dataset="digits", dataset__fingerprint="e" * 64
        )
        self.assertEmpty(self.warnings(self.run_of("full", FULL), other))

    def test_no_full_precision(self):
        warnings = self.warnings(
            self.run_of("w4a4", (4, 4)), self.run_of("w2a2", (2, 2))
        )
        self.assertEqual(
            warnings, ["CIFAR-10: no full-precision run to compare with"]
        )

    def test_targets_with_different_records(self):
        folder = self.run_of("full", FULL)
        outputs = synthetic_outputs.outputs(30, 30, target="int8", gain=(4, 3))
        outputs.save(folder / "outputs" / "int8.npz")
        audit.audit_outputs(folder)
        (warning,) = self.warnings(folder, max_drop=60.0)
        self.assertStartsWith(
            warning, "full: its targets were queried about different records"
        )


class FormatsTest(Reports):
    @parameterized.parameters(
        ("csv", ["table1.csv", "attacks.csv"]),
        ("latex", ["table1.tex", "leaks.tex"]),
        ("md", ["report.md"]),
        ("json", ["report.json"]),
    )
    def test_each_format(self, name, files):
        out = self.root / name
        written = make_report([self.run_of("full", FULL)], out, formats=[name])
        names = [path.name for path in written]
        self.assertEqual(names[0], "report.txt")
        self.assertContainsSubset(files, names)
        self.assertCountEqual(names, [x.name for x in out.iterdir()])
        self.assertLen({path.suffix for path in written[1:]}, 1)

    def test_what_is_asked_for(self):
        with self.assertRaisesRegex(InputError, "'pdf'.*html,summary,png"):
            make_report([], self.root, formats=["pdf"])
        with self.assertRaisesRegex(InputError, "--run_dirs"):
            make_report([], self.root)


class ScriptTest(Reports):
    def script(self, *options):
        return subprocess.run(
            [sys.executable, ROOT / "scripts" / "report.py", *options],
            capture_output=True,
            text=True,
            cwd=self.root,
        )

    def test_prints_tables_and_files(self):
        self.run_of("full", FULL)
        self.run_of("w4a4", (4, 4))
        done = self.script("--run_dirs=full,w4a4", "--out=out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertIn("paper's table 1", done.stdout)
        names = {path.name for path in (self.root / "out").iterdir()}
        self.assertContainsSubset(
            {
                *("report.txt", "report.html", "table2.tex", "table2.csv"),
                *("overview_cifar10.svg", "overview_cifar10.png"),
            },
            names,
        )
        self.assertIn(f"{len(names)} files in out:", done.stdout)

    @parameterized.parameters(
        ("--format=pdf", "^error: no report format .*'pdf'"),
        ("--run_dirs=gone", "^error: gone.*no such file"),
    )
    def test_says_what_is_wrong_on_one_line(self, option, message):
        done = self.script("--run_dirs=full", "--out=out", option)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertRegex(done.stderr, message)


if __name__ == "__main__":
    tf.test.main()
