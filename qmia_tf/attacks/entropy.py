"""How undecided a target is: it is decided about what it has seen."""

import numpy as np

from qmia_tf.attacks.losses import modified_entropies
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.logits import log_sums


def scores(outputs: Outputs) -> np.ndarray:
    """Negative entropy, sum_i p_i log p_i; the true label is not used.

    A term with p_i = 0 is 0, its limit. Terms are added in order of
    size, so that the order of the classes does not matter.

    Args:
        outputs: of one target, N records.
    Returns: float64 [N], in -log C..0, up to the rounding of the outputs.
    Source: Salem et al., arXiv:1806.01246, section V.
    """
    if outputs.logits is not None:
        logits = outputs.logits.astype(np.float64)
        logs = logits - log_sums(logits)[:, None]
        terms = np.exp(logs) * logs
    else:
        p = outputs.probabilities.astype(np.float64)
        terms = p * np.log(np.where(p > 0, p, 1.0))
    # NumPy's order of adding depends on the layout.
    return np.ascontiguousarray(np.sort(terms, axis=1)).sum(axis=1)


def modified_scores(outputs: Outputs) -> np.ndarray:
    """Negative modified entropy: being decided counts if it is right.

    Args:
        outputs: of one target, N records.
    Returns: float64 [N], at most 0.
    Source: Song and Mittal, arXiv:2003.10595, eq. 8.
    """
    return -modified_entropies(outputs)
