"""Tests of many audits as one frame."""

import importlib.util
import json
import pathlib
import unittest.mock

import numpy as np
import pandas as pd
import report_runs
import synthetic_audits
from absl.testing import absltest

import qmia_tf
from qmia_tf import typed_json
from qmia_tf.errors import InputError
from qmia_tf.report import make_report, metrics
from qmia_tf.report.audited_runs import load_runs


class LoadRunsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def add(self, place, *, bits=(4, 2), config=None, **changes):
        """An audit in a directory, or a file, of the root."""
        if config is None:
            config = report_runs.configuration("cifar10", bits)
        audit = synthetic_audits.result(
            synthetic_audits.target("keras"),
            synthetic_audits.target("int8", seed=1),
            name=place.rpartition("/")[2],
            config=config,
        )
        path = self.root / place
        if path.suffix != ".json":
            path = path / "audit.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        tree = {**typed_json.encode(audit), **changes}
        path.write_text(json.dumps(tree))
        return audit

    def test_a_row_an_artefact(self):
        audit = self.add("a/w4a2")
        self.add("b/w4a2", bits=(8, 8))
        (self.root / "c").mkdir()
        frame = qmia_tf.load_runs(self.root / "*" / "*")
        self.assertLen(frame, 4)
        paths = [str(self.root / name / "w4a2") for name in "aabb"]
        self.assertEqual(list(frame["path"]), paths)
        self.assertEqual(list(frame["target"]), ["keras", "int8"] * 2)
        self.assertEqual(list(frame["weight_bits"]), [4, 4, 8, 8])
        self.assertEqual(list(frame["activation_bits"]), [2, 2, 8, 8])
        for row, target in zip(
            frame.to_dict("records"), audit.targets, strict=False
        ):
            self.assertEqual(
                (row["seed"], row["recipe"], row["epochs"]), (0, "paper", 30)
            )
            for name, estimate in (
                ("accuracy_members", target.accuracy_members),
                ("accuracy_nonmembers", target.accuracy_nonmembers),
                ("confidence_auc", target.attack("confidence").auc),
                ("auc", target.leak.auc),
            ):
                self.assertEqual(row[name], estimate.value)
                self.assertEqual(row[f"{name}_low"], estimate.low)
                self.assertEqual(row[f"{name}_high"], estimate.high)
            strongest = target.attack(target.leak.strongest)
            self.assertEqual(row["attack"], strongest.title)
            self.assertEqual(row["auc"], strongest.auc.value)
            self.assertEqual(row["answer"], target.leak.verdict)
            self.assertEqual(row["p_value"], target.leak.p_value)

    def test_columns_are_those_of_the_catalogue(self):
        self.add("a")
        frame = load_runs(self.root / "a")
        for column in frame:
            key = column.removesuffix("_low").removesuffix("_high")
            self.assertIn(key, metrics.CATALOGUE)
        self.assertEqual(frame["epochs"].dtype, np.int64)
        self.assertEqual(frame["auc_low"].dtype, np.float64)

    def test_audits_of_ones_own_models_have_no_bits(self):
        self.add("own", config=synthetic_audits.OWN)
        self.add("run")
        frame = load_runs([self.root / "own", self.root / "run"])
        bits = list(frame["weight_bits"])
        self.assertEqual(bits[2:], [4, 4])
        self.assertTrue(all(x is pd.NA for x in bits[:2]))

    def test_each_once(self):
        self.add("runs/a")
        self.add("x_audit.json")
        for patterns, count in (
            (self.root / "**", 4),
            ([self.root / "runs/a", self.root / "runs/*"], 2),
            ([str(self.root / "runs/a/audit.json")], 2),
            (self.root / "x_audit.json", 2),
        ):
            self.assertLen(load_runs(patterns), count)

    def test_a_path_with_brackets(self):
        self.add("runs[1]/a")
        self.assertLen(load_runs(self.root / "runs[1]" / "a"), 2)

    def test_nothing_is_there(self):
        (self.root / "a").mkdir()
        with self.assertRaisesRegex(InputError, "no audit.json in .*/a: give"):
            load_runs(self.root / "a")
        with self.assertRaisesRegex(InputError, "no audit.json in no path"):
            load_runs([])

    def test_a_damaged_one_is_an_error(self):
        self.add("a")
        for pattern, changes in (
            ("b/audit.json: schema_version is 6", {"schema_version": 6}),
            ("b/audit.json: targets holds", {"targets": 3}),
            (
                "b/audit.json: config: recipe.epochs holds 'x'",
                {"config": {"recipe": {"epochs": "x"}}},
            ),
        ):
            self.add("b", **changes)
            with self.assertRaisesRegex(InputError, pattern):
                load_runs(self.root / "*")

    @absltest.skipUnless(importlib.util.find_spec("pyarrow"), "no pyarrow")
    def test_parquet_keeps_it(self):
        self.add("own", config=synthetic_audits.OWN)
        self.add("run")
        frame = load_runs(self.root / "*")
        frame.to_parquet(self.root / "x.parquet")
        stored = pd.read_parquet(self.root / "x.parquet")
        # pandas 3 reads text as a type of its own.
        text = [key for key in frame if frame[key].dtype == object]
        self.assertEqual(
            stored[text].fillna("").values.tolist(),
            frame[text].fillna("").values.tolist(),
        )
        pd.testing.assert_frame_equal(
            stored.drop(columns=text), frame.drop(columns=text)
        )

    @absltest.skipUnless(importlib.util.find_spec("pyarrow"), "no pyarrow")
    def test_parquet_of_a_report(self):
        self.add("run")
        out = self.root / "report"
        make_report([self.root / "run"], out, formats=("csv", "parquet"))
        for path in sorted(out.glob("*.csv")):
            wanted = pd.read_csv(path)
            stored = pd.read_parquet(path.with_suffix(".parquet"))
            self.assertEqual(list(stored), list(wanted))
            self.assertLen(stored, len(wanted))
        attacks = pd.read_parquet(out / "attacks.parquet")
        wanted = pd.read_csv(out / "attacks.csv")["auc"]
        np.testing.assert_array_equal(attacks["auc"], wanted)

    def test_without_pyarrow(self):
        self.add("run")
        out = self.root / "report"
        with (
            unittest.mock.patch("importlib.util.find_spec", return_value=None),
            self.assertRaisesRegex(
                InputError,
                r"needs pyarrow, .* pip install \"qmia_tf\[parquet\]\"$",
            ),
        ):
            make_report([self.root / "run"], out, formats=("parquet",))
        self.assertFalse(out.exists())


if __name__ == "__main__":
    absltest.main()
