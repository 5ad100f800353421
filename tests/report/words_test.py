"""The verdict in words."""

import dataclasses

import numpy as np
import synthetic_audits
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

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

LEAKS = {"records": 400, "gain": (4.0, 2.5)}


def altered(target, *, auc=None, excess=None, tpr=None, **point):
    """A target audit whose strongest attack found something else."""
    best = target.strongest
    estimates = {name: Estimate(*value) for name, value in point.items()}
    best = dataclasses.replace(
        best,
        auc=best.auc if auc is None else Estimate(*auc),
        point=dataclasses.replace(best.point, **estimates),
        tpr_at_fpr=best.tpr_at_fpr if tpr is None else tpr,
    )
    attacks = [
        dataclasses.replace(attack, excess=Estimate(*excess))
        if excess and attack.name == best.attack
        else attack
        for attack in target.attacks
    ]
    return dataclasses.replace(target, strongest=best, attacks=attacks)


def low_rate(rate, tpr, *, attack="entropy", calls=10, needed=300):
    """What the leak test found at a false-positive rate."""
    return leak_test.LowRate(rate, attack, Estimate(*tpr), calls, 1000, needed)


NOTHING = (None, None, None)


class AnswersTest(parameterized.TestCase, tf.test.TestCase):
    """The five answers, each with its reasons and numbers."""

    def target(self, **changes):
        target = synthetic_audits.target("int8", **LEAKS)
        first = dataclasses.replace(target.leak.attacks[0], attack="margin")
        fields = {
            "verdict": verdict.CLEAR,
            "reasons": ["the AUC is surely 0.55 or more"],
            "strongest": "margin",
            "auc": Estimate(0.71, 0.66, 0.76),
            "p_value": 0.0004,
            "attacks": [first, *target.leak.attacks[1:]],
            "tpr_at_fpr": [
                low_rate(0.01, (0.06, 0.03, 0.1)),
                low_rate(0.001, NOTHING, attack=None, needed=3000),
            ],
        }
        target = synthetic_audits.with_leak(target, **{**fields, **changes})
        margin = target.attack("margin")
        point = dataclasses.replace(
            margin.held_out.point, balanced_accuracy=Estimate(0.66, 0.62, 0.7)
        )
        margin = dataclasses.replace(
            margin,
            held_out=dataclasses.replace(margin.held_out, point=point),
            excess=Estimate(0.05, 0.01, 0.09),
        )
        attacks = [
            margin if attack.name == "margin" else attack
            for attack in target.attacks
        ]
        target = dataclasses.replace(target, attacks=attacks)
        return altered(
            target, auc=(0.7, 0.64, 0.75), balanced_accuracy=(0.65, 0.6, 0.69)
        )

    def sentence(self, **changes):
        result = synthetic_audits.result(self.target(**changes))
        said = verdict_sentences.verdict(result)
        (line,) = [x for x in said if x.startswith("int8: ")]
        return line

    def short(self, **changes):
        result = synthetic_audits.result(self.target(**changes))
        (line,) = verdict_sentences.short(result)
        return line

    def test_all_of_it(self):
        self.assertEqual(
            self.sentence(),
            "int8: clear leak: the AUC is surely 0.55 or more. The strongest "
            "of 8 attacks (margin in logit space) has an AUC of 0.71 [0.66, "
            "0.76] and judges 66 % [62, 70] of the records right where half "
            "are members; guessing: 0.5 and 50 %. Without a leak some attack "
            "would stand out as much with a probability of 0.0004 (5,000 "
            "permutations of the memberships within classes). At 1 % false "
            "positives the best attack (entropy) finds 6 % [3, 10] of the "
            "members (guessing: 1 %); 0.1 % would take 3,000 nonmembers. The "
            "strongest attack beats the gap attack, which sees only whether "
            "labels are right: +5 points [+1, +9]. Held out (attack chosen on "
            "one half of the records, judged on the other): AUC 0.70 [0.64, "
            "0.75], 65 % [60, 69] right (true-class confidence).",
        )

    def test_in_short(self):
        self.assertEqual(
            self.short(),
            "int8: clear leak: AUC 0.71 [0.66, 0.76] by the strongest attack "
            "(margin in logit space), accuracy 66 % [62, 70] where guessing "
            "has 50 %, TPR 6 % [3, 10] at 1 % FPR (entropy), adjusted p "
            "0.0004.",
        )

    @parameterized.parameters(*verdict.LEAKS)
    def test_a_leak_of_each_size(self, kind):
        because = ["first reason", "second reason"]
        text = self.sentence(verdict=kind, reasons=because)
        self.assertStartsWith(
            text, f"int8: {kind}: first reason; second reason. The strongest "
        )
        self.assertStartsWith(self.short(verdict=kind), f"int8: {kind}: AUC 0.")
        self.assertNotIn("would have been found", text)

    def test_no_leak_says_what_would_have_been_found(self):
        fields = {
            "verdict": verdict.NO_LEAK,
            "reasons": ["nothing"],
            "detectable": leak_test.Detectable(0.567, 0.5471, 0.8, "entropy"),
        }
        self.assertIn(
            " A leak of AUC 0.567 (54.7 % judged right), a shift of all "
            "members' scores (entropy), would have been found with a "
            "probability of 80 %. ",
            self.sentence(**fields),
        )
        self.assertEndsWith(
            self.short(**fields), ", would have found an AUC of 0.567."
        )

    def test_cannot_say(self):
        fields = {"verdict": verdict.CANNOT_SAY, "reasons": ["a check failed"]}
        text = self.sentence(**fields)
        self.assertStartsWith(
            text, "int8: cannot say: a check failed. The strongest of "
        )
        self.assertEqual(
            self.short(**fields), "int8: cannot say: a check failed."
        )

    def test_scores_that_are_all_equal(self):
        outputs = synthetic_outputs.outputs(60, 60)
        same = np.tile(np.eye(5)[0] * 0.6 + 0.08, (120, 1))
        outputs = dataclasses.replace(
            outputs,
            probabilities=same.astype(np.float32),
            labels=np.zeros(120, np.int64),
        )
        result = synthetic_audits.result(audit.audit(outputs))
        self.assertStartsWith(
            verdict_sentences.verdict(result)[0],
            "keras: cannot say: no attack ",
        )
        self.assertEqual(
            verdict_sentences.short(result)[0],
            verdict_sentences.verdict(result)[0],
        )

    def test_who_stands_out_most(self):
        first, second, *rest = self.target().leak.attacks
        attacks = [dataclasses.replace(second, attack="loss"), first, *rest]
        self.assertIn(
            "would stand out as much as one does here (loss) with a prob",
            self.sentence(attacks=attacks),
        )

    def test_strata(self):
        self.assertIn(
            "(5,000 permutations of the memberships). At",
            self.sentence(strata="none"),
        )

    @parameterized.parameters(
        (
            [
                low_rate(0.01, (0.06, 0.03, 0.1)),
                low_rate(0.001, (0.01, 0.0, 0.02), attack="margin"),
            ],
            "At 0.1 % false positives the best attack (margin in logit space) "
            "finds 1 % [0, 2] of the members (guessing: 0.1 %). The",
        ),
        (
            [
                low_rate(0.01, (0.06, 0.03, 0.1)),
                low_rate(0.001, (0.0, 0.0, 0.0), calls=0),
            ],
            "At 1 % false positives the best attack (entropy) finds 6 % [3, "
            "10] of the members (guessing: 1 %). The",
        ),
        (
            [
                low_rate(0.01, NOTHING, attack=None),
                low_rate(0.001, NOTHING, attack=None, needed=3000),
            ],
            "classes). 1 % false positives would take 300 nonmembers. The",
        ),
        (
            [
                low_rate(0.01, (0.0, 0.0, 0.0), calls=0),
                low_rate(0.001, NOTHING, attack=None, needed=3000),
            ],
            "classes). Too many scores are equal for 1 % false positives; "
            "0.1 % would take 3,000 nonmembers. The",
        ),
        (
            [
                low_rate(0.01, (0.0, 0.0, 0.0), calls=0),
                low_rate(0.001, (0.0, 0.0, 0.0), calls=0),
            ],
            "classes). Too many scores are equal for 1 % false positives. The",
        ),
    )
    def test_low_rates(self, rates, want):
        self.assertIn(want, self.sentence(tpr_at_fpr=rates))

    def test_the_gap_attack_is_not_held_against_itself(self):
        target = audit.audit(
            synthetic_outputs.hard_labels(members=200, nonmembers=200)
        )
        self.assertEqual(target.leak.strongest, "gap")
        text = verdict_sentences.verdict(synthetic_audits.result(target))[0]
        self.assertIn("of 6 attacks (gap attack) has an AUC", text)
        self.assertNotIn("the gap attack", text)

    @parameterized.parameters(
        (
            (0.02, -0.01, 0.05),
            "attack is not distinguishable from the gap attack, ",
        ),
        (
            (0.02, 0.0, 0.05),
            "attack is not distinguishable from the gap attack, ",
        ),
        ((0.02, 0.01, 0.05), "attack beats the gap attack, "),
        (
            (-0.02, -0.05, -0.01),
            "attack is behind the gap attack, ",
        ),
    )
    def test_excess_over_gap(self, excess, want):
        target = self.target(strongest="loss")
        attacks = [
            dataclasses.replace(attack, excess=Estimate(*excess))
            if attack.name == "loss"
            else attack
            for attack in target.attacks
        ]
        target = dataclasses.replace(target, attacks=attacks)
        self.assertIn(
            want, verdict_sentences.verdict(synthetic_audits.result(target))[0]
        )

    def test_an_artefact_without_a_leak_test(self):
        new = self.target()
        old = dataclasses.replace(
            synthetic_audits.earlier(new), target="float32"
        )
        result = synthetic_audits.result(new, old)
        for said in (
            verdict_sentences.verdict(result),
            verdict_sentences.short(result),
        ):
            self.assertStartsWith(said[0], "int8: clear leak: ")
            self.assertStartsWith(
                said[1],
                "float32: no verdict: this audit has no test over all attacks. "
                "Held out (attack chosen on one half of the records, judged on "
                "the other): AUC 0.70 [0.64, 0.75], 65 % [60, 69] right (",
            )

    def test_null_data_has_no_leak(self):
        """All attacks together: alarms in 2.5 % of 20 audits."""
        targets = [
            synthetic_audits.target(records=80, seed=seed, gain=(2.0, 2.0))
            for seed in range(20)
        ]
        alarms = 0
        for target in targets:
            said = verdict_sentences.short(synthetic_audits.result(target))[0]
            alarms += not said.startswith("keras: no leak found: ")
        # The 0.1 % point of the binomial.
        self.assertLessEqual(alarms, 4)


class ComparedTest(tf.test.TestCase):
    def test_one_attack_for_all(self):
        first = synthetic_audits.target()
        others = [
            dataclasses.replace(first, target=name) for name in ("a", "b", "c")
        ]
        comparison = leak_comparison.LeakComparison(
            attack="margin",
            candidates=["margin", "loss"],
            first="keras",
            first_auc=0.61234,
            differences=[
                leak_comparison.Difference(name, 0.6, Estimate(*ends), 0.01)
                for name, ends in (
                    ("a", (0.1, 0.05, 0.15)),
                    ("b", (-0.1, -0.15, -0.05)),
                    ("c", (0.01, -0.04, 0.06)),
                    ("twin", (0.3, 0.2, 0.4)),
                )
            ],
        )
        result = synthetic_audits.result(first, *others, comparison=comparison)
        (line,) = [
            x
            for x in verdict_sentences.verdict(result)
            if "compared with keras" in x
        ]
        self.assertEqual(
            line,
            "What they give away compared with keras (AUC 0.612; the same "
            "attack on all: margin in logit space; differences of the AUC, "
            "with intervals that hold for all of them and for any choice of "
            "the attack): more: a +0.100 [+0.050, +0.150]; less: b -0.100 "
            "[-0.150, -0.050]; not shown to differ: c +0.010 [-0.040, +0.060].",
        )
        self.assertIn(line, verdict_sentences.short(result))


class WarningsTest(parameterized.TestCase, tf.test.TestCase):
    def said(self, *targets, **changes):
        result = synthetic_audits.result(*targets, **changes)
        for sentences in (
            verdict_sentences.verdict(result),
            verdict_sentences.short(result),
        ):
            warned = [x for x in sentences if x.startswith("Warning: ")]
            self.assertEqual(sentences[: len(warned)], warned)
        return verdict_sentences.verdict(result)

    def test_control(self):
        control = audit_result.BlindBaseline(
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
        said = self.said(blind_baseline=control)
        self.assertStartsWith(
            said[0],
            "Warning: members and nonmembers can be distinguished without the "
            "model: AUC 0.71 [0.66, 0.76] from image statistics (on average "
            "0.481 without any difference, p 0.001). So this audit measures "
            "that too",
        )
        both = dataclasses.replace(control, classes_p_value=0.0125)
        self.assertIn(
            "without any difference, p 0.001); their classes are not equally "
            "frequent (p 0.013). So this",
            self.said(blind_baseline=both)[0],
        )
        classes = dataclasses.replace(both, p_value=0.013)
        self.assertStartsWith(
            self.said(blind_baseline=classes)[0],
            "Warning: members and nonmembers can be distinguished without the "
            "model: their classes are not equally frequent (p 0.013). So this",
        )
        control = dataclasses.replace(
            control,
            auc=Estimate(0.51, 0.46, 0.56),
            distinguishable=False,
            p_value=0.2,
        )
        said = self.said(blind_baseline=control)
        self.assertIn(
            "Without the model a simple classifier does not distinguish "
            "members from nonmembers: AUC 0.51 [0.46, 0.56] (on average "
            "0.481 without any difference, p 0.2); nor do the classes: they "
            "are as frequent on both sides as chance makes them (p 0.41).",
            said,
        )
        self.assertNotIn("Warning", " ".join(said))
        self.assertIn("was not checked", " ".join(self.said()))

    def test_the_levels_of_the_control_are_those_it_is_judged_by(self):
        self.assertEqual(2 * audit_result.APART, blind_baseline.LEVEL)

    @parameterized.parameters(True, False)
    def test_control_of_earlier_audits(self, apart):
        control = audit_result.BlindBaseline(
            Estimate(0.71, 0.66, 0.76),
            apart,
            "7 numbers",
            50,
            50,
            *(4 * [None]),
        )
        said = " ".join(self.said(blind_baseline=control))
        wanted = "nonmembers: AUC 0.71 [0.66, 0.76]. "
        if apart:
            wanted = "AUC 0.71 [0.66, 0.76] from 7 numbers. So this audit"
        self.assertIn(wanted, said)

    def test_repeats(self):
        repeated = repeated_records.RepeatedRecords(
            70, 60, 60, 60, "records", "60 distinct members of 70: counted once"
        )
        result = synthetic_audits.result(repeated_records=repeated)
        for said in (
            verdict_sentences.verdict(result),
            verdict_sentences.short(result),
        ):
            self.assertEqual(
                said[0], "60 distinct members of 70: counted once."
            )
        repeated = dataclasses.replace(repeated, sentence="")
        said = verdict_sentences.verdict(
            synthetic_audits.result(repeated_records=repeated)
        )
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

    def test_few_records(self):
        outputs = synthetic_outputs.outputs(49, 120)
        said = self.said(audit.audit(outputs))
        self.assertStartsWith(
            said[0], "Warning: 49 members and 120 nonmembers are few: "
        )
        said = self.said(audit.audit(synthetic_outputs.outputs(50, 50)))
        self.assertNotIn("Warning", said[0])
        one = dataclasses.replace(audit.audit(outputs), members=1, nonmembers=1)
        self.assertStartsWith(
            self.said(one)[0], "Warning: 1 member and 1 nonmember are few: "
        )

    def test_twins_and_other_kernels_are_not_artefacts(self):
        said = self.said(
            synthetic_audits.target(),
            synthetic_audits.target("int8", kernel_set="default"),
            synthetic_audits.target("int8.reference", kernel_set="reference"),
            synthetic_audits.target("int8_twin", kernel_set="twin"),
            synthetic_audits.target("mine", kernel_set="callable"),
        )
        about = [x.split(":")[0] for x in said]
        self.assertContainsSubset({"keras", "int8", "mine"}, about)
        self.assertNotIn("int8.reference", " ".join(said))
        self.assertNotIn("twin", " ".join(said))


if __name__ == "__main__":
    tf.test.main()
