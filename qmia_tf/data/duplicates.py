"""Images that are among the members and among the nonmembers."""

import dataclasses
import hashlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class EqualRecords:
    """Identical images among the members and the nonmembers.

    Attributes:
        members: how many members have one among the nonmembers.
        nonmembers: how many nonmembers have one among the members.
        examples: pairs of record ids, a member's and a nonmember's.
        warning: what that means, in a sentence; empty if there are none.
    """

    members: int
    nonmembers: int
    examples: list[list[int]]
    warning: str


@dataclasses.dataclass(frozen=True, eq=False)
class Duplicates:
    """Records whose very image is also on the other side.

    Attributes:
        members: how many members have an identical image among the
            nonmembers.
        nonmembers: how many nonmembers have one among the members.
        pairs: int64 [members, 2], the record id of each such member, in
            order, and the least record id of a nonmember with its image.
    """

    members: int
    nonmembers: int
    pairs: np.ndarray

    def __bool__(self):
        return self.members > 0

    def sentence(self, what="image") -> str:
        """Says it in one sentence for a warning; empty if there are none.

        Args:
            what: what a record is.
        """
        if not self:
            return ""
        first, second = self.pairs[0]
        return (
            f"{self.members} member(s) have an identical {what} among the "
            f"nonmembers and {self.nonmembers} nonmember(s) one among the "
            f"members, such as records {first} and {second}: no attack can "
            "tell these apart, so they hide a part of the leak"
        )


def find(images, members, record_ids) -> Duplicates:
    """Finds identical images by a hash of their bytes.

    Args:
        images: uint8 [N, ...].
        members: bool [N].
        record_ids: int [N], distinct.
    Raises: ValueError if the arrays do not fit each other.
    Source: BLAKE2b with 128 bits, RFC 7693.
    """
    images, members = np.asarray(images), np.asarray(members)
    record_ids = np.asarray(record_ids, np.int64)
    if not len(images) == len(members) == len(record_ids):
        raise ValueError(
            f"{len(images)} images, {len(members)} memberships and "
            f"{len(record_ids)} record ids"
        )
    if images.dtype != np.uint8 or members.dtype != bool:
        raise ValueError(
            "images must be uint8 and members booleans, got "
            f"{images.dtype} and {members.dtype}"
        )
    hashes = row_numbers(images)
    inside, outside = hashes[members], hashes[~members]
    in_both = np.isin(inside, outside)
    ids, own = record_ids[members][in_both], inside[in_both]
    order = np.argsort(record_ids[~members], kind="stable")
    # np.unique gives the first of each, which is the least id.
    known, first = np.unique(outside[order], return_index=True)
    partner_ids = record_ids[~members][order][
        first[np.searchsorted(known, own)]
    ]
    pairs = np.column_stack([ids, partner_ids]).reshape(-1, 2)
    return Duplicates(
        members=int(in_both.sum()),
        nonmembers=int(np.isin(outside, inside).sum()),
        pairs=pairs[np.argsort(ids, kind="stable")],
    )


def row_numbers(images) -> np.ndarray:
    """Numbers images so that equal ones have the same number.

    Args:
        images: uint8 [N, ...].
    Returns: int64 [N], from 0 on.
    """
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    digests = b"".join(
        hashlib.blake2b(row, digest_size=16).digest() for row in rows
    )
    hashes = np.frombuffer(digests, np.dtype("V16"))
    return np.unique(hashes, return_inverse=True)[1].reshape(-1)
