"""Records: inputs, their classes, and which of them trained the model.

The one form in which targets are queried and audits compare the two sides,
whether the records are those of a run (Split.records), of two sources
(sides.join), or of a device's file (edge.device_data). NumPy only.
"""

import dataclasses
import functools
import hashlib

import numpy as np

from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """Members and nonmembers.

    Attributes:
        name: str, short: tables and figures are called by it.
        values: array [N, ...].
        labels: int64 [N], indices into the model's outputs.
        members: bool [N], True where the record trained the model.
        record_ids: int64 [N], distinct: the index in the data set of a run;
            the position, members first, of others.
        fingerprint: names the content; of a run, that of its data set.
        classes: the number of classes, None if only the model knows.
        class_names: of the model's outputs in order, None if not known.
        is_order_assumed: whether that order is only the alphabet's.
    Raises: ValueError if the arrays do not fit each other.
    """

    name: str
    values: np.ndarray
    labels: np.ndarray
    members: np.ndarray
    record_ids: np.ndarray
    fingerprint: str
    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    is_order_assumed: bool = False

    def __post_init__(self):
        sizes = {
            key: len(getattr(self, key))
            for key in ("values", "labels", "members", "record_ids")
        }
        if len(set(sizes.values())) > 1 or self.members.dtype != bool:
            raise ValueError(
                f"records need arrays of one length, and booleans as members; "
                f"got {sizes} and {self.members.dtype}"
            )

    @classmethod
    def numbered(
        cls,
        name: str,
        values: np.ndarray,
        labels: np.ndarray,
        members: np.ndarray,
        *,
        classes: int | None = None,
        class_names: tuple[str, ...] | None = None,
        is_order_assumed: bool = False,
    ) -> "Records":
        """Makes records whose ids are their positions."""
        return cls(
            name=name,
            values=values,
            labels=labels,
            members=members,
            record_ids=np.arange(len(labels)),
            fingerprint=_fingerprint(values, labels, members),
            classes=classes,
            class_names=class_names,
            is_order_assumed=is_order_assumed,
        )

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

    def take(self, rows: np.ndarray) -> "Records":
        """Gives some records: int or bool rows."""
        return dataclasses.replace(
            self,
            values=self.values[rows],
            labels=self.labels[rows],
            members=self.members[rows],
            record_ids=self.record_ids[rows],
        )

    def select(self, record_ids: np.ndarray) -> "Records":
        """Gives the records of some ids, in their order.

        Raises: InputError if there is no such record.
        """
        order = np.argsort(self.record_ids, kind="stable")
        known = self.record_ids[order]
        places = np.searchsorted(known, record_ids).clip(max=len(known) - 1)
        missing = np.asarray(record_ids)[known[places] != record_ids]
        if missing.size:
            raise InputError(
                f"record {missing[0]} is neither a member nor a nonmember: "
                "query records of the split"
            )
        return self.take(order[places])

    def in_record_order(self) -> "Records":
        """Gives the same records sorted by their ids."""
        if np.all(self.record_ids[1:] > self.record_ids[:-1]):
            return self
        return self.take(np.argsort(self.record_ids, kind="stable"))


def _fingerprint(values, labels, members):
    """Names the content, members first, the same on every platform.

    SHA-256 of the type, the shape and the number of members as text, the
    values in row-major order, and the labels as int64, both little-endian.
    """
    kind = np.dtype(values.dtype).newbyteorder("<")
    shape = " ".join(map(str, values.shape))
    text = f"{kind.str} {shape} members {members.sum()}\n"
    digest = hashlib.sha256(text.encode())
    digest.update(np.ascontiguousarray(values, kind))
    digest.update(np.ascontiguousarray(labels, "<i8"))
    return digest.hexdigest()
