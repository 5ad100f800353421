"""Records that are there several times on one side: counted once.

Copies are no evidence of their own. Where half of them teach an attack and the
other half judge it, it remembers them; and intervals would take them for as
many records.
"""

import dataclasses

import numpy as np

from qmia_tf.auditing.duplicates import row_numbers
from qmia_tf.outputs import Outputs

RECORDS, OUTPUTS = "records", "outputs"
# How much more often equal rows must lie on one side alone than on both, and
# how many such values there must be, to be copies and no coincidence.
EXCESS, LEAST = 10, 10


@dataclasses.dataclass(frozen=True)
class RepeatedRecords:
    """How many of the records are copies of another one on their side.

    Attributes:
        members: how many members were given.
        distinct_members: how many of them are distinct; these are audited.
        nonmembers: how many nonmembers were given.
        distinct_nonmembers: how many of them are distinct.
        by: "records" where the records were compared, "outputs" where only
            rows of outputs and labels could be.
        sentence: what that means; empty if every record is distinct.
    """

    members: int
    distinct_members: int
    nonmembers: int
    distinct_nonmembers: int
    by: str
    sentence: str


@dataclasses.dataclass(frozen=True, eq=False)
class Distinct:
    """The records that are audited.

    Attributes:
        record_ids: int64, sorted; of each record that is there several times
            one.
        found: RepeatedRecords.
    """

    record_ids: np.ndarray
    found: RepeatedRecords

    def of(self, outputs) -> Outputs:
        """Returns Outputs of these records alone."""
        if self.found.distinct_members == self.found.members and (
            self.found.distinct_nonmembers == self.found.nonmembers
        ):
            return outputs
        return outputs.take(np.isin(outputs.record_ids, self.record_ids))


def of_records(values, labels, members, record_ids) -> Distinct:
    """Finds records whose values and label another one on their side has.

    Args:
        values: [N, ...], of any type of numbers.
        labels: int [N].
        members: bool [N].
        record_ids: int [N], distinct.
    """
    values = np.ascontiguousarray(values).reshape(len(labels), -1)
    numbers = row_numbers(values.view(np.uint8))
    kept = _firsts(numbers, labels, members)
    return Distinct(np.sort(record_ids[kept]), _told(kept, members, RECORDS))


def of_outputs(answered) -> Distinct:
    """Finds copies where only outputs are at hand.

    Equal rows of outputs and labels are copies where they can hardly be
    equal by chance. By chance they would as often lie on both sides as on
    one; saturated rows, in which one class has everything, say nothing. So
    rows are taken for copies if more than EXCESS times as many values of
    unsaturated rows are repeated on one side alone as are on both sides. Then
    values on both sides and saturated ones are thinned out by the median
    number of copies of their side. Where all values of a side come in
    multiples of one number, that number is taken.

    Args:
        answered: list of Outputs; rows are equal if they are so in all that
            are about the records of the first one.
    """
    answered = [each.in_record_order() for each in answered]
    first = answered[0]
    answered = [
        each
        for each in answered
        if np.array_equal(each.record_ids, first.record_ids)
    ]
    members = first.members
    rows = np.column_stack([_row(each) for each in answered])
    rows = np.ascontiguousarray(np.column_stack([rows, first.labels]))
    numbers = row_numbers(rows.view(np.uint8))
    counts = np.stack(
        [
            np.bincount(numbers[side], minlength=numbers.max() + 1)
            for side in (members, ~members)
        ]
    )
    saturated = np.zeros(counts.shape[1], bool)
    saturated[numbers] = _saturated(answered)
    alone = (counts == 0).any(axis=0) & ~saturated
    both = (counts > 0).all(axis=0) & ~saturated
    once = int(np.sum(alone & (counts.sum(axis=0) > 1)))
    needed = min(LEAST, max(1, int(np.sum(~saturated)) // 2))
    are_copies = once >= EXCESS * int(both.sum()) + needed
    kept = np.ones(members.size, bool)
    unsure = False
    for side, here in zip((members, ~members), counts, strict=True):
        copies = _copies(here, alone & are_copies)
        limit = np.maximum(-(-here // copies), 1)
        limit[alone & are_copies & (here > 0)] = 1
        if copies == 1 and not are_copies:
            unsure |= bool(np.sum(alone & (here > 1)) > needed)
            continue
        kept[side] = _rank_among_equal(numbers[side]) < limit[numbers[side]]
    return Distinct(
        first.record_ids[kept], _told(kept, members, OUTPUTS, unsure=unsure)
    )


def _row(answered):
    if answered.logits is not None:
        return answered.logits.astype(np.float32)
    return answered.probabilities.astype(np.float32)


def _saturated(answered):
    """Rows in which one class has all but a step of the probability."""
    found = np.zeros(len(answered[0].labels), bool)
    for each in answered:
        if each.logits is None:
            top = each.probabilities.max(axis=1)
            found |= top >= 1 - max(1.5 * each.probability_step, 1e-6)
    return found


def _copies(counts, alone):
    """How many copies a record of this side has, by the values at hand."""
    there = counts[counts > 0]
    if there.size >= LEAST and np.gcd.reduce(there) > 1:
        return int(np.gcd.reduce(there))
    own = counts[alone & (counts > 0)]
    return int(np.median(own)) if own.size else 1


def _rank_among_equal(numbers):
    """The how-manieth of its number each one is, from 0 on; int [N]."""
    order = np.argsort(numbers, kind="stable")
    sorted_ = numbers[order]
    starts = np.flatnonzero(np.append(True, sorted_[1:] != sorted_[:-1]))
    sizes = np.diff(np.append(starts, sorted_.size))
    ranks = np.empty(numbers.size, np.int64)
    ranks[order] = np.arange(numbers.size) - np.repeat(starts, sizes)
    return ranks


def _firsts(numbers, labels, members):
    kept = np.zeros(members.size, bool)
    keys = np.column_stack([numbers, labels, members])
    kept[np.unique(keys, axis=0, return_index=True)[1]] = True
    return kept


def _told(kept, members, by, *, unsure=False):
    sides = {
        "member": (int(members.sum()), int(np.sum(kept & members))),
        "nonmember": (int(np.sum(~members)), int(np.sum(kept & ~members))),
    }
    shown = [
        f"{distinct:,} distinct {name}s of {total:,}"
        for name, (total, distinct) in sides.items()
        if distinct < total
    ]
    sentence = ""
    if shown:
        how = "" if by == RECORDS else ", by equal rows of outputs and labels"
        sentence = (
            f"{' and '.join(shown)}{how}: copies of one record are counted once"
        )
    elif unsure:
        sentence = (
            "many rows of outputs are equal; whether they are copies of one "
            "record cannot be told from such coarse outputs: give the records "
            "if some may be there several times"
        )
    return RepeatedRecords(
        members=sides["member"][0],
        distinct_members=sides["member"][1],
        nonmembers=sides["nonmember"][0],
        distinct_nonmembers=sides["nonmember"][1],
        by=by,
        sentence=sentence,
    )
