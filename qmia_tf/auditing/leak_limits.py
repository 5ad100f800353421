"""Limits on what an audit may find, as flags write them."""

import dataclasses

from qmia_tf.errors import InputError
from qmia_tf.statistics.low_fpr_rates import RATES


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


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None
