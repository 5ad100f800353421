"""The labels that a target gives to augmented queries of each record.

Works with anything that has predict(images) and info (targets.Target): only
the most probable class of an output is used.
"""

import dataclasses
import json

import numpy as np

from qmia_tf import files, terminal
from qmia_tf.attacks.augmentations import Augmentations, Noise
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError

# Bytes of images that are augmented at once; with noise they become floats.
BLOCK = 1 << 23
Plan = Augmentations | Noise
NOT_QUERIED = -1
KINDS = {
    "predicted": "i",
    "record_ids": "iu",
    "labels": "iu",
    "members": "b",
    "queries": "U",
    "info": "U",
}
REMEDY = "delete it and query the target again"


@dataclasses.dataclass(frozen=True, eq=False)
class AugmentedLabels:
    """Labels for Q queries of each of N records.

    Attributes:
        predicted: int16 [N, Q], a class; the unchanged image first.
        record_ids: int64 [N], distinct.
        labels: int64 [N], the true classes.
        members: bool [N].
        queries: names of the Q queries.
        info: what Outputs.info says of the target (target, kind, sha256,
            kernel_set, fingerprint, run), and plan: see settings.
    """

    predicted: np.ndarray
    record_ids: np.ndarray
    labels: np.ndarray
    members: np.ndarray
    queries: tuple[str, ...]
    info: dict

    def aligned(self, record_ids: np.ndarray) -> np.ndarray:
        """Returns the labels of records, int16 [M, Q], -1 if not queried.

        record_ids: int [M], distinct, in whatever order.
        """
        rows = np.full((len(record_ids), len(self.queries)), NOT_QUERIED)
        order = np.argsort(self.record_ids)
        stored = self.record_ids[order]
        place = np.searchsorted(stored, record_ids).clip(max=len(stored) - 1)
        queried = stored[place] == record_ids
        rows[queried] = self.predicted[order[place[queried]]]
        return rows.astype(np.int16)

    def matches(self, *, augmentations: Plan, **facts) -> bool:
        """Whether these are the labels of certain queries and target.

        facts: entries of info, such as sha256 and kernel_set.
        """
        expected = {**facts, "plan": settings(augmentations)}
        return all(self.info.get(key) == expected[key] for key in expected)

    def save(self, path):
        """Writes the labels to an .npz file, whole or not at all."""
        arrays = vars(self) | {
            "queries": np.array(self.queries),
            "info": np.array(json.dumps(self.info, sort_keys=True)),
        }
        _check(arrays, path)
        files.write_npz(path, **arrays)


def query(
    target,
    records: Records,
    augmentations: Plan,
    *,
    run: str = "",
    progress: bool = False,
) -> AugmentedLabels:
    """Queries a targets.Target with augmented members and nonmembers.

    run: name of the run, recorded. Raises: as query_images.
    """
    about = {"fingerprint": records.fingerprint, "run": run}
    return AugmentedLabels(
        predicted=query_images(
            target,
            records.values,
            records.record_ids,
            augmentations,
            progress=progress,
        ),
        record_ids=records.record_ids.astype(np.int64),
        labels=np.asarray(records.labels, np.int64),
        members=records.members,
        queries=augmentations.names,
        info={**target.info, **about, "plan": settings(augmentations)},
    )


def query_images(
    target,
    images: np.ndarray,
    record_ids: np.ndarray,
    augmentations: Plan,
    *,
    progress: bool = False,
) -> np.ndarray:
    """Queries a targets.Target with every augmentation of every record.

    Of equally probable classes the first is taken, as everywhere (see
    Outputs.predicted).

    Args:
        target: has predict, info and perhaps batch_size.
        images: uint8 [N, height, width, channels].
        record_ids: int [N], 0 or more; they decide a record's noise.
        augmentations: the queries.
        progress: shows a bar.
    Returns: int16 [N, Q], in the order of augmentations.names.
    Raises: InputError if the target does not take
        such images or has more than 32,767 classes.
    """
    _check_records(images, record_ids)
    predicted = np.empty((len(images), len(augmentations.names)), np.int16)
    batch = getattr(target, "batch_size", 1)
    # Whole batches, so that outputs are those of the same batches.
    block = max(1, BLOCK // (batch * images[0].size)) * batch
    bar = terminal.bar(
        total=predicted.size,
        unit="query",
        desc=target.info["target"],
        shown=progress,
    )
    with bar:
        for start in range(0, len(images), block):
            rows = slice(start, start + block)
            augmented = augmentations.apply(
                images[rows], np.asarray(record_ids)[rows]
            )
            for column, queries in enumerate(augmented):
                labels = _labels(target, queries)
                predicted[rows, column] = labels
                bar.update(len(labels))
    return predicted


def settings(augmentations: Plan) -> dict:
    """Returns the settings of Augmentations or Noise, as JSON types."""
    kind = {Augmentations: "augmentations", Noise: "noise"}[type(augmentations)]
    fields = json.loads(json.dumps(dataclasses.asdict(augmentations)))
    return {"kind": kind, **fields}


def load(path) -> AugmentedLabels:
    """Reads and checks a file that AugmentedLabels.save wrote.

    Raises: InputError if it is missing, damaged or something else.
    """
    arrays = files.read_npz(path)
    missing = [name for name in KINDS if name not in arrays]
    if missing:
        raise InputError(
            f"{path}: not a file of labels of augmented queries: it lacks "
            f"{', '.join(missing)}; {REMEDY}"
        )
    for name, kinds in KINDS.items():
        if arrays[name].dtype.kind not in kinds:
            raise InputError(
                f"{path}: {name} cannot be {arrays[name].dtype}; {REMEDY}"
            )
    try:
        info = files.parse_json(str(arrays["info"][()]))
    except ValueError as error:
        raise InputError(f"{path}: info is not JSON; {REMEDY}") from error
    try:
        # Text may be damaged as such.
        queries = tuple(map(str, arrays["queries"].ravel()))
    except ValueError as error:
        raise InputError(f"{path}: queries is not text; {REMEDY}") from error
    if not isinstance(info, dict):
        raise InputError(f"{path}: info is no JSON object; {REMEDY}")
    _check(arrays, path)
    return AugmentedLabels(
        predicted=arrays["predicted"].astype(np.int16),
        record_ids=arrays["record_ids"].astype(np.int64),
        labels=arrays["labels"].astype(np.int64),
        members=arrays["members"],
        queries=queries,
        info=info,
    )


def _check(arrays, path):
    predicted, queries = arrays["predicted"], arrays["queries"]
    shape = predicted.shape
    if len(shape) != 2 or 0 in shape or shape[1:] != queries.shape:
        raise InputError(
            f"{path}: predicted has shape {shape}, not [records, "
            f"{queries.size} queries]; {REMEDY}"
        )
    for name in ("record_ids", "labels", "members"):
        if arrays[name].shape != shape[:1]:
            raise InputError(
                f"{path}: {name} has shape {arrays[name].shape}, but there "
                f"are {shape[0]} rows of labels; {REMEDY}"
            )
    if len(np.unique(arrays["record_ids"])) < shape[0]:
        raise InputError(f"{path} has a record twice; {REMEDY}")
    if predicted.min() < 0 or predicted.max() > np.iinfo(np.int16).max:
        raise InputError(f"{path}: a label is no class number; {REMEDY}")


def _check_records(images, record_ids):
    if len(record_ids) != len(images) or not len(images):
        raise ValueError(
            f"{len(images)} images, but {len(record_ids)} record ids"
        )


def _labels(target, images):
    probabilities = target.predict(np.ascontiguousarray(images))
    if probabilities.shape[1] > np.iinfo(np.int16).max:
        raise InputError(
            f"target {target.info['target']!r} has {probabilities.shape[1]} "
            f"classes, at most {np.iinfo(np.int16).max} can be kept"
        )
    return probabilities.argmax(axis=1)
