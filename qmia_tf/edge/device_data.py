"""The data file for a device: a run's images in one .npz, without pickle.

images      uint8 [N, height, width, channels]
labels      int64 [N], 0..classes-1
members     bool [N], True where the record trained the run's model
record_ids  int64 [N], the record's index in its data set
info        JSON text: dataset, fingerprint, run, classes
"""

import dataclasses
import json

import numpy as np

from qmia_tf import files
from qmia_tf.data import split
from qmia_tf.errors import InputError

INFO_TYPES = {"dataset": str, "fingerprint": str, "run": str, "classes": int}
REMEDY = "make it with scripts/export_data.py"


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """Members, then nonmembers; the arrays are this module's."""

    images: np.ndarray
    labels: np.ndarray
    members: np.ndarray
    record_ids: np.ndarray
    info: dict

    def save(self, path):
        """Writes the file, whole or not at all.

        Raises: InputError if the disk is full or the place not writable.
        """
        arrays = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
        arrays["info"] = np.array(json.dumps(self.info, sort_keys=True))
        files.write_npz(path, **arrays)


def of_run(dataset, sides, *, run, count=None, seed=0) -> Records:
    """Collects the records of a run.

    Args:
        dataset: datasets.Dataset.
        sides: split.Split of that data set.
        run: name of the run.
        count: int >= 4 draws so many, half of them members, half
            nonmembers, every class with its share; None takes all.
        seed: int >= 0, of the draw.
    Raises: InputError if there are not so many members or nonmembers, or
        an option is out of range.
    """
    members, nonmembers = sides.members, sides.nonmembers
    if count is not None:
        if count < 4 or count % 2 or seed < 0:
            raise InputError(
                "records must be an even number of 4 or more and seed 0 or "
                f"more, got {count} and {seed}"
            )
        rng = np.random.default_rng(seed)
        labels = dataset.labels
        members = _drawn("members", members, labels, count // 2, rng)
        nonmembers = _drawn("nonmembers", nonmembers, labels, count // 2, rng)
    record_ids = np.concatenate([members, nonmembers])
    images, labels = dataset.take(record_ids)
    return Records(
        images=images,
        labels=labels,
        members=np.arange(len(record_ids)) < len(members),
        record_ids=record_ids,
        info={
            "dataset": dataset.name,
            "fingerprint": sides.fingerprint,
            "run": run,
            "classes": dataset.classes,
        },
    )


def _drawn(side, records, labels, count, rng):
    if count > len(records):
        raise InputError(
            f"the run has {len(records)} {side}, {count} of them cannot be "
            f"drawn: ask for {2 * len(records)} records or fewer"
        )
    share = count / len(records)
    return records[split.stratified(labels[records], share, rng)]


def load(path) -> Records:
    """Reads and checks a data file.

    Args:
        path: the .npz file.
    Raises: InputError if the file is missing, damaged, holds pickled
        objects, lacks an array, or its arrays cannot be used.
    """
    arrays = files.read_npz(path)
    names = [field.name for field in dataclasses.fields(Records)]
    missing = [name for name in names if name not in arrays]
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
    return Records(
        images=arrays["images"],
        labels=arrays["labels"].astype(np.int64),
        members=arrays["members"],
        record_ids=arrays["record_ids"].astype(np.int64),
        info=info,
    )


def _info(path, text):
    try:
        info = json.loads(str(text[()]))
    except ValueError as error:
        raise InputError(f"{path}: info is not JSON; {REMEDY}") from error
    if not isinstance(info, dict):
        raise InputError(f"{path}: info is no JSON object; {REMEDY}")
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
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        raise InputError(
            f"{path}: label {labels[outside[0]]} of row {outside[0]} is "
            f"outside 0..{classes - 1}; {REMEDY}"
        )
    if members.all() or not members.any():
        raise InputError(
            f"{path}: {len(members)} records, {members.sum()} of them "
            f"members: an audit needs members and nonmembers; {REMEDY}"
        )
    if len(np.unique(arrays["record_ids"])) < len(members):
        raise InputError(f"{path} has a record twice; {REMEDY}")
