"""What the holder of a model reads inside of it, as files of a run.

inside/TARGET.npz               exact logits and norms of every record
inside/TARGET.activations.npy   what enters the last layer, memory-mapped
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator

import numpy as np

from qmia_tf import files
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs, validation
from qmia_tf.outputs.logits import log_sums, softmax

# Numbers that are turned into float64 at a time.
BLOCK = 2**22
# In info: the outputs that the inside belongs to.
OUTPUTS = "outputs_sha256"
ARRAYS = {
    "logits": np.float64,
    "squared_norms": np.float64,
    "record_ids": np.int64,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Inside:
    """What the holder of one target reads about N records.

    Attributes:
        logits: float64 [N, C], before anything was rounded: of an integer
            layer its accumulators times their scales.
        squared_norms: float64 [N], |h|^2 of what enters the last layer.
        record_ids: int64 [N].
        info: of the last layer: op, numbers ("integers" or "floats"), step
            and zero_point (of its codes; 0 of floats), has_bias, one_unit;
            and what it was read from, as in Outputs.info.
        stored: [M, F], what enters the last layer, as it is stored: codes or
            floats; on disk, and None if it was not kept.
        rows: int64 [N], the row of each record in it.
    """

    logits: np.ndarray
    squared_norms: np.ndarray
    record_ids: np.ndarray
    info: dict
    stored: np.ndarray | None = None
    rows: np.ndarray | None = None

    @property
    def activations(self) -> int:
        """How many numbers enter the last layer, F; 0 if it is not known."""
        return int(self.info.get("activations", 0))

    def take(self, indices: np.ndarray) -> "Inside":
        """Returns the inside of some records: int or bool indices [M]."""
        return dataclasses.replace(
            self,
            logits=self.logits[indices],
            squared_norms=self.squared_norms[indices],
            record_ids=self.record_ids[indices],
            rows=None if self.rows is None else self.rows[indices],
        )

    def of_records(self, record_ids: np.ndarray) -> "Inside":
        """Returns the inside of these records, int [M], in this order.

        Raises: InputError if one of them was not read.
        """
        return self.take(places_of(record_ids, self.record_ids))

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Goes through what enters the last layer, some records at a time.

        Yields: a slice of the records, and float64 [B, F] of them.
        Raises: InputError if it was not kept.
        """
        if self.stored is None or self.rows is None:
            raise InputError("what enters the last layer was not kept")
        size = max(1, BLOCK // max(self.stored.shape[1], 1))
        for start in range(0, len(self.rows), size):
            part = slice(start, start + size)
            yield part, self.values(self.stored[self.rows[part]])

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Turns codes into numbers, float64; floats stay what they are."""
        return values_of(stored, self.info)

    def gradient_norms(self, labels: np.ndarray) -> np.ndarray:
        """The norm of the loss's gradient by the last layer's parameters.

        |p - e_y| sqrt(|h|^2 + 1), without the 1 if there is no bias; of one
        unit behind a logistic |p - y| takes the place of |p - e_y|, which is
        sqrt(2) times as much.

        Args:
            labels: int [N], y.
        Returns: float64 [N], 0 or more, exact where p_y is near 1.
        """
        logs = self.logits - log_sums(self.logits)[:, None]
        p = np.exp(logs)
        right = np.arange(len(labels)), labels
        p[right] = 0.0
        # 1 - p_y as a sum: a float64 cannot tell p_y = 1 - 1e-17 from 1.
        squares = np.square(p).sum(axis=1) + np.square(p.sum(axis=1))
        if self.info["one_unit"]:
            squares = squares / 2
        return np.sqrt(squares * (self.squared_norms + self.info["has_bias"]))

    def outputs_of(self, outputs: Outputs) -> Outputs:
        """The outputs that the holder computes: of the exact logits.

        Args:
            outputs: of the same records, in the same order.
        """
        info = {**outputs.info, "probability_step": 0.0, "outputs": "logits"}
        return dataclasses.replace(
            outputs,
            probabilities=softmax(self.logits),
            logits=self.logits,
            info=info,
        )

    def save(self, path: pathlib.Path) -> None:
        """Writes the .npz file; the activations are written as they come."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        info = json.dumps(self.info, sort_keys=True)
        files.write_npz(path, **arrays, info=info)


def values_of(stored: np.ndarray, info: dict) -> np.ndarray:
    """Turns codes into numbers by the step and zero point of info."""
    numbers = np.asarray(stored, np.float64)
    if info["step"]:
        numbers = (numbers - info["zero_point"]) * info["step"]
    return numbers


def places_of(record_ids: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where these records, int [M], are among the known ones, int [N].

    Raises: InputError if one of them is not there.
    """
    order = np.argsort(known, kind="stable")
    known = known[order]
    places = np.searchsorted(known, record_ids).clip(max=known.size - 1)
    if not np.array_equal(known[places], record_ids):
        raise InputError("the inside was read of other records")
    return order[places]


def outputs_sha256(outputs: Outputs) -> str:
    """Names the outputs that an inside belongs to, as they are stored."""
    rows = outputs.probabilities if outputs.logits is None else outputs.logits
    return hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()


def exact_outputs(path: pathlib.Path, outputs: Outputs) -> Outputs:
    """What the holder of a model computes for records that it was asked.

    Args:
        path: of inside/TARGET.npz.
        outputs: of the same model.
    Returns: outputs of exact logits, in the same order.
    Raises: InputError if there is no such file, or it belongs to others.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError("only its outputs were kept: make it anew")
    seen = load(path)
    if seen.info.get(OUTPUTS) != outputs_sha256(outputs):
        raise InputError("what was read belongs to other outputs")
    return seen.of_records(outputs.record_ids).outputs_of(outputs)


def activations_file(path: pathlib.Path) -> pathlib.Path:
    """Where the activations of inside/TARGET.npz are."""
    return path.with_name(f"{path.stem}.activations.npy")


def load(path: pathlib.Path) -> Inside:
    """Reads inside/TARGET.npz; activations that are there are mapped.

    Raises: InputError if the file is missing, damaged or of another kind.
    """
    path = pathlib.Path(path)
    arrays = files.read_npz(path)
    missing = [name for name in (*ARRAYS, "info") if name not in arrays]
    if missing:
        raise InputError(
            f"{path}: not a file of what lies inside: it lacks "
            f"{', '.join(missing)}; delete it, and it is made anew"
        )
    info = validation.parse_info(arrays.pop("info"), path)
    count = len(np.atleast_1d(arrays["record_ids"]))
    for name, dtype in ARRAYS.items():
        array = arrays[name]
        if array.dtype != dtype or array.shape[:1] != (count,):
            raise InputError(
                f"{path}: {name} are {array.dtype} {list(array.shape)}: "
                "delete it, and it is made anew"
            )
    if not np.isfinite(arrays["logits"]).all():
        raise InputError(f"{path}: logits that are not finite: delete it")
    stored = _mapped(activations_file(path), count, info)
    rows = None if stored is None else np.arange(count)
    return Inside(**arrays, info=info, stored=stored, rows=rows)


def _mapped(path, count, info):
    """The activations on disk, None if they are not there as info says."""
    if not path.is_file():
        return None
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return stored if stored.shape == (count, info.get("activations")) else None
