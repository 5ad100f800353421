"""One attack on one target: what its scores come to, and the best of many."""

import dataclasses
import hashlib
import types
from unittest import mock

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.attacks import ATTACKS, Attack
from qmia_tf.auditing import attack_evaluation, membership_decisions
from qmia_tf.auditing.auxiliary import make_attack_inputs
from qmia_tf.errors import InputError
from qmia_tf.statistics import (
    auc,
    class_thresholds,
    epsilon,
    low_fpr_rates,
    sweep,
    thinned_sweep,
)

SEED = 3
GAP, CONFIDENCE = ATTACKS["gap"], ATTACKS["confidence"]


def inputs(members=53, nonmembers=47, *, seed=SEED, **options):
    outputs = synthetic_outputs.outputs(members, nonmembers, **options)
    return make_attack_inputs(outputs, seed=seed)


def attack(scores, **options):
    """An attack that says this of the records, in record order."""
    given = {"needs": ("labels",), "queries": "1", "source": "none", **options}
    return Attack("made", "made up", lambda inputs: scores, **given)


def drawn(given, *, gain=0.8, seed=0):
    """Scores that are higher for members, some of them tied."""
    members = given.outputs.members
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(size=members.size) + gain * members, 1)


def pairs_won(scores, members):
    """P(member above nonmember) + P(tie)/2, pair by pair."""
    apart = scores[members][:, None] - scores[~members][None]
    return np.mean((apart > 0) + 0.5 * (apart == 0))


def best_threshold(scores, members):
    """Of the thresholds of highest balanced accuracy the highest."""
    candidates = []
    for least in [np.inf, *np.unique(scores)[::-1]]:
        called = scores >= least
        candidates.append(
            (called[members].mean() - called[~members].mean(), least)
        )
    return max(candidates)[1]


class NumbersTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.inputs = inputs()
        self.members = self.inputs.outputs.members
        self.half = self.inputs.calibration
        self.scores = drawn(self.inputs)
        self.scored = attack_evaluation.run_attack(
            attack(self.scores), self.inputs
        )

    def test_are_those_of_the_statistics(self):
        scores, members, half = self.scores, self.members, self.half
        audit = self.scored.audit
        self.assertEqual(
            audit.by_class,
            class_thresholds.hold_out(
                scores,
                members,
                self.inputs.outputs.labels,
                classes=5,
                seed=SEED,
                calibration=half,
            ),
        )
        self.assertEqual(
            audit.epsilon, epsilon.lower_bound(scores, members, half)
        )
        whole = sweep.sweep(scores, members)
        self.assertEqual(audit.curve, thinned_sweep.thin(whole, points=120))
        self.assertEqual((audit.members, audit.nonmembers), (53, 47))
        self.assertEqual((audit.excluded, audit.needs), (0, ["labels"]))
        self.assertEqual((audit.name, audit.title), ("made", "made up"))

    def test_are_those_of_plain_numpy(self):
        scores, members, half = self.scores, self.members, self.half
        audit = self.scored.audit
        self.assertAlmostEqual(audit.auc.value, pairs_won(scores, members))
        self.assertEqual(audit.distinct_scores, len(set(scores.tolist())))
        for at in audit.tpr_at_fpr:
            rates = [
                (np.mean(scores[members] >= t), np.mean(scores[~members] >= t))
                for t in [np.inf, *scores]
            ]
            want = max(tpr for tpr, fpr in rates if fpr <= at.rate)
            self.assertAlmostEqual(at.tpr.value, want)
        top = scores[~members].max()
        self.assertAlmostEqual(
            audit.least_false_positive_rate, np.mean(scores[~members] == top)
        )
        least = best_threshold(scores[half], members[half])
        called = scores >= least
        self.assertAllEqual(self.scored.called, called)
        point = audit.held_out.point
        self.assertEqual(point.threshold, least)
        self.assertEqual(
            (point.true_positives, point.false_positives),
            (
                np.sum(called & members & ~half),
                np.sum(called & ~members & ~half),
            ),
        )
        other = best_threshold(scores[~half], members[~half])
        crossed = np.where(half, scores >= other, called)
        self.assertAlmostEqual(
            audit.cross_fitted.balanced_accuracy.value,
            (1 + crossed[members].mean() - crossed[~members].mean()) / 2,
        )

    def test_verdicts_and_their_records(self):
        judged = ~self.half
        self.assertAllEqual(self.scored.evaluated, judged)
        audit = self.scored.audit
        for text, kind in (
            (audit.membership_decisions.members, self.members),
            (audit.membership_decisions.nonmembers, ~self.members),
        ):
            want = self.scored.called[judged & kind]
            self.assertAllEqual(
                membership_decisions.unpack(text, want.size), want
            )
        ids = self.inputs.outputs.record_ids
        data = b"".join(
            int(one).to_bytes(8, "little", signed=True)
            for kind in (self.members, ~self.members)
            for one in sorted(ids[kind & judged].tolist())
        )
        self.assertEqual(audit.records_sha256, hashlib.sha256(data).hexdigest())

    def test_the_papers_attack_has_the_papers_points(self):
        points = [point.name for point in self.scored.audit.points]
        self.assertEqual(points, ["peak_accuracy"])
        audit = attack_evaluation.run_attack(CONFIDENCE, self.inputs).audit
        self.assertEqual(
            [point.name for point in audit.points],
            [
                "precision_at_recall_94",
                "precision_at_recall_100",
                "best_f1",
                "peak_accuracy",
            ],
        )

    def test_curve_of_the_papers_attack_is_finer(self):
        given = inputs(2000, 2000)
        thinned = attack_evaluation.run_attack(CONFIDENCE, given).audit.curve
        self.assertGreater(len(thinned.threshold), 350)
        scores = drawn(given) + np.random.default_rng(1).random(4000)
        thinned = attack_evaluation.run_attack(
            attack(scores), given
        ).audit.curve
        self.assertBetween(len(thinned.threshold), 80, 130)
        self.assertEqual(thinned.distinct_thresholds, 4000)

    def test_fixed_threshold(self):
        scored = attack_evaluation.run_attack(
            attack(self.scores, threshold=0.4), self.inputs
        )
        called = self.scores >= 0.4
        self.assertAllEqual(scored.called, called)
        self.assertTrue(scored.evaluated.all())
        (point,) = scored.audit.points
        self.assertEqual((point.name, point.in_sample), ("fixed", False))
        self.assertEqual(point.threshold, 0.4)
        self.assertEqual(
            (point.true_positives, point.false_positives),
            (np.sum(called & self.members), np.sum(called & ~self.members)),
        )
        for name in ("held_out", "cross_fitted", "by_class", "curve", "excess"):
            self.assertIsNone(getattr(scored.audit, name), name)
        self.assertEqual(scored.audit.tpr_at_fpr, [])
        bits = membership_decisions.unpack(
            scored.audit.membership_decisions.members, 53
        )
        self.assertAllEqual(bits, called[self.members])


class PartlyTest(parameterized.TestCase, tf.test.TestCase):
    """Attacks that say nothing of some records, or learn from some."""

    def setUp(self):
        super().setUp()
        self.inputs = inputs()
        self.members = self.inputs.outputs.members
        self.half = self.inputs.calibration

    @parameterized.parameters(None, 0.4)
    def test_records_without_a_score_are_left_out_and_counted(self, threshold):
        scores = drawn(self.inputs)
        silent = np.random.default_rng(1).random(100) < 0.3
        given = np.where(silent, np.nan, scores)
        scored = attack_evaluation.run_attack(
            attack(given, threshold=threshold), self.inputs
        )
        has_score = ~silent
        # The same as if nobody had ever asked about them.
        fewer = dataclasses.replace(
            self.inputs,
            outputs=self.inputs.outputs.take(has_score),
            calibration=self.half[has_score],
        )
        alone = attack_evaluation.run_attack(
            attack(scores[has_score], threshold=threshold), fewer
        )
        self.assertEqual(scored.audit.excluded, int(silent.sum()))
        self.assertEqual(
            scored.audit.members, int(np.sum(has_score & self.members))
        )
        self.assertEqual(
            scored.audit,
            dataclasses.replace(alone.audit, excluded=silent.sum()),
        )
        self.assertFalse(scored.called[silent].any())
        self.assertFalse(scored.evaluated[silent].any())

    def test_what_learns_is_judged_on_the_other_half(self):
        scores = drawn(self.inputs, gain=0.0)
        # Learnt by heart: right about every record it learnt from.
        scores[self.half] += 100 * self.members[self.half]
        learnt, plain = (
            attack_evaluation.run_attack(
                attack(scores, learns=x), self.inputs
            ).audit
            for x in (True, False)
        )
        judged = ~self.half
        self.assertEqual((learnt.members, learnt.nonmembers), (27, 24))
        self.assertEqual(learnt.excluded, 0)
        want = pairs_won(scores[judged], self.members[judged])
        self.assertAlmostEqual(learnt.auc.value, want)
        self.assertBetween(learnt.auc.low, 0.0, 0.5)
        self.assertGreater(plain.auc.low, 0.6)
        self.assertEqual(learnt.curve.members, 27)
        self.assertEqual(learnt.points[0].members, 27)
        self.assertEqual(learnt.tpr_at_fpr[0].nonmembers, 24)
        self.assertEqual(learnt.epsilon, plain.epsilon)
        self.assertEqual(learnt.held_out.point, plain.held_out.point)
        self.assertIsNone(learnt.cross_fitted)
        self.assertIsNone(learnt.by_class)

    @parameterized.product(kind=("member", "nonmember"), half=(True, False))
    def test_too_few_records(self, kind, half):
        scores = drawn(self.inputs)
        inside = self.members == (kind == "member")
        scores[inside & (self.half == half)] = np.nan
        where = "calibration" if half else "evaluation"
        with self.assertRaisesRegex(
            attack_evaluation.TooFewScores,
            f"has no score for any {kind} of the {where} half: query more",
        ):
            attack_evaluation.run_attack(attack(scores), self.inputs)
        self.assertTrue(issubclass(attack_evaluation.TooFewScores, InputError))

    def test_one_record_of_each_kind_and_half_is_enough(self):
        scores = np.full(100, np.nan)
        for kind in (self.members, ~self.members):
            for half in (self.half, ~self.half):
                scores[np.flatnonzero(kind & half)[0]] = kind[0]
        audit = attack_evaluation.run_attack(attack(scores), self.inputs).audit
        self.assertEqual((audit.members, audit.nonmembers), (2, 2))
        self.assertEqual(audit.excluded, 96)

    def test_all_scores_equal(self):
        audit = attack_evaluation.run_attack(
            attack(np.ones(100)), self.inputs
        ).audit
        self.assertEqual(audit.auc.value, 0.5)
        self.assertEqual(audit.distinct_scores, 1)
        self.assertEqual(audit.least_false_positive_rate, 1.0)
        self.assertEqual(audit.epsilon.value, 0.0)


class ExcessTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.inputs = inputs(200, 200)
        self.members = self.inputs.outputs.members
        self.gap = attack_evaluation.run_attack(GAP, self.inputs)

    def test_is_paired_on_the_records_that_the_attack_is_judged_on(self):
        scores = drawn(self.inputs)
        scores[np.random.default_rng(2).random(400) < 0.2] = np.nan
        scored = attack_evaluation.run_attack(attack(scores), self.inputs)
        audit = attack_evaluation.with_excess(scored, self.gap, self.members)
        outputs = self.inputs.outputs
        right = outputs.probabilities.argmax(axis=1) == outputs.labels
        rows = ~self.inputs.calibration & ~np.isnan(scores)
        inside, outside = rows & self.members, rows & ~self.members
        gap = (1 + right[inside].mean() - right[outside].mean()) / 2
        ours = audit.held_out.point.balanced_accuracy.value
        self.assertAlmostEqual(audit.excess.value, ours - gap)
        self.assertLess(audit.excess.low, ours - gap)
        self.assertGreater(audit.excess.high, ours - gap)
        self.assertEqual(dataclasses.replace(audit, excess=None), scored.audit)

    def test_of_the_gap_attack_itself_there_is_none(self):
        audit = attack_evaluation.with_excess(self.gap, self.gap, self.members)
        self.assertIsNone(audit.excess)

    def test_an_attack_that_says_what_the_gap_attack_says(self):
        scores = GAP.scores(self.inputs)
        scored = attack_evaluation.run_attack(attack(scores), self.inputs)
        self.assertEqual(scored.audit.held_out.point.threshold, 1.0)
        excess = attack_evaluation.with_excess(
            scored, self.gap, self.members
        ).excess
        self.assertEqual(excess.value, 0.0)
        # Narrower than the two intervals apart: the verdicts are the same.
        width = scored.audit.held_out.point.balanced_accuracy
        self.assertLess(excess.high - excess.low, width.high - width.low)


class StrongestTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.inputs = inputs(100, 100)
        self.members = self.inputs.outputs.members
        self.half = self.inputs.calibration

    def run_named(self, **scores):
        return [
            attack_evaluation.run_attack(
                dataclasses.replace(attack(given), name=name), self.inputs
            )
            for name, given in scores.items()
        ]

    def test_chosen_on_one_half_judged_on_the_other(self):
        good = drawn(self.inputs, gain=2.0)
        noise = drawn(self.inputs, gain=0.0, seed=1)
        strongest = attack_evaluation.strongest(
            self.run_named(
                here=np.where(self.half, good, noise),
                there=np.where(self.half, noise, good),
            ),
            self.inputs,
        )
        self.assertEqual(strongest.attack, "here")
        self.assertEqual(strongest.candidates, ["here", "there"])
        judged = ~self.half
        want = pairs_won(noise[judged], self.members[judged])
        self.assertAlmostEqual(strongest.auc.value, want)
        least = best_threshold(good[self.half], self.members[self.half])
        called = noise >= least
        self.assertEqual(strongest.point.threshold, least)
        self.assertFalse(strongest.point.in_sample)
        self.assertEqual(
            (strongest.point.true_positives, strongest.point.false_positives),
            (
                np.sum(called & judged & self.members),
                np.sum(called & judged & ~self.members),
            ),
        )
        self.assertEqual(
            (strongest.point.members, strongest.point.nonmembers), (50, 50)
        )
        self.assertEqual(
            strongest.tpr_at_fpr,
            low_fpr_rates.tpr_at_fpr(
                noise[judged], self.members[judged], seed=SEED
            ),
        )

    def test_records_without_a_score(self):
        scores = drawn(self.inputs, gain=3.0)
        scores[::3] = np.nan
        weak = drawn(self.inputs, gain=0.2)
        scored = self.run_named(weak=weak, partly=scores)
        strongest = attack_evaluation.strongest(scored, self.inputs)
        self.assertEqual(strongest.attack, "partly")
        rows = ~self.half & ~np.isnan(scores)
        self.assertEqual(strongest.point.members, np.sum(rows & self.members))
        self.assertEqual(strongest.point, scored[1].audit.held_out.point)

    def test_fixed_threshold(self):
        gap = attack_evaluation.run_attack(GAP, self.inputs)
        strongest = attack_evaluation.strongest([gap], self.inputs)
        self.assertEqual(strongest.attack, "gap")
        self.assertEqual(strongest.point.threshold, 1.0)
        outputs = self.inputs.outputs.take(~self.half)
        right = outputs.probabilities.argmax(axis=1) == outputs.labels
        self.assertEqual(
            strongest.point.true_positives, np.sum(right & outputs.members)
        )

    def test_nobody_is_called(self):
        # Members score lower everywhere, but for one at the top.
        scores = -10.0 * self.members
        strongest = attack_evaluation.strongest(
            self.run_named(only=scores), self.inputs
        )
        self.assertIsNone(strongest.point.threshold)
        self.assertEqual(strongest.point.true_positives, 0)
        self.assertEqual(strongest.point.balanced_accuracy.value, 0.5)

    # Its bootstrap takes most of the time, and has tests of its own.
    @mock.patch.object(attack_evaluation, "tpr_at_fpr")
    def test_holds_its_level_where_nothing_leaks(self, _):
        """The best of 12 attacks that guess must look like guessing."""
        audits, attacks = 300, 12
        rng = np.random.default_rng(7)
        rules = [
            dataclasses.replace(attack(None, threshold=0.0), name=str(n))
            for n in range(attacks)
        ]
        audit = types.SimpleNamespace(held_out=None)
        missed, flattered = np.zeros(2, int), 0
        for _ in range(audits):
            drawn_ = rng.normal(size=(attacks, 200))
            scored = [
                attack_evaluation.AttackOutcome(
                    *(rule, row, row >= 0, row == row, audit),
                    sweep.sweep(row, self.members),
                )
                for rule, row in zip(rules, drawn_, strict=True)
            ]
            strongest = attack_evaluation.strongest(scored, self.inputs)
            for at, interval in enumerate(
                (strongest.auc, strongest.point.balanced_accuracy)
            ):
                missed[at] += not interval.low <= 0.5 <= interval.high
            best = drawn_[int(strongest.attack)][self.half]
            inside = self.members[self.half]
            flattered += auc.auc(best, inside).low > 0.5
        # 95 % intervals: misses are binomial; four standard deviations.
        most = stats.binom.isf(3e-5, audits, 0.05)
        self.assertLess(missed.max(), most)
        # Judged where it was chosen, it would often seem to leak.
        self.assertGreater(flattered, 2 * most)


if __name__ == "__main__":
    tf.test.main()
