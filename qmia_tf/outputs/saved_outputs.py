"""Saved outputs of one's own: with or without the records.

What a file (see outputs.output_file) does not say follows from the records,
or from the side that it is given as.
"""

import pathlib
import zipfile
from pathlib import Path

import numpy as np

from qmia_tf import files, outputs
from qmia_tf.data.loaders.npz import VALUES
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError, option
from qmia_tf.outputs import ANSWERS, Outputs, validation
from qmia_tf.outputs.output_file import SAVED, OutputFile

# In Outputs.info of a reference model: the fingerprint of the records audited.
REFERENCE_OF = "reference_of"
OTHER = "record_ids must be positions: the members first, then the nonmembers"


def is_outputs(source: object) -> bool:
    """Whether a source of one side is a file of outputs, not of records."""
    if files.is_path(source) and pathlib.Path(source).suffix == ".csv":
        return True
    names = _array_names(source)
    return bool(names & set(ANSWERS)) and not names & set(VALUES)


def require_known_arrays(source: object) -> None:
    """Refuses an .npz file that holds neither outputs nor records.

    Raises: InputError that names what it holds, and what is wanted.
    """
    names = _array_names(source)
    if names and not names & {*ANSWERS, *VALUES}:
        raise InputError(
            f"{source} holds {', '.join(sorted(names))}: outputs are called "
            f"{' or '.join(ANSWERS)}, records {' or '.join(VALUES)}"
        )


def _array_names(source):
    """The names of the arrays of an .npz file; none of anything else."""
    if not files.is_path(source) or pathlib.Path(source).suffix != ".npz":
        return set()
    try:
        return files.npz_names(source)
    # Whoever reads it says what is wrong.
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return set()


def of_sides(members: Path, nonmembers: Path) -> Outputs:
    """Makes outputs of one file for each side, .csv or .npz.

    Raises: InputError if one cannot be read, or they do not fit each other.
    """
    one = OutputFile.read(members, name=SAVED)
    other = OutputFile.read(nonmembers, name=SAVED)
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
                "says otherwise: give one file with both as "
                f"{option('target', flag='model')}"
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


def alone(path: Path) -> Outputs:
    """Reads one file of outputs that says who is a member.

    Raises: InputError if it cannot be read, or does not say it.
    """
    file = OutputFile.read(path)
    file.require_labels()
    if "members" not in file.arrays:
        raise InputError(
            f"{path} has no array 'members': give the members' and the "
            f"nonmembers' records as {option('members')} and "
            f"{option('nonmembers')}, or outputs "
            "of each side"
        )
    return file.outputs(record_ids=np.arange(len(file)))


def of_records(path: Path, records: Records) -> Outputs:
    """Reads a file of outputs about the records at hand, in their order.

    Args:
        path: the file; without record ids its rows are the records in their
            order, members first.
        records: those whose ids are positions.
    Raises: InputError if it is about other records.
    """
    file = OutputFile.read(path)
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


def reference(path: Path, target_outputs: Outputs) -> Outputs:
    """Reads the outputs of a reference model for the same records.

    Args:
        path: .npz file of outputs whose `members` are the records that
            trained the reference; record ids are those of the audit.
        target_outputs: of a target of the audit, for the labels.
    Raises: InputError if it cannot be read or is about other records.
    """
    path = pathlib.Path(path)
    if path.suffix != ".npz":
        raise InputError(f"reference {path} is not an .npz file of outputs")
    file = OutputFile.read(path)
    if "members" not in file.arrays:
        raise InputError(
            f"reference {path} has no array 'members': which of the records "
            "trained it"
        )
    ids = file.arrays.setdefault("record_ids", np.arange(len(file)))
    theirs = file.info.get(REFERENCE_OF)
    ours = target_outputs.info.get("fingerprint")
    if None not in (theirs, ours) and theirs != ours:
        raise InputError(
            f"reference {path} was made for other records (fingerprint "
            f"{str(theirs)[:12]}, not {ours[:12]}): make references of these "
            "members and nonmembers"
        )
    import pandas as pd

    rows = pd.Index(target_outputs.record_ids).get_indexer(ids)
    if (rows < 0).any():
        raise InputError(
            f"reference {path} is about records that are not audited; {OTHER}"
        )
    file.info["target"] = validation.safe_name(path.stem, SAVED)
    return file.outputs(labels=target_outputs.labels[rows])


def _alike(one, other):
    """The other side with the classes in the order of the first.

    Raises: InputError if the two hold outputs of two kinds or sizes, or name
        other columns.
    """
    if one.class_names != other.class_names:
        names = [side.class_names for side in (one, other)]
        if None in names or set(names[0]) != set(names[1]):
            ours, theirs = (", ".join(n or ("p0, p1, ..",)) for n in names)
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
