"""Has a record the same outputs, whatever its order and its batch?

An audit compares records with each other, so the outputs for one must not
depend on the others. Needs NumPy only.
"""

import dataclasses

import numpy as np

from qmia_tf.errors import InputError

# The first outputs that are compared: so many, or those of a whole batch.
FIRST = 100
ALONE = 6
# Of all records, whole batches are queried again: 5 % more queries, or less.
SHARE = 1 / 20
# Batches of another size change float32 probabilities by 3e-5 of themselves
# or less, measured on networks of up to 50 layers.
RELATIVE = 1e-3
# Where outputs are stored with 8 or 11 bits, neighbours lie so far apart.
RELATIVE_HALF, ABSOLUTE_HALF = 2.0**-6, 1e-3
# A last bit may turn over a rounding inside a model, in few records.
FEW, LARGE = 0.05, 0.1


@dataclasses.dataclass(frozen=True)
class Repeats:
    """How the outputs for the same records differ.

    Attributes:
        queried: number of records that were queried again.
        moved: how many of them have other outputs, beyond rounding.
        largest: the largest difference of an output.
    """

    queried: int
    moved: int
    largest: float

    @property
    def are_alike(self) -> bool:
        """Whether rounding explains the differences."""
        few = self.moved <= FEW * self.queried
        return not self.moved or (few and self.largest <= LARGE)


def compare(
    rows: np.ndarray, again: np.ndarray, *, step: float = 0.0
) -> Repeats:
    """Compares outputs [N, C] for the same records, queried twice.

    Probabilities are compared by their ratios, other numbers by the largest
    of their row. Outputs that have a step may differ by it. Rows with numbers
    that are not finite are left to other checks.
    """
    rows, again = (np.asarray(outputs, np.float64) for outputs in (rows, again))
    finite = np.isfinite(rows).all(axis=1) & np.isfinite(again).all(axis=1)
    rows, again = rows[finite], again[finite]
    if not rows.size:
        return Repeats(len(finite), 0, 0.0)
    distance = np.abs(rows - again)
    size = np.maximum(np.abs(rows), np.abs(again))
    if rows.min() < 0 or rows.max() > 1:
        size = np.maximum(size.max(axis=1, keepdims=True), 1)
    if step:
        allowed = np.full_like(size, 1.001 * step)
    elif _is_half(rows):
        allowed = RELATIVE_HALF * size + ABSOLUTE_HALF
    else:
        # Nothing smaller is a whole float32.
        allowed = RELATIVE * size + np.finfo(np.float32).tiny
    moved = (distance > allowed).any(axis=1)
    return Repeats(len(finite), int(moved.sum()), float(distance.max()))


def require(
    target, values: np.ndarray, rows: np.ndarray, *, share: float = SHARE
) -> float:
    """Queries some records again: alone, and shuffled among others.

    Few of few records, so that it costs 5 % of the queries at most; of many
    as many as `rows` has, so that no other size has to be compiled.

    Args:
        target: has predict(values) and info.
        values: array [N, ...], the records.
        rows: float32 [M, C], its outputs for the first M of them.
        share: of the records, in 0..1, that may be queried again.
    Returns: the largest difference of an output.
    Raises: InputError if outputs differ by more than rounding; it says how
        much, and the likely cause.
    """
    count, total = len(rows), len(values)
    most = max(2, int(share * total))
    alone = np.linspace(count - 1, 0, min(ALONE, most)).astype(int)
    rows_again = [target.predict(values[row : row + 1]) for row in alone]
    places, mixed = _shuffled(count, total, size=min(count, most))
    rows_again.append(target.predict(values[mixed])[places])
    queried = np.concatenate([alone, mixed[places]])
    again = np.concatenate(rows_again)
    step = float(target.info.get("probability_step") or 0.0)
    repeats = compare(rows[queried], again, step=step)
    if not repeats.are_alike:
        raise InputError(
            _differing(target, repeats, values[:count], rows, step)
        )
    return repeats.largest


def _shuffled(count, total, *, size):
    """A batch of `size` records, some of the first `count`, and others.

    Returns: the places in it of those of the first; and the batch.
    """
    rng = np.random.default_rng(0)
    first = rng.permutation(count)
    others = count + rng.permutation(total - count)
    strangers = min(size // 2, len(others))
    mixed = rng.permutation(
        np.concatenate([first[: size - strangers], others[:strangers]])
    )
    return np.flatnonzero(mixed < count), mixed


def _is_half(rows):
    """Whether all numbers are those of float16 or bfloat16."""
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32)
    with np.errstate(over="ignore"):
        half = rows.astype(np.float16).astype(np.float64)
    return bool((half == rows).all() or not (bits & 0xFFFF).any())


def _differing(target, repeats, values, rows, step):
    same = compare(rows, target.predict(values), step=step)
    if same.are_alike:
        cause = (
            "the same batch is answered alike, so an answer depends on the "
            "other records of its batch, as behind a BatchNormalization in "
            "training mode: give a model that answers in inference mode, for "
            "Keras the function lambda x: model(x, training=False).numpy()"
        )
    else:
        cause = (
            "the same query is not answered alike when it is repeated: a "
            "layer stays random (Dropout or noise with training=True), or "
            "the model keeps a state from query to query: give one that does "
            "neither, or for a Keras model the function lambda x: model(x, "
            "training=False).numpy()"
        )
    return (
        f"target {target.info['target']!r} does not answer the same record "
        f"alike: asked again in another order and batch, {repeats.moved} of "
        f"{repeats.queried} records got other outputs, by up to "
        f"{repeats.largest:.2g}; {cause}"
    )
