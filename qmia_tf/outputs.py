"""What an attacker sees of one target, as a file: outputs/TARGET.npz."""

import dataclasses
import json
import pathlib
import re

import numpy as np

from qmia_tf import runs
from qmia_tf.errors import InputError

ARRAYS = ("probabilities", "labels", "members", "record_ids", "info")
SUM_TOLERANCE = 1e-3
INFO_TYPES = {
    "kind": str,
    "sha256": str,
    "size_bytes": int,
    "kernel_set": str,
    "fingerprint": str,
    "run": str,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Outputs:
    """The answers of one target to every queried record.

    Attributes:
        probabilities: float32 [N, C], the softmax output, rows sum to one.
        labels: int64 [N], the true classes, 0..C-1.
        members: bool [N], True where the record trained the target.
        record_ids: int64 [N], distinct; the record's index in its data set.
        info: what is known of the target: target (a name that is safe in a
            file name), kind, sha256, size_bytes, kernel_set,
            probability_step (0 for float outputs, 1/256 for an int8
            softmax), fingerprint (of the data), run. All but target may be
            absent.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    members: np.ndarray
    record_ids: np.ndarray
    info: dict

    @property
    def target(self) -> str:
        """The name of the target."""
        return self.info["target"]

    @property
    def classes(self) -> int:
        """The number of classes, C."""
        return self.probabilities.shape[1]

    @property
    def probability_step(self) -> float:
        """The distance between neighbouring outputs, 0 for float outputs."""
        return float(self.info.get("probability_step") or 0.0)

    def take(self, indices) -> "Outputs":
        """Returns the outputs of some records: int or bool indices [M]."""
        return dataclasses.replace(
            self,
            probabilities=self.probabilities[indices],
            labels=self.labels[indices],
            members=self.members[indices],
            record_ids=self.record_ids[indices],
        )

    def in_record_order(self) -> "Outputs":
        """Returns the same outputs sorted by record_ids."""
        return self.take(np.argsort(self.record_ids, kind="stable"))

    def validate(self, source="outputs") -> "Outputs":
        """Returns self if it can be audited.

        Args:
            source: str that the error message calls the outputs by.
        Raises: InputError naming the source, the row and the value.
        """
        _check_info(self.info, source)
        _check_shapes(self, source)
        _check_values(self, source)
        return self

    def save(self, path):
        """Writes the outputs to an .npz file, whole or not at all."""
        self.validate(str(path))
        arrays = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
        arrays["info"] = np.array(json.dumps(self.info, sort_keys=True))
        runs.write_npz(path, **arrays)


def load(path) -> Outputs:
    """Reads and checks outputs/TARGET.npz.

    Args:
        path: file with the arrays of Outputs; info is a JSON string. Without
            a target in info, the file's name is the target's.
    Raises: InputError if the file is missing, damaged, not of this kind or
        holds values that cannot be outputs.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; scripts/attack.py writes it when it "
            "queries the target"
        )
    arrays = _read_arrays(path)
    try:
        info = json.loads(str(arrays["info"][()]))
    except ValueError as error:
        raise InputError(
            f"{path}: info is not JSON ({error}); query the target again"
        ) from error
    if isinstance(info, dict):
        info.setdefault("target", path.stem)
    found = Outputs(
        probabilities=_as_kind(arrays, "probabilities", "f", np.float32, path),
        labels=_as_kind(arrays, "labels", "iu", np.int64, path),
        members=_as_bool(arrays["members"], path),
        record_ids=_as_kind(arrays, "record_ids", "iu", np.int64, path),
        info=info,
    )
    return found.validate(str(path))


def _read_arrays(path):
    arrays = runs.read_npz(path)
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise InputError(
            f"{path}: not a file of outputs: it lacks {', '.join(missing)} "
            f"and holds {', '.join(arrays) or 'nothing'}"
        )
    return arrays


def _as_kind(arrays, name, kinds, dtype, path):
    array = arrays[name]
    if array.dtype.kind not in kinds:
        wanted = "floats" if kinds == "f" else "integers"
        raise InputError(f"{path}: {name} must be {wanted}, got {array.dtype}")
    return array.astype(dtype)


def _as_bool(members, path):
    if members.dtype.kind in "iu" and np.isin(members, (0, 1)).all():
        return members.astype(bool)
    if members.dtype.kind != "b":
        raise InputError(
            f"{path}: members must be booleans or 0 and 1, got {members.dtype}"
        )
    return members


def _check_info(info, source):
    if not isinstance(info, dict):
        raise InputError(f"{source}: info must be a dictionary, got {info!r}")
    target = info.get("target")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", str(target or "")):
        raise InputError(
            f"{source}: info['target'] must be a name of letters, digits, "
            f"'.', '_' and '-', got {target!r}"
        )
    for key, kind in INFO_TYPES.items():
        value = info.get(key)
        if value is not None and type(value) is not kind:
            raise InputError(
                f"{source}: info[{key!r}] must be of type {kind.__name__}, "
                f"got {value!r}"
            )
    step = info.get("probability_step") or 0.0
    if not isinstance(step, (int, float)) or not 0 <= step < 1:
        raise InputError(
            f"{source}: info['probability_step'] must be in 0..1, got {step!r}"
        )


def _check_shapes(outputs, source):
    shape = outputs.probabilities.shape
    if len(shape) != 2 or shape[1] < 2:
        raise InputError(
            f"{source}: probabilities must be [records, classes] with two "
            f"classes or more, got shape {shape}"
        )
    for name in ("labels", "members", "record_ids"):
        got = getattr(outputs, name).shape
        if got != shape[:1]:
            raise InputError(
                f"{source}: {name} has shape {got}, but there are {shape[0]} "
                "rows of probabilities"
            )
    count = int(outputs.members.sum())
    if count == 0 or count == shape[0]:
        missing = "member" if count == 0 else "nonmember"
        raise InputError(
            f"{source}: {shape[0]} records and not one {missing}: an audit "
            "needs members and nonmembers"
        )


def _check_values(outputs, source):
    probabilities, labels = outputs.probabilities, outputs.labels
    step = outputs.probability_step
    tolerance = SUM_TOLERANCE + outputs.classes * step / 2

    def refuse(bad, message):
        rows = np.flatnonzero(bad)
        if rows.size:
            row = int(rows[0])
            raise InputError(
                f"{source}: row {row} (record {outputs.record_ids[row]}): "
                + message(row)
                + (f"; {rows.size} such rows" if rows.size > 1 else "")
            )

    smallest = probabilities.min(axis=1)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    refuse(
        ~np.isfinite(sums),
        lambda row: f"a probability is not finite: {probabilities[row]}",
    )
    refuse(
        smallest < 0,
        lambda row: (
            f"a probability is negative: {smallest[row]:g}; are these logits?"
        ),
    )
    refuse(
        np.abs(sums - 1) > tolerance,
        lambda row: (
            f"the probabilities sum to {sums[row]:.6g}, not to 1 "
            f"within {tolerance:.4g}; are these logits, or is "
            "info['probability_step'] of a quantized output missing?"
        ),
    )
    refuse(
        (labels < 0) | (labels >= outputs.classes),
        lambda row: f"label {labels[row]} is outside 0..{outputs.classes - 1}",
    )
    _, first = np.unique(outputs.record_ids, return_index=True)
    repeated = np.ones(len(labels), bool)
    repeated[first] = False
    refuse(repeated, lambda row: "the record is there twice")
