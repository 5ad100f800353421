"""The joint attack audited: do further artefacts give away more?"""

import dataclasses

import numpy as np

from qmia_tf.attacks import AttackInputs, joint
from qmia_tf.statistics import delong
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.intervals import Estimate


@dataclasses.dataclass(frozen=True)
class JointAudit:
    """The joint attack on artefacts, against the attack on the first.

    The same trained attacker is given the outputs of the first alone and of
    all, learns on the calibration half and is evaluated on the other.

    Attributes:
        first: name of the target.
        second: name of the other, of several joined by " + "; "parent" is
            the full-precision model of another run on the same members.
        single_auc: AUC of a trained attacker (logistic regression) that sees
            the outputs of the first.
        joint_auc: of the same attacker with the outputs of all.
        gain: joint_auc - single_auc, paired DeLong interval.
        p_value: two-sided, of no gain.
        members: how many members were evaluated.
        nonmembers: how many nonmembers.
    """

    first: str
    second: str
    single_auc: Estimate
    joint_auc: Estimate
    gain: Estimate
    p_value: float
    members: int
    nonmembers: int


def run_joint_attack(inputs: AttackInputs, second: str) -> JointAudit | None:
    """Compares an attacker with one artefact to one with several.

    Args:
        inputs: of the first, with other_outputs.
        second: name of the others.
    Returns: None if there are too few records to learn from.
    """
    evaluated = ~inputs.calibration
    members = inputs.outputs.members[evaluated]
    alone = joint.single_scores(inputs)[evaluated]
    both = joint.scores(inputs)[evaluated]
    if np.isnan(alone).any() or np.isnan(both).any():
        return None
    gain = delong.paired(both, alone, members)
    return JointAudit(
        first=inputs.outputs.target,
        second=second,
        single_auc=auc(alone, members),
        joint_auc=auc(both, members),
        gain=gain.difference,
        p_value=gain.p_value,
        members=int(members.sum()),
        nonmembers=int((~members).sum()),
    )
