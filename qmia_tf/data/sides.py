"""The members, or the nonmembers, of one source; and both put together."""

import dataclasses
import pathlib
import re

import numpy as np
from numpy.typing import ArrayLike

from qmia_tf.data import labels as own_labels
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError, option
from qmia_tf.terminal import counted

FEW = 50
SORTED = "sorted"
# Where the channels of an image are, in Keras' words.
CHANNELS_FIRST, CHANNELS_LAST = "channels_first", "channels_last"
MOST_CHANNELS = 4
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

    def in_format(self, data_format: str | None) -> "Side":
        """The same with the channels first, or last; see in_data_format."""
        values = in_data_format(self.values, data_format)
        if values is None:
            shape = list(self.values.shape[1:])
            raise InputError(
                f"{option('data_format', data_format)} is about images of 1 to "
                f"{MOST_CHANNELS} channels, first or last, and the records of "
                f"{self.source} are {shape}: leave it out"
            )
        return dataclasses.replace(self, values=values)

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


def in_data_format(
    values: np.ndarray, data_format: str | None
) -> np.ndarray | None:
    """Moves the channels of images where a model takes them.

    Args:
        values: [N, ...].
        data_format: "channels_first", "channels_last", or None: as they are.
    Returns: [N, ...]; None of records that have no axis of channels, or that
        may have it on either side.
    """
    if data_format is None:
        return values
    if values.ndim != 4:
        return None
    first, last = (values.shape[axis] <= MOST_CHANNELS for axis in (1, 3))
    if first == last:
        return None
    if first == (data_format == CHANNELS_FIRST):
        return values
    return np.ascontiguousarray(
        np.moveaxis(values, *((1, 3) if first else (3, 1)))
    )


def join(
    members: Side,
    nonmembers: Side,
    *,
    class_names: str | list[str] | None = None,
    first_label: int = 0,
) -> Records:
    """Puts both sides together, members first.

    Args:
        class_names: the order of the model's outputs: a list of names, or
            "sorted" for alphabetical; None if the sources fix it, else the
            alphabetical order is assumed and the records say so.
        first_label: what stands for the model's first output, where labels
            are numbers.
    Raises: InputError if the sides do not fit each other.
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
    labels = [_numbered(side, order, first_label) for side in sides]
    sizes = [len(side.labels) for side in sides]
    is_ordered = class_names is not None or all(x.ordered for x in sides)
    return Records.numbered(
        "+".join(dict.fromkeys(side.name for side in sides)),
        np.concatenate([side.values for side in sides]),
        np.concatenate(labels),
        np.arange(sum(sizes)) < sizes[0],
        classes=None if order is None else len(order),
        class_names=order,
        is_order_assumed=not is_ordered,
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
            f"{option('class_names', SORTED)} is for class folders: the "
            f"labels of {sides[0].source} are numbers"
        )
    is_ordered = all(side.ordered for side in sides)
    if class_names == SORTED or (class_names is None and not is_ordered):
        return tuple(names)
    if class_names is not None:
        return _given(tuple(class_names), names)
    orders = {side.class_names for side in named}
    if len(orders) > 1:
        raise InputError(
            f"{sides[0].source} and {sides[1].source} have other classes: "
            f"give {option('class_names')} in the order of the model's outputs"
        )
    return orders.pop() if orders else None


def _given(order, names):
    strange = sorted(set(names) - set(order))
    if strange:
        raise InputError(
            f"{option('class_names')} has no {strange[0]!r}, which is a class "
            f"of the records ({len(strange)} such classes)"
        )
    if len(set(order)) < len(order):
        raise InputError(f"{option('class_names')} has a name twice")
    return order


def _numbered(side, order, first_label):
    """The labels of a side as indices into the order."""
    if side.class_names is None:
        labels = side.labels - first_label
        if labels.min() < 0:
            raise InputError(
                f"{side.source}: label {side.labels.min()} is below "
                f"{option('first_label', first_label)}"
            )
        if order is not None and labels.max() >= len(order):
            raise InputError(
                f"{side.source}: label {side.labels.max()}, but there are "
                f"{len(order)} class names"
            )
        return labels
    if first_label:
        raise InputError(
            f"{option('first_label', first_label)} is about labels that are "
            f"numbers, and those of {side.source} have names: leave it out"
        )
    place = np.array([order.index(name) for name in side.class_names])
    return place[side.labels]
