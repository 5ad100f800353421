"""Where the accuracy of a training run crosses that of a model."""

import numpy as np


def outside_range(accuracy: float, by_epoch) -> str | None:
    """Whether the accuracy lies outside full precision's, up to its best epoch.

    Args:
        accuracy: how many nonmembers the model classifies right, or their
            share; `by_epoch` the same of full precision.
    Returns: "above" or "below" full precision, or None.
    """
    if accuracy > max(by_epoch):
        return "above"
    best = int(np.argmax(by_epoch))
    return "below" if accuracy < min(by_epoch[: best + 1]) else None


def crossings(accuracy: float, by_epoch) -> int:
    """How often the accuracy of full precision crosses the model's."""
    sides = np.sign(np.array(by_epoch) - accuracy)
    sides = sides[sides != 0]
    return int(np.sum(sides[1:] != sides[:-1]))


def bracket(accuracy: float, by_epoch) -> tuple[int, int, float] | None:
    """The first two neighbours up to the best epoch around an accuracy.

    Returns: their places in `by_epoch` and the weight of the second; None where
        the accuracy is outside the range.
    """
    best = int(np.argmax(by_epoch))
    for first in range(max(best, 1)):
        # Where the first epoch is the best, it is both.
        second = min(first + 1, best)
        low, high = by_epoch[first], by_epoch[second]
        if min(low, high) <= accuracy <= max(low, high):
            weight = (accuracy - low) / (high - low) if high != low else 0.0
            return first, second, weight
    return None
