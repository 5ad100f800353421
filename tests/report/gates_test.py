"""Limits on an audit: how they are read, judged, and end a program."""

import dataclasses
import pathlib
from unittest import mock

import numpy as np
import synthetic_audits
import tensorflow as tf
from absl.testing import parameterized
from script_calls import call
from synthetic_outputs import hard_labels

from qmia_tf.auditing import audit, audit_result, leak_test, verdict
from qmia_tf.data import loaders
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration, run
from qmia_tf.models.resnet import Bits
from qmia_tf.report import gates
from qmia_tf.run_dir import RunDir
from qmia_tf.statistics.intervals import Estimate
from qmia_tf.training import recipes

LIMIT = gates.TprLimit(0.05, 0.01)
AUC = "fail_if_auc_above takes a number "
TPR = "is written TPR@FPR"
DETECTABLE = "fail_if_cannot_detect takes an AUC above 0.5 "


class ReadingTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (gates.parse_auc, "0.6", 0.6),
        (gates.parse_auc, "0.5", 0.5),
        (gates.parse_auc, "", None),
        (gates.parse_tpr, "0.05@0.01", gates.TprLimit(0.05, 0.01)),
        (gates.parse_tpr, "0.1@0.1", gates.TprLimit(0.1, 0.1)),
        (gates.parse_tpr, "2e-3@1e-3", gates.TprLimit(0.002, 0.001)),
        (gates.parse_tpr, "0.5@0.0001", gates.TprLimit(0.5, 0.0001)),
        (gates.parse_tpr, None, None),
        (gates.parse_detectable, "0.55", 0.55),
        (gates.parse_detectable, "0.9999", 0.9999),
        (gates.parse_detectable, "", None),
    )
    def test_limits(self, parse, text, want):
        self.assertEqual(parse(text), want)

    @parameterized.parameters(
        *(
            (gates.parse_auc, text, f"{AUC}.*got '{text}'")
            for text in ("1", "0.49", "-0.6", "60", "60 %", "high")
        ),
        *((gates.parse_auc, text, AUC) for text in ("nan", "inf", "0.6@0.01")),
        (gates.parse_tpr, "0.05", f"{TPR}, such as 0.05@0.01, got '0.05'"),
        *(
            (gates.parse_tpr, text, TPR)
            for text in ("0.05@", "@0.01", "a@0.01", "0.05@0.01@0.1")
        ),
        (
            gates.parse_tpr,
            "0.05@0.02",
            "measures at 0.1, 0.01, 0.001, 0.0001 FPR, not at 0.02",
        ),
        (gates.parse_tpr, "0.05@nan", "not at nan"),
        (gates.parse_tpr, "0.05@0.1", "at 0.1 FPR guessing has a TPR of 0.1"),
        (gates.parse_tpr, "1@0.1", "from there to below 1, got '1@0.1'"),
        (gates.parse_tpr, "nan@0.1", "from there to below 1"),
        *(
            (gates.parse_detectable, text, f"{DETECTABLE}.*got '{text}'")
            for text in ("0.5", "1", "-0.6", "55", "small", "nan", "inf")
        ),
    )
    def test_no_limits(self, parse, text, message):
        with self.assertRaisesRegex(InputError, message):
            parse(text)


def rate(rate, tpr, *, calls=10, nonmembers=1000):
    """What the leak test found at a false-positive rate."""
    return leak_test.LowRate(
        rate=rate,
        attack="margin",
        tpr=Estimate(*tpr),
        false_positives=calls,
        nonmembers=nonmembers,
        needed=int(np.ceil(3 / rate)),
    )


def audited(**leak):
    target = synthetic_audits.target("int8", records=200, gain=(4.0, 2.5))
    return synthetic_audits.result(synthetic_audits.with_leak(target, **leak))


class JudgingTest(parameterized.TestCase, tf.test.TestCase):
    def judge(self, leak, **limits):
        (gate,) = gates.judge(audited(**leak), **limits)
        self.assertEqual(gate.target, "int8")
        return gate

    @parameterized.parameters(
        (0.6, "failed", "is above 0.6"),
        (0.6499, "failed", "is above 0.6499"),
        (0.65, "passed", "is not surely above 0.65"),
        (0.7499, "passed", "is not surely above 0.7499"),
        (0.75, "passed", "is not above 0.75"),
    )
    def test_auc_by_the_lower_end(self, limit, outcome, said):
        leak = {"auc": Estimate(0.7, 0.65, 0.75), "strongest": "loss"}
        gate = self.judge(leak, auc_above=limit)
        self.assertEqual(
            dataclasses.astuple(gate)[1:],
            (
                f"AUC <= {limit:g}",
                outcome,
                f"loss: AUC 0.7000 [0.6500, 0.7500] {said}",
            ),
        )
        self.assertEqual(gates.status([gate]), int(outcome == "failed"))

    @parameterized.product(
        kind=("no leak found", "small leak", "clear leak", "severe leak"),
        low=(0.49, 0.51),
    )
    def test_half_asks_for_any_leak(self, kind, low):
        """By the test, and so by a leak at a low rate too."""
        auc = Estimate(0.55, low, 0.61)
        leak = {"verdict": kind, "auc": auc, "p_value": 0.0123}
        gate = self.judge(leak, auc_above=0.5)
        leaks = kind != "no leak found"
        self.assertEqual(gate.outcome, "failed" if leaks else "passed")
        self.assertStartsWith(gate.measured, f"{kind}, adjusted p 0.012; ")

    @parameterized.parameters(
        ((0.08, 0.0501, 0.2), "failed", "is above 0.05"),
        ((0.08, 0.05, 0.2), "passed", "is not surely above 0.05"),
        ((0.02, 0.01, 0.051), "passed", "is not surely above 0.05"),
        ((0.02, 0.01, 0.05), "passed", "is not above 0.05"),
        ((0.0, 0.0, 0.03), "passed", "is not above 0.05"),
    )
    def test_tpr_by_the_lower_end(self, tpr, outcome, said):
        rates = [rate(0.1, (0.9, 0.8, 1.0)), rate(0.01, tpr)]
        gate = self.judge({"tpr_at_fpr": rates}, tpr_above=LIMIT)
        value, low, high = (f"{x:.4f}" for x in tpr)
        self.assertEqual(
            dataclasses.astuple(gate)[1:],
            (
                "TPR <= 0.05 at 0.01 FPR",
                outcome,
                f"margin: TPR {value} [{low}, {high}] at 0.01 FPR {said}",
            ),
        )

    @parameterized.parameters(
        (
            dataclasses.replace(
                rate(0.01, (None, None, None), calls=0, nonmembers=99),
                attack=None,
            ),
            "99 nonmembers are too few: the rate takes 300",
        ),
        (
            rate(0.01, (0.0, 0.0, 0.0), calls=0),
            "equal scores leave no threshold with a FPR between 0 and 0.01",
        ),
        (rate(0.1, (0.9, 0.8, 1.0)), "it was not measured"),
    )
    def test_what_cannot_be_judged(self, only, why):
        gate = self.judge({"tpr_at_fpr": [only]}, tpr_above=LIMIT)
        self.assertEqual((gate.outcome, gate.measured), ("not judged", why))
        self.assertEqual(gates.status([gate]), 3)

    def test_members_above_every_nonmember_are_a_threshold(self):
        rates = [rate(0.01, (0.2, 0.1, 0.3), calls=0)]
        gate = self.judge({"tpr_at_fpr": rates}, tpr_above=LIMIT)
        self.assertEqual(gate.outcome, "failed")

    def test_hard_labels_attain_no_low_rate(self):
        outputs = hard_labels(members=300, nonmembers=300, target="int8")
        result = synthetic_audits.result(audit.audit(outputs))
        (gate,) = gates.judge(result, tpr_above=LIMIT)
        self.assertEqual(gate.outcome, "not judged")
        self.assertIn("equal scores", gate.measured)

    @parameterized.parameters(
        (0.56, "passed"), (0.5601, "passed"), (0.5599, "not judged")
    )
    def test_what_would_have_been_found(self, limit, outcome):
        detectable = leak_test.Detectable(0.56, 0.54, 0.8, "margin")
        gate = self.judge({"detectable": detectable}, cannot_detect=limit)
        self.assertEqual(
            dataclasses.astuple(gate)[1:],
            (
                f"finds an AUC of {limit:g}",
                outcome,
                "the smallest AUC found with 80 % probability is 0.5600 "
                "(margin)",
            ),
        )
        gate = self.judge({"detectable": None}, cannot_detect=limit)
        self.assertEqual(gate.outcome, "not judged")

    def test_nothing_is_judged_where_nothing_can_be_said(self):
        result = audited(
            verdict=verdict.CANNOT_SAY, reasons=["too few", "told apart"]
        )
        judged = gates.judge(
            result, auc_above=0.6, tpr_above=LIMIT, cannot_detect=0.6
        )
        self.assertEqual(
            [(x.outcome, x.measured) for x in judged],
            [("not judged", "too few; told apart")] * 3,
        )
        self.assertEqual(gates.status(judged), 3)

    def test_every_artefact_and_no_twin(self):
        kernels = {
            "keras": "keras",
            "int8": "default",
            "int8.reference": "reference",
            "int8_twin": "twin",
        }
        targets = [
            synthetic_audits.with_leak(
                synthetic_audits.target(name, kernel_set=kernel_set),
                verdict=verdict.CLEAR,
                auc=Estimate(0.9, 0.8, 0.95),
            )
            for name, kernel_set in kernels.items()
        ]
        judged = gates.judge(
            synthetic_audits.result(*targets), auc_above=0.7, tpr_above=LIMIT
        )
        self.assertEqual(
            [(x.target, x.outcome) for x in judged],
            [
                (name, outcome)
                for name in ("keras", "int8")
                for outcome in ("failed", "not judged")
            ],
        )
        self.assertEqual(gates.status(judged), 1)

    def test_an_audit_without_a_leak_test(self):
        old = synthetic_audits.changed(synthetic_audits.target(), leak=None)
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
            (gate,) = gates.judge(result, auc_above=0.5)
            fails += gate.outcome == "failed"
            self.assertNotEqual(gate.outcome, "not judged")
        # The 0.1 % point of the binomial of 20.
        self.assertLessEqual(fails, 4)

    def test_no_limit_leaves_the_file(self):
        path = pathlib.Path(self.create_tempdir()) / "audit.json"
        result = synthetic_audits.result()
        self.assertEqual(gates.record(result, path, auc_above=None), result)
        self.assertFalse(path.exists())
        # Limits of before are forgotten.
        old = dataclasses.replace(
            result, gates=[audit_result.GateResult("keras", "-", "passed", "-")]
        )
        self.assertEmpty(gates.record(old, path).gates)
        self.assertEmpty(audit_result.load(path).gates)


class ScriptTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        data = loaders.load("digits")
        config = configuration.describe(
            data, recipe=recipes.get("digits"), bits=Bits()
        )
        RunDir(self.dir).open(config)
        # It is not opened: what would attack it is a stand-in.
        RunDir(self.dir).model.touch()

    def attack(self, result, *arguments):
        with mock.patch.object(
            run, "attack_run", return_value=result
        ) as attack:
            returned = call("attack", f"--run_dir={self.dir}", *arguments)
        return *returned, attack.called

    def leaky(self):
        return audited(
            verdict=verdict.CLEAR,
            auc=Estimate(0.7, 0.65, 0.75),
            tpr_at_fpr=[rate(0.01, (0.2, 0.1, 0.3))],
            detectable=leak_test.Detectable(0.56, 0.54, 0.8, "margin"),
        )

    def test_status_1_and_a_line_for_each(self):
        limits = ["--fail_if_auc_above=0.6", "--fail_if_tpr_above=0.05@0.01"]
        status, out, errors, _ = self.attack(self.leaky(), *limits)
        self.assertEqual(status, 1)
        self.assertRegex(
            errors,
            r"\Afailed: int8: AUC <= 0.6: \w+: AUC 0.7000 \[.*\n"
            r"failed: int8: TPR <= 0.05 at 0.01 FPR: .*\n\Z",
        )
        self.assertIn("audit.json is written", out)
        stored = audit_result.load(self.dir)
        self.assertEqual([x.outcome for x in stored.gates], ["failed"] * 2)

    def test_status_0_says_so_with_the_numbers(self):
        status, out, errors, _ = self.attack(
            self.leaky(),
            "--fail_if_auc_above=0.65",
            "--fail_if_tpr_above=0.1@0.01",
            "--fail_if_cannot_detect=0.57",
        )
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(
            out,
            r"\npassed: int8: AUC <= 0.65: \w+: AUC 0.7000 \[0.6500, 0.7500\] "
            r"is not surely above 0.65\n"
            r"passed: int8: TPR <= 0.1 at 0.01 FPR: margin: TPR 0.2000 .*\n"
            r"passed: int8: finds an AUC of 0.57: the smallest .* 0.5600 .*\n",
        )
        # The verdict is above, in short.
        self.assertIn("by the strongest attack (", " ".join(out.split()))
        self.assertIn("In brackets: 95 % intervals", " ".join(out.split()))
        self.assertLessEqual(max(map(len, out.splitlines()[:6])), 78)

    @parameterized.parameters(
        ("--fail_if_tpr_above=0.05@0.001", 0.7, 3, "it was not measured"),
        ("--fail_if_cannot_detect=0.55", 0.7, 3, "the smallest AUC found "),
        # A limit that failed outweighs one that is not judged.
        ("--fail_if_tpr_above=0.05@0.001", 0.6, 1, "it was not measured"),
    )
    def test_what_cannot_be_judged(self, limit, auc, want, why):
        status, out, errors, _ = self.attack(
            self.leaky(), limit, f"--fail_if_auc_above={auc}"
        )
        self.assertEqual(status, want)
        self.assertRegex(errors, rf"not judged: int8: .*: {why}.*\n")
        self.assertEqual(f"\npassed: int8: AUC <= {auc}: " in out, want == 3)

    def test_few_records_end_with_status_3(self):
        few = synthetic_audits.target(records=15, gain=(9.0, 1.0))
        status, _, errors, _ = self.attack(
            synthetic_audits.result(few), "--fail_if_auc_above=0.5"
        )
        self.assertEqual(status, 3)
        self.assertIn("15 members and 15 nonmembers are too few", errors)

    @parameterized.parameters(
        ("--fail_if_auc_above=60", AUC),
        ("--fail_if_tpr_above=0.05", f"fail_if_tpr_above {TPR}"),
        ("--fail_if_cannot_detect=0.5", DETECTABLE),
    )
    def test_bad_limits_before_the_work(self, argument, message):
        status, out, errors, worked = self.attack(None, argument)
        self.assertEqual((status, out, worked), (2, "", False))
        self.assertStartsWith(errors, f"error: {message}")


if __name__ == "__main__":
    tf.test.main()
