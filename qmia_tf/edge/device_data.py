"""The data file for a device: a run's images in one .npz, without pickle.

images      uint8 [N, height, width, channels]
labels      int64 [N], 0..classes-1
members     bool [N], True where the record trained the run's model
record_ids  int64 [N], the record's index in its data set
info        JSON text: dataset, fingerprint, run, classes
"""

import json
from pathlib import Path

import numpy as np

from qmia_tf import files, locks
from qmia_tf.data.labels import require_range
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.outputs.validation import parse_info

INFO_TYPES = {"dataset": str, "fingerprint": str, "run": str, "classes": int}
ARRAYS = ("images", "labels", "members", "record_ids", "info")
REMEDY = "make it with qmia export_data"


def save(records: Records, path: Path, *, run: str) -> None:
    """Writes the records of a run, by its name, whole or not at all.

    Raises: InputError if another process writes the file, or it cannot be
        written.
    """
    info = {
        "dataset": records.name,
        "fingerprint": records.fingerprint,
        "run": run,
        "classes": records.classes,
    }
    with locks.writing(path):
        files.write_npz(
            path,
            images=records.values,
            labels=records.labels,
            members=records.members,
            record_ids=records.record_ids,
            info=np.array(json.dumps(info, sort_keys=True)),
        )


def load(path: Path) -> tuple[Records, str]:
    """Reads a data file; gives the records, and the name of the run.

    Raises: InputError if the file is missing, damaged, holds pickled
        objects, lacks an array, or its arrays cannot be used.
    """
    arrays = files.read_npz(path)
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise InputError(
            f"{path} is not a data file for a device: it lacks "
            f"{', '.join(missing)}; {REMEDY}"
        )
    info = _info(path, arrays["info"])
    _check_images(path, arrays["images"])
    total = len(arrays["images"])
    kinds = {"labels": "iu", "members": "b", "record_ids": "iu"}
    for name, kind in kinds.items():
        array = arrays[name]
        if array.dtype.kind not in kind or array.shape != (total,):
            raise InputError(
                f"{path}: {name} are {array.dtype} {list(array.shape)}, not "
                f"{'booleans' if kind == 'b' else 'integers'} [{total}]; "
                f"{REMEDY}"
            )
    _check_values(path, arrays, info["classes"])
    records = Records(
        name=info["dataset"],
        values=arrays["images"],
        labels=arrays["labels"].astype(np.int64),
        members=arrays["members"],
        record_ids=arrays["record_ids"].astype(np.int64),
        fingerprint=info["fingerprint"],
        classes=info["classes"],
    )
    return records, info["run"]


def _info(path, text):
    info = parse_info(text, path, f"; {REMEDY}")
    for key, kind in INFO_TYPES.items():
        if type(info.get(key)) is not kind:
            raise InputError(
                f"{path}: info[{key!r}] must be of type {kind.__name__}, got "
                f"{info.get(key)!r}; {REMEDY}"
            )
    return info


def _check_images(path, images):
    if images.dtype != np.uint8 or images.ndim != 4:
        raise InputError(
            f"{path}: images are {images.dtype} {list(images.shape)}, not "
            f"uint8 [N, height, width, channels]; {REMEDY}"
        )
    if not images.size:
        raise InputError(f"{path} holds no images; {REMEDY}")


def _check_values(path, arrays, classes):
    labels, members = arrays["labels"], arrays["members"]
    require_range(labels, classes, path, f"; {REMEDY}")
    if members.all() or not members.any():
        raise InputError(
            f"{path}: {len(members)} records, {members.sum()} of them "
            f"members: an audit needs members and nonmembers; {REMEDY}"
        )
    if len(np.unique(arrays["record_ids"])) < len(members):
        raise InputError(f"{path} has a record twice; {REMEDY}")
