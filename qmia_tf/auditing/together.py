"""Two artefacts queried together: does the second one tell more?"""

import numpy as np

from qmia_tf.attacks import Evidence, joint
from qmia_tf.auditing.findings import Joint
from qmia_tf.statistics import delong
from qmia_tf.statistics.ranking import auc


def query_together(evidence: Evidence, second) -> Joint | None:
    """Compares an attacker with one artefact to one with two.

    Args:
        evidence: of the first, with a partner.
        second: what to call the partner.
    Returns: Joint; None if there are too few records to learn from.
    """
    judged = ~evidence.calibration
    members = evidence.outputs.members[judged]
    alone = joint.alone(evidence)[judged]
    both = joint.scores(evidence)[judged]
    if np.isnan(alone).any() or np.isnan(both).any():
        return None
    gain = delong.paired(both, alone, members)
    return Joint(
        first=evidence.outputs.target,
        second=second,
        alone=auc(alone, members),
        together=auc(both, members),
        gain=gain.difference,
        p_value=gain.p_value,
        members=int(members.sum()),
        nonmembers=int((~members).sum()),
    )
