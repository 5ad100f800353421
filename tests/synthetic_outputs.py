"""Outputs of a network that is surer and more often right on its members."""

import dataclasses

import numpy as np

from qmia_tf.outputs import Outputs


def outputs(
    members=60,
    nonmembers=60,
    *,
    classes=5,
    seed=0,
    gain=(3.0, 2.0),
    step=0.0,
    target="keras",
    **info,
):
    """Softmax of noise plus gain[0] (members) or gain[1] at the true label.

    Args:
        members: int.
        nonmembers: int.
        classes: int.
        seed: int.
        gain: what the true label's logit gets, members first.
        step: 0, or the grid that the probabilities are rounded to.
        target: name of the target.
        **info: other keys of Outputs.info.
    """
    rng = np.random.default_rng(seed)
    size = members + nonmembers
    inside = np.arange(size) < members
    labels = rng.integers(0, classes, size)
    logits = rng.normal(size=(size, classes)) * 1.5
    logits[np.arange(size), labels] += np.where(inside, *gain)
    values = np.exp(logits)
    values /= values.sum(axis=1, keepdims=True)
    if step:
        values = np.minimum(np.round(values / step) * step, 1 - step)
    order = rng.permutation(size)
    return Outputs(
        probabilities=values[order].astype(np.float32),
        labels=labels[order],
        members=inside[order],
        record_ids=rng.permutation(10 * size)[:size],
        info={"target": target, "probability_step": step, **info},
    )


def hard_labels(**options):
    """Outputs that name a class and say nothing else."""
    labelled = outputs(**options)
    values = np.zeros_like(labelled.probabilities)
    values[np.arange(len(values)), labelled.predicted] = 1
    return dataclasses.replace(labelled, probabilities=values)
