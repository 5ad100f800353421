"""Members and nonmembers side by side: the records of an audit of one's own.

Record ids are positions: the members first, 0..M-1, then the nonmembers.
"""

import dataclasses
import functools
import hashlib

import numpy as np

from qmia_tf.data import duplicates, repeated_records
from qmia_tf.data.duplicates import EqualRecords
from qmia_tf.data.image_features import image_features
from qmia_tf.data.loaders.sources import Side
from qmia_tf.data.split import Split
from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.errors import InputError
from qmia_tf.terminal import counted

FEW = 50
SORTED = "sorted"
EXAMPLES = 10
# A linear model of more features than that learns nothing from some records.
MOST_FEATURES = 256
NOT_IMAGES = "the records are not uint8 images [N, height, width, channels]"


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """What stands in for datasets.Dataset where a target is asked.

    Attributes:
        name: str, short: tables and figures are called by it.
        values: array [N, ...], members first.
        labels: int64 [N], indices into the model's outputs.
        members: bool [N].
        classes: the number of classes, None if only the model knows.
        class_names: of the model's outputs in order, None if not known.
    """

    name: str
    values: np.ndarray
    labels: np.ndarray
    members: np.ndarray
    classes: int | None
    class_names: tuple[str, ...] | None = None

    @property
    def is_images(self) -> bool:
        """Whether pixels are known: uint8 [N, H, W, C], C in 1..4."""
        shape = self.values.shape
        return (
            self.values.dtype == np.uint8
            and len(shape) == 4
            and min(shape[1:3]) > 1
            and 1 <= shape[3] <= 4
        )

    @functools.cached_property
    def numbers(self) -> RecordNumbers:
        """What the numbers of all records look like."""
        return RecordNumbers.of(self.values, is_images=self.is_images)

    def take(self, indices):
        """Gives the values and labels of chosen records."""
        return self.values[indices], self.labels[indices]

    def fingerprint(self) -> str:
        """Names the content: values, labels, order and sides; sha256."""
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self):
        kind = np.dtype(self.values.dtype).newbyteorder("<")
        shape = " ".join(map(str, self.values.shape))
        text = f"{kind.str} {shape} members {self.members.sum()}\n"
        digest = hashlib.sha256(text.encode())
        digest.update(np.ascontiguousarray(self.values, kind))
        digest.update(np.ascontiguousarray(self.labels, "<i8"))
        return digest.hexdigest()

    def split(self) -> Split:
        """The sides as record ids."""
        return Split(
            members=np.flatnonzero(self.members),
            nonmembers=np.flatnonzero(~self.members),
            seed=0,
            pool="all",
            fingerprint=self.fingerprint(),
        )

    @functools.cached_property
    def features(self) -> np.ndarray | None:
        """Float64 [N, F] of the records; None if there are too many."""
        if self.is_images:
            return image_features(self.values)
        rows = self.values.reshape(len(self.values), -1)
        if rows.shape[1] > MOST_FEATURES:
            return None
        return rows.astype(np.float64)

    @functools.cached_property
    def distinct(self) -> repeated_records.Distinct:
        """The records that are audited: of equal ones on a side, one."""
        return repeated_records.of_records(
            self.values,
            self.labels,
            self.members,
            np.arange(len(self.labels)),
        )

    def equal(self) -> EqualRecords:
        """Counts records that are on both sides.

        Raises: InputError if all members, or all nonmembers, are.
        """
        rows = np.ascontiguousarray(self.values).reshape(len(self.values), -1)
        equal_records = duplicates.find(
            rows.view(np.uint8), self.members, np.arange(len(rows))
        )
        for side, count, total in (
            ("member", equal_records.members, self.members.sum()),
            ("nonmember", equal_records.nonmembers, (~self.members).sum()),
        ):
            if count == total:
                raise InputError(
                    f"every {side} is also on the other side ({total} "
                    "records): members must have trained the model and "
                    "nonmembers must not"
                )
        return EqualRecords(
            members=int(equal_records.members),
            nonmembers=int(equal_records.nonmembers),
            examples=np.asarray(equal_records.pairs)[:EXAMPLES].tolist(),
            warning=equal_records.sentence("record"),
        )


def join(members: Side, nonmembers: Side, *, class_names=None) -> Records:
    """Puts both sides together.

    Args:
        members: Side.
        nonmembers: Side.
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
    return Records(
        name="+".join(dict.fromkeys(side.name for side in sides)),
        values=np.concatenate([side.values for side in sides]),
        labels=np.concatenate(labels),
        members=np.arange(sum(sizes)) < sizes[0],
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
