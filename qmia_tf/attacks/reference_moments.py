"""Means and spreads over those models that say something of a record."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from qmia_tf.attacks.attack_inputs import AttackInputs, References


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """What some of K models together say about each of N records.

    Attributes:
        counts: int64 [N], how many models have a value.
        centers: float64 [N], their mean; NaN where there is none.
        squares: float64 [N], the sum of squared differences from the center.
    """

    counts: np.ndarray
    centers: np.ndarray
    squares: np.ndarray


def moments(values: np.ndarray, masks: np.ndarray) -> Moments:
    """Counts, centers and sums of squares of each record.

    Goes through the models one at a time, so that besides the arguments only
    a few arrays of N numbers are needed.

    Args:
        values: float [K, N]; what the masks exclude may be NaN.
        masks: bool [K, N], which values count.
    Raises: ValueError if a value that counts is not finite.
    """
    centers = mean(values, masks)
    squares = np.zeros(centers.size)
    for row, mask in zip(values, masks, strict=True):
        with np.errstate(invalid="ignore"):
            away = _kept(row - centers, mask)
        squares += np.square(away, out=away)
    if not np.isfinite(squares).all():
        raise ValueError("a reference model's margins must be finite")
    return Moments(masks.sum(axis=0), centers, squares)


def mean(rows: Iterable[np.ndarray], masks: np.ndarray) -> np.ndarray:
    """The mean over the models that count, float64 [N], NaN where none does.

    Args:
        rows: K float arrays [N].
        masks: bool [K, N].
    """
    total = np.zeros(masks.shape[1])
    for row, mask in zip(rows, masks, strict=True):
        total += _kept(row, mask)
    counts = masks.sum(axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _kept(values, mask):
    """Returns values where mask and 0 elsewhere, even for NaN.

    np.where branches at every number, which takes eight times as long on a
    random mask.
    """
    bits = np.asarray(values, np.float64).view(np.int64)
    return (bits & -mask.astype(np.int64)).view(np.float64)


def references_of(inputs: AttackInputs) -> References:
    """Returns the references.

    Raises: ValueError if there are none, or not of the target's records.
    """
    references = inputs.references
    records = inputs.outputs.labels.size
    if references is None:
        raise ValueError("this attack needs the margins of reference models")
    shape = references.margins.shape
    masks = references.inside.shape, references.outside.shape
    if len(shape) != 2 or shape[1] != records or set(masks) != {shape}:
        raise ValueError(
            f"references must be [K, {records}], got margins {shape} and "
            f"masks {masks[0]} and {masks[1]}"
        )
    return references
