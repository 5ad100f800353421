"""What an attacker sees of one target, as a file: outputs/TARGET.npz."""

import dataclasses
import json
import pathlib
from pathlib import Path

import numpy as np

from qmia_tf import files
from qmia_tf.errors import InputError
from qmia_tf.outputs import validation
from qmia_tf.outputs.logits import softmax

ARRAYS = ("labels", "members", "record_ids", "info")
# One of these, or both of the same target.
ANSWERS = ("probabilities", "logits")
# The kind and the kernel set of a target that Keras computes.
KERAS = "keras"
# Half of the least float32 above 0.
LEAST = 2.0**-150
# Ends the name of an integer twin, which begins with that of its file.
TWIN = "_twin"


@dataclasses.dataclass(frozen=True, eq=False)
class Outputs:
    """What one target outputs for every queried record.

    Attributes:
        probabilities: float32 [N, C], rows sum to one.
        labels: int64 [N], the true classes, 0..C-1.
        members: bool [N], True where the record trained the target.
        record_ids: int64 [N], distinct; the record's index in its data set.
        info: what is known of the target: target (a name that is safe in a
            file name), kind, sha256, size_bytes, kernel_set,
            probability_step (0 for float outputs, 1/256 for an int8
            softmax), outputs ("probabilities", or "logits" where the softmax
            was done beside the model), latency_ms (median time of one image)
            and latency_threads, onednn (whether TensorFlow computed with
            it), fingerprint (of the data), run. All but target may be absent.
        logits: float32 [N, C], what the probabilities are the softmax of,
            if the target gives them; None if it does not.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    members: np.ndarray
    record_ids: np.ndarray
    info: dict
    logits: np.ndarray | None = None

    @classmethod
    def from_logits(
        cls,
        logits: np.ndarray,
        *,
        labels: np.ndarray,
        members: np.ndarray,
        record_ids: np.ndarray,
        info: dict,
        source: str = "outputs",
    ) -> "Outputs":
        """Makes outputs of a target that outputs logits.

        Args:
            logits: floats [N, C].
            info: as of Outputs; it need not say that these are logits.
            source: what the message calls the outputs by.
        Raises: InputError if these are no logits but probabilities, or info
            says so.
        """
        _check_declared(logits, info, source)
        return cls(
            probabilities=softmax(logits),
            labels=labels,
            members=members,
            record_ids=record_ids,
            info={**info, "outputs": "logits"},
            logits=np.asarray(logits, np.float32),
        )

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
    def probability_floor(self) -> float:
        """Half of the least probability above 0 that the format can hold.

        What a probability of 0 counts as under a logarithm.
        """
        return self.probability_step / 2 or LEAST

    @property
    def predicted(self) -> np.ndarray:
        """The most probable class of each record, int64 [N].

        Of equal probabilities, which a quantized softmax often gives, the
        first, as a program on the device would find.
        """
        return self.probabilities.argmax(axis=1)

    @property
    def tied(self) -> np.ndarray:
        """Where several classes share the largest probability, bool [N]."""
        largest = self.probabilities.max(axis=1, keepdims=True)
        return (self.probabilities == largest).sum(axis=1) > 1

    def take(self, indices: np.ndarray) -> "Outputs":
        """Returns the outputs of some records: int or bool indices [M]."""
        return dataclasses.replace(
            self,
            probabilities=self.probabilities[indices],
            labels=self.labels[indices],
            members=self.members[indices],
            record_ids=self.record_ids[indices],
            logits=None if self.logits is None else self.logits[indices],
        )

    def in_record_order(self) -> "Outputs":
        """Returns the same outputs sorted by record_ids."""
        return self.take(np.argsort(self.record_ids, kind="stable"))

    def renamed(self, target: str) -> "Outputs":
        """Returns the same outputs under another name of the target."""
        return dataclasses.replace(self, info={**self.info, "target": target})

    def validate(self, source: str = "outputs") -> "Outputs":
        """Returns self if it can be audited.

        Raises: InputError naming the source, the row and the value.
        """
        validation.check_info(self.info, source)
        validation.check_shapes(self, source)
        validation.check_values(self, source)
        if self.logits is not None:
            validation.check_logits(self, source)
        return self

    def save(self, path: Path) -> None:
        """Writes the outputs to an .npz file, whole or not at all."""
        self.validate(str(path))
        info = json.dumps(self.info, sort_keys=True)
        arrays = {k: v for k, v in vars(self).items() if v is not None}
        files.write_npz(path, **{**arrays, "info": info})


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A target that was queried and has no outputs.

    Attributes:
        target: its name.
        kernel_set: the kernels that cannot run its file.
        reason: what they say.
    """

    target: str
    kernel_set: str
    reason: str


def load(path: Path) -> Outputs:
    """Reads and checks outputs/TARGET.npz.

    The file holds the arrays of Outputs; info is a JSON string. Without a
    target in info, the file's name is the target's. Logits may be there
    instead of probabilities, which are then their softmax, or beside them;
    what an array holds is known by its name alone.

    Raises: InputError if the file is missing, damaged, not of this kind or
        holds values that cannot be outputs.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; qmia attack writes it when it "
            "queries the target"
        )
    arrays = files.read_npz(path)
    missing = [name for name in ARRAYS if name not in arrays]
    if not any(name in arrays for name in ANSWERS):
        missing.insert(0, ANSWERS[0])
    if missing:
        raise InputError(
            f"{path}: not a file of outputs: it lacks {', '.join(missing)} "
            f"and holds {', '.join(arrays) or 'nothing'}"
        )
    info = validation.parse_info(arrays["info"], path)
    info.setdefault("target", path.stem)
    return from_arrays(arrays, info, path)


def from_arrays(
    arrays: dict[str, np.ndarray], info: dict, path: object
) -> Outputs:
    """Makes outputs of the arrays of a file, and checks them.

    Raises: InputError if they cannot be outputs.
    """
    stored = {
        name: validation.as_stored(name, arrays[name], path)
        for name in (*ANSWERS, *ARRAYS)
        if name in arrays and name != "info"
    }
    if "probabilities" in stored:
        outputs = Outputs(**stored, info=info)
    else:
        outputs = Outputs.from_logits(**stored, info=info, source=str(path))
    return outputs.validate(str(path))


def _check_declared(logits, info, source):
    """Raises InputError if logits contradict themselves or their info."""
    if logits.ndim != 2 or logits.shape[1] < 2 or not len(logits):
        raise InputError(
            f"{source}: logits must be [records, classes] with two classes or "
            f"more, got shape {logits.shape}"
        )
    for key, expected in (("outputs", "logits"), ("probability_step", 0)):
        stated = info.get(key)
        if stated is not None and stated != expected:
            raise InputError(
                f"{source}: it holds logits, but info[{key!r}] is {stated!r}: "
                f"set it to {expected!r}, or give probabilities"
            )
    # Values that are not finite are left to validate, which names the row.
    if np.isfinite(logits).all():
        validation.check_not_probabilities(logits, source)
