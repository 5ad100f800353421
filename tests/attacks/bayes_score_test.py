"""BASE against its definition in plain probabilities, and against RMIA."""

import dataclasses

import numpy as np
import simulated_margins
import tensorflow as tf
from absl.testing import parameterized
from scipy import special, stats

from qmia_tf.attacks import bayes_score, rmia
from qmia_tf.attacks.attack_inputs import References
from qmia_tf.attacks.margin import margins
from qmia_tf.auditing.auxiliary import Auxiliary, make_attack_inputs
from qmia_tf.outputs import Outputs


def outputs(rng, *, inside, name, logits=True):
    """Outputs of one model about the records of four classes."""
    count = inside.size
    labels = np.arange(count) % 4
    z = rng.normal(size=(count, 4)).astype(np.float32)
    z[np.arange(count), labels] += 2 + inside
    shared = {
        "labels": labels,
        "members": inside,
        "record_ids": np.arange(count),
        "info": {"target": name},
    }
    if logits:
        return Outputs.from_logits(z, **shared)
    return Outputs(special.softmax(z, axis=1).astype(np.float32), **shared)


def of_classes(models=6, count=80, *, logits=True):
    """A target's and its references' outputs, of four classes."""
    rng = np.random.default_rng(4)
    half = rng.random(count) < 0.5
    masks = [half, *(rng.random((models, count)) < 0.5)]
    return [
        outputs(rng, inside=inside, name=f"m{number}", logits=logits)
        for number, inside in enumerate(masks)
    ]


def powers(answers, temperature):
    """p_y of the softmax at a temperature, the long way."""
    p = special.softmax(answers.logits.astype(float) / temperature, axis=1)
    return p[np.arange(len(p)), answers.labels]


class BaseTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        kind=("online", "offline"), temperature=(1.0, 2.0, 5.0)
    )
    def test_equals_the_definition(self, kind, temperature):
        target, *peers = of_classes()
        inputs = make_attack_inputs(target, Auxiliary(references=tuple(peers)))
        own = powers(target, temperature)
        theirs = np.array([powers(peer, temperature) for peer in peers])
        out = np.array([~peer.members for peer in peers])
        use, weight = np.ones(out.shape, bool), 1.0
        if kind == "offline":
            use, weight = out, 0.33
        mean = np.array(
            [
                column[rows].mean() if rows.any() else np.nan
                for column, rows in zip(theirs.T, use.T, strict=True)
            ]
        )
        attack = getattr(bayes_score, f"{kind}_scores")
        scores = attack(inputs, temperature=temperature)
        # Margins of the references are kept as float32.
        self.assertAllClose(
            scores, np.log(own) - weight * np.log(mean), atol=1e-5
        )

    def test_probabilities_and_logits_are_scored_alike(self):
        all_scores = []
        for logits in (True, False):
            target, *peers = of_classes(logits=logits)
            inputs = make_attack_inputs(
                target, Auxiliary(references=tuple(peers))
            )
            all_scores.append(bayes_score.online_scores(inputs))
        self.assertAllClose(*all_scores, atol=1e-5)

    @parameterized.parameters(1.0, 2.0)
    def test_ranks_as_rmia_where_sides_are_as_large(self, temperature):
        inputs = simulated_margins.simulate(2000, 8, seed=3)
        half = inputs.references.inside[:4]
        inside = np.concatenate([half, ~half])
        inputs = dataclasses.replace(
            inputs,
            references=simulated_margins.references_of(
                inputs.references.margins, inside
            ),
        )
        one = bayes_score.online_scores(inputs, temperature=temperature)
        other = rmia.online_scores(inputs, temperature=temperature)
        self.assertAllClose(one, other, atol=1e-9)

    def test_another_temperature_ranks_otherwise(self):
        target, *peers = of_classes()
        inputs = make_attack_inputs(target, Auxiliary(references=tuple(peers)))
        one, other = (
            bayes_score.online_scores(inputs, temperature=temperature)
            for temperature in (1.0, 2.0)
        )
        self.assertLess(stats.spearmanr(one, other).statistic, 0.999)

    def test_margins_alone_have_no_temperature(self):
        inputs = simulated_margins.simulate(50, 4)
        bare = References(
            *(
                getattr(inputs.references, name)
                for name in ("margins", "inside", "outside")
            )
        )
        inputs = dataclasses.replace(inputs, references=bare)
        with self.assertRaisesRegex(ValueError, "outputs for every class"):
            bayes_score.online_scores(inputs)
        self.assertAllEqual(
            np.isfinite(bayes_score.online_scores(inputs, temperature=1.0)),
            np.ones(50, bool),
        )

    def test_margins_at_a_temperature_of_rounded_probabilities(self):
        p = np.array([[255, 1, 0, 0], [0, 128, 128, 0]], np.float32) / 256
        answers = Outputs(
            probabilities=p,
            labels=np.array([0, 0]),
            members=np.array([True, False]),
            record_ids=np.arange(2),
            info={"target": "int8", "probability_step": 1 / 256},
        )
        # A probability of 0 counts as 1/512, half of a step.
        clipped = np.sqrt(np.clip(p.astype(float), 1 / 512, 511 / 512))
        expected = np.log(clipped[:, 0]) - np.log(clipped[:, 1:].sum(axis=1))
        self.assertAllClose(margins(answers, temperature=2.0), expected)


if __name__ == "__main__":
    tf.test.main()
