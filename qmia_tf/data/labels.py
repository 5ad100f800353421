"""True classes as people have them: numbers, names, booleans, one-hot rows."""

import dataclasses
import numbers

import numpy as np
from numpy.typing import ArrayLike

from qmia_tf.errors import InputError

WANTED = "whole numbers or names [N], or one-hot rows [N, classes]"
# What objects may be, and the type of an array of them; bool is Integral.
KINDS = (
    (str, np.str_),
    (bytes, np.bytes_),
    ((bool, np.bool_), bool),
    (numbers.Integral, np.int64),
    (numbers.Real, np.float64),
)
MULTI_LABEL = (
    "several labels a record (multi-label, as of independent sigmoids) cannot "
    "be audited yet: one class a record is needed"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """Labels as numbers.

    Attributes:
        numbers: int64 [N]; those of names are places in their alphabet.
        names: what the numbers stand for, sorted; None of numbers.
        taken: what the labels were, where they were changed; else empty.
    """

    numbers: np.ndarray
    names: tuple[str, ...] | None = None
    taken: str = ""


def read(labels: ArrayLike, source: str) -> Labels:
    """Turns labels into numbers.

    Args:
        labels: [N] or [N, 1] of integers, floats that are whole, booleans,
            text, bytes or objects of one of these; or one-hot [N, C].
        source: what the message calls them by.
    Raises: InputError if a label is none of these, or is missing.
    """
    array = _typed(_array(labels, source), source)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    kind = array.dtype.kind
    if array.ndim == 2 and kind in "biuf":
        return _one_hot(array, source)
    if array.ndim != 1 or kind not in "biufU":
        raise _refused(array, source)
    if kind == "U":
        names, places = np.unique(array, return_inverse=True)
        return Labels(places.astype(np.int64), tuple(names.tolist()))
    if kind == "b":
        return Labels(array.astype(np.int64), taken="booleans, True is 1")
    if kind == "f":
        wrong = np.flatnonzero(~(array == np.round(array)) | np.isinf(array))
        if wrong.size:
            raise InputError(
                f"{source}: label {array[wrong[0]]} of record {wrong[0]} is "
                f"not a whole number ({wrong.size} such records)"
            )
    return Labels(array.astype(np.int64))


def require_range(
    labels: np.ndarray, classes: int | None, source: object, remedy: str = ""
) -> None:
    """Refuses a label that is no index of a class; None knows no last one.

    Args:
        source: what the message calls the labels by; remedy ends it.
    """
    wrong = labels < 0
    if classes is not None:
        wrong |= labels >= classes
    if wrong.any():
        row = int(np.argmax(wrong))
        allowed = "not 0 or more"
        if classes is not None:
            allowed = f"outside the classes 0..{classes - 1}"
        raise InputError(
            f"{source}: label {labels[row]} of record {row} is {allowed}"
            f"{remedy}"
        )


def _array(labels, source):
    try:
        return np.asarray(labels)
    except ValueError as error:
        raise InputError(
            f"{source}: the labels are lists of different lengths: "
            f"{MULTI_LABEL}"
        ) from error


def _typed(labels, source):
    """Objects as what they all are; bytes as text."""
    if labels.dtype.kind in "OT":
        labels = _of_objects(labels.astype(object), source)
    if labels.dtype.kind != "S":
        return labels
    try:
        return np.char.decode(labels, "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: the labels are bytes that are not UTF-8 text"
        ) from error


def _of_objects(labels, source):
    values = labels.ravel().tolist()
    for kind, dtype in KINDS:
        if all(isinstance(value, kind) for value in values):
            return labels.astype(dtype)
    is_text = isinstance(values[0], str)
    mismatched = [isinstance(value, str) != is_text for value in values]
    place = mismatched.index(True) if True in mismatched else 0
    raise InputError(
        f"{source}: label {values[place]!r} of record "
        f"{place * len(labels) // labels.size}: labels are all numbers or all "
        "names, and none may be missing"
    )


def _one_hot(labels, source):
    shape = list(labels.shape)
    counts = (labels != 0).sum(axis=1)
    if np.isin(labels, (0, 1)).all():
        wrong = np.flatnonzero(counts != 1)
        if not wrong.size:
            taken = f"one-hot {shape}"
            return Labels(labels.argmax(axis=1).astype(np.int64), taken=taken)
        row = wrong[0]
        raise InputError(
            f"{source}: labels {shape} mark {counts[row]} classes of record "
            f"{row} ({wrong.size} of {len(labels)} records not one): "
            f"{MULTI_LABEL}"
        )
    sums = labels.sum(axis=1, dtype=np.float64)
    if labels.min() >= 0 and np.abs(sums - 1).max() < 1e-3:
        raise InputError(
            f"{source}: labels {shape} are shares of classes (soft or "
            "smoothed labels): give the one class of each record"
        )
    raise _refused(labels, source)


def _refused(labels, source):
    return InputError(
        f"{source}: labels are {labels.dtype} {list(labels.shape)}, not "
        f"{WANTED}"
    )
