"""The gradient of the loss at every layer of a file: small for members."""

import numpy as np

from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.attacks.attack_inputs import AttackInputs

ALL = "all"
SOURCE = "after Nasr et al., arXiv:1812.00910"


def scores(inputs: AttackInputs, *, depth: str | float = ALL) -> np.ndarray:
    """-|d loss / d weights|, of all layers' weights or of one layer's.

    Training stops where the gradients of members are small, at every layer.

    Args:
        depth: 0 is the first layer, 1 the last, others the nearest between
            them; "all" the whole gradient.
    Returns: float64 [N], 0 or less.
    Raises: ValueError if gradients are not known.
    """
    gradients = inputs.gradients
    if gradients is None:
        raise ValueError("this attack needs gradients by layer")
    if depth == ALL:
        return -gradients.total()
    layer = round(float(depth) * (len(gradients.layers) - 1))
    return -gradients.norms[:, layer].astype(np.float64)


GRADIENT_NORM_ALL = Attack(
    "gradient_norm_all",
    "gradient norm of all layers",
    scores,
    source=SOURCE,
    needs=("gradients",),
    options=(
        Option(
            "depth",
            ALL,
            "the layer whose gradient it is: 0 the first, 1 the last",
            source=SOURCE,
            words=(ALL,),
            numbers=(0, 1),
        ),
    ),
)
