"""Records that a file was calibrated with, and the sides that they are on.

Post-training quantization measures ranges on some records. Those have been
used: a nonmember among them is none any more.
"""

import dataclasses

import numpy as np

from qmia_tf.auditing.audit_result import CalibrationRecords
from qmia_tf.data import duplicates, loaders
from qmia_tf.data.sides import Side
from qmia_tf.errors import InputError, option
from qmia_tf.targets import listing


def require_none(source):
    """Refuses calibration records where there are no records.

    Raises: InputError if there are some.
    """
    if source is not None:
        raise InputError(
            f"{option('calibration')} names records, and only outputs are "
            "given: give the records of both sides"
        )


def require_alone(source, targets, references):
    """Refuses to leave records out where a file is about all of them.

    Raises: InputError likewise if there is nothing to leave out.
    """
    if source is None:
        raise InputError(
            f"{option('leave_out_calibration')} needs {option('calibration')}: "
            "the records to leave out"
        )
    fixed = [str(x) for x in targets.values() if listing.is_saved_outputs(x)]
    fixed += [str(path) for path in references]
    if fixed:
        raise InputError(
            f"{option('leave_out_calibration')} changes which records are "
            f"audited, and what {fixed[0]} holds is about all of them: leave "
            "those nonmembers out of every file"
        )


def compare(
    source, members: Side, nonmembers: Side, *, leave_out: bool, **options
) -> tuple[CalibrationRecords, Side]:
    """Counts the records of both sides that a file was calibrated with.

    Args:
        leave_out: whether to take them out of the nonmembers.
        **options: of loaders.load_side.
    Returns: the counts, and the nonmembers, perhaps fewer.
    Raises: InputError if they cannot be read or compared, or no nonmember would
        be left.
    """
    values = loaders.load_values(source, **options)
    used = [among(side, values) for side in (members, nonmembers)]
    counts = [int(mask.sum()) for mask in used]
    unused = ~used[1]
    warning = ""
    if counts[1] and leave_out:
        if not unused.any():
            raise InputError(
                f"all {counts[1]} nonmembers are calibration records: give "
                "others as nonmembers"
            )
        nonmembers = dataclasses.replace(
            nonmembers,
            values=nonmembers.values[unused],
            labels=nonmembers.labels[unused],
        )
    elif counts[1]:
        warning = (
            f"{counts[1]} of {unused.size} nonmembers, such as nonmember "
            f"{int(np.argmax(used[1]))}, are among the calibration records: "
            "what was calibrated with them has seen them, so they are no "
            "nonmembers of it (--leave_out_calibration leaves them out)"
        )
    tally = CalibrationRecords(
        records=len(values),
        members=counts[0],
        nonmembers=counts[1],
        left_out=bool(leave_out),
        warning=warning,
    )
    return tally, nonmembers


def sentence(tally: CalibrationRecords) -> str:
    """Says how many there are on each side, for the log."""
    left = ", which are left out" if tally.left_out and tally.nonmembers else ""
    return (
        f"calibration: of {tally.records} records {tally.members} are members "
        f"and {tally.nonmembers} nonmembers{left}"
    )


def among(side: Side, values: np.ndarray) -> np.ndarray:
    """Which records of a side are among others, byte for byte; bool [N].

    Raises: InputError if they are of other kinds.
    """
    own = side.values
    if own.shape[1:] != values.shape[1:] or own.dtype.kind != values.dtype.kind:
        ours, theirs = (
            f"{array.dtype} {list(array.shape[1:])}" for array in (own, values)
        )
        raise InputError(
            f"the calibration records are {theirs}, those of {side.source} "
            f"{ours}: give them as those are, before they were prepared"
        )
    both = np.concatenate([_plain(own, values), _plain(values, own)])
    numbers = duplicates.row_numbers(both)
    return np.isin(numbers[: len(own)], numbers[len(own) :])


def _plain(values, other):
    """Values of the narrower of both types, without a negative zero."""
    narrow = min(values.dtype, other.dtype, key=lambda dtype: dtype.itemsize)
    return values.astype(narrow) + narrow.type(0)
