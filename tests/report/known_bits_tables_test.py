"""What knowing the bits is worth, as a report says it."""

import dataclasses
import tempfile

import synthetic_audits
import tensorflow as tf
from simulated_references import FLOAT, MATCHED, simulate

from qmia_tf.auditing import audit
from qmia_tf.auditing.audit_config import AuditConfig
from qmia_tf.report import (
    first_screen,
    known_bits_tables,
    reported_audit,
    run_summary,
    verdict_sentences,
    warnings,
)
from qmia_tf.report.html import render
from qmia_tf.report.run_list import Run
from qmia_tf.statistics.intervals import Estimate

TRAINED = {
    **synthetic_audits.OWN,
    "model": {"weight_bits": 4, "activation_bits": 4, "clip": False},
}


class KnownBitsTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        outputs, auxiliary = simulate(0)
        cls.audit = audit.audit_outputs(
            cls.enterClassContext(tempfile.TemporaryDirectory()),
            [outputs],
            run_config=TRAINED,
            config=AuditConfig(name="w4a4"),
            auxiliary={outputs.target: auxiliary},
        )

    def changed(self, **changes):
        """The audit with other values of its one comparison, or target."""
        (target,) = self.audit.targets
        (known,) = target.known_bits
        own = {k: changes.pop(k) for k in ("references",) if k in changes}
        known = dataclasses.replace(known, **changes)
        target = dataclasses.replace(target, known_bits=[known], **own)
        return dataclasses.replace(self.audit, targets=[target])

    def sentence(self, **changes):
        (target,) = self.changed(**changes).targets
        (sentence,) = verdict_sentences.known_bits(target)
        return sentence

    def test_every_number_of_the_tables(self):
        (made,) = known_bits_tables.known_bits_tables([Run(self.audit)])
        table, (areas, rates) = made.stored, made.shown
        (known,) = self.audit.targets[0].known_bits
        self.assertLen(table.rows, len(known.attacks))
        for row, one in zip(table.rows, known.attacks, strict=True):
            cells = dict(zip((x.key for x in table.columns), row, strict=True))
            self.assertEqual(cells["matched"], "8 of w4a4 (keras)")
            self.assertEqual(cells["mismatched"], "8 of w32a32 (keras)")
            self.assertEqual(cells["auc_matched"], one.matched)
            self.assertEqual(cells["auc_mismatched"], one.mismatched)
            self.assertEqual(cells["auc_gain"], one.difference)
            for rate, key in zip(one.rates, ("1", "0.1"), strict=True):
                self.assertEqual(cells[f"tpr_{key}_matched"], rate.matched.tpr)
                self.assertEqual(cells[f"tpr_{key}_gain"], rate.difference)
        self.assertEqual(areas.name, "known_bits")
        self.assertEqual(rates.name, "known_bits_rates")
        self.assertLen(rates.rows, len(known.attacks))

    def test_nothing_without_mismatched_references(self):
        run = Run(synthetic_audits.result())
        self.assertEqual([*known_bits_tables.known_bits_tables([run])], [])
        (screen,) = first_screen.screens([run])
        self.assertEqual(screen.known_bits, [])

    def test_the_sentence_follows_the_interval(self):
        self.assertRegex(
            self.sentence(gain=Estimate(0.03, 0.01, 0.05)),
            r"knowing the bits is worth \+0.030 \[\+0.010, \+0.050\] of the "
            r"AUC \(.* has 0\.\d+ with 8 of w4a4 \(keras\) and 0\.\d+ with "
            r"8 of w32a32 \(keras\) as reference models\)\. The interval holds",
        )
        self.assertIn(
            "knowing the bits is not shown to be worth anything: +0.010 [",
            self.sentence(gain=Estimate(0.01, -0.01, 0.03)),
        )
        self.assertIn(
            "other bits serve the attacker better, by -0.030 [",
            self.sentence(gain=Estimate(-0.03, -0.05, -0.01)),
        )
        fewer = dataclasses.replace(MATCHED, available=64)
        self.assertIn(
            "as reference models; of w4a4 the first of 64). The interval",
            self.sentence(matched=fewer),
        )

    def test_verdict_page_and_summary_say_it(self):
        (known,) = self.audit.targets[0].known_bits
        said = self.sentence()
        self.assertIn(said, verdict_sentences.verdict(self.audit))
        report = run_summary.collect([self.audit])
        (screen,) = report.screens
        self.assertIn(said, screen.sentences)
        (gain,) = screen.known_bits
        self.assertEqual((gain.run, gain.file), ("w4a4", "simulated"))
        self.assertEqual(gain.gain, known.gain)
        page = render(report, [])
        self.assertIn("What knowing the bits is worth", page)

    def test_which_references_each_attack_had(self):
        frame = reported_audit.Audit.of(self.audit).to_dataframe()
        for attack, used in zip(
            frame["attack"], frame["references"], strict=True
        ):
            needs = "LiRA" in attack or "difficulty calibration" in attack
            if needs:
                self.assertEqual(used, "8 of w4a4 (keras)", attack)
            if attack in ("gap attack", "margin"):
                self.assertFalse(isinstance(used, str), attack)

    def test_references_of_other_bits_alone_are_warned_of(self):
        self.assertNotIn(
            "w32a32", " ".join(warnings.warnings([Run(self.audit)]))
        )
        other = self.changed(references=FLOAT)
        (said,) = [x for x in warnings.warnings([Run(other)]) if "w32a32" in x]
        self.assertEqual(
            said,
            "w4a4 (w=4, a=4): it is w4a4, and some reference models were "
            "w32a32: an attacker who knows the bits may find more",
        )


if __name__ == "__main__":
    tf.test.main()
