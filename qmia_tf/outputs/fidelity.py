"""How far the outputs of two targets of a run lie apart."""

import dataclasses

import numpy as np

from qmia_tf.outputs import TWIN, Outputs
from qmia_tf.run_dir import TRAINED


@dataclasses.dataclass(frozen=True)
class Agreement:
    """A target beside the one whose outputs it ought to have.

    Attributes:
        target: its name.
        other: the other's.
        records: how many both were queried about.
        labels_differ: on how many of them they name different classes.
        largest_difference: between any two of their probabilities.
    """

    target: str
    other: str
    records: int
    labels_differ: int
    largest_difference: float


def agreements(
    outputs: list[Outputs], *, first: str = TRAINED
) -> list[Agreement]:
    """Compares each target with the one whose outputs it ought to have.

    The same file under other kernels: with itself under the first ones. On a
    device: with itself here, under the same kernels if they were queried. An
    integer twin: with its file. Everything else: with the Keras model, or the
    target called `first`. A target without such another is left out.
    """
    comparisons = []
    for place, one in enumerate(outputs):
        other = _counterpart(one, outputs[:place], outputs, first)
        if other is not None and (compared := compare(one, other)):
            comparisons.append(compared)
    return comparisons


def compare(one: Outputs, other: Outputs) -> Agreement | None:
    """Compares two targets of as many classes; None if they share no record."""
    shared, ours, theirs = np.intersect1d(
        one.record_ids, other.record_ids, return_indices=True
    )
    if not shared.size:
        return None
    one_shared, other_shared = one.take(ours), other.take(theirs)
    apart = one_shared.probabilities - other_shared.probabilities
    return Agreement(
        target=one.target,
        other=other.target,
        records=int(shared.size),
        labels_differ=int(
            np.sum(one_shared.predicted != other_shared.predicted)
        ),
        largest_difference=float(np.abs(apart).max()),
    )


def _counterpart(one, before, everyone, first):
    sha256, kernels = one.info.get("sha256"), one.info.get("kernel_set")
    same_file = [x for x in before if x.info.get("sha256") == sha256]
    if sha256 and same_file:
        alike = (x for x in same_file if x.info.get("kernel_set") == kernels)
        return next(alike, same_file[0])
    named = {other.target: other for other in everyone}
    if one.target.endswith(TWIN):
        original = named.get(one.target.removesuffix(TWIN))
        if original is not None:
            return original
    return None if one.target == first else named.get(first)
