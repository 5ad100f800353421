"""The gradient of the loss at the last layer: small where nothing is left."""

import numpy as np

from qmia_tf.attacks.attack import Attack
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.exact_logits import inside_of


def scores(inputs: AttackInputs) -> np.ndarray:
    """-|p - e_y| sqrt(1 + |h|^2), the norm of d loss / d (weights, bias).

    p is the softmax of the exact logits, e_y the true class, h what enters
    the last layer. Training stops where gradients of members are small.

    Returns: float64 [N], 0 or less.
    Raises: ValueError if the inside is not known.
    """
    return -inside_of(inputs).gradient_norms(inputs.outputs.labels)


GRADIENT_NORM = Attack(
    "gradient_norm",
    "gradient norm of the last layer",
    scores,
    source="after Nasr et al., arXiv:1812.00910",
    needs=("inside",),
)
