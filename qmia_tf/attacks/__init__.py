"""Membership-inference attacks, one file each: outputs -> scores."""

import dataclasses
from collections.abc import Callable

import numpy as np

from qmia_tf.attacks import confidence, gap
from qmia_tf.outputs import Outputs


@dataclasses.dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: key of the attack in audit.json.
        title: what tables call it.
        scores: Outputs of N records -> float64 [N], higher = more
            member-like.
        threshold: the least score called a member if the attack fixes it,
            None if it has to be chosen.
    """

    name: str
    title: str
    scores: Callable[[Outputs], np.ndarray]
    threshold: float | None


ATTACKS = (
    Attack("gap", "gap attack", gap.scores, gap.THRESHOLD),
    Attack("confidence", "largest confidence", confidence.scores, None),
)
