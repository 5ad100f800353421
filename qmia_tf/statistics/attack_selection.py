"""The best of several attacks, chosen where it will not be evaluated."""

from collections.abc import Mapping

import numpy as np

from qmia_tf.statistics.auc import auc


def choose(
    scores: Mapping[str, np.ndarray],
    members: np.ndarray,
    calibration: np.ndarray,
) -> str:
    """Names the attack whose AUC is surely the highest where one may choose.

    By the lower end of DeLong's 95 % interval on the calibration half: an
    attack that speaks of few records, as label-only attacks do, is often
    highest by chance, and less often surely so. Where no attack is surely
    above 1/2, the AUC itself decides. Evaluated on the other half, the chosen
    one is not flattered by having been chosen. An attack is rated on the
    calibration records that it has scores for; among equals the first
    wins.

    Args:
        scores: float [N] of each attack, NaN where it has no score.
        members: bool [N].
        calibration: bool [N], the half to choose on.
    Raises: ValueError if no attack has scores for a member and a
        nonmember of the calibration half.
    """
    areas = {}
    for name, score in scores.items():
        score = np.asarray(score, np.float64)
        rows = calibration & ~np.isnan(score)
        if members[rows].any() and not members[rows].all():
            area = auc(score[rows], members[rows])
            areas[name] = max(area.low, 0.5), area.value
    if not areas:
        raise ValueError(
            f"none of {list(scores)} has scores for a member and a "
            "nonmember of the calibration half"
        )
    return max(areas, key=areas.get)
