"""Limits on what an audit may find, for programs that stop at them."""

import dataclasses

from qmia_tf.auditing.findings import AuditResult
from qmia_tf.errors import InputError
from qmia_tf.report.words import artefacts_of
from qmia_tf.statistics.low_fpr import RATES


@dataclasses.dataclass(frozen=True)
class TprLimit:
    """The true-positive rate that is allowed at a false-positive rate.

    Attributes:
        tpr: float, at least fpr and below 1.
        fpr: float, one of statistics.low_fpr.RATES.
    """

    tpr: float
    fpr: float


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What limits say of an audit.

    Attributes:
        failures: sentences, one an artefact and limit that it is beyond.
        not_judged: sentences: what could not fail, and why.
    """

    failures: list[str]
    not_judged: list[str]


def parse_auc(text) -> float | None:
    """Reads the limit of an AUC: "0.6".

    Args:
        text: str; None or empty is no limit.
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


def parse_tpr(text) -> TprLimit | None:
    """Reads the limit of a TPR at a FPR: "0.05@0.01".

    Args:
        text: str; None or empty is no limit.
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
            f"fail_if_tpr_above: an audit measures at {_listed(RATES)} FPR, "
            f"not at {fpr:g} (got {text!r})"
        )
    if not fpr <= tpr < 1:
        raise InputError(
            f"fail_if_tpr_above: at {fpr:g} FPR guessing has a TPR of "
            f"{fpr:g}, so the limit must lie from there to below 1, got "
            f"{text!r}"
        )
    return TprLimit(tpr, fpr)


def judge(
    result: AuditResult, *, auc_above=None, tpr_above: TprLimit | None = None
) -> Judgement:
    """Holds the strongest attack on each artefact against the limits.

    It is beyond a limit if its whole interval is: if the lower end is above.
    Twins and other kernels than the default ones do not count.

    Args:
        result: the audit.
        auc_above: float, as of parse_auc; None is no limit.
        tpr_above: TprLimit; None is no limit.
    Raises: InputError if the strongest attack is not known (older audits).
    """
    failures, not_judged = [], []
    for target in artefacts_of(result):
        best = target.strongest
        if best is None:
            raise InputError(
                f"{result.name}, {target.target}: audited by an earlier "
                "version, the strongest attack is not known: audit it again"
            )
        who = f"{target.target}: {best.attack}"
        if auc_above is not None and best.auc.low > auc_above:
            failures.append(
                f"{who}: AUC {_shown(best.auc)} is above {auc_above:g}"
            )
        if tpr_above is None:
            continue
        found = _at(best, tpr_above.fpr)
        why = _no_basis(found)
        if why:
            not_judged.append(
                f"{who}: the TPR at {tpr_above.fpr:g} FPR cannot fail: {why}"
            )
        elif found.tpr.low > tpr_above.tpr:
            failures.append(
                f"{who}: TPR {_shown(found.tpr)} at {tpr_above.fpr:g} FPR is "
                f"above {tpr_above.tpr:g}"
            )
    return Judgement(failures, not_judged)


def failures(
    result: AuditResult, *, auc_above=None, tpr_above: TprLimit | None = None
) -> list[str]:
    """Returns what judge finds beyond the limits, nothing else."""
    found = judge(result, auc_above=auc_above, tpr_above=tpr_above)
    return found.failures


def _at(best, fpr):
    return next((x for x in best.tpr_at_fpr if x.rate == fpr), None)


def _no_basis(found):
    """Why the rate says nothing; None if it does."""
    if found is None:
        return "it was not measured"
    if found.expected < 1:
        return (
            f"it rests on {found.expected:.2g} of {found.nonmembers} "
            "nonmembers, fewer than one"
        )
    if not found.false_positives:
        return "equal scores leave no threshold with a FPR between 0 and it"
    return None


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _listed(rates):
    return ", ".join(f"{rate:g}" for rate in rates)


def _shown(estimate):
    value, low, high = dataclasses.astuple(estimate)
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"
