"""An int8 softmax has 256 levels: ties are ties in everything the audit says.

Expected values are counted pair by pair and threshold by threshold, as exact
fractions.
"""

import dataclasses
from fractions import Fraction

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.attacks import confidence, tfprivacy
from qmia_tf.attacks.entropy import modified_entropies
from qmia_tf.attacks.losses import losses
from qmia_tf.auditing import audit
from qmia_tf.outputs import Outputs
from qmia_tf.statistics import held_out_thresholds

STEP = 1 / 256
# Members and nonmembers in unequal numbers; most records at the top level in
# the second case, all in the third.
CASES = {
    "quantized": {"gain": (3.0, 2.0)},
    "saturated": {"gain": (9.0, 7.5)},
    "equal": {"gain": (60.0, 60.0)},
    "members_lower": {"gain": (2.0, 4.0)},
}
CASE = [{"case": name} for name in CASES]


def answers_of(case, **options):
    return synthetic_outputs.outputs(
        120, 90, step=STEP, **CASES[case], **options
    ).in_record_order()


def counts(scores, members):
    """(threshold, TP, FP) for every rule "member iff score >= threshold"."""
    rules = []
    for threshold in [np.inf, *sorted(set(scores), reverse=True)]:
        called = [score >= threshold for score in scores]
        inside = sum(c and m for c, m in zip(called, members, strict=True))
        rules.append((threshold, inside, sum(called) - inside))
    return rules


def accuracy(rule, m, n):
    return (1 + Fraction(rule[1], m) - Fraction(rule[2], n)) / 2


def precision(rule):
    called = rule[1] + rule[2]
    return Fraction(rule[1], called) if called else Fraction(-1)


def area(scores, members):
    """P(member scores above nonmember) + P(tie)/2, over all pairs."""
    inside, outside = scores[members], scores[~members]
    won = sum(
        2 * int(np.sum(one > outside)) + int(np.sum(one == outside))
        for one in inside
    )
    return Fraction(won, 2 * len(inside) * len(outside))


def best(rules, worth):
    """The rule worth most, of equals the one with the highest threshold."""
    return max(rules, key=lambda rule: (worth(rule), rule[0]))


class AuditTest(parameterized.TestCase, tf.test.TestCase):
    def audited(self, case):
        answers = answers_of(case)
        scores = confidence.scores(answers)
        codes = scores * 256
        self.assertAllEqual(codes, np.rint(codes))
        attack = audit.audit(answers, seed=4).attack("confidence")
        return attack, scores, answers.members

    @parameterized.parameters(*CASE)
    def test_cases_are_what_they_are_called(self, case):
        _, scores, _ = self.audited(case)
        top = np.mean(scores == scores.max())
        least = {"saturated": 0.5, "equal": 1.0}.get(case, 0.0)
        self.assertGreaterEqual(top, least)
        self.assertLess(len(set(scores)), 150)

    @parameterized.parameters(*CASE)
    def test_area_counts_pairs_and_half_of_the_ties(self, case):
        attack, scores, members = self.audited(case)
        want = float(area(scores, members))
        self.assertAlmostEqual(attack.auc.value, want, places=13)
        self.assertEqual(attack.distinct_scores, len(set(scores)))

    @parameterized.parameters(*CASE)
    def test_operating_points_are_the_best_of_all_rules(self, case):
        attack, scores, members = self.audited(case)
        m, n = 120, 90
        rules = counts(scores, members)
        wanted = {
            "precision_at_recall_94": best(
                [r for r in rules if 100 * r[1] >= 94 * m], precision
            ),
            "precision_at_recall_100": best(
                [r for r in rules if r[1] == m], precision
            ),
            "best_f1": best(
                rules, lambda r: Fraction(2 * r[1], r[1] + r[2] + m)
            ),
            "peak_accuracy": best(rules, lambda r: accuracy(r, m, n)),
        }
        for name, (threshold, inside, outside) in wanted.items():
            point = attack.point(name)
            self.assertEqual(
                (point.true_positives, point.false_positives),
                (inside, outside),
                name,
            )
            least = None if threshold == np.inf else threshold
            self.assertEqual(point.threshold, least, name)

    @parameterized.parameters(*CASE)
    def test_curve_has_every_level_and_parts_no_tie(self, case):
        attack, scores, members = self.audited(case)
        rules = counts(scores, members)[1:]
        curve = attack.curve
        self.assertEqual(curve.threshold, [rule[0] for rule in rules])
        self.assertAllClose(
            curve.balanced_accuracy,
            [float(accuracy(rule, 120, 90)) for rule in rules],
            atol=1e-15,
        )
        self.assertAllClose(
            curve.precision, [float(precision(rule)) for rule in rules]
        )

    @parameterized.parameters(*CASE)
    def test_held_out_threshold_is_the_best_rule_of_its_half(self, case):
        attack, scores, members = self.audited(case)
        half = held_out_thresholds.calibration_half(members, seed=4)
        chosen = best(
            counts(scores[half], members[half]),
            lambda rule: accuracy(rule, 60, 45),
        )
        called = scores >= chosen[0]
        point = attack.held_out.point
        self.assertEqual(
            (point.true_positives, point.false_positives),
            (
                np.sum(called & members & ~half),
                np.sum(called & ~members & ~half),
            ),
        )
        self.assertEqual((point.members, point.nonmembers), (60, 45))

    @parameterized.parameters(*CASE)
    def test_order_of_the_file_changes_nothing(self, case):
        answers = answers_of(case)
        settings = tfprivacy.Settings(
            attacks=("threshold", "threshold-entropy"), sliced=("threshold",)
        )
        one = audit.audit(answers, tfprivacy=settings)
        for seed in (1, 2):
            order = np.random.default_rng(seed).permutation(210)
            self.assertEqual(
                audit.audit(answers.take(order), tfprivacy=settings), one
            )

    @parameterized.parameters(*CASE)
    def test_who_stands_first_among_ties_changes_nothing(self, case):
        """New record numbers are another order among equal scores."""
        answers = answers_of(case)
        rng = np.random.default_rng(5)
        renamed = dataclasses.replace(
            answers, record_ids=rng.permutation(210)
        ).in_record_order()
        one, other = (
            audit.audit(x).attack("confidence") for x in (answers, renamed)
        )
        for name in ("auc", "points", "curve", "distinct_scores"):
            self.assertEqual(getattr(one, name), getattr(other, name))


class AnswerTest(parameterized.TestCase, tf.test.TestCase):
    def test_of_equal_classes_the_first_is_the_answer(self):
        rows = np.array(
            [[64, 96, 96], [128, 0, 128], [0, 1, 255], [85, 85, 85]]
        )
        answers = Outputs(
            probabilities=(rows / 256).astype(np.float32),
            labels=np.array([2, 0, 2, 0]),
            members=np.array([True, True, False, False]),
            record_ids=np.arange(4),
            info={"target": "int8_io", "probability_step": STEP},
        ).validate()
        # What a loop on the device finds, on the codes themselves.
        wanted = []
        for row in rows.astype(np.int64) - 128:
            place = 0
            for at, code in enumerate(row):
                if code > row[place]:
                    place = at
            wanted.append(place)
        self.assertAllEqual(answers.predicted, wanted)
        self.assertAllEqual(answers.tied, [True, True, False, True])
        target = audit.audit(answers)
        self.assertEqual(target.tied_outputs, 3)
        self.assertEqual(target.accuracy_members.value, 0.5)
        self.assertEqual(target.accuracy_nonmembers.value, 1.0)
        point = target.attack("gap").point("fixed")
        self.assertEqual((point.true_positives, point.false_positives), (1, 2))


class TensorFlowPrivacyTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*CASE)
    def test_attack_by_loss_counts_ties_half(self, case):
        answers = answers_of(case)
        settings = tfprivacy.Settings(attacks=("threshold",), sliced=())
        (row,) = tfprivacy.run(answers, settings=settings).rows
        # A small loss is a large probability of the label.
        chosen = answers.probabilities[np.arange(210), answers.labels]
        want = area(chosen, answers.members)
        self.assertAlmostEqual(row.auc.value, float(want), places=12)
        gaps = [
            abs(2 * accuracy(rule, 120, 90) - 1)
            for rule in counts(chosen, answers.members)
        ]
        self.assertAlmostEqual(row.advantage, float(max(gaps)), places=12)

    @parameterized.parameters(*CASE)
    def test_records_alike_but_for_the_class_have_equal_entropies(self, case):
        answers = answers_of(case, classes=10)
        order = np.random.default_rng(6).permutation(10)
        place = np.argsort(order)
        turned = dataclasses.replace(
            answers,
            probabilities=answers.probabilities[:, order],
            labels=place[answers.labels],
        )
        for values in (losses, modified_entropies):
            off = int(np.sum(values(answers) != values(turned)))
            self.assertEqual(off, 0, f"{off} of 210 differ")


if __name__ == "__main__":
    tf.test.main()
