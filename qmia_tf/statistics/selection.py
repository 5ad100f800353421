"""The best of several attacks, chosen where it will not be judged."""

import numpy as np

from qmia_tf.statistics.ranking import auc


def choose(scores, members, calibration) -> str:
    """Names the attack with the highest AUC on the calibration half.

    Judged on the other half, the chosen one is not flattered by having been
    chosen. An attack is rated on the calibration records that it says
    something about; among equals the first wins.

    Args:
        scores: dict name -> float [N], NaN where the attack says nothing.
        members: bool [N].
        calibration: bool [N], the half to choose on.
    Raises: ValueError if no attack says something about a member and a
        nonmember of the calibration half.
    """
    areas = {}
    for name, given in scores.items():
        given = np.asarray(given, np.float64)
        rows = calibration & ~np.isnan(given)
        if members[rows].any() and not members[rows].all():
            areas[name] = auc(given[rows], members[rows]).value
    if not areas:
        raise ValueError(
            f"none of {list(scores)} says something about a member and a "
            "nonmember of the calibration half"
        )
    return max(areas, key=areas.get)
