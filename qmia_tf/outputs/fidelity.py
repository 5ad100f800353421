"""How far the answers of two targets of a run lie apart."""

import dataclasses

import numpy as np

from qmia_tf.outputs import TWIN, Outputs
from qmia_tf.run_dir import TRAINED


@dataclasses.dataclass(frozen=True)
class Agreement:
    """A target beside the one that it ought to answer like.

    Attributes:
        target: its name.
        other: the other's.
        records: how many both were asked about.
        labels_differ: on how many of them they name different classes.
        largest_difference: between any two of their probabilities.
    """

    target: str
    other: str
    records: int
    labels_differ: int
    largest_difference: float


def agreements(answered: list[Outputs], *, first=TRAINED) -> list[Agreement]:
    """Compares each target with the one that it ought to answer like.

    The same file under other kernels: with itself under the first ones.
    Captured elsewhere: with itself here, under the same kernels if they
    were asked. An integer twin: with its file. Everything else: with the
    Keras model, or the target called `first`.

    Args:
        answered: the outputs of a run's targets, in the audit's order.
        first: name of the target that every other one was made from.
    Returns: one Agreement a target that has such another.
    """
    comparisons = []
    for place, one in enumerate(answered):
        other = _counterpart(one, answered[:place], answered, first)
        if other is not None and (compared := compare(one, other)):
            comparisons.append(compared)
    return comparisons


def compare(one: Outputs, other: Outputs) -> Agreement | None:
    """Compares two targets on the records that both answered.

    Args:
        one: outputs of N records.
        other: outputs of M records, of as many classes.
    Returns: Agreement, None if no record is in both.
    """
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
