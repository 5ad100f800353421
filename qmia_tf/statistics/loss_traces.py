"""LT-IQR: how much the loss of a record changes while a model is trained."""

import numpy as np

# Quartiles of fewer are straight lines between two of them.
FEWEST = 4


def interquartile_range(losses: np.ndarray) -> np.ndarray:
    """The third quartile of a record's losses over epochs minus the first.

    Of a record that is hard and was learned in the end it is large: such
    members are found by attacks with reference models.

    Args:
        losses: float [E, N], of N records after each of E epochs, E >= FEWEST.
    Returns: float64 [N], 0 or more.
    Raises: ValueError if there are fewer epochs.
    Source: Pollock et al., arXiv:2411.05743.
    """
    losses = np.asarray(losses, np.float64)
    if losses.ndim != 2 or len(losses) < FEWEST:
        raise ValueError(
            f"losses must be [epochs, records] of {FEWEST} epochs or more, got "
            f"shape {list(losses.shape)}"
        )
    first, third = np.quantile(losses, [0.25, 0.75], axis=0)
    return third - first
