"""Records that are there several times on one side: counted once.

Copies are no evidence of their own. Where half of them teach an attack and the
other half judge it, it remembers them; and intervals would take them for as
many records.
"""

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from qmia_tf.data.duplicates import row_numbers
from qmia_tf.data.records import Records

RECORDS, OUTPUTS = "records", "outputs"
# How many more equal rows must lie on one side alone than on both, and how
# many there must be, to be copies and no coincidence.
EXCESS, LEAST = 10, 10
# Outputs are fine if so many of the distinct rows have a least entry of their
# own, and not all entries lie on one of these grids.
OWN_ENTRY, GRIDS = 0.95, (2**16, 10**5, 255)
# That all numbers have a divisor has to be less likely than this.
COINCIDENCE = 1e-5
# Of the limits of each count of counts.
ALPHA = 1e-3


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
    by: Literal["records", "outputs"]
    sentence: str


@dataclasses.dataclass(frozen=True, eq=False)
class Distinct:
    """The records that are audited.

    Attributes:
        record_ids: int64, sorted; of each record that is there several times
            one.
        copies: int64, those that are left out.
        repeated: RepeatedRecords.
        doubtful: int64, sorted; those of them that are copies if equal rows
            of coarse outputs are, which cannot be told; empty if nothing
            speaks for it.
    """

    record_ids: np.ndarray
    copies: np.ndarray
    repeated: RepeatedRecords
    doubtful: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros(0, np.int64)
    )

    def of(self, outputs):
        """Returns Outputs without the copies."""
        is_copy = np.isin(outputs.record_ids, self.copies)
        return outputs.take(~is_copy) if is_copy.any() else outputs


def of_records(records: Records) -> Distinct:
    """Finds records whose values and label another one on their side has."""
    keys = row_numbers(records.values), records.labels, records.members
    kept = ~pd.DataFrame(np.column_stack(keys)).duplicated().to_numpy()
    return Distinct(
        np.sort(records.record_ids[kept]),
        np.sort(records.record_ids[~kept]),
        _repeated(kept, records.members, RECORDS),
    )


def of_outputs(outputs: list) -> Distinct:
    """Finds copies where only outputs are at hand.

    Equal rows of outputs and labels are copies where they can hardly be
    equal by chance; saturated rows, in which one class has everything, say
    nothing of that. There are three signs:

    1. Of fine outputs (of floats) more than EXCESS times as many rows repeat
       a value that is on one side alone as have an equal one on the other
       side. Then every value of a side is one record.
    2. More values are there exactly k times than chance allows: how often
       values of a distribution are there is a mixture of Poisson variables,
       of which f_k^2 <= (k + 1)/k f_(k-1) f_(k+1), f_k the number of values
       that are there k times. Coarse outputs (of 256 levels, say) show no
       more than that. Then k equal rows are one record.
    3. All numbers of a side have a divisor k; likewise.

    Saturated rows are thinned out by the median number of copies of their
    side. Random numbers of copies, or many of a few records, cannot be told
    in coarse outputs: where the first sign is there, doubtful says which
    ones they would be.

    Args:
        outputs: of Outputs; rows are equal if they are so in all that are
            about the records of the first one.
    Source: of the mixture's rule, Böhning et al., Journal of Computational
        and Graphical Statistics 22 (2013) 135: the ratio plot.
    """
    outputs = [one.in_record_order() for one in outputs]
    first = outputs[0]
    outputs = [
        one
        for one in outputs
        if np.array_equal(one.record_ids, first.record_ids)
    ]
    members = first.members
    numbers = row_numbers(np.column_stack([*map(_rows, outputs), first.labels]))
    counts = np.stack(
        [
            np.bincount(numbers[side], minlength=numbers.max() + 1)
            for side in (members, ~members)
        ]
    )
    saturated = np.zeros(counts.shape[1], bool)
    saturated[numbers] = _saturated(outputs)
    kept, single = np.ones(members.size, bool), np.ones(members.size, bool)
    unsure = False
    alone = _lie_alone(counts[:, ~saturated])
    one_each = alone and _any_is_fine(outputs, numbers, saturated)
    for side, side_counts in zip((members, ~members), counts, strict=True):
        copies = _copies(side_counts, saturated, one_each)
        same = pd.Series(numbers[side])
        ranks = same.groupby(same).cumcount().to_numpy()
        single[side] = (ranks == 0) | saturated[numbers[side]]
        if copies == 1 and not one_each:
            extra = np.maximum(side_counts[~saturated] - 1, 0).sum()
            unsure |= bool(extra > LEAST)
            continue
        limit = np.maximum(-(-side_counts // copies), 1)
        if one_each:
            limit[~saturated] = 1
        kept[side] = ranks < limit[numbers[side]]
    return Distinct(
        first.record_ids[kept],
        first.record_ids[~kept],
        _repeated(kept, members, OUTPUTS, unsure=unsure),
        first.record_ids[kept & ~single & alone],
    )


def _rows(outputs):
    rows = outputs.probabilities if outputs.logits is None else outputs.logits
    return rows.astype(np.float32)


def _saturated(outputs):
    """Rows in which one class has all but a step of the probability."""
    saturated = np.zeros(len(outputs[0].labels), bool)
    for one in outputs:
        if one.logits is None:
            top = one.probabilities.max(axis=1)
            saturated |= top >= 1 - max(1.5 * one.probability_step, 1e-6)
    return saturated


def _lie_alone(counts):
    """Whether equal rows are on one side far more often than on both.

    Args:
        counts: int [2, K], of each value on each side.
    """
    totals = counts.sum(axis=0)
    alone = (counts == 0).any(axis=0) & (totals > 1)
    needed = min(LEAST, max(1, int(totals.sum()) // 2))
    met = int(counts.min(axis=0).sum())
    return int((totals[alone] - 1).sum()) >= EXCESS * met + needed


def _any_is_fine(outputs, numbers, saturated):
    used, firsts = np.unique(numbers, return_index=True)
    firsts = firsts[~saturated[used]]
    return any(_is_fine(_rows(one)[firsts]) for one in outputs)


def _is_fine(rows):
    """Whether rows could hardly be equal by chance; float [n, C], distinct."""
    if not rows.size:
        return False
    least = np.where(rows == 0, np.inf, rows).min(axis=1)
    if np.unique(least).size < OWN_ENTRY * least.size:
        return False
    for steps in GRIDS:
        codes = rows.astype(np.float64) * steps
        if np.abs(codes - np.round(codes)).max() < 0.01:
            return False
    return True


def _copies(counts, saturated, one_each):
    """How many copies a record of this side has, by the values at hand."""
    present = counts[counts > 0]
    divisor = int(np.gcd.reduce(present)) if present.size else 1
    if float(divisor) ** -present.size < COINCIDENCE:
        return divisor
    own = counts[(counts > 0) & ~saturated]
    if one_each and own.size:
        return int(np.median(own))
    return _spike(own)


def _spike(counts):
    """The least k of which too many counts are; 1 if there is none."""
    if not counts.size:
        return 1
    frequencies = np.bincount(counts, minlength=counts.max() + 2)
    low = stats.chi2.ppf(ALPHA, 2 * frequencies) / 2
    high = stats.chi2.ppf(1 - ALPHA, 2 * frequencies + 2) / 2
    for k in range(2, counts.max() + 1):
        if (
            frequencies[k]
            and low[k] ** 2 > (k + 1) / k * high[k - 1] * high[k + 1]
        ):
            return k
    return 1


def _repeated(kept, members, by, *, unsure=False):
    sides = {
        "member": (int(members.sum()), int(np.sum(kept & members))),
        "nonmember": (int(np.sum(~members)), int(np.sum(kept & ~members))),
    }
    parts = [
        f"{distinct:,} distinct {name}s of {total:,}"
        for name, (total, distinct) in sides.items()
        if distinct < total
    ]
    sentence = ""
    if parts:
        how = "" if by == RECORDS else ", by equal rows of outputs and labels"
        sentence = (
            f"{' and '.join(parts)}{how}: copies of one record are counted once"
        )
    elif unsure:
        sentence = (
            "many rows of outputs are equal; whether they are copies of one "
            "record cannot be told from such coarse outputs: give the records "
            "if some may be there several times"
        )
    return RepeatedRecords(*sides["member"], *sides["nonmember"], by, sentence)
