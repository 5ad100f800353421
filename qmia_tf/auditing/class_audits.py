"""Per class: how accurate a target is, and what it gives away."""

import dataclasses

import numpy as np

from qmia_tf.outputs import Outputs
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.intervals import Estimate, clopper_pearson

# Nobody reads a longer table, and audit.json would be mostly that.
MOST_CLASSES = 200


@dataclasses.dataclass(frozen=True)
class ClassAudit:
    """What the outputs of one target say about the records of one class.

    Attributes:
        label: the class, 0..classes-1.
        name: of the class, if known.
        members: how many members there are of it.
        nonmembers: how many nonmembers.
        accuracy_members: share of them that the model classifies right.
        accuracy_nonmembers: likewise.
        auc: of the confidence attack among the records of this class.
    """

    label: int
    name: str | None
    members: int
    nonmembers: int
    accuracy_members: Estimate
    accuracy_nonmembers: Estimate
    auc: Estimate


def audit_classes(
    outputs: Outputs, scores: np.ndarray, *, names=None
) -> list[ClassAudit]:
    """Audits each class that has members and nonmembers.

    Args:
        scores: float [N], of the confidence attack.
        names: of the classes, or None.
    Returns: by label; nothing for more than MOST_CLASSES classes.
    """
    if outputs.classes > MOST_CLASSES:
        return []
    right = outputs.predicted == outputs.labels
    audits = []
    for label in range(outputs.classes):
        rows = outputs.labels == label
        inside = outputs.members[rows]
        if not inside.any() or inside.all():
            continue
        correct = right[rows]
        audits.append(
            ClassAudit(
                label=label,
                name=None if names is None else str(names[label]),
                members=int(inside.sum()),
                nonmembers=int((~inside).sum()),
                accuracy_members=rate(correct[inside]),
                accuracy_nonmembers=rate(correct[~inside]),
                auc=auc(scores[rows], inside),
            )
        )
    return audits


def rate(right) -> Estimate:
    """The share of True in bool [N], Clopper-Pearson."""
    return clopper_pearson(int(right.sum()), right.size)
