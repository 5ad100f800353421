"""A threshold chosen on one half of the records and judged on the other."""

import dataclasses

import numpy as np

from qmia_tf.errors import InputError
from qmia_tf.statistics.intervals import LEVEL
from qmia_tf.statistics.operating import OperatingPoint, measure, peak_row
from qmia_tf.statistics.sweep import check_scores, sweep


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """What the threshold of one half does on the other half.

    Attributes:
        point: the threshold and its rates on the judged half.
        calibration_members: members the threshold was chosen on.
        calibration_nonmembers: nonmembers the threshold was chosen on.
        calibration_accuracy: balanced accuracy there, at its peak.
        optimism: peak balanced accuracy over all records, chosen and judged
            in-sample, minus the balanced accuracy on the judged half.
    """

    point: OperatingPoint
    calibration_members: int
    calibration_nonmembers: int
    calibration_accuracy: float
    optimism: float


def hold_out(scores, members, *, seed, level=LEVEL) -> HeldOut:
    """Chooses the threshold of peak accuracy on a half, judges it on the other.

    Members and nonmembers are each cut in half at random; where their number
    is odd, the judged half is the larger. The halves depend on the seed, the
    members and the order of the records, not on the scores.

    Args:
        scores: float [N], finite; higher is more member-like.
        members: bool [N], two or more True and two or more False.
        seed: int.
        level: coverage of the intervals, in 0..1.
    Raises: InputError if there is only one member or nonmember.
    """
    scores, members = check_scores(scores, members)
    calibration = calibration_half(members, seed=seed)
    chosen = sweep(scores[calibration], members[calibration])
    row = peak_row(chosen)
    threshold = chosen.thresholds[row]
    called, judged = scores >= threshold, ~calibration
    point = measure(
        "held_out",
        threshold=threshold,
        true_positives=np.sum(called & members & judged),
        members=np.sum(members & judged),
        false_positives=np.sum(called & ~members & judged),
        nonmembers=np.sum(~members & judged),
        in_sample=False,
        seed=seed,
        level=level,
    )
    whole = sweep(scores, members)
    peak = whole.balanced_accuracy[peak_row(whole)]
    return HeldOut(
        point=point,
        calibration_members=chosen.members,
        calibration_nonmembers=chosen.nonmembers,
        calibration_accuracy=float(chosen.balanced_accuracy[row]),
        optimism=float(peak - point.balanced_accuracy.value),
    )


def calibration_half(members, *, seed) -> np.ndarray:
    """Draws the calibration half.

    Args:
        members: bool [N], two or more True and two or more False.
        seed: int.
    Returns: bool [N], True for floor(half) of the members and of the
        nonmembers.
    Raises: InputError if there is only one member or nonmember.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(members.size, bool)
    for kind, name in ((members, "member"), (~members, "nonmember")):
        records = np.flatnonzero(kind)
        if records.size < 2:
            raise InputError(
                f"{records.size} {name}: a held-out threshold needs two "
                "members and two nonmembers or more; query more records"
            )
        chosen[rng.permutation(records)[: records.size // 2]] = True
    return chosen
