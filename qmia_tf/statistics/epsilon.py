"""A lower bound on epsilon from what an attack achieves."""

import dataclasses

import numpy as np

from qmia_tf.statistics.intervals import exact_limits
from qmia_tf.statistics.sweep import Members, Scores, Sweep, sweep

# More thresholds than this are thinned: their bounds hardly differ.
CANDIDATES = 4000


@dataclasses.dataclass(frozen=True)
class EpsilonBound:
    """Epsilon is `value` or more, at `confidence`, for this one model.

    Attributes:
        value: the bound, 0 or more; 0 says nothing.
        confidence: 1 - alpha.
        delta: that of (epsilon, delta)-differential privacy.
        threshold: the least score called a member, chosen on the calibration
            half; None is infinity, where nobody is called.
        true_positives: members of the evaluation half called members.
        members: of the evaluation half.
        false_positives: nonmembers of the evaluation half called members.
        nonmembers: of the evaluation half.
    """

    value: float
    confidence: float
    delta: float
    threshold: float | None
    true_positives: int
    members: int
    false_positives: int
    nonmembers: int


def lower_bound(
    scores: Scores,
    members: Members,
    calibration: np.ndarray,
    *,
    alpha: float = 0.05,
    delta: float = 0.0,
) -> EpsilonBound:
    """Bounds epsilon from below: per model and empirical.

    The threshold whose bound is highest on the calibration half is evaluated on
    the other half. For one model, and for records like these drawn at random
    into and out of its training data, an attacker with TPR and FPR has
        epsilon >= log((TPR - delta)/FPR), log((TNR - delta)/FNR),
    and the rates' limits make it a bound at the confidence 1 - alpha. It is
    not a bound on the training algorithm: that would take many models, or
    members that were drawn by independent coin flips (Steinke et al.,
    arXiv:2305.08846). Nor does 0 say that there is no leak.

    Args:
        calibration: bool [N], the half the threshold is chosen on; members
            and nonmembers are needed in it and outside of it.
        alpha: in (0, 1).
        delta: in [0, 1).
    Raises: ValueError if the arrays do not fit, or an option is out of range.
    Source: Jagielski, Ullman and Oprea, arXiv:2006.07709, whose threshold is
        chosen on the evaluated records.
    """
    whole, calibration = sweep(scores, members), np.asarray(calibration)
    shape = whole.is_member.shape
    if calibration.shape != shape or calibration.dtype != bool:
        raise ValueError(
            f"calibration must be booleans {list(shape)}, got "
            f"{calibration.dtype} {list(calibration.shape)}"
        )
    chosen, evaluated = whole.take(calibration), whole.take(~calibration)
    threshold = chosen.thresholds[_best_row(chosen, alpha, delta)]
    called = evaluated.scores >= threshold
    counts = (
        int(np.sum(called & evaluated.is_member)),
        evaluated.members,
        int(np.sum(called & ~evaluated.is_member)),
        evaluated.nonmembers,
    )
    value = float(bounds(*counts, alpha=alpha, delta=delta))
    return EpsilonBound(
        max(value, 0.0),
        1 - alpha,
        float(delta),
        float(threshold) if np.isfinite(threshold) else None,
        *counts,
    )


def bounds(
    true_positives,
    members: int,
    false_positives,
    nonmembers: int,
    *,
    alpha: float = 0.05,
    delta: float = 0.0,
) -> np.ndarray:
    """The bound at thresholds that were fixed before these records were seen.

    max(log((TPR_lo - delta)/FPR_hi), log((1 - FPR_hi - delta)/(1 - TPR_lo)))
    with one-sided Clopper-Pearson limits, each at alpha/2, so that both hold
    at once with probability 1 - alpha.

    Args:
        true_positives: int [...], 0..members.
        members: 1 or more.
        false_positives: int [...], 0..nonmembers.
        nonmembers: 1 or more.
        alpha: in (0, 1).
        delta: in [0, 1).
    Returns: float64 [...]; below 0 where the bound says nothing.
    Raises: ValueError if an option is out of range.
    """
    if not 0 < alpha < 1 or not 0 <= delta < 1:
        raise ValueError(
            "alpha must be in (0, 1) and delta in [0, 1), got "
            f"{alpha} and {delta}"
        )
    recall, _ = exact_limits(true_positives, members, alpha / 2)
    _, fpr = exact_limits(false_positives, nonmembers, alpha / 2)
    with np.errstate(divide="ignore"):
        return np.maximum(
            np.log(np.maximum(recall - delta, 0) / fpr),
            np.log(np.maximum(1 - fpr - delta, 0) / (1 - recall)),
        )


def _best_row(chosen: Sweep, alpha, delta) -> int:
    """The row of the highest bound, highest threshold first."""
    last = chosen.thresholds.size - 1
    rows = np.arange(last + 1)
    if rows.size > CANDIDATES:
        # Dense at both ends, where the bound is often highest.
        ends = np.geomspace(1, last, CANDIDATES // 4).round().astype(int)
        even = np.linspace(0, last, CANDIDATES // 2).round().astype(int)
        rows = np.unique(np.concatenate([even, ends, last - ends]))
    epsilons = bounds(
        chosen.true_positives[rows],
        chosen.members,
        chosen.false_positives[rows],
        chosen.nonmembers,
        alpha=alpha,
        delta=delta,
    )
    return int(rows[np.argmax(epsilons)])
