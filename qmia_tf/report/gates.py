"""Limits on what an audit may find, for pipelines that fail at them.

A limit is judged by the numbers of the leak test (auditing.leak_test).
"""

import dataclasses

from qmia_tf.auditing import verdict
from qmia_tf.auditing.audit_result import AuditResult, GateResult
from qmia_tf.errors import InputError
from qmia_tf.report.run_list import artefacts_of
from qmia_tf.statistics.low_fpr_rates import RATES

PASSED, FAILED, NOT_JUDGED = "passed", "failed", "not judged"


@dataclasses.dataclass(frozen=True)
class TprLimit:
    """The true-positive rate that is allowed at a false-positive rate.

    Attributes:
        tpr: float, at least fpr and below 1.
        fpr: float, one of statistics.low_fpr_rates.RATES.
    """

    tpr: float
    fpr: float


def parse_auc(text: str | None) -> float | None:
    """Reads the limit of an AUC, "0.6"; None or empty is no limit.

    Raises: InputError if it is no number from 0.5 to below 1.
    """
    if not text:
        return None
    limit = _number(text)
    if limit is None or not 0.5 <= limit < 1:
        raise InputError(
            "fail_if_auc_above takes a number from 0.5 (guessing) to below 1, "
            f"such as 0.6, got {text!r}"
        )
    return limit


def parse_tpr(text: str | None) -> TprLimit | None:
    """Reads the limit of a TPR at a FPR, "0.05@0.01"; empty is no limit.

    Raises: InputError if it is not written so, the audit does not measure
        that FPR, or the TPR is below what guessing reaches.
    """
    if not text:
        return None
    parts = [_number(part) for part in str(text).split("@")]
    if len(parts) != 2 or None in parts:
        raise InputError(
            "fail_if_tpr_above is written TPR@FPR, such as 0.05@0.01, got "
            f"{text!r}"
        )
    tpr, fpr = parts
    if fpr not in RATES:
        raise InputError(
            "fail_if_tpr_above: an audit measures at "
            f"{', '.join(f'{rate:g}' for rate in RATES)} FPR, not at {fpr:g} "
            f"(got {text!r})"
        )
    if not fpr <= tpr < 1:
        raise InputError(
            f"fail_if_tpr_above: at {fpr:g} FPR guessing has a TPR of "
            f"{fpr:g}, so the limit must lie from there to below 1, got "
            f"{text!r}"
        )
    return TprLimit(tpr, fpr)


def parse_detectable(text: str | None) -> float | None:
    """Reads the AUC that an audit must be able to find; empty is no limit.

    Raises: InputError if it is no number above 0.5 and below 1.
    """
    if not text:
        return None
    limit = _number(text)
    if limit is None or not 0.5 < limit < 1:
        raise InputError(
            "fail_if_cannot_detect takes an AUC above 0.5 (guessing) and below "
            f"1, such as 0.55, got {text!r}"
        )
    return limit


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


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _estimate_text(estimate):
    value, low, high = dataclasses.astuple(estimate)
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"
