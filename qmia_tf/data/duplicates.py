"""Records that are among the members and among the nonmembers."""

import dataclasses
import hashlib

import numpy as np
import pandas as pd

from qmia_tf.data.records import Records
from qmia_tf.errors import InputError

EXAMPLES = 10


@dataclasses.dataclass(frozen=True)
class EqualRecords:
    """Identical records among the members and the nonmembers.

    Attributes:
        members: how many members have one among the nonmembers.
        nonmembers: how many nonmembers have one among the members.
        examples: pairs of record ids: a member's, in order, and the least
            of a nonmember that is identical; EXAMPLES of them at most.
        warning: what that means, in a sentence; empty if there are none.
    """

    members: int
    nonmembers: int
    examples: list[list[int]]
    warning: str


def find(records: Records) -> EqualRecords:
    """Finds records that are identical, byte for byte, to one across."""
    members, numbers = records.members, row_numbers(records.values)
    inside, outside = numbers[members], numbers[~members]
    ids = pd.Series(records.record_ids, numbers)
    least = ids[~members].groupby(level=0).min()
    own = ids[members][np.isin(inside, outside)].sort_values(kind="stable")
    pairs = np.column_stack([own, least[own.index]])
    counts = len(pairs), int(np.isin(outside, inside).sum())
    warning = ""
    if counts[0]:
        what = "image" if records.is_images else "record"
        warning = (
            f"{counts[0]} member(s) have an identical {what} among the "
            f"nonmembers and {counts[1]} nonmember(s) one among the "
            f"members, such as records {pairs[0, 0]} and {pairs[0, 1]}: no "
            "attack can tell these apart, so they hide a part of the leak"
        )
    return EqualRecords(*counts, pairs[:EXAMPLES].tolist(), warning)


def require_others(equal: EqualRecords, records: Records) -> None:
    """Refuses records of which one side is wholly on the other.

    Raises: InputError if all members, or all nonmembers, are on both sides.
    """
    for side, count, total in (
        ("member", equal.members, records.members.sum()),
        ("nonmember", equal.nonmembers, (~records.members).sum()),
    ):
        if count == total:
            raise InputError(
                f"every {side} is also on the other side ({total} "
                "records): members must have trained the model and "
                "nonmembers must not"
            )


def row_numbers(values: np.ndarray) -> np.ndarray:
    """Numbers records [N, ...] from 0 on, those of the same bytes alike.

    Source: BLAKE2b with 128 bits, RFC 7693.
    """
    rows = np.ascontiguousarray(values).reshape(len(values), -1)
    digests = b"".join(
        hashlib.blake2b(row, digest_size=16).digest()
        for row in rows.view(np.uint8)
    )
    hashes = np.frombuffer(digests, np.dtype("V16"))
    return np.unique(hashes, return_inverse=True)[1].reshape(-1)
