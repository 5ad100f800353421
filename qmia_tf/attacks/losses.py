"""How badly a target predicts the true labels, exact in the far tail."""

import numpy as np

from qmia_tf.attacks.margin import margins
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.logits import log_sums


def scores(outputs: Outputs) -> np.ndarray:
    """-losses: log p_y, float64 [N], at most 0.

    Args:
        outputs: of one target, N records.
    Source: Yeom et al., arXiv:1709.01604.
    """
    return -losses(outputs)


def losses(outputs: Outputs) -> np.ndarray:
    """-log p_y, float64 [N].

    From logits where the target gives them: log(1 + exp(-margin)), which is
    above 0 however sure the target is. From probabilities otherwise; p_y = 0
    counts as half the smallest output.
    """
    if outputs.logits is not None:
        return np.logaddexp(0.0, -margins(outputs))
    right = np.arange(outputs.labels.size), outputs.labels
    chosen = outputs.probabilities[right].astype(np.float64)
    return -np.log(np.maximum(chosen, outputs.probability_floor))


def modified_entropies(outputs: Outputs) -> np.ndarray:
    """-(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i), float64 [N].

    From logits where the target gives them. From probabilities otherwise; a
    probability of 0 under the first logarithm, and 1 - 1 under the second,
    count as half of the least that the output's format holds. The terms
    are added from the smallest to the largest, so that records with the same
    terms in other classes stay equal to the last bit.

    Source: Song and Mittal, arXiv:2003.10595, eq. 8.
    """
    right = np.arange(outputs.labels.size), outputs.labels
    if outputs.logits is not None:
        p, log_rest = _from_logits(outputs.logits)
        rest = np.exp(log_rest[right])
    else:
        p = np.clip(outputs.probabilities.astype(np.float64), 0.0, 1.0)
        floor = outputs.probability_step / 2 or 2.0**-25
        log_rest = np.log(np.maximum(1 - p, floor))
        rest = 1 - p[right]
    terms = -p * log_rest
    terms[right] = rest * losses(outputs)
    # NumPy's order of adding depends on the layout.
    return np.ascontiguousarray(np.sort(terms, axis=1)).sum(axis=1)


def _from_logits(logits):
    """Returns p_i and log(1 - p_i), float64 [N, C] each."""
    logits = logits.astype(np.float64)
    whole = log_sums(logits)
    p = np.exp(logits - whole[:, None])
    # Only the largest can be so close to 1 that 1 - p_i loses its digits.
    top = np.arange(len(logits)), logits.argmax(axis=1)
    p_top, p[top] = p[top], 0.0
    log_rest = np.log1p(-p)
    p[top] = p_top
    logits[top] = -np.inf
    log_rest[top] = log_sums(logits) - whole
    return p, log_rest
