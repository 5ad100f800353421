"""The gradient of the loss at every layer of a file: small for members."""

import numpy as np

from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.errors import InputError

ALL = "all"
SOURCE = "after Nasr et al., arXiv:1812.00910"


def scores(inputs: AttackInputs, *, layer: str | float = ALL) -> np.ndarray:
    """-|d loss / d weights|, of all layers' weights or of one layer's.

    Training stops where the gradients of members are small, at every layer.

    Args:
        layer: its number, from 0; "all" for the whole gradient.
    Returns: float64 [N], 0 or less.
    Raises: ValueError if gradients are not known, InputError if there is no
        such layer.
    """
    gradients = inputs.gradients
    if gradients is None:
        raise ValueError("this attack needs gradients by layer")
    if layer == ALL:
        return -gradients.total()
    if layer != int(layer) or layer >= len(gradients.layers):
        raise InputError(
            f"gradient_norm_all.layer must be a whole number below "
            f"{len(gradients.layers)}, got {layer:g}: the layers of "
            f"{inputs.outputs.target!r} are {', '.join(gradients.layers)}"
        )
    return -gradients.norms[:, int(layer)].astype(np.float64)


GRADIENT_NORM_ALL = Attack(
    "gradient_norm_all",
    "gradient norm of all layers",
    scores,
    source=SOURCE,
    needs=("gradients",),
    options=(
        Option(
            "layer",
            ALL,
            "the layer whose gradient it is, counted from 0; all of them",
            source=SOURCE,
            words=(ALL,),
            numbers=(0, 9999),
        ),
    ),
)
