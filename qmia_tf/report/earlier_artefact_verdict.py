"""The verdict of audits of schema versions 4 and 5 in words.

They judged the strongest attack on an artefact, which was chosen on one half
of the records, on the other half.
"""

from qmia_tf.attacks import TITLES
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report import artefact_pairs
from qmia_tf.report.phrases import area, figures, percent, points

# Nonmembers that a rate at a low FPR rests on at least, and from how many on
# it needs no remark.
LOW_RATES, MIN_NONMEMBERS, ENOUGH_NONMEMBERS = (0.1, 0.01, 0.001), 3, 10
UNDECIDED = "not shown to differ"


def sentences(target: TargetAudit) -> str:
    """What the strongest attack on an artefact reached, in sentences.

    Args:
        target: with its strongest attack, chosen on one half of the records
            and judged on the other.
    """
    return f"{target.target}: {_gain(target)} {_low(target)} {_gap(target)}"


def short(target: TargetAudit) -> str:
    """The same in one line."""
    best, low_fpr = target.strongest, low_rate(target)
    text = (
        f"{target.target}: {_guessing_note(target)}AUC {area(best.auc)} by the "
        f"strongest attack ({_title(target)}), accuracy "
        f"{percent(best.point.balanced_accuracy, guess=50)} where "
        "guessing has 50 %"
    )
    if low_fpr is not None:
        text += (
            f", TPR {percent(low_fpr.tpr, guess=100 * low_fpr.rate)} at "
            f"{_rate(low_fpr)} FPR"
        )
    return f"{text}."


def low_rate(target: TargetAudit):
    """The lowest of 10, 1 and 0.1 % FPR with MIN_NONMEMBERS false positives.

    Returns: TprAtFpr; None if ties leave no such threshold, or there are too
        few nonmembers.
    """
    candidates = [
        low_fpr
        for low_fpr in target.strongest.tpr_at_fpr
        if low_fpr.rate in LOW_RATES
        and low_fpr.expected >= MIN_NONMEMBERS
        and low_fpr.false_positives
    ]
    return min(candidates, key=lambda low_fpr: low_fpr.rate, default=None)


def _guessing_note(target):
    auc, point = target.strongest.auc, target.strongest.point
    if auc.low > 0.5:
        return ""
    if auc.high < 0.5:
        return "no better than guessing: "
    # The accuracy's interval may still lie above 1/2, a little.
    surer = point.balanced_accuracy.low > 0.5
    return (
        f"not distinguishable from guessing{' by its AUC' if surer else ''}: "
    )


def _gain(target):
    best = target.strongest
    return (
        f"{_guessing_note(target)}the strongest of {len(best.candidates)} "
        f"attacks ({_title(target)}) judges "
        f"{percent(best.point.balanced_accuracy, guess=50)} of the "
        "records right where half are members (guessing: 50 %; advantage "
        f"{area(best.point.advantage, guess=0)}), AUC "
        f"{area(best.auc)}."
    )


def _low(target):
    low_fpr = low_rate(target)
    if low_fpr is None:
        return _no_low_rate(target)
    sentence = (
        f"Calling at most {_rate(low_fpr)} of the nonmembers members, it finds "
        f"{percent(low_fpr.tpr, guess=100 * low_fpr.rate)} of the members "
        f"(guessing: {_rate(low_fpr)}"
    )
    if low_fpr.tpr.low <= low_fpr.rate:
        sentence += ", not distinguishable"
    if low_fpr.false_positives < ENOUGH_NONMEMBERS:
        sentence += f"; this rests on {low_fpr.false_positives} nonmembers"
    return f"{sentence})."


def _no_low_rate(target):
    nonmembers = target.strongest.point.nonmembers
    if LOW_RATES[0] * nonmembers < MIN_NONMEMBERS:
        return (
            f"{nonmembers} judged nonmembers are too few for a low "
            "false-positive rate."
        )
    least = target.attack(target.strongest.attack).least_false_positive_rate
    if least <= LOW_RATES[0]:
        return "Too many of its scores are equal for a low false-positive rate."
    return f"The lowest false-positive rate that it has is {100 * least:.2g} %."


def _gap(target):
    excess = target.attack(target.strongest.attack).excess
    if excess is None:
        return "It sees only whether labels are right."
    difference = points(excess)
    if excess.low <= 0 <= excess.high:
        than = "It is not distinguishable from the gap attack"
    else:
        than = "It beats the gap attack"
        if excess.value < 0:
            than = "It is behind the gap attack"
    return f"{than}, which sees only whether labels are right: {difference}."


def compared(result, artefacts):
    """Every artefact compared with the first, in one sentence.

    Args:
        result: AuditResult.
        artefacts: TargetAudits.
    """
    if len(artefacts) < 2:
        return
    first, parts = artefacts[0], {"more": [], "less": [], UNDECIDED: []}
    for target in artefacts[1:]:
        pair = artefact_pairs.compare(result, target, first)
        difference = pair.difference
        entry = (
            f"{target.target} {figures(difference, 100, guess=0, sign=True)}"
        )
        if not pair.paired:
            entry += " (judged on other records)"
        than = "more" if difference.value > 0 else "less"
        if difference.low <= 0 <= difference.high:
            than = UNDECIDED
        parts[than].append(entry)
    listing = "; ".join(f"{k}: {', '.join(v)}" for k, v in parts.items() if v)
    yield (
        f"What they give away compared with {first.target} (accuracy of the "
        f"strongest attack on each, in points): {listing}."
    )


def _title(target):
    name = target.strongest.attack
    return TITLES.get(name, name)


def _rate(low_fpr):
    return f"{100 * low_fpr.rate:g} %"
