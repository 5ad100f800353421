"""Artefacts minus the full-precision Keras model, with intervals."""

import dataclasses

from qmia_tf.auditing.membership_decisions import unpack
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.run_list import (
    Run,
    full_precision_sibling,
    held_out_point,
)
from qmia_tf.run_dir import TRAINED
from qmia_tf.statistics import paired_differences
from qmia_tf.statistics.intervals import Estimate

SAME_SPLIT = (
    "dataset.fingerprint",
    "dataset.pool",
    "split.seed",
    "split.member_fraction",
    "split.complement",
)


@dataclasses.dataclass(frozen=True)
class Change:
    """An artefact minus the full-precision Keras model.

    The estimates are differences of shares. They have no interval where the
    two were not judged on the same records.

    Attributes:
        accuracy: of the accuracy on nonmembers.
        gap: of the gap attack's balanced accuracy.
        held_out: of the confidence attack's, held out.
        size: of the file's size, as a share of it; None if not known.
    """

    accuracy: Estimate
    gap: Estimate
    held_out: Estimate
    size: float | None


def baseline(run: Run, compared: list[Run]) -> tuple[Run, TargetAudit] | None:
    """Finds the full-precision Keras model of the same data and split.

    Args:
        run: the run to compare.
        compared: the runs to look in; its own if it is full precision.
    Returns: the run and its target; None if there is none.
    """
    alike = [
        other
        for other in compared
        if all(run.setting(p) == other.setting(p) for p in SAME_SPLIT)
    ]
    full_run = run if run.full_precision else full_precision_sibling(run, alike)
    target = full_run and full_run.target(TRAINED)
    return (full_run, target) if target is not None else None


def change(run: Run, target: TargetAudit, compared: list[Run]) -> Change | None:
    """Compares an artefact with the full-precision Keras model.

    Args:
        run: the artefact's run.
        target: the artefact.
        compared: the runs to find that model in.
    Returns: Change; None if there is no such model or it is this one.
    """
    reference = baseline(run, compared)
    if reference is None or reference[1] is target:
        return None
    other_run, other = reference
    sizes = target.size_bytes, other.size_bytes
    return Change(
        accuracy=_accuracy(target, other),
        gap=_attack(target, other, "gap", True),
        held_out=_attack(
            target,
            other,
            "confidence",
            # Another seed judges another half of the records.
            run.audit.seed == other_run.audit.seed,
        ),
        size=None if None in sizes else sizes[0] / sizes[1] - 1,
    )


def _accuracy(target, other):
    decisions = _decisions(target, other, "gap")
    if decisions is None:
        difference = (
            target.accuracy_nonmembers.value - other.accuracy_nonmembers.value
        )
        return Estimate(difference, None, None)
    # The gap attack decides by which labels are right.
    return paired_differences.change(*decisions[1])


def _attack(target, other, name, same_records):
    decisions = _decisions(target, other, name) if same_records else None
    if decisions is None:
        ours, theirs = (
            held_out_point(artefact, name).balanced_accuracy.value
            for artefact in (target, other)
        )
        return Estimate(ours - theirs, None, None)
    return paired_differences.balanced_change(*decisions)


def _decisions(target, other, name):
    """Decisions on the same records: ((ours, theirs) of members, of others)."""
    stored = [
        artefact.attack(name).membership_decisions
        for artefact in (target, other)
    ]
    if target.records_sha256 != other.records_sha256:
        return None
    point = held_out_point(target, name)
    return (
        tuple(unpack(verdicts.members, point.members) for verdicts in stored),
        tuple(
            unpack(verdicts.nonmembers, point.nonmembers) for verdicts in stored
        ),
    )
