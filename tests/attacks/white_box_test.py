"""Tests of the attacks of who holds the model."""

import dataclasses

import numpy as np
import simulated_margins
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.attacks import ATTACKS, exact_logits, margin, white_box
from qmia_tf.statistics.auc import auc


def inputs_of(*, members=150, nonmembers=150, seed=0, unit_leak=0.0):
    """Attack inputs without a leak but what the first activation has."""
    inputs = simulated_margins.everything(
        members=members, nonmembers=nonmembers, gain=(2.0, 2.0), seed=seed
    )
    rng = np.random.default_rng([seed, 9])
    stored = rng.normal(size=inputs.inside.stored.shape)
    stored[:, 0] += unit_leak * inputs.outputs.members
    inside = dataclasses.replace(
        inputs.inside, stored=stored.astype(np.float32)
    )
    return dataclasses.replace(inputs, inside=inside)


def judged(inputs):
    """The AUC of the trained attacker on the evaluation half."""
    rows = ~inputs.calibration
    return auc(
        white_box.scores(inputs)[rows],
        inputs.outputs.members[rows],
        level=0.999,
    )


class WhiteBoxTest(parameterized.TestCase, tf.test.TestCase):
    def test_no_leak_is_chance(self):
        """By the mean of 16 audits: 150 + 150 records, deviation .048 each."""
        areas = [judged(inputs_of(seed=seed)).value for seed in range(16)]
        # Four deviations of the mean.
        self.assertAllClose(np.mean(areas), 0.5, atol=4 * 0.048 / np.sqrt(16))
        self.assertAllClose(np.std(areas), 0.048, atol=0.03)

    def test_what_the_activations_alone_tell_is_learned(self):
        inputs = inputs_of(members=1000, nonmembers=1000, unit_leak=1.0)
        # Two normals one deviation apart have an AUC of .76.
        area = judged(inputs)
        self.assertBetween(area.value, 0.70, 0.79)
        alone = white_box.features(inputs, units=0)
        self.assertEqual(alone.shape, (2000, 3 + 5))
        rows = ~inputs.calibration
        without = white_box.scores(inputs, units=0)[rows]
        members = inputs.outputs.members[rows]
        self.assertLess(auc(without, members).value, 0.56)

    def test_units_that_vary_most_where_one_may_learn(self):
        inputs = inputs_of()
        stored = np.ones((300, 6), np.float32)
        stored[:, 2] = np.arange(300)
        stored[:, 4] = np.arange(300) / 2
        # What varies in the judged half alone is not known to vary.
        stored[:, 5] = np.where(inputs.calibration, 0, 1e6)
        inside = dataclasses.replace(inputs.inside, stored=stored)
        inputs = dataclasses.replace(inputs, inside=inside)
        rows = white_box.features(inputs, units=2)[:, -2:]
        self.assertAllEqual(rows, stored[:, [2, 4]])

    def test_memberships_of_the_judged_half_are_not_seen(self):
        inputs = inputs_of(unit_leak=1.0)
        members = inputs.outputs.members ^ ~inputs.calibration
        blind = simulated_margins.with_members(inputs, members)
        self.assertAllEqual(white_box.scores(blind), white_box.scores(inputs))

    def test_activations_that_were_not_kept(self):
        inputs = inputs_of()
        inside = dataclasses.replace(inputs.inside, stored=None, rows=None)
        inputs = dataclasses.replace(inputs, inside=inside)
        self.assertEqual(white_box.features(inputs).shape, (300, 3 + 5))


class ExactLogitsTest(parameterized.TestCase, tf.test.TestCase):
    def test_margins_are_those_of_the_logits(self):
        rounded = simulated_margins.everything("int8")
        scores = ATTACKS["exact_margin"].scores(rounded)
        logits, labels = rounded.inside.logits, rounded.outputs.labels
        for row in range(5):
            z = logits[row]
            others = np.delete(z, labels[row])
            expected = z[labels[row]] - np.log(np.sum(np.exp(others)))
            self.assertAlmostEqual(scores[row], expected, places=12)
        own = margin.margins(rounded.outputs)
        self.assertGreater(len(set(scores)), len(set(own)))

    @parameterized.parameters(
        "likelihood", "lira_online", "rmia_offline", "base_online"
    )
    def test_is_the_attack_on_outputs_of_these_logits(self, name):
        inputs = simulated_margins.everything("int8")
        exact = dataclasses.replace(
            inputs,
            outputs=synthetic_outputs.outputs(
                130, 100, gain=(3.0, 2.0)
            ).in_record_order(),
            references=inputs.inside_references,
        )
        attack = ATTACKS[f"exact_{name}"]
        self.assertTrue(attack.is_of_holder)
        # Of float32 probabilities, where these are logarithms of them.
        self.assertAllClose(
            attack.scores(inputs), ATTACKS[name].scores(exact), atol=1e-4
        )

    def test_an_option_of_the_family_is_theirs_too(self):
        attack = exact_logits.LIRA_ONLINE
        self.assertEqual(attack.family, "lira")
        self.assertEqual(attack.needs, ("inside", "inside_references"))


if __name__ == "__main__":
    tf.test.main()
