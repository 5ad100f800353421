"""Every threshold of a score at once."""

import dataclasses

import numpy as np


class Rates:
    """Rates of counts at thresholds, float64, shaped like the counts.

    What has them holds true_positives, false_positives, and how many members
    and nonmembers there are.
    """

    @property
    def called(self) -> np.ndarray:
        """How many records are called members."""
        return np.asarray(self.true_positives) + self.false_positives

    @property
    def recall(self) -> np.ndarray:
        """True-positive rate."""
        return np.asarray(self.true_positives) / self.members

    @property
    def false_positive_rate(self) -> np.ndarray:
        """False-positive rate."""
        return np.asarray(self.false_positives) / self.nonmembers

    @property
    def precision(self) -> np.ndarray:
        """Share of members among the called; NaN if there are none."""
        shares = self.true_positives / np.maximum(self.called, 1)
        return np.where(self.called > 0, shares, np.nan)

    @property
    def f1(self) -> np.ndarray:
        """2PR / (P + R) = 2 TP / (2 TP + FP + FN)."""
        hits = np.asarray(self.true_positives)
        return 2 * hits / (self.called + self.members)

    @property
    def accuracy(self) -> np.ndarray:
        """Share of records called right."""
        right = np.asarray(self.true_positives) + self.nonmembers
        right = right - self.false_positives
        return right / (self.members + self.nonmembers)

    @property
    def balanced_accuracy(self) -> np.ndarray:
        """1/2 + (TPR - FPR)/2; 1/2 is guessing."""
        return 0.5 + (self.recall - self.false_positive_rate) / 2


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep(Rates):
    """The classifier "member iff score >= threshold", at every threshold.

    Row k calls as members the records that score thresholds[k] or more;
    records with equal scores are called together. Row 0, at infinity, calls
    nobody a member, the last row calls everybody. "Score exceeds t" decides
    like row k for every t from the next lower score up to below
    thresholds[k].

    A Sweep is sorted once. Functions that take Scores take it in their place.

    Attributes:
        thresholds: float64 [K + 1], infinity, then the K distinct scores
            from the highest to the lowest.
        true_positives: int64 [K + 1], members called members.
        false_positives: int64 [K + 1], nonmembers called members.
        scores: float64 [N].
        is_member: bool [N], some True and some False.
        rows: int64 [N], the row of each record's own score, 1..K.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    false_positives: np.ndarray
    scores: np.ndarray
    is_member: np.ndarray
    rows: np.ndarray

    @property
    def members(self) -> int:
        """How many members there are."""
        return int(self.true_positives[-1])

    @property
    def nonmembers(self) -> int:
        """How many nonmembers there are."""
        return int(self.false_positives[-1])

    @property
    def peak_row(self) -> int:
        """The row of the highest balanced accuracy, highest threshold first."""
        # Integers, so that rounding cannot part equal accuracies.
        advantage = (
            self.true_positives * self.nonmembers
            - self.false_positives * self.members
        )
        return int(np.argmax(advantage))

    def take(self, records) -> "Sweep":
        """The sweep of some records, bool [N], without sorting again.

        Raises: ValueError if members or nonmembers are absent.
        """
        _check_both_kinds(self.is_member[records])
        return _counted(
            self.thresholds,
            self.scores[records],
            self.is_member[records],
            self.rows[records],
        )


# Float [N], finite, higher is more member-like, and bool [N], some True and
# some False; or the Sweep of them, and None.
Scores = np.ndarray | Sweep
Members = np.ndarray | None


def sweep(scores: Scores, members: Members = None) -> Sweep:
    """Evaluates every distinct threshold with one sort.

    A Sweep is returned as it is.

    Raises: ValueError if the arrays do not fit each other.
    """
    if isinstance(scores, Sweep):
        return scores
    scores, members = check_scores(scores, members)
    lowest_first, rows = np.unique(scores, return_inverse=True)
    thresholds = np.append(np.inf, lowest_first[::-1])
    return _counted(thresholds, scores, members, lowest_first.size - rows)


def _counted(thresholds, scores, members, rows):
    inside = np.bincount(rows[members], minlength=thresholds.size)
    outside = np.bincount(rows[~members], minlength=thresholds.size)
    kept = inside + outside > 0
    kept[0] = True
    return Sweep(
        thresholds=thresholds[kept],
        true_positives=np.cumsum(inside[kept]),
        false_positives=np.cumsum(outside[kept]),
        scores=scores,
        is_member=members,
        rows=(np.cumsum(kept) - 1)[rows],
    )


def check_scores(scores, members) -> tuple[np.ndarray, np.ndarray]:
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
    _check_both_kinds(members)
    return scores, members


def _check_both_kinds(members):
    if members.all() or not members.any():
        raise ValueError(
            f"members and nonmembers are both needed, got {members.sum()} "
            f"members of {members.size} records"
        )
