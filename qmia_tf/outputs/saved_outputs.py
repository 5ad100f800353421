"""Saved outputs of one's own: .npz or CSV, with or without the records.

See outputs.npz_file and outputs.csv_file for what such files hold. What is
not there follows from the records, or from the side that a file is given as.
"""

import dataclasses
import json
import pathlib

import numpy as np

from qmia_tf import files, outputs
from qmia_tf.data.loaders.sources import VALUES
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs, csv_file, kinds, npz_file, validation
from qmia_tf.outputs.csv_file import CLASSES, ROWS
from qmia_tf.outputs.logits import softmax

SAVED = "saved"
OTHER = "record_ids must be positions: the members first, then the nonmembers"


def is_answers(source) -> bool:
    """Whether a source of one side is a file of outputs, not of records."""
    if not isinstance(source, (str, pathlib.Path)):
        return False
    if pathlib.Path(source).suffix == ".csv":
        return True
    names = _names(source)
    return bool(names & set(outputs.ANSWERS)) and not names & set(VALUES)


def require_known_arrays(source):
    """Refuses an .npz file that holds neither outputs nor records.

    Raises: InputError that names what it holds, and what is wanted.
    """
    names = _names(source)
    known_names = (*outputs.ANSWERS, *VALUES)
    if names and not names & set(known_names):
        raise InputError(
            f"{source} holds {', '.join(sorted(names))}: outputs are called "
            f"{' or '.join(outputs.ANSWERS)}, records {' or '.join(VALUES)}"
        )


def _names(source):
    """The names of the arrays of an .npz file; none of anything else."""
    is_path = isinstance(source, (str, pathlib.Path))
    if not is_path or pathlib.Path(source).suffix != ".npz":
        return set()
    try:
        with np.load(source, allow_pickle=False) as stored:
            return set(stored.files)
    # Whoever reads it says what is wrong.
    except Exception:
        return set()


@dataclasses.dataclass(frozen=True, eq=False)
class _File:
    """What one file holds.

    Attributes:
        path: pathlib.Path.
        arrays: probabilities, logits or both; labels, members and record_ids
            if they are there.
        info: as of Outputs; its step is read off if the file does not say it.
        class_names: of the columns, None if they are numbered.
        rows: int [N], the numbers of the rows in a CSV file; else None.
    """

    path: pathlib.Path
    arrays: dict[str, np.ndarray]
    info: dict
    class_names: tuple[str, ...] | None
    rows: np.ndarray | None

    @classmethod
    def read(cls, path, *, name=None):
        """Reads a file; name is the target's if the file does not say it."""
        path = pathlib.Path(path)
        is_csv = path.suffix == ".csv"
        arrays = (csv_file if is_csv else npz_file).read(path)
        class_names, rows = arrays.pop(CLASSES, None), arrays.pop(ROWS, None)
        try:
            info = json.loads(str(np.asarray(arrays.pop("info", "{}"))[()]))
        except ValueError as error:
            raise InputError(f"{path}: info is not JSON ({error})") from error
        if not isinstance(info, dict):
            raise InputError(f"{path}: info must be a JSON object")
        info.setdefault(
            "target", validation.safe_name(name or path.stem, SAVED)
        )
        if "probability_step" not in info:
            step = 0.0
            if kinds.LOGITS not in arrays:
                step = kinds.read_step(arrays[kinds.PROBABILITIES])
            info["probability_step"] = step
        validation.check_info(info, str(path))
        return cls(path, arrays, info, class_names, rows)

    @property
    def answers(self) -> dict[str, np.ndarray]:
        """The probabilities, the logits, or both."""
        return {
            name: self.arrays[name]
            for name in outputs.ANSWERS
            if name in self.arrays
        }

    def __len__(self):
        return len(next(iter(self.answers.values())))

    def require_labels(self):
        """Refuses a file without labels."""
        if "labels" not in self.arrays:
            raise InputError(
                f"{self.path}: the labels are missing: add an array labels"
            )

    def ordered(self, names):
        """Gives columns that classes name another order, and labels too."""
        place = [self.class_names.index(name) for name in names]
        changed = {name: rows[:, place] for name, rows in self.answers.items()}
        changed["labels"] = np.argsort(place)[self.arrays["labels"]]
        arrays = {**self.arrays, **changed}
        return dataclasses.replace(self, arrays=arrays, class_names=names)

    def check_rows(self):
        """Refuses a row that cannot be outputs, by its number in the file."""
        # Whether logits are some is seen by all rows together.
        shares = self.arrays.get(kinds.PROBABILITIES)
        if shares is None:
            shares = softmax(self.arrays[kinds.LOGITS])
        count = np.arange(len(self))
        file_outputs = Outputs(
            probabilities=shares.astype(np.float32),
            labels=self.arrays["labels"],
            members=np.ones(len(self), bool),
            record_ids=self.arrays.get("record_ids", count),
            info=self.info,
        )
        validation.check_values(file_outputs, str(self.path), rows=self.rows)

    def outputs(self, **missing) -> Outputs:
        """Makes outputs; `missing` are arrays that the file may lack."""
        arrays = {**missing, **self.arrays}
        if self.rows is not None:
            dataclasses.replace(self, arrays=arrays).check_rows()
        return outputs.from_arrays(arrays, self.info, self.path)


def of_sides(members, nonmembers) -> Outputs:
    """Makes outputs of one file for each side.

    Args:
        members: the file of the members' outputs, .csv or .npz.
        nonmembers: that of the nonmembers'.
    Raises: InputError if one cannot be read, or they do not fit each other.
    """
    one, other = (
        _File.read(path, name=SAVED) for path in (members, nonmembers)
    )
    if files.sha256(members) == files.sha256(nonmembers):
        raise InputError(
            f"{members} and {nonmembers} are the same file: give the outputs "
            "of other records as the nonmembers'"
        )
    for side, inside in ((one, True), (other, False)):
        side.require_labels()
        if np.any(side.arrays.pop("members", inside) != inside):
            name = "members" if inside else "nonmembers"
            raise InputError(
                f"{side.path} is given as the {name}, but its array 'members' "
                "says otherwise: give one file with both by --model"
            )
    other = _alike(one, other)
    one.check_rows()
    other.check_rows()
    joined = {
        name: np.concatenate([one.arrays[name], other.arrays[name]])
        for name in one.arrays
        if name in other.arrays
    }
    places = np.arange(len(one) + len(other))
    joined["members"] = places < len(one)
    ids = joined.setdefault("record_ids", places)
    shared_ids = np.intersect1d(ids[: len(one)], ids[len(one) :])
    if shared_ids.size:
        raise InputError(
            f"record {shared_ids[0]} is in {one.path} and in {other.path} "
            f"({shared_ids.size} such records): a record is a member or is not"
        )
    steps = [side.info["probability_step"] or 0.0 for side in (one, other)]
    info = {**one.info, "probability_step": max(steps)}
    return outputs.from_arrays(joined, info, one.path)


def alone(path) -> Outputs:
    """Reads one .npz file of outputs that says who is a member.

    Raises: InputError if it cannot be read, or does not say it.
    """
    file = _File.read(path)
    file.require_labels()
    if "members" not in file.arrays:
        raise InputError(
            f"{path} has no array 'members': give the members' and the "
            "nonmembers' records by --members and --nonmembers, or outputs "
            "of each side"
        )
    return file.outputs(record_ids=np.arange(len(file)))


def of_records(path, records: Records) -> Outputs:
    """Reads an .npz or CSV file of outputs about the records at hand.

    Args:
        path: the file; without record ids its rows are the records in their
            order, members first.
        records: Records whose ids are positions.
    Returns: Outputs, in the order of the records.
    Raises: InputError if it is about other records.
    """
    file = _File.read(path)
    names = file.class_names, records.class_names
    if None not in names:
        if set(names[0]) != set(names[1]):
            raise InputError(
                f"{path} has the columns {', '.join(names[0])}, the classes "
                f"of the records are {', '.join(names[1])}"
            )
        file = file.ordered(names[1])
    count = len(records.labels)
    ids = file.arrays.setdefault("record_ids", np.arange(len(file)))
    if not np.array_equal(np.sort(ids), np.arange(count)):
        raise InputError(
            f"{path} has {len(file)} rows of outputs, and there are {count} "
            f"records; {OTHER}"
        )
    for name in ("labels", "members"):
        expected = getattr(records, name)[ids]
        got = file.arrays.setdefault(name, expected)
        wrong = np.flatnonzero(got != expected)
        if wrong.size:
            row = wrong[0]
            number = row if file.rows is None else file.rows[row]
            raise InputError(
                f"{path}: the {name} of row {number} are {got[row]}, those of "
                f"the records {expected[row]} ({wrong.size} such rows); {OTHER}"
            )
    theirs, ours = file.info.get("fingerprint"), records.fingerprint
    if theirs not in (None, ours):
        raise InputError(
            f"{path} is about records with fingerprint {theirs[:12]}, not "
            f"{ours[:12]}: query the model about these"
        )
    file.info["fingerprint"] = ours
    return file.outputs().in_record_order()


def reference(path, answered: Outputs) -> Outputs:
    """Reads what a reference model answered about the same records.

    Args:
        path: .npz file of outputs whose `members` are the records that
            trained the reference; record ids are those of the audit.
        answered: outputs of a target of the audit, for the labels.
    Raises: InputError if it cannot be read or is about other records.
    """
    path = pathlib.Path(path)
    if path.suffix != ".npz":
        raise InputError(f"reference {path} is not an .npz file of outputs")
    file = _File.read(path)
    if "members" not in file.arrays:
        raise InputError(
            f"reference {path} has no array 'members': which of the records "
            "trained it"
        )
    ids = file.arrays.setdefault("record_ids", np.arange(len(file)))
    order = np.argsort(answered.record_ids)
    known = answered.record_ids[order]
    place = np.searchsorted(known, ids).clip(max=len(known) - 1)
    if np.any(known[place] != ids):
        raise InputError(
            f"reference {path} is about records that are not audited; {OTHER}"
        )
    file.info["target"] = validation.safe_name(path.stem, SAVED)
    return file.outputs(labels=answered.labels[order[place]])


def _alike(one, other):
    """The other side with the classes in the order of the first.

    Raises: InputError if the two hold outputs of two kinds or sizes, or name
        other columns.
    """
    if one.class_names != other.class_names:
        names = [side.class_names for side in (one, other)]
        if None in names or set(names[0]) != set(names[1]):
            ours, theirs = (
                ", ".join(class_names or ("p0, p1, ..",))
                for class_names in names
            )
            raise InputError(
                f"{one.path} has the columns {ours}, {other.path} {theirs}: "
                "name the columns of both files alike"
            )
        other = other.ordered(one.class_names)
    ours, theirs = (
        " and ".join(
            f"{name} {list(rows.shape[1:])}"
            for name, rows in side.answers.items()
        )
        for side in (one, other)
    )
    if ours != theirs:
        raise InputError(
            f"{one.path} holds {ours} a record, {other.path} {theirs}: give "
            "outputs of the same kind"
        )
    return other
