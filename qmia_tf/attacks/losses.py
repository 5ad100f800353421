"""How badly a target predicts the true labels, exact in the far tail."""

import numpy as np

from qmia_tf.outputs import Outputs


def losses(outputs: Outputs) -> np.ndarray:
    """-log p_y, float64 [N]; p_y = 0 counts as half the smallest output."""
    right = np.arange(outputs.labels.size), outputs.labels
    floor = outputs.probability_step / 2 or 2.0**-150
    chosen = outputs.probabilities[right].astype(np.float64)
    return -np.log(np.maximum(chosen, floor))


def modified_entropies(outputs: Outputs) -> np.ndarray:
    """-(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i), float64 [N].

    A probability of 0 under the first logarithm, and 1 - 1 under the second,
    count as half of what the output's format can tell from them. The terms
    are added from the smallest to the largest, so that records with the same
    terms in other classes stay equal to the last bit.

    Source: Song and Mittal, arXiv:2003.10595, eq. 8.
    """
    right = np.arange(outputs.labels.size), outputs.labels
    p = np.clip(outputs.probabilities.astype(np.float64), 0.0, 1.0)
    floor = outputs.probability_step / 2 or 2.0**-25
    terms = -p * np.log(np.maximum(1 - p, floor))
    terms[right] = (1 - p[right]) * losses(outputs)
    # NumPy's order of adding depends on the layout.
    return np.ascontiguousarray(np.sort(terms, axis=1)).sum(axis=1)
