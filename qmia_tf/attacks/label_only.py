"""Attacks on targets that name a class and give no confidence.

A model that was trained on a record is right about it also where it is moved
or disturbed a little. All scores are counts of a few answers, so ties are
many and only a few false-positive rates can be attained.
"""

import numpy as np

from qmia_tf.attacks.attack_inputs import AttackInputs


def correct_copies(inputs: AttackInputs) -> np.ndarray:
    """How many copies are classified right, the unchanged one included.

    With the unchanged copy alone it is the gap attack.

    Args:
        inputs: with copies, int [N, Q].
    Returns: float64 [N], whole numbers in 0..Q; NaN where not asked.
    Raises: ValueError if the attack inputs hold no copies.
    Source: Choquette-Choo et al., arXiv:2007.14321, section 4.
    """
    copies = _asked(inputs.copies, "copies")
    right = copies == inputs.outputs.labels[:, None]
    return _where_asked(copies, right.sum(axis=1))


def agreeing_copies(inputs: AttackInputs) -> np.ndarray:
    """How many changed copies are named as the unchanged one is.

    For an attacker who does not know the true class.

    Args:
        inputs: with copies, int [N, Q].
    Returns: float64 [N], whole numbers in 0..Q - 1; NaN where not asked.
    Raises: ValueError if the attack inputs hold no copies.
    """
    copies = _asked(inputs.copies, "copies")
    same = copies[:, 1:] == copies[:, :1]
    return _where_asked(copies, same.sum(axis=1))


def noise_robustness(inputs: AttackInputs) -> np.ndarray:
    """The share of copies with noise that are classified right.

    Ties stay ties: nothing else is taken to order the records.

    Args:
        inputs: with noisy, int [N, Q], the unchanged copy first.
    Returns: float64 [N], multiples of 1/(Q - 1) in 0..1; NaN where not
        asked.
    Raises: ValueError if the attack inputs hold no copies with noise.
    Source: Choquette-Choo et al., arXiv:2007.14321, section 4.
    """
    noisy = _asked(inputs.noisy, "noisy")
    if noisy.shape[1] < 2:
        raise ValueError("inputs.noisy holds the unchanged copy alone")
    right = noisy[:, 1:] == inputs.outputs.labels[:, None]
    return _where_asked(noisy, right.mean(axis=1))


def _asked(answers, name):
    if answers is None:
        raise ValueError(f"the attack inputs hold no {name}")
    return np.asarray(answers)


def _where_asked(answers, scores):
    asked = (answers >= 0).all(axis=1)
    return np.where(asked, scores.astype(np.float64), np.nan)
