"""How undecided a target is: it is decided about what it has seen."""

import numpy as np

from qmia_tf.attacks.attack import Attack, of_outputs
from qmia_tf.attacks.losses import losses
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.logits import log_sums


def scores(outputs: Outputs) -> np.ndarray:
    """Negative entropy, sum_i p_i log p_i; the true label is not used.

    A term with p_i = 0 is 0, its limit.

    Returns: float64 [N], in -log C..0, up to the rounding of the outputs.
    """
    if outputs.logits is not None:
        logits = outputs.logits.astype(np.float64)
        logs = logits - log_sums(logits)[:, None]
        return _sum(np.exp(logs) * logs)
    p = outputs.probabilities.astype(np.float64)
    return _sum(p * np.log(np.where(p > 0, p, 1.0)))


def modified_scores(outputs: Outputs) -> np.ndarray:
    """Negative modified entropy, at most 0: being decided counts if right."""
    return -modified_entropies(outputs)


def modified_entropies(outputs: Outputs) -> np.ndarray:
    """-(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i), float64 [N].

    From logits where the target gives them. From probabilities otherwise; a
    probability of 0 under the first logarithm, and 1 - 1 under the second,
    count as half of the least that the output's format holds.

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
    return _sum(terms)


def _sum(terms):
    """Adds terms [N, C] by size, so that the classes' order does not matter."""
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


ENTROPY = Attack(
    "entropy",
    "entropy",
    of_outputs(scores),
    source="Salem et al., arXiv:1806.01246",
)
MODIFIED_ENTROPY = Attack(
    "modified_entropy",
    "modified entropy",
    of_outputs(modified_scores),
    source="Song and Mittal, arXiv:2003.10595",
)
