"""Two artefacts of one audit, each under the attack that is strongest on it."""

import dataclasses

import numpy as np

from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.auditing.membership_decisions import unpack
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.statistics import intervals, paired_differences
from qmia_tf.statistics.held_out_thresholds import calibration_half
from qmia_tf.statistics.intervals import Estimate


@dataclasses.dataclass(frozen=True)
class Pair:
    """How much more one artefact gives away than another.

    Attributes:
        difference: of the balanced accuracies that the strongest attack on
            each reaches on the judged half.
        paired: whether both were judged on the same records, one by one.
    """

    difference: Estimate
    paired: bool


def compare(audit: AuditResult, one: TargetAudit, other: TargetAudit) -> Pair:
    """Compares two artefacts of an audit.

    Where the decisions on the same records are stored the interval is
    paired.balanced_change's. Otherwise the two count as independent, and it
    is intervals.difference's.

    Args:
        audit: the audit that both are of.
        one: the artefact.
        other: what it is compared with.
    """
    decisions = [_decisions(audit, artefact) for artefact in (one, other)]
    if _same_records(one, other) and None not in decisions:
        members, nonmembers = zip(*decisions, strict=True)
        return Pair(
            paired_differences.balanced_change(members, nonmembers), True
        )
    rates = (
        artefact.strongest.point.balanced_accuracy for artefact in (one, other)
    )
    return Pair(intervals.difference(*rates), False)


def _attack(target):
    return target.attack(target.strongest.attack)


def _same_records(one, other):
    first, second = _attack(one), _attack(other)
    if not first.excluded and not second.excluded:
        return one.records_sha256 == other.records_sha256
    return (
        None not in (first.held_out, second.held_out)
        and first.records_sha256 == second.records_sha256
    )


def _decisions(audit, target):
    """Decisions of the strongest attack on the evaluation half, or None.

    Returns: bool arrays, of the members and of the nonmembers.
    """
    attack, point = _attack(target), target.strongest.point
    counts = attack.held_out.point if attack.held_out else attack
    called = (
        unpack(attack.membership_decisions.members, counts.members),
        unpack(attack.membership_decisions.nonmembers, counts.nonmembers),
    )
    if attack.held_out is None and not attack.excluded:
        # The draw goes by the ranks of the records among their own kind, so
        # it is the same where all members stand first.
        inside = np.arange(attack.members + attack.nonmembers) < attack.members
        half = calibration_half(inside, seed=audit.seed)
        called = called[0][~half[inside]], called[1][~half[~inside]]
    positives = tuple(map(int, map(np.sum, called)))
    if positives != (point.true_positives, point.false_positives):
        return None
    return called
