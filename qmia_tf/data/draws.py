"""Records drawn so that every class has its share."""

import numpy as np

from qmia_tf.data.records import Records
from qmia_tf.errors import InputError


def stratified(
    labels: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Draws a share of the records, every class by largest remainder.

    Args:
        labels: int [N].
        share: in (0, 1].
    Returns: bool [N], round(N * share) of them True.
    """
    classes, counts = np.unique(labels, return_counts=True)
    quotas = _quotas(counts, share, rng)
    mask = np.zeros(len(labels), bool)
    for label, quota in zip(classes, quotas, strict=True):
        records = np.flatnonzero(labels == label)
        mask[rng.permutation(records)[:quota]] = True
    return mask


def draw(records: Records, count: int, *, seed: int) -> Records:
    """Draws as many members as nonmembers, every class with its share.

    Args:
        count: how many of both; of a side with fewer than half of them all.
        seed: 0 or more.
    Returns: members first.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for is_side in (records.members, ~records.members):
        rows = np.flatnonzero(is_side)
        share = min(1.0, count // 2 / len(rows))
        chosen.append(rows[stratified(records.labels[rows], share, rng)])
    return records.take(np.concatenate(chosen))


def draw_exactly(records: Records, count: int, *, seed: int = 0) -> Records:
    """Draws as draw does, and no fewer.

    Raises: InputError if there are not so many members or nonmembers, the
        count is odd or below 4, or the seed negative.
    """
    if count < 4 or count % 2 or seed < 0:
        raise InputError(
            "records must be an even number of 4 or more and seed 0 or "
            f"more, got {count} and {seed}"
        )
    members = int(records.members.sum())
    totals = {"members": members, "nonmembers": len(records.labels) - members}
    for side, total in totals.items():
        if count // 2 > total:
            raise InputError(
                f"the run has {total} {side}, {count // 2} of them cannot be "
                f"drawn: ask for {2 * total} records or fewer"
            )
    return draw(records, count, seed=seed)


def share_of(count: int, share: float) -> int:
    """Rounds a share of a count, a half upwards."""
    return int(count * share + 0.5)


def _quotas(counts, share, rng):
    """Shares out what is drawn among classes by largest remainder; int [C]."""
    shares = counts * share
    quotas = np.floor(shares).astype(int)
    missing = share_of(counts.sum(), share) - quotas.sum()
    lots = rng.permutation(len(counts))
    order = lots[np.argsort(-(shares - quotas)[lots], kind="stable")]
    quotas[order[:missing]] += 1
    return quotas
