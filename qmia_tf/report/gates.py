"""Limits on what an audit may find, for pipelines that fail at them.

A limit is judged by the numbers of the leak test (auditing.leak_test).
"""

import dataclasses

from qmia_tf.auditing import verdict
from qmia_tf.auditing.audit_result import AuditResult, GateResult
from qmia_tf.auditing.leak_limits import (
    TprLimit,
    parse_auc,
    parse_detectable,
    parse_tpr,
)
from qmia_tf.errors import InputError
from qmia_tf.report.run_list import artefacts_of

__all__ = [
    "TprLimit",
    "judge",
    "parse_auc",
    "parse_detectable",
    "parse_tpr",
    "record",
]

PASSED, FAILED, NOT_JUDGED = "passed", "failed", "not judged"


def judge(
    result: AuditResult,
    *,
    auc_above: float | None = None,
    tpr_above: TprLimit | None = None,
    cannot_detect: float | None = None,
) -> list[GateResult]:
    """Judges the verdict on each artefact by the limits.

    A limit fails where the interval that holds for all attacks at once lies
    beyond it; an AUC limit of 0.5 where any leak is found. Nothing is judged
    where the verdict is "cannot say". Twins and other kernels than the default
    ones do not count.

    Args:
        result: the audit.
        auc_above: as of parse_auc; None is no limit.
        tpr_above: None is no limit.
        cannot_detect: as of parse_detectable: an artefact on which a leak of
            this AUC would have been missed is not judged.
    Returns: one GateResult an artefact and limit.
    Raises: InputError if there is no leak test (converted audits).
    """
    judged = []
    for target in artefacts_of(result):
        if target.leak is None:
            raise InputError(
                f"{result.name}, {target.target}: audited by an earlier "
                "version, its answer is not known: audit it again"
            )
        outcomes = {}
        if auc_above is not None:
            outcomes[f"AUC <= {auc_above:g}"] = _auc(target.leak, auc_above)
        if tpr_above is not None:
            limit = f"TPR <= {tpr_above.tpr:g} at {tpr_above.fpr:g} FPR"
            outcomes[limit] = _tpr(target.leak, tpr_above)
        if cannot_detect is not None:
            limit = f"finds an AUC of {cannot_detect:g}"
            outcomes[limit] = _detects(target.leak, cannot_detect)
        for limit, (outcome, reason) in outcomes.items():
            if target.leak.verdict == verdict.CANNOT_SAY:
                outcome = NOT_JUDGED
                reason = "; ".join(target.leak.reasons)
            judged.append(GateResult(target.target, limit, outcome, reason))
    return judged


def record(result: AuditResult, path: str, **limits) -> AuditResult:
    """Judges by limits as of judge, and writes the outcomes into audit.json."""
    judged = judge(result, **limits)
    if judged or result.gates:
        result = dataclasses.replace(result, gates=judged)
        result.save(path)
    return result


def status(judged: list[GateResult]) -> int:
    """The exit status: 1 if a limit failed, 3 if one could not be judged."""
    outcomes = {gate.outcome for gate in judged}
    if FAILED in outcomes:
        return 1
    return 3 if NOT_JUDGED in outcomes else 0


def _auc(leak, limit):
    numbers = f"{leak.strongest}: AUC {_estimate_text(leak.auc)}"
    if limit == 0.5:
        reason = f"{leak.verdict}, adjusted p {leak.p_value:.2g}; {numbers}"
        return (FAILED if leak.verdict in verdict.LEAKS else PASSED), reason
    if leak.auc.low > limit:
        return FAILED, f"{numbers} is above {limit:g}"
    if leak.auc.high <= limit:
        return PASSED, f"{numbers} is not above {limit:g}"
    return PASSED, f"{numbers} is not surely above {limit:g}"


def _tpr(leak, limit):
    rate = leak.at(limit.fpr)
    if rate is None:
        return NOT_JUDGED, "it was not measured"
    if rate.attack is None:
        return NOT_JUDGED, (
            f"{rate.nonmembers} nonmembers are too few: the rate takes "
            f"{rate.needed}"
        )
    numbers = (
        f"{rate.attack}: TPR {_estimate_text(rate.tpr)} at {limit.fpr:g} FPR"
    )
    if rate.tpr.low > limit.tpr:
        return FAILED, f"{numbers} is above {limit.tpr:g}"
    if not rate.attained:
        return NOT_JUDGED, (
            "equal scores leave no threshold with a FPR between 0 and "
            f"{limit.fpr:g}"
        )
    sure = "" if rate.tpr.high <= limit.tpr else "surely "
    return PASSED, f"{numbers} is not {sure}above {limit.tpr:g}"


def _detects(leak, limit):
    shift = leak.detectable
    if shift is None:
        return NOT_JUDGED, "no attack tells any two records apart"
    numbers = (
        f"the smallest AUC found with {100 * shift.power:g} % probability is "
        f"{shift.auc:.4f} ({shift.attack})"
    )
    return (PASSED if shift.auc <= limit else NOT_JUDGED), numbers


def _estimate_text(estimate):
    value, low, high = dataclasses.astuple(estimate)
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"
