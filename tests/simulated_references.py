"""A target, references of its bits and of others, all margins drawn."""

import dataclasses

import numpy as np
import simulated_margins

from qmia_tf.auditing.auxiliary import Auxiliary, ReferenceModels

RECORDS, MODELS = 600, 8
LEAK = 1.0
# Standard deviation of the records' difficulties.
LEVEL = 2.0
MATCHED = ReferenceModels(MODELS, MODELS, ["w4a4"], "keras")
FLOAT = ReferenceModels(MODELS, MODELS, ["w32a32"], "keras")


def references(levels, count, rng, name="r"):
    """Outputs of models in pairs that swap halves, of records so difficult."""
    made, half = [], None
    for number in range(count):
        if number % 2:
            half = ~half
        else:
            half = rng.permutation(RECORDS) < RECORDS // 2
        margins = levels + LEAK * half + rng.normal(size=RECORDS)
        made.append(
            simulated_margins.outputs_of(margins, half).renamed(
                f"{name}{number:02d}.keras"
            )
        )
    return tuple(made)


def simulate(seed, *, known=0.0, counts=(MODELS, MODELS)):
    """A target, and references of its bits and of others.

    Args:
        seed: of the records and models.
        known: correlation of the difficulties that the mismatched models see
            with the target's.
        counts: of matched and mismatched references.
    """
    rng = np.random.default_rng(seed)
    levels, foreign = LEVEL * rng.normal(size=(2, RECORDS))
    others = known * levels + np.sqrt(1 - known**2) * foreign
    members = rng.permutation(RECORDS) < RECORDS // 2
    margins = levels + LEAK * members + rng.normal(size=RECORDS)
    auxiliary = Auxiliary(
        references=references(levels, counts[0], rng),
        kind=dataclasses.replace(
            MATCHED, models=counts[0], available=counts[0]
        ),
        mismatched=(
            (
                dataclasses.replace(
                    FLOAT, models=counts[1], available=counts[1]
                ),
                references(others, counts[1], rng, "w32a32.r"),
            ),
        ),
    )
    return simulated_margins.outputs_of(margins, members), auxiliary
