"""What an attacker sees of one target, as a file: outputs/TARGET.npz."""

import dataclasses
import json
import pathlib

import numpy as np

from qmia_tf import output_checks, runs
from qmia_tf.errors import InputError

ARRAYS = ("probabilities", "labels", "members", "record_ids", "info")


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
            softmax), outputs ("probabilities", or "logits" where the softmax
            was done beside the model), latency_ms (median time of one image)
            and latency_threads, fingerprint (of the data), run. All but
            target may be absent.
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

    @property
    def predicted(self) -> np.ndarray:
        """The class that each record is given, int64 [N].

        The most probable one; of equal probabilities, which a quantized
        softmax often gives, the first, as a program on the device that
        looks for the largest output would find.
        """
        return self.probabilities.argmax(axis=1)

    @property
    def tied(self) -> np.ndarray:
        """Where several classes share the largest probability, bool [N]."""
        largest = self.probabilities.max(axis=1, keepdims=True)
        return (self.probabilities == largest).sum(axis=1) > 1

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
        output_checks.check_info(self.info, source)
        output_checks.check_shapes(self, source)
        output_checks.check_values(self, source)
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
