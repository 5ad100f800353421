"""The margins of reference models: of any number of them, about any records.

    DIR/made_from.json          hashes of what the margins were made from
        sides.npy               uint8 [K, N]: UNKNOWN, INSIDE or OUTSIDE
        margins_at_T.npy        float64 [K, N], at temperature T

The outputs of one model are in memory at a time. Where there is a folder, the
margins lie in files that are mapped into memory.
"""

import contextlib
import hashlib
import pathlib
import shutil
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from qmia_tf import files, locks, typed_json
from qmia_tf.attacks import bayes_score
from qmia_tf.attacks.attack_inputs import References
from qmia_tf.attacks.margin import margins
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.unread_outputs import UnreadOutputs

UNKNOWN, INSIDE, OUTSIDE = range(3)
SIDES = "sides"
# What attacks take by default: made in one go.
TEMPERATURES = (1.0, bayes_score.TEMPERATURE)
RECORD = "made_from.json"


class MadeFrom(TypedDict):
    """The content of made_from.json."""

    references: dict[str, str]
    records: str
    files: dict[str, str]


def references_of(
    reference_outputs: Sequence[Outputs | UnreadOutputs],
    outputs: Outputs,
    *,
    folder: pathlib.Path | None = None,
) -> References:
    """Gives attacks the margins of reference models about a target's records.

    Args:
        reference_outputs: of K models.
        outputs: of the target, N records.
        folder: where margins are kept in a folder, to be used again; None, or
            outputs that are in no file, keep them in memory.
    Raises: InputError if a model was queried about none of the records, has
        other classes or labels, or was trained on the very members.
    """
    table = _Table(reference_outputs, outputs, folder)
    sides = table.get(SIDES)
    return References(
        table.get(1.0), sides == INSIDE, sides == OUTSIDE, table.get
    )


class _Table:
    """The sides, and the margins at each temperature, [K, N] each."""

    def __init__(self, references, outputs, folder):
        self._references, self._outputs = references, outputs
        self._arrays, self._folder = {}, None
        unread = [x for x in references if isinstance(x, UnreadOutputs)]
        if folder is not None and len(unread) == len(references):
            self._folder = pathlib.Path(folder) / _name(unread[0])
            self._made_from = {
                "references": {x.target: x.sha256 for x in unread},
                "records": _records_sha256(outputs),
            }
        self._require([SIDES, *TEMPERATURES])

    def get(self, key):
        """Gives the sides, or the margins at a temperature."""
        if key not in self._arrays:
            self._require([key])
        return self._arrays[key]

    def _require(self, keys):
        if self._folder is None:
            self._make(keys)
            return
        with locks.writing(self._folder, wait=locks.SHORT):
            made = self._kept_files()
            missing = [key for key in keys if not self._map(key, made)]
            if missing:
                self._make(missing)
                for key in missing:
                    file = self._folder / _file(key)
                    made[file.name] = files.sha256(file)
                    self._arrays[key] = _mapped(file)
                record = {**self._made_from, "files": made}
                files.write_json(self._folder / RECORD, record)

    def _kept_files(self):
        """The files that are there, and their hashes, if of these models."""
        path = self._folder / RECORD
        if not path.is_file():
            return {}
        with contextlib.suppress(InputError):
            record = typed_json.check(
                MadeFrom, files.read_json(path), source="", remedy=""
            )
            made = record.pop("files")
            if record == self._made_from:
                return made
        shutil.rmtree(self._folder)
        return {}

    def _map(self, key, made):
        """Maps a kept file, if it is whole and what would be made now."""
        path = self._folder / _file(key)
        if path.name not in made or not path.is_file():
            return False
        if files.sha256(path) != made[path.name]:
            return False
        array = _mapped(path)
        # Margins may be computed in another way since.
        first = _row(self._references[0], self._outputs, [key])[key]
        if not np.array_equal(array[0], first):
            return False
        self._arrays[key] = array
        return True

    def _make(self, keys):
        """Makes arrays, a model at a time."""
        with contextlib.ExitStack() as stack:
            rows = {key: stack.enter_context(self._rows(key)) for key in keys}
            for number, reference in enumerate(self._references):
                made = _row(reference, self._outputs, keys)
                for key, row in made.items():
                    rows[key](number, row)

    @contextlib.contextmanager
    def _rows(self, key):
        """Gives a function that takes the rows of an array in their order."""
        shape = len(self._references), self._outputs.labels.size
        dtype = np.dtype(np.uint8 if key == SIDES else np.float64)
        if self._folder is None:
            self._arrays[key] = np.empty(shape, dtype)
            yield self._arrays[key].__setitem__
            return
        # Written, not mapped: a full disk would end the process without a word.
        with (
            files.atomic(self._folder / _file(key)) as temporary,
            temporary.open("wb") as file,
        ):
            descr = np.lib.format.dtype_to_descr(dtype)
            np.lib.format.write_array_header_1_0(
                file, {"descr": descr, "fortran_order": False, "shape": shape}
            )
            yield lambda number, row: file.write(row.tobytes())


def _name(reference):
    """Names the folder for a set of references by the first of them."""
    place = hashlib.sha256(str(reference.path.resolve()).encode())
    return f"{reference.target}.{place.hexdigest()[:8]}"


def _file(key):
    return f"{key}.npy" if key == SIDES else f"margins_at_{float(key)!r}.npy"


def _mapped(path):
    return np.load(path, mmap_mode="r").view(np.ndarray)


def _records_sha256(outputs):
    """A hash of everything of a target that the arrays depend on."""
    digest = hashlib.sha256(str(outputs.classes).encode())
    for array in (outputs.record_ids, outputs.labels, outputs.members):
        digest.update(np.ascontiguousarray(array, np.int64).tobytes())
    return digest.hexdigest()


def _row(reference, outputs, keys):
    """One model's row of each array."""
    if isinstance(reference, UnreadOutputs):
        reference = reference.load()
    ours, part = _known_records(reference, outputs)
    sides = np.full(outputs.labels.size, UNKNOWN, np.uint8)
    sides[ours] = np.where(part.members, INSIDE, OUTSIDE)
    row = {SIDES: sides} if SIDES in keys else {}
    for temperature in keys:
        if temperature != SIDES:
            row[temperature] = np.zeros(outputs.labels.size)
            row[temperature][ours] = margins(part, temperature=temperature)
    return row


def _known_records(reference, outputs):
    """The records that both know: rows of the target, outputs of the model."""
    _, ours, theirs = np.intersect1d(
        outputs.record_ids, reference.record_ids, return_indices=True
    )
    part = reference.take(theirs)
    if not ours.size:
        raise InputError(
            f"reference {reference.target!r} was queried about none of "
            f"the records of {outputs.target!r}: is it of the same data "
            "set?"
        )
    require_alike(part, outputs.take(ours), f"reference {reference.target!r}")
    # Then its outputs would give the memberships away directly.
    if np.array_equal(part.members, outputs.members):
        raise InputError(
            f"reference {reference.target!r} was trained on the very "
            f"members of {outputs.target!r}: give models of other splits, "
            "as qmia references trains them"
        )
    return ours, part


def require_alike(one: Outputs, other: Outputs, what: str) -> None:
    """Refuses outputs for the same records that differ in classes or labels.

    Args:
        what: what the message calls the first.
    """
    if one.classes != other.classes:
        raise InputError(
            f"{what} knows {one.classes} classes, not {other.classes}"
        )
    wrong = np.flatnonzero(one.labels != other.labels)
    if wrong.size:
        raise InputError(
            f"{what} has label {one.labels[wrong[0]]} for record "
            f"{one.record_ids[wrong[0]]}, not {other.labels[wrong[0]]} "
            f"({wrong.size} such records): is it of the same data set?"
        )
