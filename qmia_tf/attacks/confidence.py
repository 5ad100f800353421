"""The attacks on one probability: the largest, and that of the true class."""

import numpy as np

from qmia_tf.outputs import Outputs


def scores(outputs: Outputs) -> np.ndarray:
    """The largest probability: whoever is classified surely is a member.

    The true label is not used.

    Args:
        outputs: of one target, N records.
    Returns: float64 [N], in 0..1; multiples of the probability step where
        the target's output is quantized.
    Source: Kowalski et al., ICIP 2022, section 3.
    """
    return outputs.probabilities.max(axis=1).astype(np.float64)


def true_class_scores(outputs: Outputs) -> np.ndarray:
    """p_y, as the target gives it: a member was taught it.

    It orders records as the loss does. Many float32 softmaxes end in p_y = 1
    exactly, and an int8 softmax has 256 values: those are ties here.

    Args:
        outputs: of one target, N records.
    Returns: float64 [N], in 0..1; multiples of the probability step where
        the target's output is quantized.
    Source: Yeom et al., arXiv:1709.01604, where the loss is -log p_y.
    """
    right = np.arange(outputs.labels.size), outputs.labels
    return outputs.probabilities[right].astype(np.float64)
