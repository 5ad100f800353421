"""Verdict, limits, tables and page of one audit give one answer."""

import dataclasses
import html
import json
import pathlib
import re

import numpy as np
import synthetic_audits
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.auditing import audit, audit_result, blind_baseline, verdict
from qmia_tf.data.records import Records
from qmia_tf.report import (
    gates,
    metrics,
    report_document,
    run_summary,
    verdict_sentences,
)
from qmia_tf.report.html import render
from qmia_tf.report.phrases import attack_title

LIMITS = {
    "auc_above": 0.5,
    "tpr_above": gates.TprLimit(0.02, 0.01),
    "cannot_detect": 0.6,
}
# Records a side and gains: what is answered of them.
CASES = {
    "severe": (400, (9.0, 1.0), verdict.SEVERE),
    "clear": (400, (4.0, 2.5), verdict.CLEAR),
    "small": (2000, (2.7, 2.5), verdict.SMALL),
    "null": (400, (2.5, 2.5), verdict.NO_LEAK),
    "few": (15, (9.0, 1.0), verdict.CANNOT_SAY),
    "one_side_worse": (200, (1.0, 4.0), verdict.CANNOT_SAY),
    "not_learned": (100, (0.0, 0.0), verdict.CANNOT_SAY),
}


def told_apart(outputs):
    """A control that finds the members without the model."""
    rng = np.random.default_rng(0)
    records = rng.normal(size=(len(outputs.labels), 3))
    records += outputs.members[:, None]
    return blind_baseline.measure(
        Records.numbered("x", records, outputs.labels, outputs.members), seed=0
    )


def saturated(count):
    """Outputs of which 4 % of the members stand out, and no others."""
    outputs = synthetic_outputs.outputs(count, count, gain=(2.5, 2.5))
    values = outputs.probabilities.astype(np.float64)
    known = np.flatnonzero(outputs.members)[: count // 25]
    values[known] = 1e-9
    values[known, outputs.labels[known]] = 1 - 4e-9
    return dataclasses.replace(outputs, probabilities=values)


class OneAnswerTest(parameterized.TestCase, tf.test.TestCase):
    def audited(self, *outputs, **known):
        """The audit of these outputs as scripts make it, with limits."""
        folder = pathlib.Path(self.create_tempdir()) / "scans"
        folder.mkdir()
        result = audit.audit_outputs(
            folder,
            list(outputs),
            run_config=synthetic_audits.OWN,
            records=audit.RecordFacts(**known),
        )
        return gates.record(result, folder / "audit.json", **LIMITS), folder

    def hold(self, result, folder):
        """Every place says of each artefact what its leak test says."""
        self.assertEqual(audit_result.load(folder), result)
        report = run_summary.collect([folder])
        rows = list(metrics.verdict_rows(report.runs))
        self.assertEqual(
            [row["target"] for row in rows], [x.target for x in result.targets]
        )
        said, short = (
            verdict_sentences.verdict(result),
            verdict_sentences.short(result),
        )
        terminal = " ".join(report_document.as_text(report).split())
        page = html.unescape(re.sub("<[^>]+>", " ", render(report, [])))
        page = " ".join(page.split())
        stored = json.loads((folder / "audit.json").read_bytes())
        for row, target, kept in zip(
            rows, result.targets, stored["targets"], strict=True
        ):
            leak, start = target.leak, f"{target.target}: {target.leak.verdict}"
            for lines in (said, short):
                self.assertLen([x for x in lines if x.startswith(start)], 1)
            self.assertIn(start, terminal)
            self.assertIn(start, page)
            self.assertEqual(kept["leak"]["verdict"], leak.verdict)
            self.assertEqual(row["answer"], leak.verdict)
            self.assertEqual(row["auc"], leak.auc)
            self.assertEqual(row["p_value"], leak.p_value)
            self.assertEqual(row["attack"], attack_title(leak.strongest))
            judged = [x for x in result.gates if x.target == target.target]
            self.assertLen(judged, 3)
            self.hold_limits(leak, *judged)
            for gate in judged:
                line = f"{gate.outcome}: {gate.target}: {gate.limit}: "
                self.assertIn(f"{line}{gate.measured}.", terminal)
                self.assertIn(gate.measured, page)
        markdown = report_document.in_markdown(report, [])
        self.assertIn("## Limits: ", markdown)
        self.assertEqual(
            json.loads(report_document.in_json(report, []))["limits"],
            [
                {"run": report.runs[0].label, **dataclasses.asdict(gate)}
                for gate in result.gates
            ],
        )
        outcomes = {x.outcome for x in result.gates}
        wanted = 3 if "not judged" in outcomes else 0
        wanted = 1 if "failed" in outcomes else wanted
        self.assertEqual(gates.status(result.gates), wanted)

    def hold_limits(self, leak, auc, tpr, detectable):
        if leak.verdict == verdict.CANNOT_SAY:
            for gate in (auc, tpr, detectable):
                self.assertEqual(gate.outcome, "not judged")
                self.assertEqual(gate.measured, "; ".join(leak.reasons))
            return
        leaks = leak.verdict in verdict.LEAKS
        self.assertEqual(auc.outcome, "failed" if leaks else "passed")
        self.assertEqual(leaks, leak.p_value <= leak.level)
        self.assertIn(
            f"AUC {leak.auc.value:.4f} [{leak.auc.low:.4f}", auc.measured
        )
        rate = leak.at(0.01)
        if rate.attained:
            high = rate.tpr.low > 0.02
            self.assertEqual(tpr.outcome, "failed" if high else "passed")
            # Surely twice the rate is what a clear leak begins with.
            if high:
                self.assertIn(leak.verdict, (verdict.CLEAR, verdict.SEVERE))
        else:
            self.assertEqual(tpr.outcome, "not judged")
        passes = leak.detectable.auc <= 0.6
        self.assertEqual(
            detectable.outcome, "passed" if passes else "not judged"
        )

    @parameterized.named_parameters((name, *x) for name, x in CASES.items())
    def test_each_answer(self, records, gain, want):
        outputs = synthetic_outputs.outputs(records, records, gain=gain)
        result, folder = self.audited(outputs)
        self.assertEqual(result.targets[0].leak.verdict, want)
        self.hold(result, folder)

    def test_told_apart_without_the_model(self):
        outputs = synthetic_outputs.outputs(400, 400, gain=(4.0, 2.5))
        check = told_apart(outputs)
        self.assertTrue(check.distinguishable)
        result, folder = self.audited(outputs, blind_baseline=check)
        leak = result.targets[0].leak
        self.assertEqual(leak.verdict, verdict.CANNOT_SAY)
        self.assertIn("told apart without the model", leak.reasons[0])
        self.assertStartsWith(
            verdict_sentences.verdict(result)[0], "Warning: members and "
        )
        self.hold(result, folder)

    def test_a_leak_of_few_records_is_no_guessing(self):
        """The AUC hardly moves; a low false-positive rate shows it."""
        result, folder = self.audited(saturated(1000))
        leak = result.targets[0].leak
        self.assertLess(leak.auc.low, verdict.CLEAR_AUC)
        self.assertIn(leak.verdict, (verdict.CLEAR, verdict.SEVERE))
        self.hold(result, folder)

    def test_several_artefacts(self):
        def make_outputs(name, gain, **options):
            return synthetic_outputs.outputs(
                400, 400, gain=gain, target=name, **options
            )

        result, folder = self.audited(
            make_outputs("keras", (4.0, 2.5)),
            make_outputs("int8", (4.0, 2.5), step=1 / 256),
            make_outputs("w2", (2.5, 2.5)),
        )
        self.assertEqual(
            [x.leak.verdict for x in result.targets],
            [verdict.CLEAR, verdict.CLEAR, verdict.NO_LEAK],
        )
        self.hold(result, folder)
        # The same attack on all, and the page says what the verdict says.
        alike, less = result.comparison.differences
        self.assertLess(less.difference.high, 0)
        self.assertBetween(
            0, alike.difference.low - 1e-12, alike.difference.high + 1e-12
        )
        (line,) = [
            x
            for x in verdict_sentences.verdict(result)
            if "compared with keras" in x
        ]
        self.assertIn(attack_title(result.comparison.attack), line)
        self.assertIn("less: w2 ", line)
        self.assertIn("not shown to differ: int8 ", line)
        page = render(run_summary.collect([folder]), [])
        self.assertIn(
            "finds less in w2 than in keras; the other one is not ",
            page,
        )

    def test_repeated_records_are_counted_once_everywhere(self):
        outputs = synthetic_outputs.outputs(100, 100, gain=(2.5, 2.5))
        copies = np.tile(np.arange(200), 3)
        outputs = dataclasses.replace(
            outputs,
            probabilities=outputs.probabilities[copies],
            labels=outputs.labels[copies],
            members=outputs.members[copies],
            record_ids=np.arange(600),
        )
        result, folder = self.audited(outputs)
        self.assertEqual(result.targets[0].members, 100)
        self.assertIn(
            "100 distinct members of 300", verdict_sentences.verdict(result)[0]
        )
        self.hold(result, folder)


if __name__ == "__main__":
    tf.test.main()
