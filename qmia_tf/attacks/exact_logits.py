"""Attacks of who holds the model: those on outputs, on its exact logits.

A file's outputs may be rounded, as by an int8 softmax. Who holds the file
computes its logits before that, and with reference models does so for them.
"""

import dataclasses
import functools

import numpy as np

from qmia_tf.attacks import bavaria, bayes_score, likelihood, lira, margin, rmia
from qmia_tf.attacks.attack import Attack
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.outputs.inside import Inside


def inside_of(inputs: AttackInputs) -> Inside:
    """Returns what lies inside of the target.

    Raises: ValueError if it is not known.
    """
    if inputs.inside is None:
        raise ValueError("this attack needs what lies inside of the target")
    return inputs.inside


def seen_inside(inputs: AttackInputs) -> AttackInputs:
    """The same inputs, with outputs and references of exact logits.

    Raises: ValueError if the inside is not known.
    """
    return dataclasses.replace(
        inputs,
        outputs=inside_of(inputs).outputs_of(inputs.outputs),
        references=inputs.inside_references,
    )


def of_holder(attack: Attack) -> Attack:
    """Makes the attack on exact logits of one on outputs."""

    @functools.wraps(attack.scores)
    def scores(inputs: AttackInputs, **options) -> np.ndarray:
        return attack.scores(seen_inside(inputs), **options)

    needs = ["inside"]
    if "references" in attack.needs:
        needs.append("inside_references")
    return dataclasses.replace(
        attack,
        name=f"exact_{attack.name}",
        title=f"{attack.title}, exact logits",
        scores=scores,
        needs=tuple(needs),
    )


MARGIN = of_holder(margin.MARGIN)
LIKELIHOOD = of_holder(likelihood.LIKELIHOOD)
LIRA_ONLINE, LIRA_OFFLINE = map(of_holder, (lira.ONLINE, lira.OFFLINE))
RMIA_ONLINE, RMIA_OFFLINE = map(of_holder, (rmia.ONLINE, rmia.OFFLINE))
BASE_ONLINE, BASE_OFFLINE = map(
    of_holder, (bayes_score.ONLINE, bayes_score.OFFLINE)
)
BAVARIA_ONLINE, BAVARIA_OFFLINE = map(
    of_holder, (bavaria.ONLINE, bavaria.OFFLINE)
)
