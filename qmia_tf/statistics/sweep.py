"""Every threshold of a score at once."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """The classifier "member iff score >= threshold", at every threshold.

    Row k calls as members the records that score thresholds[k] or more;
    records with equal scores are called together. Row 0, at infinity, calls
    nobody a member, the last row calls everybody. "Score exceeds t" decides
    like row k for every t from the next lower score up to below
    thresholds[k].

    Attributes:
        thresholds: float64 [K + 1], infinity, then the K distinct scores
            from the highest to the lowest.
        true_positives: int64 [K + 1], members called members.
        false_positives: int64 [K + 1], nonmembers called members.
        members: how many members there are, 1 or more.
        nonmembers: how many nonmembers there are, 1 or more.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    false_positives: np.ndarray
    members: int
    nonmembers: int

    @property
    def recall(self) -> np.ndarray:
        """True-positive rate, float64 [K + 1]."""
        return self.true_positives / self.members

    @property
    def false_positive_rate(self) -> np.ndarray:
        """False-positive rate, float64 [K + 1]."""
        return self.false_positives / self.nonmembers

    @property
    def precision(self) -> np.ndarray:
        """Share of members among the called, float64 [K + 1]; NaN if none."""
        called = self.true_positives + self.false_positives
        return np.where(
            called > 0, self.true_positives / np.maximum(called, 1), np.nan
        )

    @property
    def f1(self) -> np.ndarray:
        """2PR / (P + R) = 2 TP / (2 TP + FP + FN), float64 [K + 1]."""
        called = self.true_positives + self.false_positives
        return 2 * self.true_positives / (called + self.members)

    @property
    def accuracy(self) -> np.ndarray:
        """Share of records called right, float64 [K + 1]."""
        right = self.true_positives + self.nonmembers - self.false_positives
        return right / (self.members + self.nonmembers)

    @property
    def balanced_accuracy(self) -> np.ndarray:
        """1/2 + (TPR - FPR)/2, float64 [K + 1]; 1/2 is guessing.

        Equal to accuracy where there are as many members as nonmembers.
        """
        return 0.5 + (self.recall - self.false_positive_rate) / 2


def sweep(scores, members) -> Sweep:
    """Evaluates every distinct threshold with one sort.

    Args:
        scores: float [N], finite; higher is more member-like.
        members: bool [N], some True and some False.
    Raises: ValueError if the arrays do not fit each other.
    """
    scores, members = check_scores(scores, members)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    true_positives = np.cumsum(members[order])[ends]
    called = ends + 1
    return Sweep(
        thresholds=np.concatenate([[np.inf], ranked[ends]]),
        true_positives=np.concatenate([[0], true_positives]),
        false_positives=np.concatenate([[0], called - true_positives]),
        members=int(members.sum()),
        nonmembers=int((~members).sum()),
    )


def check_scores(scores, members):
    """Returns scores as float64 [N] and members as bool [N].

    Raises: ValueError if they are not one-dimensional and equally long, a
        score is not finite, or members or nonmembers are absent.
    """
    scores, members = np.asarray(scores, np.float64), np.asarray(members)
    if scores.ndim != 1 or members.shape != scores.shape:
        raise ValueError(
            "scores and members must be one-dimensional and equally long, "
            f"got shapes {scores.shape} and {members.shape}"
        )
    if members.dtype != bool:
        raise ValueError(f"members must be booleans, got {members.dtype}")
    if not np.isfinite(scores).all():
        row = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(f"scores must be finite, row {row} is {scores[row]}")
    if members.all() or not members.any():
        raise ValueError(
            f"members and nonmembers are both needed, got {members.sum()} "
            f"members of {members.size} records"
        )
    return scores, members
