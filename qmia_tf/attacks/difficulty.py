"""Difficulty calibration: surer of a record than models that never saw it."""

import numpy as np
from scipy import special

from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.margin import margins
from qmia_tf.attacks.reference_moments import mean, references_of

# What is calibrated, as a function of the margin.
SCORES = {
    "margin": lambda margin: margin,
    "loss": lambda margin: -np.logaddexp(0.0, -margin),
    "confidence": special.expit,
}


def scores(inputs: AttackInputs, *, score: str = "margin") -> np.ndarray:
    """s(x) - mean of s_k(x) over the models k that never saw x.

    An easy record has a high score whether it is a member or not; what other
    models of the same kind make of it is taken off. s is one of SCORES.

    Returns: float64 [N], NaN where a record has no out-model.
    Source: Watson et al., arXiv:2111.08440, eq. 3.
    """
    references, of_margin = references_of(inputs), SCORES[score]
    rows = (of_margin(row.astype(float)) for row in references.margins)
    return of_margin(margins(inputs.outputs)) - mean(rows, references.outside)


def parent_scores(inputs: AttackInputs) -> np.ndarray:
    """The target's margin minus that of its full-precision parent.

    The parent is the only reference, and it trained on the same members: what
    is left is what quantization changed. It costs no reference model, and
    has any information only if members and nonmembers are changed differently.

    Returns: float64 [N].
    Raises: ValueError if there is no parent.
    """
    if inputs.parent is None:
        raise ValueError("this attack needs the outputs of the float parent")
    return margins(inputs.outputs) - margins(inputs.parent)


PARENT = Attack(
    "difficulty_parent",
    "against the float parent",
    parent_scores,
    source="after Watson et al., arXiv:2111.08440",
    needs=("probabilities", "parent"),
)
DIFFICULTY = Attack(
    "difficulty",
    "difficulty calibration",
    scores,
    source="Watson et al., arXiv:2111.08440",
    needs=("probabilities", "references"),
    options=(
        Option(
            "score",
            "margin",
            "what is calibrated: the margin, the loss or p_y",
            "Watson et al., arXiv:2111.08440, section 3 (loss, confidence)",
            words=tuple(SCORES),
        ),
    ),
)
