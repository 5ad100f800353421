"""Scores of members and nonmembers, as they are or with ties of all kinds."""

import numpy as np

KINDS = ("continuous", "levels", "saturated", "hard", "equal")


def scores_of(kind, size=400, seed=0, *, gain=0.8):
    """Normal scores, members higher by the gain, and members, 2 of 5."""
    rng = np.random.default_rng(seed)
    members = rng.random(size) < 0.4
    scores = rng.normal(size=size) + gain * members
    if kind == "levels":
        # Of an int8 softmax.
        scores = np.floor(256 / (1 + np.exp(-scores)))
    elif kind == "saturated":
        scores = np.minimum(scores, 1.2)
    elif kind == "hard":
        scores = (scores > 0).astype(float)
    elif kind == "equal":
        scores = np.zeros(size)
    return scores, members
