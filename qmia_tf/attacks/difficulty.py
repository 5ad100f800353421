"""Difficulty calibration: surer of a record than models that never saw it."""

import numpy as np

from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.margin import margins
from qmia_tf.attacks.reference_moments import mean, references_of


def calibrated(target, references, outside) -> np.ndarray:
    """s(x) - mean of s_k(x) over the models k that never saw x.

    An easy record has a high score whether it is a member or not; what other
    models of the same kind make of it is taken off.

    Args:
        target: float [N], a score of the target, here the margin.
        references: float [K, N], the same score of each reference model.
        outside: bool [K, N], the record did not train the model.
    Returns: float64 [N], NaN where no model is outside.
    Source: Watson et al., arXiv:2111.08440, eq. 3.
    """
    return target - mean(references, outside)


def scores(inputs: AttackInputs) -> np.ndarray:
    """The target's margin minus the mean margin of the out-models.

    Args:
        inputs: with references.
    Returns: float64 [N], NaN where a record has no out-model.
    """
    references = references_of(inputs)
    return calibrated(
        margins(inputs.outputs), references.margins, references.outside
    )


def parent_scores(inputs: AttackInputs) -> np.ndarray:
    """The target's margin minus that of its full-precision parent.

    The parent is the only reference, and it trained on the same members: what
    is left is what quantization changed. It costs no reference model, and
    has any information only if members and nonmembers are changed differently.

    Args:
        inputs: with parent.
    Returns: float64 [N].
    Raises: ValueError if there is no parent.
    Source: the idea of Watson et al., arXiv:2111.08440, with another
        reference.
    """
    if inputs.parent is None:
        raise ValueError("this attack needs the outputs of the float parent")
    return margins(inputs.outputs) - margins(inputs.parent)
