"""Memberships permuted within strata: the same numbers in each, by lot."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """Which records may change places.

    Attributes:
        order: int [N], the records, stratum by stratum.
        starts: int [S + 1], where each stratum starts in it.
        members: int [S], how many members each has.
    """

    order: np.ndarray
    starts: np.ndarray
    members: np.ndarray

    @property
    def records(self) -> int:
        """How many records there are."""
        return int(self.order.size)

    @classmethod
    def of(cls, members, strata) -> "Layout":
        """Sorts records by stratum.

        Args:
            members: bool [N].
            strata: int [N].
        Raises: ValueError if the two are not equally long.
        """
        members, strata = np.asarray(members, bool), np.asarray(strata)
        if members.shape != strata.shape or members.ndim != 1:
            raise ValueError(
                f"{members.shape} memberships and {strata.shape} strata"
            )
        order = np.argsort(strata, kind="stable")
        _, first, sizes = np.unique(
            strata[order], return_index=True, return_counts=True
        )
        starts = np.append(first, members.size)
        counts = [
            int(members[order[a : a + n]].sum())
            for a, n in zip(first, sizes, strict=True)
        ]
        return cls(order, starts, np.array(counts, np.int64))

    def shares(self) -> np.ndarray:
        """P(member) of each record under permutation, float64 [N]."""
        sizes = np.diff(self.starts)
        found = np.zeros(self.order.size)
        found[self.order] = np.repeat(
            self.members / np.maximum(sizes, 1), sizes
        )
        return found

    def draw(self, rng, count) -> np.ndarray:
        """Draws permuted memberships.

        Args:
            rng: numpy Generator.
            count: int, B.
        Returns: bool [B, N]; each row has as many members in each stratum.
        """
        drawn = np.zeros((count, self.order.size), bool)
        for start, end, inside in zip(
            self.starts, self.starts[1:], self.members, strict=False
        ):
            places = self.order[start:end]
            if inside in (0, places.size):
                drawn[:, places] = inside > 0
                continue
            keys = rng.integers(0, 2**32, (count, places.size), dtype=np.uint32)
            least = np.partition(keys, inside - 1, axis=1)
            chosen = keys <= least[:, inside - 1 : inside]
            # Two keys of 2^32 may be equal: then one too many is chosen.
            for row in np.flatnonzero(chosen.sum(axis=1) != inside):
                chosen[row] = rng.permutation(places.size) < inside
            drawn[:, places] = chosen
        return drawn


def strata_of(labels, members, halves=None, *, by_class=True) -> np.ndarray:
    """Groups records among which memberships are exchangeable.

    Class by class, each half by itself. A class of which a half holds no
    member or no nonmember could not be permuted there; such ones make up one
    stratum together.

    Args:
        labels: int [N].
        members: bool [N].
        halves: bool [N], the calibration half; None makes no difference.
        by_class: whether classes are kept apart.
    Returns: int [N].
    """
    labels, members = np.asarray(labels), np.asarray(members, bool)
    half = np.zeros(labels.shape, int) if halves is None else halves.astype(int)
    if not by_class:
        return half
    classes = np.unique(labels, return_inverse=True)[1].reshape(-1) + 1
    cells = 2 * classes + half
    inside = np.bincount(cells, members, minlength=2 * classes.max() + 2)
    total = np.bincount(cells, minlength=2 * classes.max() + 2)
    stuck = (inside == 0) | (inside == total)
    return np.where(stuck[cells], half, cells)
