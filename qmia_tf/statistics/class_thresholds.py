"""A threshold for each class, shrunk towards the one for all."""

import dataclasses

import numpy as np

from qmia_tf.statistics.held_out_thresholds import calibration_half
from qmia_tf.statistics.operating_points import (
    OperatingPoint,
    measure_decisions,
)
from qmia_tf.statistics.sweep import Members, Scores, sweep

# In simulations (binormal, 10 and 100 classes, 20 to 3,000 calibration records
# each) no shrinkage costs up to 2 points of balanced accuracy where classes
# are alike; 100 costs at most 0.3, and keeps half or more of what is to be
# gained where they differ, from about 100 records a class on.
STRENGTH = 100.0


@dataclasses.dataclass(frozen=True)
class ByClass:
    """What the thresholds of one half do on the other half.

    Attributes:
        point: their rates on the evaluation half; its threshold is None,
            because there are several.
        thresholds: one a class, the least score called a member; None is
            infinity, where nobody of the class is called.
    """

    point: OperatingPoint
    thresholds: list[float | None]


def hold_out(
    scores: Scores,
    members: Members,
    labels,
    *,
    classes: int,
    seed: int,
    calibration: np.ndarray | None = None,
    strength: float = STRENGTH,
) -> ByClass:
    """Chooses thresholds by class on one half, evaluates them on the other.

    A score's place is the share of the calibration half below it, ties
    counting half. r_c is the place at which balanced accuracy peaks among the
    n_c calibration records of class c, half-way to the class's next lower
    score, r that of all classes, and class c is cut at
        (n_c r_c + strength r)/(n_c + strength).
    A class without calibration members or nonmembers takes r. The thresholds
    are calibration scores, so that a strictly increasing function of the
    scores changes nothing but their values.

    Args:
        labels: int [N], 0..classes-1.
        classes: how many there are.
        seed: of the halves and the bootstrap.
        calibration: bool [N], the half to choose on; calibration_half if
            None.
        strength: 0 or more; how many records of a class weigh as much as the
            threshold for all.
    Raises: InputError if there is only one member or nonmember, ValueError
        if the arrays do not fit or an option is out of range.
    Source: a threshold a class: Song and Mittal, arXiv:2003.10595, section 4;
        theirs is learnt on a shadow model and is not shrunk.
    """
    whole, labels = sweep(scores, members), np.asarray(labels)
    _check(labels, whole.is_member, classes, strength)
    if calibration is None:
        calibration = calibration_half(whole.is_member, seed=seed)
    chosen, known = whole.take(calibration), labels[calibration]
    cuts = np.full(classes, _peak_place(chosen, chosen))
    for label in np.unique(known):
        rows = known == label
        inside, count = chosen.is_member[rows], np.sum(rows)
        if inside.any() and not inside.all():
            own = _peak_place(chosen.take(rows), chosen)
            cuts[label] += (own - cuts[label]) * count / (count + strength)
    # The lowest threshold at that place or above; at infinity the place is 1.
    row = np.searchsorted(-_places(chosen), -cuts, side="right") - 1
    thresholds, evaluated = chosen.thresholds[row], ~calibration
    called = whole.scores >= thresholds[labels]
    point = measure_decisions(
        "by_class", called[evaluated], whole.is_member[evaluated], seed=seed
    )
    listed = [t if np.isfinite(t) else None for t in thresholds.tolist()]
    return ByClass(point, listed)


def _places(curve):
    """The midranks of thresholds as shares of the records, falling from 1."""
    called = curve.called
    twice = 2 * called[-1] - called[1:] - called[:-1]
    return np.append(1.0, twice / (2 * called[-1]))


def _peak_place(some, chosen):
    """Where balanced accuracy of some peaks, half-way to the next place."""
    rows = np.searchsorted(-chosen.thresholds, -some.thresholds)
    ends = np.append(_places(chosen)[rows], 0.0)
    row = some.peak_row
    return (ends[row] + ends[row + 1]) / 2


def _check(labels, members, classes, strength):
    if labels.shape != members.shape or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be integers {list(members.shape)}, got "
            f"{labels.dtype} {list(labels.shape)}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels must be in 0..{classes - 1}, got {labels.min()}.."
            f"{labels.max()}"
        )
    if not strength >= 0:
        raise ValueError(f"strength must be 0 or more, got {strength}")
