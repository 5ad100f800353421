"""Simulated outputs for benchmarks/attacks.py, and how times grow."""

import pathlib

import numpy as np

from qmia_tf.attacks.attack_inputs import AttackInputs, References
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.held_out_thresholds import calibration_half

CLASSES = 10


def outputs(members, nonmembers, *, seed=0) -> Outputs:
    """A 10-class target that is a little surer of its members.

    Args:
        members: int.
        nonmembers: int.
        seed: int.
    """
    rng = np.random.default_rng(seed)
    count = members + nonmembers
    inside = np.arange(count) < members
    labels = rng.integers(0, CLASSES, count)
    logits = rng.normal(size=(count, CLASSES))
    logits[np.arange(count), labels] += 3 + inside
    return Outputs.from_logits(
        logits,
        labels=labels,
        members=inside,
        record_ids=np.arange(count),
        info={"target": "simulated"},
    )


def attack_inputs(records, models, *, population=None, seed=0) -> AttackInputs:
    """Makes attack inputs with reference models, each trained on a random half.

    Args:
        records: int, half of them members.
        models: int, of references.
        population: int, nonmembers of the calibration half; half of them if
            None.
        seed: int.
    """
    answers = outputs(records // 2, records - records // 2, seed=seed)
    rng = np.random.default_rng(seed)
    inside = rng.random((models, records)) < 0.5
    margins = rng.normal(2, 1, (models, records)) + inside
    half = calibration_half(answers.members, seed=seed)
    if population:
        half[records // 2 :] = np.arange(records - records // 2) < population
    return AttackInputs(
        outputs=answers,
        calibration=half,
        seed=seed,
        references=References(
            margins, inside, ~inside, lambda temperature: margins / temperature
        ),
    )


def save(folder, **arrays):
    """Writes each array to folder/NAME.npy."""
    for name, array in arrays.items():
        np.save(pathlib.Path(folder, f"{name}.npy"), array)


def exponent(sizes, seconds) -> float:
    """The slope of log(seconds) over log(sizes), by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
