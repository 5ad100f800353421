"""Whether there is a leak, and how large: on records whose truth is known.

Null audits, 1,000 with --slow: members and nonmembers come from one
distribution, so 2.5 % of the tests may find a leak, and three binomial standard
deviations more. Without --slow there are 100 with fewer attacks, and the
0.01 % point of the binomial is allowed, so that only what is badly wrong fails.
"""

import collections
from unittest import mock

import numpy as np
import slow_tests
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.attacks import ATTACKS, PLAIN, regression
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.auditing import auxiliary, leak_test, verdict
from qmia_tf.data import draws, repeated_records
from qmia_tf.outputs import Outputs
from qmia_tf.statistics import max_t_test
from qmia_tf.statistics.held_out_thresholds import calibration_half
from qmia_tf.statistics.sweep import sweep

AUDITS = 1000 if slow_tests.SLOW else 100
LEVEL = 0.025
if slow_tests.SLOW:
    MOST = AUDITS * LEVEL + 3 * (AUDITS * LEVEL * (1 - LEVEL)) ** 0.5
else:
    MOST = stats.binom.ppf(0.9999, AUDITS, LEVEL)
ONE_MODEL = [x for x in ATTACKS if set(x.needs) <= {*PLAIN, "features"}]
FEW = [
    x
    for x in ONE_MODEL
    if x.name in ("gap", "margin", "likelihood", "quantile")
]
NULL = ONE_MODEL if slow_tests.SLOW else FEW
Scored = collections.namedtuple("Scored", "attack scores")


def attack_inputs_of(outputs, *, seed=0, features=1):
    """AttackInputs with features that tell nothing."""
    rng = np.random.default_rng([seed, 1])
    rows = rng.normal(size=(int(outputs.record_ids.max()) + 1, features))
    return auxiliary.make_attack_inputs(
        outputs, auxiliary.Auxiliary(features=rows), seed=seed
    )


def run(inputs, *, attacks=ONE_MODEL, **options):
    """All attacks of one model, as in an audit."""
    scored = [
        Scored(attack, np.asarray(attack.scores(inputs), np.float64))
        for attack in attacks
    ]
    fixed = [attack.name for attack in attacks if attack.threshold is not None]
    counted = leak_test.evaluated_scores(scored, inputs)
    return leak_test.run(counted, inputs, fixed=fixed, **options)


def simulated(members, nonmembers, *, seed=0, classes=4):
    """Outputs that tell nothing, to go with scores that are drawn."""
    rng = np.random.default_rng(seed)
    records = members + nonmembers
    outputs = Outputs(
        np.full((records, classes), 1 / classes, np.float32),
        rng.integers(0, classes, records),
        np.arange(records) < members,
        np.arange(records),
        {"target": "simulated"},
    )
    half = calibration_half(outputs.members, seed=seed)
    return AttackInputs(outputs, half, seed=seed)


def binormal(inputs, gains, *, seed=0):
    """Scores that correlate by one half."""
    rng = np.random.default_rng(seed)
    members = inputs.outputs.members
    common = rng.normal(size=members.size)
    return {
        name: (common + rng.normal(size=members.size)) / np.sqrt(2)
        + gain * members
        for name, gain in gains.items()
    }


class RunTest(parameterized.TestCase, tf.test.TestCase):
    def test_a_leak(self):
        inputs = simulated(400, 400)
        scores = binormal(inputs, {"weak": 0.1, "strong": 0.9, "none": 0.0})
        leak = leak_test.run(scores, inputs)
        self.assertEqual(leak.strongest, "strong")
        self.assertEqual(leak.attacks[0].attack, "strong")
        self.assertEqual(leak.p_value, leak.attacks[0].p_value)
        self.assertLess(leak.p_value, 0.001)
        self.assertEqual(leak.auc, leak.attack("strong").auc)
        # Phi(.9 / sqrt 2) = .738.
        self.assertBetween(0.738, leak.auc.low, leak.auc.high)
        self.assertGreater(leak.attack("none").p_value, LEVEL)
        self.assertIsNone(leak.attack("gap"))
        self.assertEqual((leak.verdict, leak.reasons), ("", []))
        self.assertEqual((leak.strata, leak.level), ("class", LEVEL))
        self.assertEqual(leak.permutations, 5000)
        self.assertEqual(
            {(x.members, x.nonmembers) for x in leak.attacks}, {(400, 400)}
        )

    def test_what_is_not_rejected_belongs_to_every_interval(self):
        """Neither an AUC nor a rate contradicts "no leak found"."""
        cut = collections.Counter()
        for seed in range(25):
            inputs = simulated(300, 300, seed=seed)
            # Strong enough to stick out now and then without being found.
            scores = binormal(
                inputs, {str(x): 0.12 for x in range(3)}, seed=seed
            )
            leak = leak_test.run(scores, inputs)
            if leak.p_value <= LEVEL:
                cut["found"] += 1
                continue
            for entry in leak.attacks:
                self.assertLessEqual(entry.auc.low, 0.5)
                cut["at 1/2"] += entry.auc.low == 0.5
            for entry in leak.tpr_at_fpr:
                if entry.attack:
                    self.assertLessEqual(entry.tpr.low, entry.rate)
                    cut["at the rate"] += entry.tpr.low == entry.rate
        self.assertGreater(cut["found"], 0)
        self.assertGreater(cut["at the rate"], 0)

    def test_worse_than_guessing_stays_so(self):
        """The test is one-sided and says nothing of what lies below 1/2."""
        inputs = simulated(200, 200)
        scores = binormal(inputs, {"turned": -1.0})
        leak = leak_test.run(scores, inputs)
        self.assertGreater(leak.p_value, 0.9)
        self.assertLess(leak.auc.high, 0.5)

    def test_learned_attacks_are_judged_on_their_half(self):
        inputs = attack_inputs_of(synthetic_outputs.outputs(80, 70))
        leak = run(inputs)
        learned = {x.name for x in ONE_MODEL if x.learns}
        self.assertEqual(learned, {"likelihood", "quantile"})
        for tested in leak.attacks:
            sizes = (40, 35) if tested.attack in learned else (80, 70)
            self.assertEqual((tested.members, tested.nonmembers), sizes)

    def test_scores_that_learned_by_heart_find_nothing(self):
        """Who remembers the calibration half knows nothing of the other."""
        inputs = simulated(100, 100)
        members, half = inputs.outputs.members, inputs.calibration
        remembered = np.where(half, members, 0.5) + 0.0
        attack = collections.namedtuple("Attack", "name learns")("heart", True)
        counted = leak_test.evaluated_scores(
            [Scored(attack, remembered)], inputs
        )
        leak = leak_test.run(counted, inputs)
        self.assertEqual((leak.p_value, leak.attacks), (1.0, []))
        # Had they been counted, they would have.
        leak = leak_test.run({"heart": remembered}, inputs)
        self.assertLess(leak.p_value, 0.001)

    def test_strata(self):
        """A score that knows the class, of which members have more."""
        inputs = simulated(300, 300)
        outputs = inputs.outputs
        rng = np.random.default_rng(0)
        outputs.labels[:] = np.where(
            outputs.members, rng.integers(0, 2, 600), rng.integers(0, 4, 600)
        )
        scores = {"class": -outputs.labels + 0.1 * rng.normal(size=600)}
        within = leak_test.run(scores, inputs)
        among_all = leak_test.run(scores, inputs, strata="none")
        self.assertGreater(within.p_value, LEVEL)
        self.assertLess(among_all.p_value, LEVEL)
        self.assertEqual((within.strata, among_all.strata), ("class", "none"))

    def test_seed_decides(self):
        inputs = attack_inputs_of(synthetic_outputs.outputs(50, 50))
        self.assertEqual(run(inputs), run(inputs))


class LowRateTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters((299, None, 300), (300, "one", 300))
    def test_three_expected_false_positives_are_needed(self, n, attack, needed):
        inputs = simulated(50, n)
        leak = leak_test.run(binormal(inputs, {"one": 0.5}), inputs)
        self.assertEqual(
            [(x.rate, x.needed) for x in leak.tpr_at_fpr],
            [(0.1, 30), (0.01, 300), (0.001, 3000), (0.0001, 30_000)],
        )
        self.assertEqual([x.nonmembers for x in leak.tpr_at_fpr], [n] * 4)
        one = leak.at(0.01)
        self.assertEqual((one.attack, one.needed), (attack, needed))
        self.assertEqual(leak.at(0.1).attack, "one")
        self.assertIsNone(leak.at(0.001).attack)
        self.assertIsNone(leak.at(0.05))
        if attack is None:
            self.assertIsNone(one.tpr.value)

    def test_is_the_best_of_those_that_suffice(self):
        inputs = simulated(500, 500)
        scores = binormal(inputs, {"one": 0.2, "two": 1.0, "gap": 3.0})
        scores["half"] = np.where(
            inputs.calibration, np.nan, inputs.outputs.members + 0.0
        )
        leak = leak_test.run(scores, inputs, fixed=("gap",))
        here = leak.at(0.01)
        # The half has 250 nonmembers, and the gap attack no threshold to move.
        self.assertEqual(here.attack, "two")
        curve = sweep(scores["two"], inputs.outputs.members)
        row = np.searchsorted(curve.false_positives, 5, side="right") - 1
        self.assertAllClose(here.tpr.value, curve.recall[row], atol=1e-12)
        self.assertEqual(here.false_positives, 5)

    def test_a_leak_of_few_members(self):
        """40 of 1,000 are known for sure: not seen in the AUC."""
        inputs = simulated(1000, 3000)
        rng = np.random.default_rng(0)
        scores = rng.normal(size=4000)
        scores[:40] = 9 + rng.random(40)
        leak = verdict.decide(
            leak_test.run({"one": scores}, inputs),
            members=1000,
            nonmembers=3000,
        )
        self.assertLess(leak.auc.low, verdict.CLEAR_AUC)
        self.assertEqual(leak.attacks[0].measure, "tpr")
        self.assertEqual(leak.verdict, verdict.SEVERE)
        self.assertGreater(leak.at(0.001).tpr.low, 0.01)


class DetectableTest(parameterized.TestCase, tf.test.TestCase):
    def test_is_found_as_often_as_said(self):
        """The strongest attack's scores are shifted by so much."""
        inputs = simulated(150, 150)
        names = {"one": 0.0, "two": 0.0, "three": 0.0}
        null = leak_test.run(binormal(inputs, names), inputs)
        shift = np.sqrt(2) * stats.norm.ppf(null.detectable.auc)
        runs, hits = 60, 0
        for seed in range(1, runs + 1):
            scores = binormal(
                inputs, {**names, null.detectable.attack: shift}, seed=seed
            )
            hits += leak_test.run(scores, inputs).p_value <= LEVEL
        self.assertEqual(null.detectable.power, 0.8)
        # Four binomial standard deviations below; other statistics help.
        self.assertGreater(hits / runs, 0.8 - 4 * (0.16 / runs) ** 0.5)

    def test_a_fixed_attack_counts_where_there_is_no_other(self):
        inputs = simulated(60, 60)
        scores = binormal(inputs, {"margin": 0.0})
        scores["gap"] = (scores["margin"] > 0) + 0.0
        both = leak_test.run(scores, inputs, fixed=("gap",))
        self.assertEqual(both.detectable.attack, "margin")
        scores.pop("margin")
        alone = leak_test.run(scores, inputs, fixed=("gap",))
        self.assertEqual(alone.detectable.attack, "gap")

    def test_more_records_find_less(self):
        detectables = [
            leak_test.run(
                binormal(simulated(n, n), {"one": 0.0}), simulated(n, n)
            ).detectable
            for n in (30, 100, 1000)
        ]
        areas = [x.auc for x in detectables]
        self.assertEqual(areas, sorted(areas, reverse=True))
        for detectable in detectables:
            self.assertBetween(
                detectable.balanced_accuracy, 0.5, detectable.auc
            )


class DegenerateTest(parameterized.TestCase, tf.test.TestCase):
    def decided(self, leak, inputs):
        members = inputs.outputs.members
        return verdict.decide(
            leak,
            members=int(members.sum()),
            nonmembers=int(np.sum(~members)),
        )

    @parameterized.product(
        kind=("equal", "nan", "one side", "a member"), beside_another=(0, 1)
    )
    def test_an_attack_that_says_nothing(self, kind, beside_another):
        inputs = simulated(40, 40)
        members = inputs.outputs.members
        given = {
            "equal": np.zeros(80),
            "nan": np.full(80, np.nan),
            "one side": np.where(members, 1.0, np.nan),
            "a member": np.where(np.arange(80) > 38, np.arange(80.0), np.nan),
        }[kind]
        scores = {"nothing": given}
        if beside_another:
            scores |= binormal(inputs, {"one": 2.0})
        leak = self.decided(leak_test.run(scores, inputs), inputs)
        self.assertIsNone(leak.attack("nothing"))
        if beside_another:
            self.assertEqual(leak.strongest, "one")
            self.assertEqual(leak.verdict, verdict.SEVERE)
        else:
            self.assertEqual((leak.p_value, leak.strongest), (1.0, None))
            self.assertEqual(leak.verdict, verdict.CANNOT_SAY)
            self.assertIsNone(leak.detectable)

    def test_no_attack(self):
        inputs = simulated(30, 30)
        leak = self.decided(leak_test.run({}, inputs), inputs)
        self.assertEqual(leak.verdict, verdict.CANNOT_SAY)
        self.assertEqual((leak.auc.low, leak.auc.high), (0.0, 1.0))

    @parameterized.parameters((2, 2), (2, 3), (3, 3), (2, 60), (60, 2), (5, 5))
    def test_few_records_cannot_be_judged(self, members, nonmembers):
        for seed in range(3):
            inputs = attack_inputs_of(
                synthetic_outputs.outputs(
                    members, nonmembers, seed=seed, gain=(9.0, 0.0)
                )
            )
            leak = self.decided(run(inputs), inputs)
            self.assertEqual(leak.verdict, verdict.CANNOT_SAY)
            self.assertIn("too few", leak.reasons[0])

    def test_one_record_a_class(self):
        inputs = simulated(40, 40)
        inputs.outputs.labels[:] = np.arange(80)
        scores = binormal(inputs, {"one": 3.0})
        leak = self.decided(leak_test.run(scores, inputs), inputs)
        self.assertEqual(leak.verdict, verdict.CANNOT_SAY)
        self.assertIn("no attack distinguishes any records", leak.reasons[0])
        leak = leak_test.run(scores, inputs, strata="none")
        self.assertEqual(self.decided(leak, inputs).verdict, verdict.SEVERE)

    def test_classes_that_hardly_overlap(self):
        """Two of each side may be exchanged: no leak would be found."""
        inputs = simulated(40, 40)
        labels = inputs.outputs.labels
        labels[:] = 1 + inputs.outputs.members
        rows = np.flatnonzero(inputs.calibration)
        labels[rows[[0, 1, -1, -2]]] = 0
        leak = self.decided(
            leak_test.run(binormal(inputs, {"one": 3.0}), inputs), inputs
        )
        self.assertEqual(leak.verdict, verdict.CANNOT_SAY)
        self.assertIn("would hardly have found", leak.reasons[0])

    def test_one_class(self):
        inputs = simulated(60, 60)
        inputs.outputs.labels[:] = 2
        scores = binormal(inputs, {"one": 1.5})
        leak = self.decided(leak_test.run(scores, inputs), inputs)
        self.assertIn(leak.verdict, (verdict.CLEAR, verdict.SEVERE))

    def test_fully_apart(self):
        inputs = simulated(30, 30)
        scores = {"one": inputs.outputs.members + 0.0}
        leak = self.decided(leak_test.run(scores, inputs), inputs)
        self.assertEqual(leak.verdict, verdict.SEVERE)
        self.assertEqual(leak.auc.value, 1.0)
        self.assertBetween(leak.auc.low, 0.8, 0.95)


class WhateverComesTest(tf.test.TestCase):
    def test_nothing_contradicts_itself(self):
        """Few to many records, ties, holes, learned and fixed attacks."""
        seen = collections.Counter()
        for seed in range(60):
            rng = np.random.default_rng(seed)
            m, n = rng.integers(2, (4, 40, 400)[seed % 3], 2).tolist()
            inputs = simulated(
                m, n, seed=seed, classes=int(rng.integers(1, 30))
            )
            members = inputs.outputs.members
            scores = {}
            for name in "abcd"[: int(rng.integers(1, 5))]:
                given = (
                    rng.normal(size=m + n) + rng.choice([0, 1, 10]) * members
                )
                given = np.round(given * 10.0 ** rng.integers(-1, 3))
                if rng.random() < 0.5:
                    given[rng.random(m + n) < rng.random()] = np.nan
                if rng.random() < 0.3:
                    given = np.where(inputs.calibration, np.nan, given)
                scores[name] = given
            leak = leak_test.run(
                scores,
                inputs,
                fixed=("a",) if rng.random() < 0.3 else (),
                strata=leak_test.STRATA[seed % 2],
            )
            self.assertBetween(leak.p_value, 1e-6, 1.0)
            named = [tested.attack for tested in leak.attacks]
            self.assertIn(leak.strongest, [*named, None])
            for tested in leak.attacks:
                low, high = tested.auc.low, tested.auc.high
                self.assertLessEqual(0, low)
                self.assertLessEqual(low, tested.auc.value)
                self.assertLessEqual(tested.auc.value, high)
                self.assertLessEqual(high, 1)
                self.assertLessEqual(leak.p_value, tested.p_value)
            if leak.detectable:
                self.assertBetween(leak.detectable.auc, 0.5, 1.0)
            answered = verdict.decide(leak, members=m, nonmembers=n)
            seen[answered.verdict] += 1
            if answered.verdict in verdict.VERDICTS[2:]:
                self.assertLessEqual(leak.p_value, leak.level)
        self.assertGreaterEqual(len(seen), 4)


class NullTest(parameterized.TestCase, tf.test.TestCase):
    """999 permutations each; the rest is as in an audit.

    Quantile regression stops after 30 steps: whatever it has learned by then,
    the other half must not be told by it.
    """

    def setUp(self):
        super().setUp()
        for module, name, value in (
            (max_t_test, "FEWEST", 999),
            (max_t_test, "MOST", 999),
            (regression, "ITERATIONS", 30),
        ):
            patch = mock.patch.object(module, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def assertKeepsItsLevel(self, p_values):
        p_values = np.array(p_values)
        self.assertLessEqual(np.sum(p_values <= LEVEL), MOST)
        # And it is no test that never finds anything.
        self.assertGreater(np.sum(p_values <= 0.3), 0.1 * p_values.size)

    @parameterized.product(classes=[3, 10, 60] if slow_tests.SLOW else [10])
    def test_splits_by_class_with_labels_that_drive_the_scores(self, classes):
        """120 records, of other difficulty in each class, int8 every other."""
        # With 60 classes a half has one record of most on a side.
        p_values = []
        for seed in range(AUDITS):
            rng = np.random.default_rng(seed)
            labels = rng.permutation(np.arange(120) % classes)
            margins = rng.exponential(3, classes)[labels] - 1
            logits = 0.7 * rng.normal(size=(120, classes))
            logits[np.arange(120), labels] += margins * (-1) ** (seed // 2)
            values = np.exp(logits - logits.max(axis=1, keepdims=True))
            values /= values.sum(axis=1, keepdims=True)
            if seed % 2:
                values = np.minimum(np.round(values * 256), 255) / 256
            outputs = Outputs(
                values.astype(np.float32),
                labels,
                draws.stratified(labels, 0.5, rng),
                np.arange(120),
                {"target": "null", "probability_step": seed % 2 / 256},
            )
            p_values.append(
                run(attack_inputs_of(outputs, seed=seed), attacks=NULL).p_value
            )
        self.assertKeepsItsLevel(p_values)

    @parameterized.product(step=[0.0, 1 / 256] if slow_tests.SLOW else [0.0])
    def test_records_that_are_there_several_times(self, step):
        """30 to 60 records a side, each one to seven times."""
        p_values, raw = [], []
        for seed in range(AUDITS):
            rng = np.random.default_rng(seed)
            records = int(rng.integers(30, 61))
            one = synthetic_outputs.outputs(
                records, records, gain=(2.0, 2.0), seed=seed, step=step
            )
            times = rng.integers(1, 8, 2) if seed % 2 else (7, 7)
            rows = np.repeat(
                np.arange(2 * records), np.where(one.members, *times)
            )
            copied = Outputs(
                one.probabilities[rows],
                one.labels[rows],
                one.members[rows],
                np.arange(rows.size),
                one.info,
            )
            distinct = repeated_records.of_outputs([copied])
            outputs = distinct.of(copied)
            # But for a few coarse rows that are equal by chance.
            self.assertBetween(outputs.labels.size, 1.9 * records, 2 * records)
            inputs = attack_inputs_of(outputs, seed=seed)
            p_values.append(run(inputs, attacks=NULL).p_value)
            if seed < 20:
                inputs = attack_inputs_of(copied, seed=seed)
                raw.append(run(inputs, attacks=NULL).p_value)
        self.assertKeepsItsLevel(p_values)
        # Each copy taken for a record, a third of these would be wrong.
        self.assertGreater(np.sum(np.array(raw) <= LEVEL), 4)


if __name__ == "__main__":
    tf.test.main()
