"""Label-only attacks: the target gives a class and no probabilities.

A model that was trained on a record is right about it also where it is moved
or disturbed a little. All scores are counts of a few labels, so ties are
many and only a few false-positive rates can be attained.
"""

import numpy as np

from qmia_tf.attacks.attack import Attack
from qmia_tf.attacks.attack_inputs import AttackInputs


def correct_augmentations(inputs: AttackInputs) -> np.ndarray:
    """How many augmented queries are classified right, the original included.

    With the original alone it is the gap attack.

    Returns: float64 [N], whole numbers in 0..Q; NaN where not queried.
    Raises: ValueError if the attack inputs hold no augmented_labels.
    """
    augmented = _required(inputs, "augmented_labels")
    right = augmented == inputs.outputs.labels[:, None]
    return _where_queried(augmented, right.sum(axis=1))


def agreeing_augmentations(inputs: AttackInputs) -> np.ndarray:
    """How many augmented queries get the label of the original.

    For an attacker who does not know the true class.

    Returns: float64 [N], whole numbers in 0..Q - 1; NaN where not queried.
    Raises: ValueError if the attack inputs hold no augmented_labels.
    """
    augmented = _required(inputs, "augmented_labels")
    same = augmented[:, 1:] == augmented[:, :1]
    return _where_queried(augmented, same.sum(axis=1))


def noise_robustness(inputs: AttackInputs) -> np.ndarray:
    """The share of noisy queries that are classified right.

    Ties stay ties: nothing else is taken to order the records.

    Returns: float64 [N], multiples of 1/(Q - 1) in 0..1; NaN where not
        queried.
    Raises: ValueError if the attack inputs hold no noisy_labels, or none but
        the original's.
    """
    noisy = _required(inputs, "noisy_labels")
    if noisy.shape[1] < 2:
        raise ValueError("inputs.noisy_labels holds the original alone")
    right = noisy[:, 1:] == inputs.outputs.labels[:, None]
    return _where_queried(noisy, right.mean(axis=1))


def _required(inputs, name):
    labels = getattr(inputs, name)
    if labels is None:
        raise ValueError(f"the attack inputs hold no {name}")
    return np.asarray(labels)


def _where_queried(labels, scores):
    queried = (labels >= 0).all(axis=1)
    return np.where(queried, scores.astype(np.float64), np.nan)


SOURCE = "Choquette-Choo et al., arXiv:2007.14321"
CORRECT = Attack(
    "correct_augmentations",
    "label-only, correct augmentations",
    correct_augmentations,
    source=SOURCE,
    needs=("labels", "augmented_labels"),
    queries="1 + 4d shifts, a flip, 2r turns",
)
AGREEING = Attack(
    "agreeing_augmentations",
    "label-only, agreeing augmentations",
    agreeing_augmentations,
    source=f"after {SOURCE}",
    needs=("labels", "augmented_labels"),
    queries="1 + 4d shifts, a flip, 2r turns",
)
NOISE = Attack(
    "noise_robustness",
    "label-only, noise",
    noise_robustness,
    source=SOURCE,
    needs=("labels", "noisy_labels"),
    queries="1 + strengths x draws",
)
