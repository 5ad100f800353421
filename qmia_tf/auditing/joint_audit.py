"""Two artefacts queried together: does the second one tell more?"""

import dataclasses

import numpy as np

from qmia_tf.attacks import AttackInputs, joint
from qmia_tf.statistics import delong
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.intervals import Estimate


@dataclasses.dataclass(frozen=True)
class Joint:
    """Two artefacts queried together: does the second tell more?

    The same trained attacker is given the first's answers alone and both's,
    learns on the calibration half and is judged on the other.

    Attributes:
        first: name of the target.
        second: name of the other; "parent" is the full-precision model of
            another run on the same members.
        alone: AUC with the first's answers.
        together: AUC with both's.
        gain: together - alone, paired DeLong interval.
        p_value: of no gain.
        members: how many members were judged.
        nonmembers: how many nonmembers.
    """

    first: str
    second: str
    alone: Estimate
    together: Estimate
    gain: Estimate
    p_value: float
    members: int
    nonmembers: int


def query_together(inputs: AttackInputs, second) -> Joint | None:
    """Compares an attacker with one artefact to one with two.

    Args:
        inputs: of the first, with a partner.
        second: what to call the partner.
    Returns: Joint; None if there are too few records to learn from.
    """
    judged = ~inputs.calibration
    members = inputs.outputs.members[judged]
    alone = joint.alone(inputs)[judged]
    both = joint.scores(inputs)[judged]
    if np.isnan(alone).any() or np.isnan(both).any():
        return None
    gain = delong.paired(both, alone, members)
    return Joint(
        first=inputs.outputs.target,
        second=second,
        alone=auc(alone, members),
        together=auc(both, members),
        gain=gain.difference,
        p_value=gain.p_value,
        members=int(members.sum()),
        nonmembers=int((~members).sum()),
    )
