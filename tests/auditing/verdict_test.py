"""Every rule of the verdict."""

import dataclasses
import types

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.auditing import leak_test, verdict
from qmia_tf.auditing.leak_test import Detectable, LeakTest, LowRate
from qmia_tf.statistics.intervals import Estimate


def low_rate(rate, low):
    return LowRate(rate, "margin", Estimate(0.3, low, 0.4), 1, 4000, 3000)


def result(p_value=0.001, low=0.52, tprs=(0.0, 0.0), **changes):
    """A test that found so much."""
    auc = Estimate(max(low + 0.02, 0.5), low, low + 0.04)
    tested = leak_test.TestedAttack(
        "margin", p_value, "auc", None, 3.0, auc, 2000, 4000
    )
    leak = LeakTest(
        verdict="",
        reasons=[],
        p_value=p_value,
        level=0.025,
        permutations=2000,
        strata="class",
        attacks=[tested],
        strongest="margin",
        auc=auc,
        tpr_at_fpr=[low_rate(0.01, tprs[0]), low_rate(0.001, tprs[1])],
        detectable=Detectable(0.53, 0.52, 0.8, "margin"),
    )
    return dataclasses.replace(leak, **changes)


def decided(test, members=2000, nonmembers=4000, **rest):
    return verdict.decide(test, members=members, nonmembers=nonmembers, **rest)


class DecideTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        # What was found, and what that is.
        (0.001, 0.499, (0.0, 0.0), verdict.SMALL),
        (0.025, 0.52, (0.0, 0.0), verdict.SMALL),
        (0.001, 0.5499, (0.0199, 0.00199), verdict.SMALL),
        (0.001, 0.55, (0.0, 0.0), verdict.CLEAR),
        (0.001, 0.6999, (0.0999, 0.00999), verdict.CLEAR),
        (0.001, 0.50, (0.02, 0.0), verdict.CLEAR),
        (0.001, 0.50, (0.0, 0.002), verdict.CLEAR),
        (0.001, 0.70, (0.0, 0.0), verdict.SEVERE),
        (0.001, 0.50, (0.1, 0.0), verdict.SEVERE),
        (0.001, 0.50, (0.0, 0.01), verdict.SEVERE),
        (0.0251, 0.49, (0.0, 0.0), verdict.NO_LEAK),
        # What the test does not find, no number makes a leak.
        (0.5, 0.90, (0.5, 0.5), verdict.NO_LEAK),
    )
    def test_by_the_numbers(self, p_value, low, tprs, want):
        decision = decided(result(p_value, low, tprs))
        self.assertEqual(decision.verdict, want)
        self.assertNotEmpty(decision.reasons)
        self.assertEqual(decision.p_value, p_value)

    def test_reasons(self):
        decision = decided(result(0.001, 0.72, (0.15, 0.001)))
        self.assertEqual(
            decision.reasons,
            [
                "the AUC is surely 0.7 or more",
                "at 1 % false positives, surely 10 times as many members are "
                "found as by guessing",
            ],
        )
        [reason] = decided(result(0.001, 0.5, (0.0, 0.004))).reasons
        self.assertStartsWith(reason, "at 0.1 % false positives, surely 2 ")
        [reason] = decided(result(0.013)).reasons
        self.assertStartsWith(reason, "an adjusted p-value of 0.013, but ")
        [reason] = decided(result(0.31)).reasons
        self.assertIn("adjusted p-value of 0.31, above 0.025", reason)

    @parameterized.parameters(
        (19, 500, True),
        (500, 19, True),
        (20, 20, False),
    )
    def test_too_few_records(self, members, nonmembers, too_few):
        for p_value in (0.001, 0.9):
            decision = decided(result(p_value, 0.9), members, nonmembers)
            self.assertEqual(decision.verdict == verdict.CANNOT_SAY, too_few)
        if too_few:
            [reason] = decision.reasons
            self.assertEqual(
                reason,
                f"{members} members and {nonmembers} nonmembers are too few: "
                "20 of each are needed",
            )

    @parameterized.parameters(0.001, 0.9)
    def test_a_check_that_failed(self, p_value):
        decision = decided(result(p_value, 0.8), failed=("one", "two"))
        self.assertEqual(decision.verdict, verdict.CANNOT_SAY)
        self.assertEqual(decision.reasons, ["one", "two"])
        both = decided(result(p_value), 3, 3, failed=("one",))
        self.assertLen(both.reasons, 2)

    def test_a_model_that_has_not_learned(self):
        decision = decided(result(0.9), weak="it guesses")
        self.assertEqual(decision.verdict, verdict.CANNOT_SAY)
        self.assertEqual(decision.reasons, ["it guesses"])
        # A leak that was found is one all the same.
        decision = decided(result(0.001, 0.6), weak="it guesses")
        self.assertEqual(decision.verdict, verdict.CLEAR)

    def test_nothing_can_be_tested(self):
        decision = decided(result(1.0, attacks=[]))
        self.assertEqual(decision.verdict, verdict.CANNOT_SAY)
        self.assertIn(
            "no attack distinguishes any records", decision.reasons[0]
        )

    @parameterized.parameters(None, Detectable(1.0, 1.0, 0.8, "margin"))
    def test_nothing_would_have_been_found(self, detectable):
        decision = decided(result(0.6, detectable=detectable))
        self.assertEqual(decision.verdict, verdict.CANNOT_SAY)
        self.assertIn("would hardly have found", decision.reasons[0])
        decision = decided(result(0.001, 0.6, detectable=detectable))
        self.assertEqual(decision.verdict, verdict.CLEAR)

    def test_a_rate_of_too_few_nonmembers_says_nothing(self):
        nothing = LowRate(0.001, None, Estimate(None, None, None), 0, 40, 3000)
        decision = decided(result(0.001, tpr_at_fpr=[nothing, nothing]))
        self.assertEqual(decision.verdict, verdict.SMALL)

    def test_answers_are_the_five_from_the_least_on(self):
        self.assertEqual(
            verdict.VERDICTS,
            (
                "cannot say",
                "no leak found",
                "small leak",
                "clear leak",
                "severe leak",
            ),
        )


class NotLearnedTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (10, 0.1899, True),
        (10, 0.1901, False),
        (2, 0.5499, True),
        (2, 0.5501, False),
        (2, 0.2, True),
        (100, 0.10, True),
        (100, 0.12, False),
        (10, 1.0, False),
    )
    def test_a_tenth_of_the_way_to_perfect(self, classes, right, weak):
        target = types.SimpleNamespace(
            classes=classes, accuracy_nonmembers=Estimate(right, 0.0, 1.0)
        )
        reason = verdict.not_learned(target)
        self.assertEqual(bool(reason), weak)
        if weak:
            self.assertIn(f"right on {100 * right:.1f} % of the nonm", reason)
            self.assertIn(f"guessing is on {100 / classes:.3g} %", reason)


if __name__ == "__main__":
    tf.test.main()
