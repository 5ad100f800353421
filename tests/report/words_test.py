"""The verdict in words."""

import dataclasses

import numpy as np
import synthetic_audits
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from synthetic_audits import changed

from qmia_tf.auditing import (
    audit,
    audit_result,
    blind_baseline,
    leak_comparison,
    leak_test,
    verdict,
)
from qmia_tf.data import duplicates, repeated_records
from qmia_tf.report import verdict_sentences
from qmia_tf.statistics.intervals import Estimate

NOTHING = (None, None, None)


def low_rate(rate, tpr, *, attack="entropy", calls=10, needed=300):
    """What the leak test found at a false-positive rate."""
    return leak_test.LowRate(rate, attack, Estimate(*tpr), calls, 1000, needed)


FOUND = low_rate(0.01, (0.06, 0.03, 0.1))
TIED, TIED_LOWER = (low_rate(x, (0.0, 0.0, 0.0), calls=0) for x in (0.01, 1e-3))
TOO_LOW = low_rate(0.001, NOTHING, attack=None, needed=3000)


def said_of(*targets, **fields):
    """The verdict on an audit at length, and in short."""
    result = synthetic_audits.result(*targets, **fields)
    return verdict_sentences.verdict(result), verdict_sentences.short(result)


class VerdictsTest(parameterized.TestCase, tf.test.TestCase):
    """The five verdicts, each with its reasons and numbers."""

    def target(self, **leak):
        target = synthetic_audits.target("int8", records=400, gain=(4.0, 2.5))
        first = dataclasses.replace(target.leak.attacks[0], attack="margin")
        fields = {
            "verdict": verdict.CLEAR,
            "reasons": ["the AUC is surely 0.55 or more"],
            "strongest": "margin",
            "auc": Estimate(0.71, 0.66, 0.76),
            "p_value": 0.0004,
            "attacks": [first, *target.leak.attacks[1:]],
            "tpr_at_fpr": [FOUND, TOO_LOW],
        }
        target = synthetic_audits.with_leak(target, **{**fields, **leak})
        accuracy = "point__balanced_accuracy"
        return changed(
            target,
            attacks__margin__excess=Estimate(0.05, 0.01, 0.09),
            strongest__auc=Estimate(0.7, 0.64, 0.75),
            **{
                f"attacks__margin__held_out__{accuracy}": Estimate(
                    0.66, 0.62, 0.7
                ),
                f"strongest__{accuracy}": Estimate(0.65, 0.6, 0.69),
            },
        )

    def said(self, **leak):
        verdict_lines, (short,) = said_of(self.target(**leak))
        (line,) = [x for x in verdict_lines if x.startswith("int8: ")]
        return line, short

    def test_all_of_it(self):
        self.assertEqual(
            self.said(),
            (
                "int8: clear leak: the AUC is surely 0.55 or more. The "
                "strongest of 8 attacks (margin in logit space) has an AUC of "
                "0.71 [0.66, 0.76] and judges 66 % [62, 70] of the records "
                "right where half are members; guessing: 0.5 and 50 %. Without "
                "a leak some attack would stand out as much with a probability "
                "of 0.0004 (5,000 permutations of the memberships within "
                "classes). At 1 % false positives the best attack (entropy) "
                "finds 6 % [3, 10] of the members (guessing: 1 %); 0.1 % would "
                "take 3,000 nonmembers. The strongest attack beats the gap "
                "attack, which sees only whether labels are right: +5 points "
                "[+1, +9]. Held out (attack chosen on one half of the records, "
                "judged on the other): AUC 0.70 [0.64, 0.75], 65 % [60, 69] "
                "right (true-class confidence).",
                "int8: clear leak: AUC 0.71 [0.66, 0.76] by the strongest "
                "attack (margin in logit space), accuracy 66 % [62, 70] where "
                "guessing has 50 %, TPR 6 % [3, 10] at 1 % FPR (entropy), "
                "adjusted p 0.0004.",
            ),
        )

    @parameterized.parameters(*verdict.LEAKS)
    def test_a_leak_of_each_size(self, kind):
        text, short = self.said(verdict=kind, reasons=["first", "second"])
        self.assertStartsWith(
            text, f"int8: {kind}: first; second. The strongest "
        )
        self.assertStartsWith(short, f"int8: {kind}: AUC 0.")
        self.assertNotIn("would have been found", text)

    def test_no_leak_says_what_would_have_been_found(self):
        text, short = self.said(
            verdict=verdict.NO_LEAK,
            detectable=leak_test.Detectable(0.567, 0.5471, 0.8, "entropy"),
        )
        self.assertIn(
            " A leak of AUC 0.567 (54.7 % judged right), a shift of all "
            "members' scores (entropy), would have been found with a "
            "probability of 80 %. ",
            text,
        )
        self.assertEndsWith(short, ", would have found an AUC of 0.567.")

    def test_cannot_say(self):
        text, short = self.said(verdict=verdict.CANNOT_SAY, reasons=["a", "b"])
        self.assertStartsWith(text, "int8: cannot say: a; b. The strongest of ")
        self.assertEqual(short, "int8: cannot say: a; b.")

    def test_scores_that_are_all_equal(self):
        outputs = synthetic_outputs.outputs(60, 60)
        same = np.tile(np.eye(5)[0] * 0.6 + 0.08, (120, 1))
        outputs = dataclasses.replace(
            outputs,
            probabilities=same.astype(np.float32),
            labels=np.zeros(120, np.int64),
        )
        text, short = said_of(audit.audit(outputs))
        self.assertStartsWith(text[0], "keras: cannot say: no attack ")
        self.assertEqual(short[0], text[0])

    def test_who_stands_out_most(self):
        first, second, *rest = self.target().leak.attacks
        attacks = [dataclasses.replace(second, attack="loss"), first, *rest]
        self.assertIn(
            "would stand out as much as one does here (loss) with a prob",
            self.said(attacks=attacks)[0],
        )

    def test_strata(self):
        self.assertIn(
            "(5,000 permutations of the memberships). At",
            self.said(strata="none")[0],
        )

    @parameterized.parameters(
        (
            [FOUND, low_rate(0.001, (0.01, 0.0, 0.02), attack="margin")],
            "At 0.1 % false positives the best attack (margin in logit space) "
            "finds 1 % [0, 2] of the members (guessing: 0.1 %). The",
        ),
        (
            [FOUND, TIED_LOWER],
            "At 1 % false positives the best attack (entropy) finds 6 % [3, "
            "10] of the members (guessing: 1 %). The",
        ),
        (
            [low_rate(0.01, NOTHING, attack=None), TOO_LOW],
            "classes). 1 % false positives would take 300 nonmembers. The",
        ),
        (
            [TIED, TOO_LOW],
            "classes). Too many scores are equal for 1 % false positives; "
            "0.1 % would take 3,000 nonmembers. The",
        ),
        (
            [TIED, TIED_LOWER],
            "classes). Too many scores are equal for 1 % false positives. The",
        ),
    )
    def test_low_rates(self, rates, want):
        self.assertIn(want, self.said(tpr_at_fpr=rates)[0])

    @parameterized.parameters(
        ((0.02, -0.01, 0.05), "is not distinguishable from"),
        ((0.02, 0.0, 0.05), "is not distinguishable from"),
        ((0.02, 0.01, 0.05), "beats"),
        ((-0.02, -0.05, -0.01), "is behind"),
    )
    def test_excess_over_gap(self, excess, want):
        target = changed(
            self.target(strongest="loss"),
            attacks__loss__excess=Estimate(*excess),
        )
        self.assertIn(f"attack {want} the gap attack, ", said_of(target)[0][0])

    def test_the_gap_attack_is_not_held_against_itself(self):
        outputs = synthetic_outputs.hard_labels(members=200, nonmembers=200)
        text = said_of(audit.audit(outputs))[0][0]
        self.assertIn("of 6 attacks (gap attack) has an AUC", text)
        self.assertNotIn("the gap attack", text)

    def test_an_artefact_without_a_leak_test(self):
        new = self.target()
        for said in said_of(new, changed(new, target="float32", leak=None)):
            self.assertStartsWith(said[0], "int8: clear leak: ")
            self.assertStartsWith(
                said[1],
                "float32: no verdict: this audit has no test over all attacks. "
                "Held out (attack chosen on one half of the records, judged on "
                "the other): AUC 0.70 [0.64, 0.75], 65 % [60, 69] right (",
            )

    def test_null_data_has_no_leak(self):
        """All attacks together: alarms in 2.5 % of 20 audits."""
        alarms = 0
        for seed in range(20):
            target = synthetic_audits.target(
                records=80, seed=seed, gain=(2.0, 2.0)
            )
            said = said_of(target)[1][0]
            alarms += not said.startswith("keras: no leak found: ")
        # The 0.1 % point of the binomial.
        self.assertLessEqual(alarms, 4)

    def test_artefacts_compared_by_one_attack(self):
        first = synthetic_audits.target()
        others = [changed(first, target=name) for name in ("a", "b", "c")]
        ends = {
            "a": (0.1, 0.05, 0.15),
            "b": (-0.1, -0.15, -0.05),
            "c": (0.01, -0.04, 0.06),
            "twin": (0.3, 0.2, 0.4),
        }
        comparison = leak_comparison.LeakComparison(
            attack="margin",
            candidates=["margin", "loss"],
            first="keras",
            first_auc=0.61234,
            differences=[
                leak_comparison.Difference(name, 0.6, Estimate(*x), 0.01)
                for name, x in ends.items()
            ],
        )
        for said in said_of(first, *others, comparison=comparison):
            self.assertIn(
                "What they give away compared with keras (AUC 0.612; the same "
                "attack on all: margin in logit space; differences of the AUC, "
                "with intervals that hold for all of them and for any choice "
                "of the attack): more: a +0.100 [+0.050, +0.150]; less: b "
                "-0.100 [-0.150, -0.050]; not shown to differ: c +0.010 "
                "[-0.040, +0.060].",
                said,
            )


WARNING = "Warning: members and nonmembers can be distinguished without the "
BASELINE = audit_result.BlindBaseline(
    Estimate(0.71, 0.66, 0.76),
    True,
    "image statistics",
    50,
    50,
    null_auc=0.4812,
    p_value=0.000999,
    classes_p_value=0.41,
    permutations=1000,
)


class WarningsTest(parameterized.TestCase, tf.test.TestCase):
    def said(self, *targets, **fields):
        for sentences in (said := said_of(*targets, **fields)):
            warned = [x for x in sentences if x.startswith("Warning: ")]
            self.assertEqual(sentences[: len(warned)], warned)
        return said[0]

    @parameterized.parameters(
        (
            {},
            "model: AUC 0.71 [0.66, 0.76] from image statistics (on average "
            "0.481 without any difference, p 0.001). So this audit measures",
        ),
        (
            {"classes_p_value": 0.0125},
            "model: AUC 0.71 [0.66, 0.76] from image statistics (on average "
            "0.481 without any difference, p 0.001); their classes are not "
            "equally frequent (p 0.013). So this",
        ),
        (
            {"classes_p_value": 0.0125, "p_value": 0.013},
            "model: their classes are not equally frequent (p 0.013). So this",
        ),
        (
            {"null_auc": None, "p_value": None, "classes_p_value": None},
            "model: AUC 0.71 [0.66, 0.76] from image statistics. So this",
        ),
    )
    def test_members_found_without_the_model(self, fields, want):
        baseline = changed(BASELINE, **fields)
        self.assertStartsWith(
            self.said(blind_baseline=baseline)[0], WARNING + want
        )

    @parameterized.parameters(
        (
            {"p_value": 0.2},
            " (on average 0.481 without any difference, p 0.2); nor do the "
            "classes: they are as frequent on both sides as chance makes them "
            "(p 0.41).",
        ),
        ({"null_auc": None, "p_value": None, "classes_p_value": None}, "."),
    )
    def test_members_not_found_without_the_model(self, fields, want):
        said = self.said(
            blind_baseline=changed(BASELINE, distinguishable=False, **fields)
        )
        self.assertIn(
            "Without the model a simple classifier does not distinguish "
            f"members from nonmembers: AUC 0.71 [0.66, 0.76]{want}",
            said,
        )
        self.assertNotIn("Warning", " ".join(said))

    def test_no_blind_baseline(self):
        self.assertIn("was not checked", " ".join(self.said()))
        self.assertEqual(2 * audit_result.APART, blind_baseline.LEVEL)

    def test_repeated_records(self):
        repeated = repeated_records.RepeatedRecords(
            70, 60, 60, 60, "records", "60 distinct members of 70: counted once"
        )
        for said in said_of(repeated_records=repeated):
            self.assertEqual(
                said[0], "60 distinct members of 70: counted once."
            )
        repeated = changed(repeated, sentence="")
        said = self.said(repeated_records=repeated)
        self.assertStartsWith(said[0], "keras: ")

    def test_duplicates(self):
        equal = duplicates.EqualRecords(1, 1, [[3, 7]], "1 member is a pair")
        said = self.said(duplicates=equal)
        self.assertEqual(said[0], "Warning: 1 member is a pair.")
        none = duplicates.EqualRecords(0, 0, [], "")
        self.assertNotIn("Warning", self.said(duplicates=none)[0])

    def test_a_model_that_has_not_learned(self):
        bad = synthetic_audits.target("w1", gain=(0.0, 0.0))
        said = self.said(synthetic_audits.target(), bad)
        right = f"{100 * bad.accuracy_nonmembers.value:.1f} %"
        self.assertStartsWith(
            said[0],
            f"Warning: hardly better than guessing on nonmembers: w1 {right} "
            "right (guessing: 20 %); ",
        )
        self.assertNotIn("keras", said[0])

    @parameterized.parameters(
        (49, 120, "49 members and 120 nonmembers"),
        (1, 1, "1 member and 1 nonmember"),
        (50, 50, None),
    )
    def test_few_records(self, members, nonmembers, want):
        target = changed(
            synthetic_audits.target(), members=members, nonmembers=nonmembers
        )
        said = self.said(target)[0]
        self.assertStartsWith(said, f"Warning: {want} are" if want else "keras")

    def test_twins_and_other_kernels_are_not_artefacts(self):
        targets = {
            "int8": "default",
            "int8.reference": "reference",
            "int8_twin": "twin",
            "mine": "callable",
        }
        said = self.said(
            synthetic_audits.target(),
            *(
                synthetic_audits.target(name, kernel_set=kernels)
                for name, kernels in targets.items()
            ),
        )
        about = [x.split(":")[0] for x in said]
        self.assertContainsSubset({"keras", "int8", "mine"}, about)
        self.assertNotIn("int8.reference", " ".join(said))
        self.assertNotIn("twin", " ".join(said))


if __name__ == "__main__":
    tf.test.main()
