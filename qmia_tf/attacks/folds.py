"""Scores of attacks that learn: never from a model that saw the record."""

from collections.abc import Callable

import numpy as np

FOLDS = 5
EVALUATED = -1
# So that the folds do not follow from the draw of the calibration half.
STREAM = 4


def draw(
    calibration: np.ndarray, members: np.ndarray, *, seed: int
) -> np.ndarray:
    """Deals the calibration half into folds, fewer where records are few.

    Args:
        calibration: bool [N].
        members: bool [N]; each fold gets its share of members and of
            nonmembers, give or take one.
        seed: 0 or more.
    Returns: int64 [N], 0..FOLDS-1 in the calibration half, else EVALUATED.
    """
    rng = np.random.default_rng([seed, STREAM])
    kinds = [np.flatnonzero(calibration & kind) for kind in (members, ~members)]
    count = max(1, min(FOLDS, *(kind.size for kind in kinds)))
    folds = np.full(members.size, EVALUATED)
    for kind in kinds:
        folds[rng.permutation(kind)] = np.arange(kind.size) % count
    return folds


def out_of_fold(
    learn: Callable[[np.ndarray], np.ndarray], folds: np.ndarray
) -> np.ndarray:
    """Scores every record by a model that was not fitted on it.

    Evaluated records: by the model of the whole calibration half. Records of
    that half: by the model of the other folds.

    Args:
        learn: bool [N] of records to learn from -> float64 [N], scores of all
            records.
        folds: int64 [N], of draw.
    Returns: float64 [N]; all NaN where there are fewer than two folds, that is
        too few records to learn from.
    """
    half = folds != EVALUATED
    count = folds.max() + 1
    if count < 2:
        return np.full(folds.size, np.nan)
    scores = learn(half)
    for fold in range(count):
        own = folds == fold
        scores[own] = learn(half & ~own)[own]
    return scores
