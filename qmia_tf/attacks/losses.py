"""The loss: how badly a target predicts the true label, exact in the tail."""

import numpy as np

from qmia_tf.attacks.attack import Attack, of_outputs
from qmia_tf.attacks.margin import margins, of_true_class
from qmia_tf.outputs import Outputs


def losses(outputs: Outputs) -> np.ndarray:
    """-log p_y, float64 [N].

    From logits where the target gives them: log(1 + exp(-margin)), which is
    above 0 however sure the target is. From probabilities otherwise; p_y = 0
    counts as half the smallest output.
    """
    if outputs.logits is not None:
        return np.logaddexp(0.0, -margins(outputs))
    chosen = of_true_class(outputs.probabilities, outputs)
    return -np.log(np.maximum(chosen, outputs.probability_floor))


def scores(outputs: Outputs) -> np.ndarray:
    """-losses: log p_y, float64 [N], at most 0."""
    return -losses(outputs)


LOSS = Attack(
    "loss", "loss", of_outputs(scores), source="Yeom et al., arXiv:1709.01604"
)
