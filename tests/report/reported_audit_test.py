"""The result of an audit says, shows and saves itself."""

import csv
import dataclasses
import io
import json
import pathlib
import pydoc
import re

import synthetic_audits
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

import qmia_tf
from qmia_tf import typed_json
from qmia_tf.auditing import audit, audit_result
from qmia_tf.errors import InputError
from qmia_tf.report import phrases, verdict_sentences
from qmia_tf.report.reported_audit import Audit


class ReportedAuditTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        outputs = synthetic_outputs.outputs(120, 110)
        cls.stored = synthetic_audits.result(audit.audit(outputs))
        cls.result = Audit.of(cls.stored)

    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def test_printed_it_is_the_verdict(self):
        verdict = phrases.as_text(verdict_sentences.verdict(self.stored))
        self.assertEqual(self.result.summary(), verdict)
        self.assertEqual(str(self.result), verdict)
        self.assertEqual(repr(self.result), verdict)
        self.assertIn(verdict.splitlines()[0], self.result._repr_html_())

    def test_html_is_escaped(self):
        target = dataclasses.replace(self.stored.targets[0], target="a<b")
        result = dataclasses.replace(self.result, targets=[target])
        self.assertIsInstance(result, Audit)
        self.assertNotIn("a<b", result._repr_html_())

    def test_saved_and_loaded(self):
        self.result.save(self.dir / "audit.json")
        loaded = qmia_tf.load_audit(self.dir)
        self.assertEqual(loaded, self.result)
        self.assertEqual(loaded, self.stored)
        self.assertEqual(audit_result.load(self.dir), loaded)
        other = dataclasses.replace(self.stored, seed=1)
        self.assertNotEqual(loaded, other)
        with self.assertRaisesRegex(InputError, "no such file"):
            qmia_tf.load_audit(self.dir / "none")

    def test_the_frame_has_the_numbers_of_the_report(self):
        paths = self.result.report(self.dir / "report", formats=("csv",))
        self.assertIn(self.dir / "report" / "attacks.csv", paths)
        text = (self.dir / "report" / "attacks.csv").read_text()
        rows = list(csv.DictReader(io.StringIO(text)))
        frame = self.result.to_dataframe()
        self.assertLen(frame, len(rows))
        for row, (_, values) in zip(rows, frame.iterrows(), strict=True):
            self.assertEqual(row["attack"], values["attack"])
            for key in ("auc", "auc_low", "held_out", "tpr_at_fpr_1"):
                if row[key]:
                    self.assertAllClose(float(row[key]), values[key])
        attack = self.stored.targets[0].attack("margin")
        (row,) = frame[frame["attack"] == attack.title].to_dict("records")
        self.assertEqual(row["auc"], attack.auc.value)
        self.assertEqual(row["members"], 120)

    def test_a_page_is_no_directory(self):
        page = self.dir / "page.html"
        with self.assertRaisesRegex(
            InputError, r"page.html names a page, .* such as .*page$"
        ):
            self.result.report(page)
        self.assertFalse(page.exists())

    def test_outputs_are_no_audit(self):
        path = self.dir / "x.npz"
        path.write_bytes(b"PK")
        with self.assertRaisesRegex(InputError, "x.npz holds outputs, not an"):
            qmia_tf.load_audit(path)

    @parameterized.parameters(
        (None, "has no schema_version, so it is not an audit.json: give the"),
        (True, "has no schema_version"),
        (8, "is 8, this program reads 7: a newer qmia_tf wrote it, update"),
        (6, "is 6, .* reads 7: convert it with tools/convert_audits.py"),
        (3, "is 3, this program reads 7: audit the models again"),
    )
    def test_other_versions(self, version, pattern):
        tree = {**typed_json.encode(self.stored), "schema_version": version}
        with self.assertRaisesRegex(InputError, pattern):
            self.load(tree)

    @parameterized.parameters(
        ("accuracy_members", "value", None),
        ("accuracy_members", "high", None),
        ("accuracy_nonmembers", "value", 1e308),
        ("accuracy_nonmembers", "low", -1.5),
    )
    def test_an_estimate_that_is_none(self, field, end, value):
        tree = typed_json.encode(self.stored)
        tree["targets"][0][field][end] = value
        with self.assertRaisesRegex(
            InputError, rf"audit.json: targets\[0\].{field} holds \[.*-1..1"
        ):
            self.load(tree)

    def test_undefined_precision_is_none_of_these(self):
        tree = typed_json.encode(self.stored)
        point = tree["targets"][0]["attacks"][0]["points"][0]
        point["precision"] = dict.fromkeys(("value", "low", "high"))
        self.load(tree)

    def load(self, tree):
        path = self.dir / "audit.json"
        path.write_text(json.dumps(tree))
        return qmia_tf.load_audit(path)

    def test_help_fits_on_a_screen(self):
        text = re.sub(".\b", "", pydoc.render_doc(qmia_tf.audit))
        self.assertLessEqual(len(text.splitlines()), 40)


if __name__ == "__main__":
    tf.test.main()
