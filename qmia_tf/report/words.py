"""The verdict of an audit in words, for people."""

from qmia_tf.attacks import TITLES
from qmia_tf.auditing import worse_members
from qmia_tf.auditing.findings import AuditResult
from qmia_tf.auditing.target_audits import TargetAudit
from qmia_tf.messages import counted
from qmia_tf.report import pairs
from qmia_tf.report.cautions import guessing, listed
from qmia_tf.report.compared import is_variant
from qmia_tf.report.phrases import area, figures, percent, points

# Fewer members or nonmembers than these are warned of.
FEW = 50
# A rate at a low FPR rests on so many nonmembers at least; from FIRM on it
# needs no remark.
LOWEST, SOME, FIRM = (0.1, 0.01, 0.001), 3, 10
ALIKE = "cannot tell them apart"
INTERVALS = (
    "In brackets: 95 % intervals over records, for these models as they are; "
    "another training run may differ by more."
)


def verdict(result: AuditResult) -> list[str]:
    """Says what an audit found.

    First what keeps it from meaning what it seems to; then each artefact
    under its strongest attack, which was chosen on one half of the records
    and judged on the other; then the artefacts beside the first of them.

    Args:
        result: the audit.
    Returns: sentences, one or more a string.
    """
    said = _warnings(result)
    artefacts = judged(result)
    for target in artefacts:
        said.append(
            f"{target.target}: {_gain(target)} {_low(target)} {_gap(target)}"
        )
    said += _compared(result, artefacts)
    if len(artefacts) < len(artefacts_of(result)):
        said.append(
            "Of an audit by an earlier version the strongest attack is not "
            "known: attack the run again with scripts/attack.py."
        )
    if artefacts:
        said += [*_control(result), INTERVALS]
    return said


def in_short(result: AuditResult) -> list[str]:
    """Says the same in a line an artefact.

    Args:
        result: the audit.
    Returns: sentences: warnings, artefacts, comparisons.
    """
    artefacts = judged(result)
    lines = []
    for target in artefacts:
        best, found = target.strongest, low_rate(target)
        text = (
            f"{target.target}: {_told(target)}AUC {area(best.auc)} by the "
            f"strongest attack ({_title(target)}), accuracy "
            f"{percent(best.point.balanced_accuracy, guess=50)} where "
            "guessing has 50 %"
        )
        if found is not None:
            text += (
                f", TPR {percent(found.tpr, guess=100 * found.rate)} at "
                f"{_rate(found)} FPR"
            )
        lines.append(f"{text}.")
    return [*_warnings(result), *lines, *_compared(result, artefacts)]


def artefacts_of(result: AuditResult) -> list[TargetAudit]:
    """The targets that count: no twins, no other kernels than the default."""
    found = [x for x in result.targets if not is_variant(x)]
    return found or result.targets


def judged(result: AuditResult) -> list[TargetAudit]:
    """Those of them on which the strongest attack is known."""
    return [x for x in artefacts_of(result) if x.strongest is not None]


def low_rate(target: TargetAudit):
    """The lowest of 10, 1 and 0.1 % FPR that rests on SOME nonmembers.

    Returns: LowFpr; None if ties leave no such threshold, or there are too
        few nonmembers.
    """
    told = [
        each
        for each in target.strongest.tpr_at_fpr
        if each.rate in LOWEST
        and each.expected >= SOME
        and each.false_positives
    ]
    return min(told, key=lambda each: each.rate, default=None)


def _told(target):
    found, point = target.strongest.auc, target.strongest.point
    if found.low > 0.5:
        return ""
    if found.high < 0.5:
        return "no better than guessing: "
    # The accuracy's interval may still lie above 1/2, a little.
    surer = point.balanced_accuracy.low > 0.5
    return f"not told from guessing{' by its AUC' if surer else ''}: "


def _gain(target):
    best = target.strongest
    return (
        f"{_told(target)}the strongest of {len(best.candidates)} attacks "
        f"({_title(target)}) judges "
        f"{percent(best.point.balanced_accuracy, guess=50)} of the "
        "records right where half are members (guessing: 50 %; advantage "
        f"{area(best.point.advantage, guess=0)}), AUC "
        f"{area(best.auc)}."
    )


def _low(target):
    found = low_rate(target)
    if found is None:
        return _no_low_rate(target)
    said = (
        f"Calling at most {_rate(found)} of the nonmembers members, it finds "
        f"{percent(found.tpr, guess=100 * found.rate)} of the members "
        f"(guessing: {_rate(found)}"
    )
    if found.tpr.low <= found.rate:
        said += ", not told apart"
    if found.false_positives < FIRM:
        said += f"; this rests on {found.false_positives} nonmembers"
    return f"{said})."


def _no_low_rate(target):
    nonmembers = target.strongest.point.nonmembers
    if LOWEST[0] * nonmembers < SOME:
        return (
            f"{nonmembers} judged nonmembers are too few for a low "
            "false-positive rate."
        )
    least = target.attack(target.strongest.attack).least_false_positive_rate
    if least is None or least <= LOWEST[0]:
        return "Too many of its scores are equal for a low false-positive rate."
    return f"The lowest false-positive rate that it has is {100 * least:.2g} %."


def _gap(target):
    excess = target.attack(target.strongest.attack).excess
    if excess is None:
        return "It sees only who is answered right."
    shown = points(excess)
    if excess.low <= 0 <= excess.high:
        than = "It is not told from the gap attack"
    else:
        than = "It beats the gap attack"
        if excess.value < 0:
            than = "It is behind the gap attack"
    return f"{than}, which sees only who is answered right: {shown}."


def _compared(result, artefacts):
    """Everything beside the first artefact, in one sentence."""
    if len(artefacts) < 2:
        return
    first, parts = artefacts[0], {"more": [], "less": [], ALIKE: []}
    for target in artefacts[1:]:
        pair = pairs.compare(result, target, first)
        found = pair.difference
        shown = f"{target.target} {figures(found, 100, guess=0, sign=True)}"
        if not pair.paired:
            shown += " (judged on other records)"
        than = "more" if found.value > 0 else "less"
        parts[ALIKE if found.low <= 0 <= found.high else than].append(shown)
    told = "; ".join(f"{k}: {', '.join(v)}" for k, v in parts.items() if v)
    yield (
        f"What they give away beside {first.target} (accuracy of the strongest "
        f"attack on each, in points): {told}."
    )


def _warnings(result):
    said = []
    control, artefacts = result.control, artefacts_of(result)
    if control is not None and control.told_apart:
        said.append(
            "Warning: members and nonmembers can be told apart without the "
            f"model: AUC {area(control.auc)} from {control.features}. So "
            "this audit measures that too, and not the leak alone; take both "
            "from one source, drawn at random."
        )
    if result.duplicates is not None and result.duplicates.warning:
        said.append(f"Warning: {result.duplicates.warning}.")
    if result.calibration is not None and result.calibration.warning:
        said.append(f"Warning: {result.calibration.warning}.")
    worse = worse_members.sentence(artefacts)
    if worse:
        said.append(f"Warning: {worse}.")
    weak = {name: f"{100 * x:.1f} %" for name, x in guessing(artefacts).items()}
    if weak:
        said.append(
            "Warning: hardly better than guessing on nonmembers: "
            f"{listed(weak)} right (guessing: {100 / artefacts[0].classes:.3g} "
            "%); the audit of a model that has not learned says nothing about "
            "privacy."
        )
    members = min(x.members for x in artefacts)
    nonmembers = min(x.nonmembers for x in artefacts)
    if min(members, nonmembers) < FEW:
        said.append(
            f"Warning: {counted(members, 'member')} and "
            f"{counted(nonmembers, 'nonmember')} are few: "
            "the intervals are wide, and a small leak would not be seen."
        )
    return said


def _control(result):
    if result.control is None:
        yield (
            "Whether members can be told without the model was not checked: "
            "the records were not at hand."
        )
    elif not result.control.told_apart:
        yield (
            "Without the model a simple classifier does not tell members from "
            f"nonmembers: AUC {area(result.control.auc)}."
        )


def _title(target):
    name = target.strongest.attack
    return TITLES.get(name, name)


def _rate(found):
    return f"{100 * found.rate:g} %"
