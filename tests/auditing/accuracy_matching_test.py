"""Matching at equal accuracy, on made curves."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf import attacks
from qmia_tf.auditing import (
    accuracy_crossing,
    accuracy_matching,
    attack_evaluation,
    auxiliary,
)
from qmia_tf.report import matching_tables
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.intervals import Estimate

RECORDS, MEMBERS = 400, 160


def an_epoch(right, *, gain=0.5, seed=0, epoch=1):
    """An Epoch that classifies so many of 240 nonmembers right.

    Scores are normal and the members' by `gain` higher. Who is right does
    not depend on the score.
    """
    rng = np.random.default_rng(seed)
    members = np.arange(RECORDS) < MEMBERS
    scores = rng.normal(size=RECORDS) + gain * members
    nonmembers = RECORDS - MEMBERS
    area = auc(scores, members)
    point = accuracy_matching.Point(
        epoch=epoch,
        accuracy_members=Estimate(0.9, 0.8, 0.95),
        accuracy_nonmembers=Estimate(right / nonmembers, None, None),
        leaks=dict.fromkeys(accuracy_matching.SCORES, area),
    )
    return accuracy_matching.Epoch(
        point,
        rng.permutation(nonmembers) < right,
        dict.fromkeys(accuracy_matching.SCORES, scores),
    )


def a_run(*rights):
    return [
        an_epoch(right, gain=0.2 * place, seed=place, epoch=place)
        for place, right in enumerate(rights, start=1)
    ]


INSIDE = np.arange(RECORDS) < MEMBERS


def leak(epoch):
    return epoch.point.leaks["margin"].value


class MatchTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (131, [2]),
        (129, [2]),
        (115, [1]),
        (160, [3]),
        (10, [1]),
        (239, [3]),
    )
    def test_nearest(self, right, wanted):
        full, model = a_run(100, 130, 170, 130), an_epoch(right, seed=9)
        match = accuracy_matching.nearest(model, full, INSIDE)
        self.assertEqual((match.way, match.epochs), ("nearest", wanted))
        other = full[wanted[0] - 1]
        self.assertAllClose(
            match.leak["margin"].difference.value, leak(model) - leak(other)
        )
        gap = np.mean(model.right) - np.mean(other.right)
        self.assertAllClose(match.accuracy.value, gap)
        self.assertBetween(gap, match.accuracy.low, match.accuracy.high)

    @parameterized.parameters(
        # The accuracy, its epochs and weight, how often it is crossed.
        (145, [2, 3], 15 / 40, 2),
        (170, [2, 3], 1.0, 0),
        (130, [1, 2], 1.0, 1),
        (100, [1, 2], 0.0, 0),
        (101, [1, 2], 1 / 30, 1),
    )
    def test_interpolated(self, right, wanted, weight, crossings):
        full, model = a_run(100, 130, 170, 130), an_epoch(right, seed=9)
        match = accuracy_matching.interpolated(model, full, INSIDE)
        self.assertEqual((match.way, match.epochs), ("interpolated", wanted))
        self.assertAlmostEqual(match.weight, weight)
        self.assertEqual(match.crossings, crossings)
        one, two = (full[epoch - 1] for epoch in wanted)
        line = np.interp(
            right, [one.right.sum(), two.right.sum()], [leak(one), leak(two)]
        )
        difference = match.leak["margin"].difference
        self.assertAllClose(difference.value, leak(model) - line)
        self.assertBetween(difference.value, difference.low, difference.high)

    def test_the_first_crossing_before_the_best_epoch(self):
        """Up to 140, down to 120, up to 150, and down for good."""
        rights = [100, 140, 120, 150, 90]
        full = a_run(*rights)
        for right, wanted in ((130, [1, 2]), (145, [3, 4]), (125, [1, 2])):
            match = accuracy_matching.interpolated(
                an_epoch(right), full, INSIDE
            )
            self.assertEqual(match.epochs, wanted)
        self.assertEqual(accuracy_crossing.crossings(130, rights), 4)
        # Reached only after the best epoch: not a match.
        self.assertEqual(accuracy_crossing.outside_range(95, rights), "below")
        self.assertIsNone(
            accuracy_matching.interpolated(an_epoch(95), full, INSIDE)
        )

    @parameterized.parameters((99, "below"), (171, "above"))
    def test_nothing_is_extrapolated(self, right, side):
        rights = [100, 130, 170, 80]
        full, model = a_run(*rights), an_epoch(right)
        self.assertIsNone(accuracy_matching.interpolated(model, full, INSIDE))
        self.assertEqual(accuracy_crossing.outside_range(right, rights), side)
        self.assertEqual(
            accuracy_matching.nearest(model, full, INSIDE).outside, side
        )

    @parameterized.parameters(
        (None, 0.03, 0.02, 0.04, True),
        ("above", 0.001, -0.004, 0.006, True),
        ("below", -0.001, -0.006, 0.004, True),
        # It can be told from zero; it may be more than a point; nobody knows.
        ("above", 0.003, 0.001, 0.005, False),
        ("above", 0.004, -0.004, 0.012, False),
        ("below", -0.004, -0.012, 0.004, False),
        ("above", 0.0, None, None, False),
    )
    def test_what_is_a_match(self, side, value, low, high, wanted):
        full = a_run(100, 130)
        match = accuracy_matching.nearest(an_epoch(120), full, INSIDE)
        match = dataclasses.replace(
            match, outside=side, accuracy=Estimate(value, low, high)
        )
        self.assertEqual(match.is_match, wanted)

    def test_best_at_the_first_epoch(self):
        full, model = a_run(150, 120), an_epoch(150, seed=9)
        match = accuracy_matching.interpolated(model, full, INSIDE)
        self.assertEqual(match.epochs, [1, 1])
        want = leak(model) - leak(full[0])
        self.assertAllClose(match.leak["gap"].difference.value, want)

    def test_full_precision_against_itself(self):
        full = a_run(100, 130, 170)
        for match in (
            accuracy_matching.nearest,
            accuracy_matching.interpolated,
        ):
            margin = match(full[1], full, INSIDE).leak["margin"]
            self.assertAllClose(margin.difference.value, 0.0, atol=1e-15)
        self.assertEqual(
            accuracy_matching.nearest(full[1], full, INSIDE)
            .leak["gap"]
            .p_value,
            1.0,
        )

    @parameterized.parameters(True, False)
    def test_interval_counts_the_weight_in(self, counted):
        """Leak and accuracy of each epoch vary with the nonmembers drawn.

        True leaks: 0 at accuracy 0.4 and 0.8 (d = 1.5) at 0.6; the model is
        right on half of the nonmembers and lies on the line between.
        """
        rng, audits, inside = np.random.default_rng(2), 200, 0
        point = an_epoch(1).point
        members = np.arange(300) < 100
        normal = stats.norm
        ends = [normal.cdf(d / np.sqrt(2)) for d in (0.0, 1.5)]
        middle = normal.ppf(np.mean(ends)) * np.sqrt(2)
        for _ in range(audits):
            shared = rng.normal(size=300)
            drawn = []
            for gain, share in ((0.0, 0.4), (1.5, 0.6), (middle, 0.5)):
                scores = shared + gain * members
                drawn.append(
                    accuracy_matching.Epoch(
                        point,
                        rng.random(200) < share,
                        {"margin": scores},
                    )
                )
            match = accuracy_matching.interpolated(drawn[2], drawn[:2], members)
            if match is None:
                audits -= 1
                continue
            difference = match.leak["margin"].difference
            half = (difference.high - difference.low) / 2
            if not counted:
                slim = accuracy_matching.delong.contrast(
                    [drawn[place].scores["margin"] for place in (2, 0, 1)],
                    members,
                    (1.0, match.weight - 1, -match.weight),
                ).difference
                half = (slim.high - slim.low) / 2
            inside += abs(difference.value) <= half
        if counted:
            # 95 %, less three deviations of some 200 simulations.
            self.assertGreaterEqual(inside / audits, 0.904)
        else:
            self.assertLess(inside / audits, 0.6)

    @parameterized.parameters(1.0, 0.5)
    def test_interval_is_the_jackknifes(self, judged):
        """Each record left out in turn, the weight found anew each time.

        Of an attack that learns only some are judged; the weight is still
        found on all nonmembers.
        """
        rng = np.random.default_rng(4)
        rights = [rng.random(240) < share for share in (0.5, 0.4, 0.6)]
        ability, drawn = rng.normal(size=RECORDS), []
        has_score = rng.random(RECORDS) < judged
        for right, gain in zip(rights, (0.6, 0.2, 1.2), strict=True):
            # Whoever is classified right scores higher.
            scores = ability + rng.normal(size=RECORDS) + gain * INSIDE
            scores[~INSIDE] += 1.5 * right
            scores[~has_score] = np.nan
            drawn.append(
                accuracy_matching.Epoch(
                    an_epoch(1).point, right, {"margin": scores}
                )
            )
        match = accuracy_matching.interpolated(drawn[0], drawn[1:], INSIDE)

        def difference(members, nonmembers):
            areas, shares = [], []
            for epoch in drawn:
                scores = epoch.scores["margin"]
                inside, outside = scores[INSIDE], scores[~INSIDE]
                inside, outside = inside[members], outside[nonmembers]
                inside, outside = (x[~np.isnan(x)] for x in (inside, outside))
                areas.append(np.mean(inside[:, None] > outside))
                shares.append(epoch.right[nonmembers].mean())
            weight = (shares[0] - shares[1]) / (shares[2] - shares[1])
            return areas[0] - (1 - weight) * areas[1] - weight * areas[2]

        variance, every = 0.0, [np.arange(MEMBERS), np.arange(240)]
        for kind, count in enumerate((MEMBERS, 240)):
            left = []
            for record in range(count):
                rest = list(every)
                rest[kind] = np.delete(every[kind], record)
                left.append(difference(*rest))
            variance += (count - 1) * np.var(left)
        got = match.leak["margin"].difference
        self.assertAllClose(got.value, difference(*every))
        half = stats.norm.ppf(0.975) * np.sqrt(variance)
        # The weight is not quite linear in the shares.
        self.assertAllClose((got.high - got.low) / 2, half, rtol=0.02)

    def test_likelihood_is_the_audits(self):
        answers = synthetic_outputs.outputs(300, 200).in_record_order()
        area = accuracy_matching.measure(answers, 7).point.leaks["likelihood"]
        attack = next(x for x in attacks.ATTACKS if x.name == "likelihood")
        audited = attack_evaluation.run_attack(
            attack, auxiliary.make_attack_inputs(answers)
        )
        self.assertEqual(area, audited.audit.auc)

    def test_what_too_few_records_do_not_tell_is_left_out(self):
        answers = synthetic_outputs.outputs(3, 3).in_record_order()
        epoch = accuracy_matching.measure(answers, 7)
        names = {"gap", "confidence", "margin"}
        self.assertEqual(set(epoch.point.leaks), names)
        held = accuracy_matching.nearest(epoch, [epoch], answers.members)
        self.assertEqual(set(held.leak), names)

    def test_measure_is_what_an_audit_says(self):
        answers = synthetic_outputs.outputs(90, 60).in_record_order()
        epoch = accuracy_matching.measure(answers, 7)
        right = answers.predicted == answers.labels
        members = answers.members
        point = epoch.point
        self.assertEqual(point.epoch, 7)
        train, test = right[members].mean(), right[~members].mean()
        self.assertAlmostEqual(point.accuracy_members.value, train)
        self.assertAlmostEqual(point.accuracy_nonmembers.value, test)
        self.assertAlmostEqual(point.leaks["gap"].value, (1 + train - test) / 2)
        largest = answers.probabilities.max(axis=1)
        self.assertEqual(
            point.leaks["confidence"], auc(largest, answers.members)
        )
        self.assertAllEqual(epoch.right, right[~members])
        self.assertEqual(set(point.leaks), set(matching_tables.SCORES))


if __name__ == "__main__":
    tf.test.main()
