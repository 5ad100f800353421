"""A threshold for each class, shrunk towards the one for all."""

import dataclasses

import numpy as np

from qmia_tf.statistics import held_out_thresholds
from qmia_tf.statistics.operating_points import (
    OperatingPoint,
    measure_decisions,
    peak_row,
)
from qmia_tf.statistics.sweep import check_scores, sweep

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
    scores,
    members,
    labels,
    *,
    classes,
    seed,
    calibration=None,
    strength=STRENGTH,
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
        scores: float [N], finite; higher is more member-like.
        members: bool [N], two or more True and two or more False.
        labels: int [N], 0..classes-1.
        classes: int, how many classes there are.
        seed: int, of the halves and the bootstrap.
        calibration: bool [N], the half to choose on; drawn if None.
        strength: float, 0 or more; how many records of a class weigh as
            much as the threshold for all.
    Raises: InputError if there is only one member or nonmember, ValueError
        if the arrays do not fit or an option is out of range.
    Source: a threshold a class: Song and Mittal, arXiv:2003.10595, section 4;
        theirs is learnt on a shadow model and is not shrunk.
    """
    scores, members = check_scores(scores, members)
    labels = np.asarray(labels)
    _check(labels, members, classes, strength)
    if calibration is None:
        calibration = held_out_thresholds.calibration_half(members, seed=seed)
    learnt, inside = scores[calibration], members[calibration]
    places = _places(learnt)
    cuts = np.full(classes, _peak(places, inside))
    for label in np.unique(labels[calibration]):
        rows = labels[calibration] == label
        if inside[rows].any() and not inside[rows].all():
            own, count = _peak(places[rows], inside[rows]), np.sum(rows)
            cuts[label] += (own - cuts[label]) * count / (count + strength)
    order = np.argsort(places, kind="stable")
    positions = np.searchsorted(places[order], cuts, side="left")
    thresholds = np.append(learnt[order], np.inf)[positions]
    called, evaluated = scores >= thresholds[labels], ~calibration
    point = measure_decisions(
        "by_class", called[evaluated], members[evaluated], seed=seed
    )
    listed = [t if np.isfinite(t) else None for t in thresholds.tolist()]
    return ByClass(point, listed)


def _places(scores):
    """Midranks as shares of the records, in (0, 1)."""
    ranked = np.sort(scores)
    below = np.searchsorted(ranked, scores, side="left")
    to_here = np.searchsorted(ranked, scores, side="right")
    return (below + to_here) / (2 * scores.size)


def _peak(places, members):
    """Where balanced accuracy peaks, half-way to the next lower place."""
    whole = sweep(places, members)
    # Nobody's place is 1, nobody is below 0.
    ends = np.concatenate([[1.0], whole.thresholds[1:], [0.0]])
    row = peak_row(whole)
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
