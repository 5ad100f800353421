"""The attacks on one probability: the largest, and that of the true class."""

import numpy as np

from qmia_tf.attacks.attack import Attack, of_outputs
from qmia_tf.attacks.margin import of_true_class
from qmia_tf.outputs import Outputs


def scores(outputs: Outputs) -> np.ndarray:
    """The largest probability: whoever is classified surely is a member.

    The true label is not used.

    Returns: float64 [N], in 0..1; multiples of the probability step where
        the target's output is quantized.
    """
    return outputs.probabilities.max(axis=1).astype(np.float64)


def true_class_scores(outputs: Outputs) -> np.ndarray:
    """p_y, as the target gives it: a member was taught it.

    It orders records as the loss does. Many float32 softmaxes end in p_y = 1
    exactly, and an int8 softmax has 256 values: those are ties here.

    Returns: as scores.
    """
    return of_true_class(outputs.probabilities, outputs)


CONFIDENCE = Attack(
    "confidence",
    "largest confidence",
    of_outputs(scores),
    source="Kowalski et al., ICIP 2022",
)
TRUE_CONFIDENCE = Attack(
    "true_confidence",
    "true-class confidence",
    of_outputs(true_class_scores),
    source="Yeom et al., arXiv:1709.01604",
)
