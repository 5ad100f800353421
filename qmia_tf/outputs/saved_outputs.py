"""Saved outputs of one's own: .npz or CSV, with or without the records.

See outputs.npz_file and outputs.csv_file for what such files hold. What is
not there follows from the records, or from the side that a file is given as.
"""

import json
import pathlib

import numpy as np

from qmia_tf import files, outputs
from qmia_tf.data.loaders.sources import VALUES
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.outputs import (
    Outputs,
    class_columns,
    csv_file,
    kinds,
    npz_file,
    validation,
)

SAVED = "saved"
# What is known of a file that is not an array of outputs.
OF_FILE = ("info", "step", class_columns.CLASSES, class_columns.ROWS)
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


def of_sides(members, nonmembers) -> Outputs:
    """Makes outputs of one file for each side.

    Args:
        members: the file of the members' outputs, .csv or .npz.
        nonmembers: that of the nonmembers'.
    Raises: InputError if one cannot be read, or they do not fit each other.
    """
    sides = [_read(pathlib.Path(path)) for path in (members, nonmembers)]
    paths = [str(members), str(nonmembers)]
    if files.sha256(members) == files.sha256(nonmembers):
        raise InputError(
            f"{members} and {nonmembers} are the same file: give the outputs "
            "of other records as the nonmembers'"
        )
    for path, arrays, inside in zip(paths, sides, (True, False), strict=True):
        _require_labels(arrays, path)
        is_member = arrays.pop("members", None)
        if is_member is not None and np.any(is_member != inside):
            name = "members" if inside else "nonmembers"
            raise InputError(
                f"{path} is given as the {name}, but its array 'members' "
                "says otherwise: give one file with both by --model"
            )
    sides = class_columns.aligned(sides, paths)
    common = _common(sides, paths)
    infos = [
        _info(side, SAVED, path)
        for side, path in zip(sides, paths, strict=True)
    ]
    for side, info, path in zip(sides, infos, paths, strict=True):
        class_columns.check_rows(side, info, path)
    joined = {
        name: np.concatenate([side[name] for side in sides]) for name in common
    }
    sizes = [len(side["labels"]) for side in sides]
    joined["members"] = np.arange(sum(sizes)) < sizes[0]
    joined.setdefault("record_ids", np.arange(sum(sizes)))
    shared_ids = np.intersect1d(*np.split(joined["record_ids"], [sizes[0]]))
    if shared_ids.size:
        raise InputError(
            f"record {shared_ids[0]} is in {paths[0]} and in {paths[1]} "
            f"({shared_ids.size} such records): a record is a member or is not"
        )
    step = max(file_info["probability_step"] or 0.0 for file_info in infos)
    info = {**infos[0], "probability_step": step}
    return _outputs(joined, info, paths[0])


def alone(path) -> Outputs:
    """Reads one .npz file of outputs that says who is a member.

    Raises: InputError if it cannot be read, or does not say it.
    """
    path = pathlib.Path(path)
    arrays = _read(path)
    _require_labels(arrays, path)
    if "members" not in arrays:
        raise InputError(
            f"{path} has no array 'members': give the members' and the "
            "nonmembers' records by --members and --nonmembers, or outputs "
            "of each side"
        )
    arrays.setdefault("record_ids", np.arange(len(arrays["labels"])))
    return _outputs(arrays, _info(arrays, path.stem, path), path)


def of_records(path, records: Records) -> Outputs:
    """Reads an .npz or CSV file of outputs about the records at hand.

    Args:
        path: the file; without record ids its rows are the records in their
            order, members first.
        records: Records.
    Returns: Outputs, in the order of the records.
    Raises: InputError if it is about other records.
    """
    path = pathlib.Path(path)
    arrays = _read(path)
    rows, count = len(class_columns.answers(arrays)), len(records.labels)
    arrays = class_columns.as_known(arrays, records.class_names, path)
    ids = arrays.setdefault("record_ids", np.arange(rows))
    if rows != count or not np.array_equal(np.sort(ids), np.arange(count)):
        raise InputError(
            f"{path} has {rows} rows of outputs, and there are {count} "
            f"records; {OTHER}"
        )
    for name, expected in (
        ("labels", records.labels[ids]),
        ("members", records.members[ids]),
    ):
        wrong = np.flatnonzero(arrays.setdefault(name, expected) != expected)
        if wrong.size:
            raise InputError(
                f"{path}: the {name} of row "
                f"{class_columns.row(arrays, wrong[0])} are "
                f"{arrays[name][wrong[0]]}, those of the records "
                f"{expected[wrong[0]]} ({wrong.size} such rows); {OTHER}"
            )
    info = _info(arrays, path.stem, path)
    theirs, ours = info.get("fingerprint"), records.fingerprint
    if theirs not in (None, ours):
        raise InputError(
            f"{path} is about records with fingerprint {theirs[:12]}, not "
            f"{ours[:12]}: query the model about these"
        )
    answers = _outputs(arrays, {**info, "fingerprint": ours}, path)
    return answers.in_record_order()


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
    arrays = _read(path)
    if "members" not in arrays:
        raise InputError(
            f"reference {path} has no array 'members': which of the records "
            "trained it"
        )
    rows = class_columns.answers(arrays)
    ids = arrays.setdefault("record_ids", np.arange(len(rows)))
    order = np.argsort(answered.record_ids)
    known = answered.record_ids[order]
    place = np.searchsorted(known, ids).clip(max=len(known) - 1)
    if np.any(known[place] != ids):
        raise InputError(
            f"reference {path} is about records that are not audited; {OTHER}"
        )
    arrays.setdefault("labels", answered.labels[order[place]])
    name = validation.safe_name(path.stem, SAVED)
    info = {**_info(arrays, path.stem, path), "target": name}
    return _outputs(arrays, info, path)


def _read(path):
    reader = csv_file if path.suffix == ".csv" else npz_file
    return reader.read(path)


def _require_labels(arrays, path):
    if "labels" not in arrays:
        raise InputError(f"{path}: the labels are missing: add an array labels")


def _common(sides, paths):
    """Arrays of both sides; refuses outputs of two kinds or sizes."""
    kinds = [
        {name: side[name].shape[1:] for name in outputs.ANSWERS if name in side}
        for side in sides
    ]
    if kinds[0] != kinds[1]:
        ours, theirs = (
            " and ".join(f"{n} {list(s)}" for n, s in kind.items())
            for kind in kinds
        )
        raise InputError(
            f"{paths[0]} holds {ours} a record, {paths[1]} {theirs}: give "
            "outputs of the same kind"
        )
    return [
        name for name in sides[0] if name in sides[1] and name not in OF_FILE
    ]


def _info(arrays, name, path):
    """What the file says of its target; its step is read off if it does not."""
    info = {}
    if "info" in arrays:
        try:
            info = json.loads(str(arrays["info"][()]))
        except ValueError as error:
            raise InputError(f"{path}: info is not JSON ({error})") from error
    if not isinstance(info, dict):
        raise InputError(f"{path}: info must be a JSON object")
    info.setdefault("target", validation.safe_name(name, SAVED))
    step = 0.0
    if "logits" not in arrays:
        step = kinds.read_step(class_columns.answers(arrays))
    info.setdefault("probability_step", arrays.get("step", step))
    validation.check_info(info, str(path))
    return info


def _outputs(arrays, info, path):
    if class_columns.ROWS in arrays:
        class_columns.check_rows(arrays, info, str(path))
    return outputs.from_arrays(arrays, info, path)
