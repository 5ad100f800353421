"""Simulated audits of targets that give nothing away, 1,000 with --slow.

Members and nonmembers get outputs from one distribution, half of the audits
as float32, half as an int8 softmax of 256 levels. Then an interval must hold
what guessing gives in 95 % of audits or more, and no attack may beat guessing
beyond its interval in more than 2.5 % of them, one side of an interval.

The tolerances are the 0.1 % points of the binomial: of 1,000 audits 927
where 95 % ought to hold, 42 where 2.5 % may not. Without --slow there are 400
audits, 365 and 21.
"""

import numpy as np
import slow_tests
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.attacks import ATTACKS, PLAIN, AttackInputs
from qmia_tf.statistics import (
    class_thresholds,
    held_out_thresholds,
)
from qmia_tf.statistics.attack_selection import choose
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.intervals import balanced_accuracy
from qmia_tf.statistics.operating_points import measure_decisions
from qmia_tf.statistics.sweep import sweep

AUDITS = 1000 if slow_tests.SLOW else 400
HELD_LEAST = int(stats.binom.ppf(0.001, AUDITS, 0.95))
ALARMS_MOST = int(stats.binom.ppf(0.999, AUDITS, 0.025))
ONE_MODEL = {
    attack.name: attack for attack in ATTACKS if set(attack.needs) <= set(PLAIN)
}


def no_leak(seed):
    """Outputs of 40 to 200 members, nonmembers at most as many; a half."""
    rng = np.random.default_rng(seed)
    members = int(rng.integers(40, 201))
    outputs = synthetic_outputs.outputs(
        members,
        int(rng.integers(members // 2, members + 1)),
        gain=(2.0, 2.0),
        seed=seed,
        step=1 / 256 if seed % 2 else 0.0,
    ).in_record_order()
    half = held_out_thresholds.calibration_half(outputs.members, seed=seed)
    return outputs, half


def counted(name, half):
    """The records that an attack is judged on, as in an audit."""
    return ~half if ONE_MODEL[name].learns else np.ones(half.size, bool)


def scored(answers, half, seed):
    inputs = AttackInputs(answers, half, seed=seed)
    return {name: attack.scores(inputs) for name, attack in ONE_MODEL.items()}


class Counts(dict):
    """How often an interval held a truth, and how often it lay above it."""

    def add(self, name, rate, truth):
        held, above = self.get(name, (0, 0))
        defined = rate.value is not None
        self[name] = (
            held + (not defined or rate.low <= truth <= rate.high),
            above + (defined and rate.low > truth),
        )


class NoLeakTest(parameterized.TestCase, tf.test.TestCase):
    def assertKeepsItsLevel(self, counts):
        self.assertNotEmpty(counts)
        for name, (held, above) in counts.items():
            with self.subTest(name, held=held, above=above):
                self.assertGreaterEqual(held, HELD_LEAST)
                self.assertLessEqual(above, ALARMS_MOST)

    def test_area_of_every_attack(self):
        counts = Counts()
        for seed in range(AUDITS):
            answers, half = no_leak(seed)
            for name, scores in scored(answers, half, seed).items():
                rows = counted(name, half)
                area = auc(scores[rows], answers.members[rows])
                counts.add(name, area, 0.5)
        self.assertContainsSubset(
            {"gap", "confidence", "loss", "margin", "modified_entropy"}, counts
        )
        self.assertKeepsItsLevel(counts)

    def test_best_of_all_attacks(self):
        """Chosen and judged apart it keeps its level, in-sample it does not."""
        counts, in_sample = Counts(), 0
        for seed in range(AUDITS):
            answers, half = no_leak(seed)
            members = answers.members
            given = scored(answers, half, seed)
            best = given[choose(given, members, half)]
            point = held_out_thresholds.hold_out(
                best, members, seed=seed, calibration=half
            ).point
            counts.add("balanced accuracy", point.balanced_accuracy, 0.5)
            counts.add("area", auc(best[~half], members[~half]), 0.5)
            rows = {name: counted(name, half) for name in given}
            peaks = [
                _peak(scores[rows[name]], members[rows[name]])
                for name, scores in given.items()
            ]
            in_sample += max(peaks, key=lambda rate: rate.value).low > 0.5
        self.assertKeepsItsLevel(counts)
        # In-sample, "significant" is wrong more than ten times as often.
        self.assertGreater(in_sample, 10 * 0.025 * AUDITS)

    @parameterized.parameters("held_out", "cross_fitted", "by_class")
    def test_thresholds_that_were_chosen(self, kind):
        counts, seen = Counts(), 0
        for seed in range(AUDITS):
            answers, half = no_leak(seed)
            members = answers.members
            scores = ONE_MODEL["margin"].scores(AttackInputs(answers, half))
            shared = {"seed": seed, "calibration": half}
            if kind == "held_out":
                point = held_out_thresholds.hold_out(
                    scores, members, **shared
                ).point
            elif kind == "cross_fitted":
                point = held_out_thresholds.cross_fit(scores, members, **shared)
            else:
                point = class_thresholds.hold_out(
                    scores, members, answers.labels, classes=5, **shared
                ).point
            share = point.members / (point.members + point.nonmembers)
            counts.add("balanced accuracy", point.balanced_accuracy, 0.5)
            counts.add("advantage", point.advantage, 0.0)
            # Whoever is called, this share of them are members.
            counts.add("precision", point.precision, share)
            seen += point.precision.value is not None
        self.assertKeepsItsLevel(counts)
        self.assertGreater(seen, 0.8 * AUDITS)

    @slow_tests.slow
    @parameterized.parameters(*sorted(ONE_MODEL))
    def test_every_attack_at_every_kind_of_threshold(self, name):
        counts, attack = Counts(), ONE_MODEL[name]
        for seed in range(AUDITS):
            answers, half = no_leak(seed)
            members = answers.members
            scores = attack.scores(AttackInputs(answers, half, seed=seed))
            shared = {"seed": seed, "calibration": half}
            points = [
                held_out_thresholds.hold_out(scores, members, **shared).point
            ]
            if not attack.learns:
                points += [
                    held_out_thresholds.cross_fit(scores, members, **shared),
                    class_thresholds.hold_out(
                        scores, members, answers.labels, classes=5, **shared
                    ).point,
                ]
            if attack.threshold is not None:
                called = scores >= attack.threshold
                points = [measure_decisions("fixed", called, members, seed=0)]
            for point in points:
                share = point.members / (point.members + point.nonmembers)
                rate = point.balanced_accuracy
                counts.add(f"{point.name} balanced accuracy", rate, 0.5)
                counts.add(f"{point.name} precision", point.precision, share)
        self.assertKeepsItsLevel(counts)


def _peak(scores, members):
    """The in-sample peak, its interval as if the threshold had been given."""
    whole = sweep(scores, members)
    row = whole.peak_row
    return balanced_accuracy(
        int(whole.true_positives[row]),
        whole.members,
        int(whole.false_positives[row]),
        whole.nonmembers,
    )


if __name__ == "__main__":
    tf.test.main()
