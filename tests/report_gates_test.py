"""Limits on an audit: how they are read, judged, and end a program."""

import dataclasses
import pathlib
from unittest import mock

import synthetic_audits
import tensorflow as tf
from absl.testing import parameterized
from report_words_test import altered, hard_labels, low
from scripts_test import call

from qmia_tf import configuration, datasets, experiment, recipes, runs
from qmia_tf.auditing import audit
from qmia_tf.errors import InputError
from qmia_tf.report import gates
from qmia_tf.resnet import Bits

LIMIT = gates.TprLimit(0.05, 0.01)


class ReadingTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(("0.6", 0.6), ("0.5", 0.5), ("", None))
    def test_auc(self, text, want):
        self.assertEqual(gates.parse_auc(text), want)

    @parameterized.parameters(
        "1", "0.49", "-0.6", "60", "60 %", "high", "nan", "inf", "0.6@0.01"
    )
    def test_no_auc(self, text):
        with self.assertRaisesRegex(
            InputError, f"fail_if_auc_above takes a number .*got '{text}'"
        ):
            gates.parse_auc(text)

    @parameterized.parameters(
        ("0.05@0.01", (0.05, 0.01)),
        ("0.1@0.1", (0.1, 0.1)),
        ("2e-3@1e-3", (0.002, 0.001)),
        ("0.5@0.0001", (0.5, 0.0001)),
    )
    def test_tpr(self, text, want):
        self.assertEqual(gates.parse_tpr(text), gates.TprLimit(*want))
        self.assertIsNone(gates.parse_tpr(None))

    @parameterized.parameters(
        ("0.05", "is written TPR@FPR, such as 0.05@0.01, got '0.05'"),
        ("0.05@", "is written TPR@FPR"),
        ("@0.01", "is written TPR@FPR"),
        ("a@0.01", "is written TPR@FPR"),
        ("0.05@0.01@0.1", "is written TPR@FPR"),
        ("0.05@0.02", "measures at 0.1, 0.01, 0.001, 0.0001 FPR, not at 0.02"),
        ("0.05@nan", "not at nan"),
        ("0.05@0.1", "at 0.1 FPR guessing has a TPR of 0.1"),
        ("1@0.1", "from there to below 1, got '1@0.1'"),
        ("nan@0.1", "from there to below 1"),
    )
    def test_no_tpr(self, text, message):
        with self.assertRaisesRegex(InputError, message):
            gates.parse_tpr(text)


class JudgingTest(parameterized.TestCase, tf.test.TestCase):
    def result(self, **changes):
        found = synthetic_audits.target("int8", records=200, gain=(4.0, 2.5))
        return synthetic_audits.result(altered(found, **changes))

    @parameterized.parameters(
        (0.6, True), (0.6499, True), (0.65, False), (0.69, False), (0.8, False)
    )
    def test_auc_by_the_lower_end(self, limit, fails):
        result = self.result(auc=(0.7, 0.65, 0.75))
        found = gates.failures(result, auc_above=limit)
        self.assertLen(found, fails)
        if fails:
            self.assertEqual(
                found[0],
                "int8: true_confidence: AUC 0.7000 [0.6500, 0.7500] is above "
                f"{limit:g}",
            )

    @parameterized.parameters((0.0501, True), (0.05, False), (0.02, False))
    def test_tpr_by_the_lower_end(self, end, fails):
        rates = [low(0.1, (0.9, 0.8, 1.0)), low(0.01, (0.08, end, 0.2))]
        found = gates.judge(self.result(tpr=rates), tpr_above=LIMIT)
        self.assertLen(found.failures, fails)
        self.assertEmpty(found.not_judged)
        if fails:
            self.assertEqual(
                found.failures[0],
                "int8: true_confidence: TPR 0.0800 [0.0501, 0.2000] at 0.01 "
                "FPR is above 0.05",
            )

    @parameterized.parameters(
        (99, 0, "it rests on 0.99 of 99 nonmembers, fewer than one"),
        (1000, 0, "equal scores leave no threshold"),
        (None, None, "it was not measured"),
    )
    def test_what_cannot_fail_is_said(self, nonmembers, calls, why):
        rates = []
        if nonmembers:
            rates = [
                low(
                    0.01,
                    (0.9, 0.8, 1.0),
                    nonmembers=nonmembers,
                    false_positives=calls,
                )
            ]
        found = gates.judge(self.result(tpr=rates), tpr_above=LIMIT)
        self.assertEmpty(found.failures)
        self.assertLen(found.not_judged, 1)
        self.assertRegex(
            found.not_judged[0],
            f"int8: true_confidence: the TPR at 0.01 FPR cannot fail: {why}",
        )

    def test_one_nonmember_is_enough(self):
        rates = [low(0.01, (0.9, 0.8, 1.0), nonmembers=100)]
        found = gates.judge(self.result(tpr=rates), tpr_above=LIMIT)
        self.assertLen(found.failures, 1)

    def test_hard_labels_attain_no_low_rate(self):
        found = audit.audit(hard_labels(members=300, nonmembers=300))
        result = synthetic_audits.result(found)
        judged = gates.judge(result, tpr_above=LIMIT)
        self.assertEmpty(judged.failures)
        self.assertIn("equal scores", judged.not_judged[0])

    def test_every_artefact_and_no_twin(self):
        targets = [
            altered(
                synthetic_audits.target(name, kernel_set=kernels),
                auc=(0.9, 0.8, 0.95),
            )
            for name, kernels in (
                ("keras", "keras"),
                ("int8", "default"),
                ("int8.reference", "reference"),
                ("int8_twin", "twin"),
            )
        ]
        result = synthetic_audits.result(*targets)
        found = gates.failures(result, auc_above=0.7, tpr_above=LIMIT)
        names = [line.split(":")[0] for line in found if "AUC" in line]
        self.assertEqual(names, ["keras", "int8"])

    def test_no_limit(self):
        self.assertEmpty(gates.failures(self.result()))

    def test_an_audit_by_an_earlier_version(self):
        old = dataclasses.replace(synthetic_audits.target(), strongest=None)
        with self.assertRaisesRegex(
            InputError, "scans, keras: audited by an earlier version"
        ):
            gates.judge(synthetic_audits.result(old), auc_above=0.6)

    def test_null_data_fails_in_2_5_per_cent(self):
        fails = 0
        for seed in range(20):
            target = synthetic_audits.target(
                records=80, seed=seed, gain=(2.0, 2.0)
            )
            result = synthetic_audits.result(target)
            fails += bool(gates.failures(result, auc_above=0.5))
        # The 0.1 % point of the binomial of 20.
        self.assertLessEqual(fails, 4)


class ScriptTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        data = datasets.load("digits")
        config = configuration.describe(
            data, recipe=recipes.get("digits"), bits=Bits()
        )
        runs.open_run(self.dir, config)

    def attack(self, result, *arguments):
        with mock.patch.object(
            experiment, "attack_run", return_value=result
        ) as attack:
            found = call("attack", f"--run_dir={self.dir}", *arguments)
        return *found, attack.called

    def test_status_1_and_a_line_for_each(self):
        target = altered(
            synthetic_audits.target("int8"),
            auc=(0.7, 0.65, 0.75),
            tpr=[low(0.01, (0.2, 0.1, 0.3))],
        )
        result = synthetic_audits.result(target)
        limits = ["--fail_if_auc_above=0.6", "--fail_if_tpr_above=0.05@0.01"]
        status, out, errors, _ = self.attack(result, *limits)
        self.assertEqual(status, 1)
        self.assertRegex(
            errors,
            r"\Afailed: int8: \w+: AUC 0.7000 \[.*\nfailed: int8: .*TPR.*\n\Z",
        )
        self.assertIn("audit.json is written", out)
        status, _, errors, _ = self.attack(
            result, "--fail_if_auc_above=0.65", "--fail_if_tpr_above=0.1@0.01"
        )
        self.assertEqual((status, errors), (0, ""))

    def test_what_cannot_fail_is_printed(self):
        status, out, errors, _ = self.attack(
            synthetic_audits.result(), "--fail_if_tpr_above=0.05@0.001"
        )
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(out, r"\nnot judged: keras: .*fewer than one\n")

    @parameterized.parameters(
        ("--fail_if_auc_above=60", "error: fail_if_auc_above takes a number"),
        ("--fail_if_tpr_above=0.05", "error: fail_if_tpr_above is written"),
    )
    def test_bad_limits_before_the_work(self, argument, message):
        status, out, errors, worked = self.attack(None, argument)
        self.assertEqual((status, out, worked), (2, "", False))
        self.assertStartsWith(errors, message)

    def test_prints_the_verdict_in_short(self):
        status, out, _, _ = self.attack(synthetic_audits.result())
        self.assertEqual(status, 0)
        shown = " ".join(out.split())
        self.assertIn(" by the strongest attack (", shown)
        self.assertIn("In brackets: 95 % intervals", shown)
        self.assertLessEqual(max(map(len, out.splitlines()[:6])), 78)


if __name__ == "__main__":
    tf.test.main()
