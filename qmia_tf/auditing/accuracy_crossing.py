"""Where the accuracy of a training run goes through that of a model."""

import numpy as np


def outside(right, reached) -> str | None:
    """Whether full precision, up to its best epoch, was never as accurate.

    Args:
        right: how many nonmembers the model classifies right, or their share.
        reached: the same of full precision, by epoch.
    Returns: "above" or "below" what was reached, or None.
    """
    if right > max(reached):
        return "above"
    best = int(np.argmax(reached))
    return "below" if right < min(reached[: best + 1]) else None


def crossings(right, reached) -> int:
    """How often full precision's accuracy goes through the model's.

    Args:
        right: as of outside.
        reached: as of outside.
    """
    sides = np.sign(np.array(reached) - right)
    sides = sides[sides != 0]
    return int(np.sum(sides[1:] != sides[:-1]))


def between(right, reached) -> tuple[int, int, float] | None:
    """The first two neighbours up to the best epoch that hold a model.

    Args:
        right: as of outside.
        reached: as of outside.
    Returns: their places in `reached` and the weight of the second; None
        where the model is outside.
    """
    best = int(np.argmax(reached))
    for first in range(max(best, 1)):
        # Where the first epoch is the best, it is both.
        second = min(first + 1, best)
        low, high = reached[first], reached[second]
        if min(low, high) <= right <= max(low, high):
            weight = (right - low) / (high - low) if high != low else 0.0
            return first, second, weight
    return None
