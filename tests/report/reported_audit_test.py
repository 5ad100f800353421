"""The result of an audit says, shows and saves itself."""

import csv
import dataclasses
import io
import pathlib
import pydoc
import re

import synthetic_audits
import synthetic_outputs
import tensorflow as tf

import qmia_tf
from qmia_tf.auditing import audit, audit_result
from qmia_tf.errors import InputError
from qmia_tf.report import phrases, verdict_sentences
from qmia_tf.report.reported_audit import Audit


class ReportedAuditTest(tf.test.TestCase):
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

    def test_help_fits_on_a_screen(self):
        text = re.sub(".\b", "", pydoc.render_doc(qmia_tf.audit))
        self.assertLessEqual(len(text.splitlines()), 40)


if __name__ == "__main__":
    tf.test.main()
