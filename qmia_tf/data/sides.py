"""The members, or the nonmembers, of one source; and both put together."""

import dataclasses
import pathlib
import re

import numpy as np
from numpy.typing import ArrayLike

from qmia_tf.data import labels as own_labels
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.terminal import counted

FEW = 50
SORTED = "sorted"
TFDS = re.compile(r"tfds:(?P<name>[^\[\]]+):(?P<split>[^:\[\]]+(\[.*\])?)")


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """The members, or the nonmembers.

    Attributes:
        source: where they come from, for messages.
        values: array [N, ...] of numbers.
        labels: int64 [N], 0 or more.
        class_names: what the labels stand for; None if only numbers are
            known.
        ordered: whether the source fixes the order of the classes. Class
            folders do not: only the model's maker knows.
        taken: what was read, in a few words.
    """

    source: str
    values: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] | None
    ordered: bool
    taken: str

    @classmethod
    def of(
        cls,
        source: str,
        values: np.ndarray,
        labels: ArrayLike,
        *,
        class_names: tuple[str, ...] | None = None,
        ordered: bool = True,
        taken: str,
    ) -> "Side":
        """Checks records and labels, which are as data.labels reads them.

        Raises: InputError if they cannot be used.
        """
        values = checked_values(source, values)
        class_labels = own_labels.read(labels, source)
        labels = class_labels.numbers
        if class_labels.names is not None:
            class_names, ordered = class_labels.names, False
        if class_labels.taken:
            taken = f"{taken}; labels are {class_labels.taken}"
        if len(labels) != len(values):
            raise InputError(
                f"{source}: {len(values)} records but {len(labels)} labels"
            )
        classes = None if class_names is None else len(class_names)
        own_labels.require_range(labels, classes, source)
        shape = "x".join(map(str, values.shape[1:]))
        taken = f"{len(values)} x {shape} {values.dtype} ({taken})"
        return cls(source, values, labels, class_names, ordered, taken)

    @property
    def name(self) -> str:
        """The source in a word: a TFDS name, or a file's without ending."""
        parts = TFDS.fullmatch(self.source)
        first = self.source.partition(".npy:")[0]
        return parts["name"] if parts else pathlib.Path(first).stem


def checked_values(source: str, values: np.ndarray) -> np.ndarray:
    """Returns records [N, ...]; gray images get an axis of channels.

    Raises: InputError if they are not numbers, or not finite.
    """
    if values.dtype.kind not in "uifb" or values.ndim < 2 or not values.size:
        raise InputError(
            f"{source}: records are {values.dtype} {list(values.shape)}, not "
            "numbers [N, features] or [N, height, width, channels]"
        )
    if values.dtype.kind == "f":
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if not finite.all():
            raise InputError(
                f"{source}: record {int(np.argmin(finite))} has a value that "
                "is not finite"
            )
    if values.dtype == np.uint8 and values.ndim == 3:
        values = values[..., np.newaxis]
    return values


def join(
    members: Side,
    nonmembers: Side,
    *,
    class_names: str | list[str] | None = None,
) -> Records:
    """Puts both sides together, members first.

    Args:
        class_names: the order of the model's outputs: a list of names, or
            "sorted" for alphabetical; None if the sources fix it.
    Raises: InputError if the sides do not fit each other, or the order of
        the classes is not known.
    """
    sides = members, nonmembers
    shapes = [side.values.shape[1:] for side in sides]
    kinds = [side.values.dtype.kind for side in sides]
    if shapes[0] != shapes[1] or kinds[0] != kinds[1]:
        ours, theirs = (
            f"{side.values.dtype} {list(side.values.shape[1:])}"
            for side in sides
        )
        raise InputError(
            f"the members ({members.source}) are {ours}, the nonmembers "
            f"({nonmembers.source}) are {theirs}: give records of one kind"
        )
    order = _order(sides, class_names)
    labels = [_numbered(side, order) for side in sides]
    sizes = [len(side.labels) for side in sides]
    return Records.numbered(
        "+".join(dict.fromkeys(side.name for side in sides)),
        np.concatenate([side.values for side in sides]),
        np.concatenate(labels),
        np.arange(sum(sizes)) < sizes[0],
        classes=None if order is None else len(order),
        class_names=order,
    )


def few(members: np.ndarray) -> list[str]:
    """Says of a side with few records what that means; bool [N]."""
    counts = {"member": members.sum(), "nonmember": (~members).sum()}
    return [
        f"warning: only {counted(count, name)}: the intervals are wide, and "
        "low false-positive rates cannot be measured"
        for name, count in counts.items()
        if count < FEW
    ]


def _order(sides, class_names):
    """The names of the model's outputs in order; None: labels are numbers."""
    named = [side for side in sides if side.class_names is not None]
    names = sorted(set().union(*(side.class_names for side in named)))
    if class_names == SORTED and not named:
        raise InputError(
            f"--class_names={SORTED} is for class folders: the labels of "
            f"{sides[0].source} are numbers"
        )
    if class_names == SORTED:
        return tuple(names)
    if class_names is not None:
        return _given(tuple(class_names), names)
    if not all(side.ordered for side in sides):
        class_text = ",".join(names[:4]) + (",..." if len(names) > 4 else "")
        raise InputError(
            f"which output of the model is which class of {class_text} is not "
            f"known: give --class_names in the order of the outputs, or "
            f"--class_names={SORTED} for alphabetical order"
        )
    orders = {side.class_names for side in named}
    if len(orders) > 1:
        raise InputError(
            f"{sides[0].source} and {sides[1].source} have other classes: "
            "give --class_names in the order of the model's outputs"
        )
    return orders.pop() if orders else None


def _given(order, names):
    strange = sorted(set(names) - set(order))
    if strange:
        raise InputError(
            f"--class_names has no {strange[0]!r}, which is a class of the "
            f"records ({len(strange)} such classes)"
        )
    if len(set(order)) < len(order):
        raise InputError("--class_names has a name twice")
    return order


def _numbered(side, order):
    """The labels of a side as indices into the order."""
    if order is None:
        return side.labels
    if side.class_names is None:
        if side.labels.max() >= len(order):
            raise InputError(
                f"{side.source}: label {side.labels.max()}, but there are "
                f"{len(order)} class names"
            )
        return side.labels
    place = np.array([order.index(name) for name in side.class_names])
    return place[side.labels]
