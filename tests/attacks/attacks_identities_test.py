"""What must hold of every score, whatever the outputs."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.attacks import (
    confidence,
    entropy,
    gap,
    label_only,
    losses,
    margin,
)
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.tfprivacy import module_loader
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.logits import check_kind, softmax
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.operating_points import measure
from qmia_tf.statistics.sweep import sweep

STEP = 1 / 256
SCORES = {
    "gap": gap.scores,
    "confidence": confidence.scores,
    "true_confidence": confidence.true_class_scores,
    "loss": losses.scores,
    "margin": margin.margins,
    "entropy": entropy.scores,
    "modified_entropy": entropy.modified_scores,
}
KINDS = ("float", "int8", "logits")


def make_answers(kind, **options):
    """120 members and 90 nonmembers, in record order."""
    step = STEP if kind == "int8" else 0.0
    outputs = synthetic_outputs.outputs(120, 90, step=step, **options)
    outputs = outputs.in_record_order()
    if kind != "logits":
        return outputs
    rng = np.random.default_rng(1)
    return Outputs.from_logits(
        np.log(outputs.probabilities) + rng.normal(size=(210, 1)),
        labels=outputs.labels,
        members=outputs.members,
        record_ids=outputs.record_ids,
        info={"target": "keras"},
    )


def fixture(rows, labels):
    return Outputs.from_logits(
        np.array(rows, np.float32),
        labels=np.array(labels),
        members=np.array([True, False]),
        record_ids=np.arange(2),
        info={"target": "fixture"},
    )


class EveryScoreTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(name=[*SCORES], kind=KINDS)
    def test_one_finite_number_a_record_higher_for_members(self, name, kind):
        answers = make_answers(kind)
        scores = SCORES[name](answers)
        self.assertEqual((scores.dtype, scores.shape), (np.float64, (210,)))
        self.assertTrue(np.isfinite(scores).all())
        # Members have the larger gain at their label: see synthetic_outputs.
        self.assertGreater(auc(scores, answers.members).value, 0.55)

    @parameterized.product(name=[*SCORES], kind=KINDS)
    def test_records_do_not_see_each_other(self, name, kind):
        answers = make_answers(kind)
        before = SCORES[name](answers)
        order = np.random.default_rng(2).permutation(210)
        after = SCORES[name](answers.take(order))
        off = int(np.sum(after != before[order]))
        self.assertEqual(off, 0, f"{off} of 210 differ")
        some = order[:50]
        off = int(np.sum(SCORES[name](answers.take(some)) != before[some]))
        self.assertEqual(off, 0, f"{off} of 50 differ")
        self.assertAlmostEqual(
            auc(after, answers.members[order]).value,
            auc(before, answers.members).value,
            places=13,
        )

    @parameterized.product(name=[*SCORES], kind=KINDS)
    def test_membership_is_not_looked_at(self, name, kind):
        answers = make_answers(kind)
        swapped = dataclasses.replace(answers, members=~answers.members)
        scores = SCORES[name](answers)
        self.assertAllEqual(SCORES[name](swapped), scores)
        one, other = (auc(scores, x.members) for x in (answers, swapped))
        self.assertAlmostEqual(other.value, 1 - one.value, places=13)
        self.assertAlmostEqual(other.low, 1 - one.high, places=13)

    @parameterized.product(name=sorted(set(SCORES) - {"gap"}), kind=KINDS)
    def test_classes_may_be_called_otherwise(self, name, kind):
        """The gap attack takes the first of equal classes, so not it."""
        answers = make_answers(kind, classes=10)
        order = np.random.default_rng(3).permutation(10)
        logits = answers.logits
        turned = dataclasses.replace(
            answers,
            probabilities=answers.probabilities[:, order],
            labels=np.argsort(order)[answers.labels],
            logits=None if logits is None else logits[:, order],
        )
        off = int(np.sum(SCORES[name](turned) != SCORES[name](answers)))
        self.assertEqual(off, 0, f"{off} of 210 differ")

    def test_classes_of_very_different_size_are_added_in_one_order(self):
        """Their sum in float64 is not exact, so the order shows."""
        rng = np.random.default_rng(5)
        p = np.exp(rng.normal(size=(300, 60)) * 15)
        answers = Outputs(
            probabilities=(p / p.sum(axis=1)[:, None]).astype(np.float32),
            labels=rng.integers(0, 60, 300),
            members=rng.random(300) < 0.5,
            record_ids=np.arange(300),
            info={"target": "t"},
        )
        order = rng.permutation(60)
        turned = dataclasses.replace(
            answers,
            probabilities=answers.probabilities[:, order],
            labels=np.argsort(order)[answers.labels],
        )
        for name in sorted(set(SCORES) - {"gap"}):
            off = int(np.sum(SCORES[name](turned) != SCORES[name](answers)))
            self.assertEqual(off, 0, f"{name}: {off} of 300 differ")

    @parameterized.product(name=[*SCORES], kind=KINDS)
    def test_monotone_transforms_leave_the_auc(self, name, kind):
        answers = make_answers(kind)
        scores = SCORES[name](answers)
        want = auc(scores, answers.members)
        ranks = np.unique(scores, return_inverse=True)[1]
        for other in (3 * scores - 7, ranks, ranks**3 / 1e6):
            got = auc(other, answers.members)
            self.assertAlmostEqual(got.value, want.value, places=13)
            self.assertAlmostEqual(got.low, want.low, places=12)

    @parameterized.product(name=[*SCORES], kind=KINDS)
    def test_outputs_are_left_as_they_are(self, name, kind):
        answers = make_answers(kind)
        before = answers.probabilities.copy()
        logits = None if answers.logits is None else answers.logits.copy()
        SCORES[name](answers)
        self.assertAllEqual(answers.probabilities, before)
        if logits is not None:
            self.assertAllEqual(answers.logits, logits)


class HardLabelsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*KINDS)
    def test_hard_labels_are_the_gap_attack(self, kind):
        """One-hot outputs leave every score with the true label two values."""
        answers = make_answers(kind)
        hard = dataclasses.replace(
            answers,
            probabilities=np.eye(answers.classes, dtype=np.float32)[
                answers.predicted
            ],
            logits=None,
        )
        right = gap.scores(answers)
        want = auc(right, answers.members)
        for name in ("true_confidence", "loss", "margin", "modified_entropy"):
            scores = SCORES[name](hard)
            self.assertLen(set(scores), 2)
            self.assertAllEqual(scores == scores.max(), right == 1)
            self.assertEqual(auc(scores, answers.members), want)
        for name in ("confidence", "entropy"):
            self.assertLen(set(SCORES[name](hard)), 1)

    def test_the_unchanged_copy_alone_is_the_gap_attack(self):
        answers = make_answers("int8")
        given = AttackInputs(
            outputs=answers,
            calibration=np.ones(210, bool),
            augmented_labels=answers.predicted[:, None],
        )
        scores = label_only.correct_augmentations(given)
        self.assertAllEqual(scores, gap.scores(answers))
        self.assertAllEqual(
            label_only.agreeing_augmentations(given), np.zeros(210)
        )

    def test_the_sweep_holds_yeoms_point(self):
        answers = make_answers("float")
        right = answers.predicted == answers.labels
        counts = {
            "true_positives": int(np.sum(right & answers.members)),
            "false_positives": int(np.sum(right & ~answers.members)),
        }
        point = measure(
            "fixed",
            threshold=gap.THRESHOLD,
            members=120,
            nonmembers=90,
            in_sample=False,
            seed=0,
            **counts,
        )
        swept = sweep(gap.scores(answers), answers.members)
        row = list(swept.thresholds).index(gap.THRESHOLD)
        self.assertEqual(
            swept.balanced_accuracy[row], point.balanced_accuracy.value
        )
        area = auc(gap.scores(answers), answers.members)
        self.assertAlmostEqual(area.value, point.balanced_accuracy.value)


class ThreeScalesTest(parameterized.TestCase, tf.test.TestCase):
    """The true class's probability, loss and margin: one order or not."""

    def test_one_order_where_probabilities_are_exact(self):
        rng = np.random.default_rng(4)
        # Rows of multiples of 2^-20 that sum to exactly 1, as float32 too.
        cuts = np.sort(rng.integers(1, 2**20, (300, 4)), axis=1)
        ends = np.zeros((300, 1), int), np.full((300, 1), 2**20)
        rows = np.diff(np.hstack([ends[0], cuts, ends[1]]), axis=1) / 2**20
        answers = Outputs(
            probabilities=rows.astype(np.float32),
            labels=rng.integers(0, 5, 300),
            members=rng.random(300) < 0.5,
            record_ids=np.arange(300),
            info={"target": "t"},
        ).validate()
        first, *others = (
            np.unique(SCORES[name](answers), return_inverse=True)[1]
            for name in ("true_confidence", "loss", "margin")
        )
        for ranks in others:
            self.assertAllEqual(ranks, first)
        areas = {
            auc(SCORES[name](answers), answers.members)
            for name in ("true_confidence", "loss", "margin")
        }
        self.assertLen(areas, 1)

    def test_only_the_margin_tells_saturated_records_apart(self):
        gains = np.arange(18.0, 60.0, 2.0)
        answers = Outputs.from_logits(
            np.column_stack([gains, 0 * gains]).astype(np.float32),
            labels=np.zeros(gains.size, int),
            members=gains > 40,
            record_ids=np.arange(gains.size),
            info={"target": "t"},
        )
        alone = dataclasses.replace(answers, logits=None)
        for name in ("true_confidence", "loss"):
            self.assertLen(set(SCORES[name](alone)), 1)
            self.assertEqual(
                auc(SCORES[name](alone), answers.members).value, 0.5
            )
        for given in (alone, answers):
            self.assertAllGreater(np.diff(SCORES["margin"](given)), 0)
        # With logits the loss does not saturate either.
        self.assertAllGreater(np.diff(SCORES["loss"](answers)), 0)


class FixturesTest(tf.test.TestCase):
    """Values of tensorflow-privacy's own tests."""

    def test_losses(self):
        for rows, labels, want in (
            ([[-0.3, 1.5, 0.2], [2, 3, 0.5]], [1, 0], [0.36313551, 1.37153903]),
            (
                [[2, 0.3, 0.2], [0.3, -0.5, 0.2]],
                [0, 2],
                [0.29860897, 0.95618669],
            ),
        ):
            answers = fixture(rows, labels)
            # Eight digits are given; logits and probabilities are float32.
            self.assertAllClose(losses.losses(answers), want, atol=3e-7)
            alone = dataclasses.replace(answers, logits=None)
            self.assertAllClose(losses.losses(alone), want, atol=3e-7)

    def test_margins(self):
        answers = fixture([[1, 2, -3], [-1, 1, 0]], [1, 2])
        want = [0.98185009, -1.12692802]
        self.assertAllClose(margin.margins(answers), want, atol=5e-9)
        alone = dataclasses.replace(answers, logits=None)
        self.assertAllClose(margin.margins(alone), want, atol=5e-7)

    def test_modified_entropies(self):
        given = module_loader.load().data_structures.AttackInputData
        answers = make_answers("logits")
        want = given._get_entropy(
            answers.logits.astype(np.float64), answers.labels
        )
        # Its softmax and logarithms are float64; both subtract from 1.
        got = entropy.modified_entropies(answers)
        self.assertAllClose(got, want, rtol=1e-9)

    def test_fixed_entropies(self):
        """Sure and right is 0; sure and wrong is twice the log of nothing."""
        rows = [[1, 0, 0], [0, 1, 0]]
        answers = dataclasses.replace(
            fixture([[9, 0, 0], [0, 9, 0]], [0, 2]),
            probabilities=np.array(rows, np.float32),
            logits=None,
        )
        entropies = entropy.modified_entropies(answers)
        self.assertEqual(entropies[0], 0)
        want = 150 * np.log(2) + 25 * np.log(2)
        self.assertAlmostEqual(entropies[1], want)


class QuantizedTest(parameterized.TestCase, tf.test.TestCase):
    """8-bit probabilities are never taken for logits."""

    @parameterized.product(
        classes=(10, 100), gain=((3.0, 2.0), (9.0, 8.0), (0.0, 0.0))
    )
    def test_rows_that_miss_one_stay_probabilities(self, classes, gain):
        answers = make_answers("int8", classes=classes, gain=gain).validate()
        rows = answers.probabilities
        sums = rows.sum(axis=1)
        self.assertGreater(np.mean(sums != 1), 0.05)
        # As a target's answers, and as what somebody calls logits.
        check_kind(rows, name="t", step=STEP, as_logits=False)
        with self.assertRaisesRegex(ValueError, "probabilities"):
            check_kind(rows, name="t", step=STEP, as_logits=True)
        with self.assertRaisesRegex(ValueError, "logits are probabilities"):
            Outputs.from_logits(
                rows,
                labels=answers.labels,
                members=answers.members,
                record_ids=answers.record_ids,
                info={"target": "t"},
            )

    @parameterized.parameters(10, 100)
    def test_no_score_takes_a_second_softmax(self, classes):
        """It would press them together: every score tells the difference."""
        answers = make_answers("int8", classes=classes)
        again = dataclasses.replace(
            answers, probabilities=softmax(answers.probabilities)
        )
        place = np.arange(210), answers.labels
        p = answers.probabilities[place].astype(np.float64)
        self.assertAllEqual(confidence.true_class_scores(answers), p)
        seen = p > 0
        self.assertAllClose(
            losses.losses(answers)[seen], -np.log(p[seen]), rtol=1e-15
        )
        for name in sorted(set(SCORES) - {"gap"}):
            spread = np.ptp(SCORES[name](answers))
            self.assertGreater(spread, 1.5 * np.ptp(SCORES[name](again)), name)


if __name__ == "__main__":
    tf.test.main()
