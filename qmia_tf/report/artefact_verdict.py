"""The verdict on one artefact in sentences, with its numbers."""

from qmia_tf.attacks import TITLES
from qmia_tf.auditing import verdict
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.phrases import area, capital, percent, points
from qmia_tf.terminal import counted

# The false-positive rates that a sentence has, the lowest first.
LOW_RATES = (0.001, 0.01)


def sentences(target: TargetAudit) -> str:
    """The verdict, its reasons and numbers, and the held-out result.

    Args:
        target: with its leak test.
    """
    leak = target.leak
    parts = [f"{target.target}: {leak.verdict}: {'; '.join(leak.reasons)}."]
    if leak.strongest is None:
        return parts[0]
    parts += [
        f"The strongest of {counted(len(leak.attacks), 'attack')} "
        f"({title(leak.strongest)}) has an AUC of {area(leak.auc)} and judges "
        f"{percent(_accuracy(target), guess=50)} of the records right where "
        "half are members; guessing: 0.5 and 50 %.",
        _chance(leak),
        _low_rates(leak),
    ]
    if leak.verdict == verdict.NO_LEAK:
        parts.append(_detectable(leak))
    return " ".join([*parts, *_held_out(target)])


def short(target: TargetAudit) -> str:
    """The verdict and its numbers in one line.

    Args:
        target: with its leak test.
    """
    leak = target.leak
    if leak.verdict == verdict.CANNOT_SAY:
        return f"{target.target}: {leak.verdict}: {'; '.join(leak.reasons)}."
    parts = [
        f"{target.target}: {leak.verdict}: AUC {area(leak.auc)} by the "
        f"strongest attack ({title(leak.strongest)})",
        f"accuracy {percent(_accuracy(target), guess=50)} where guessing has "
        "50 %",
    ]
    lowest = _lowest_rate(leak)
    if lowest is not None:
        parts.append(
            f"TPR {percent(lowest.tpr, guess=100 * lowest.rate)} at "
            f"{_rate(lowest)} FPR ({title(lowest.attack)})"
        )
    parts.append(f"adjusted p {leak.p_value:.2g}")
    if leak.verdict == verdict.NO_LEAK and _detects(leak):
        parts.append(f"would have found an AUC of {leak.detectable.auc:.3f}")
    return f"{', '.join(parts)}."


def title(name) -> str:
    """The title of an attack."""
    return TITLES.get(name, name)


def _accuracy(target):
    attack = target.attack(target.leak.strongest)
    point = attack.held_out.point if attack.held_out else attack.point("fixed")
    return point.balanced_accuracy


def _chance(leak):
    first, example = leak.attacks[0].attack, ""
    if first != leak.strongest:
        example = f" as one does here ({title(first)})"
    within = " within classes" if leak.strata == "class" else ""
    return (
        f"Without a leak some attack would stand out as much{example} with a "
        f"probability of {leak.p_value:.2g} ({leak.permutations:,} "
        f"permutations of the memberships{within})."
    )


def _lowest_rate(leak):
    """The lowest of LOW_RATES that a threshold attains, or None."""
    return next((x for x in map(leak.at, LOW_RATES) if x and x.attained), None)


def _low_rates(leak):
    """The TPR at the lowest rate, and the records that a lower one takes."""
    lowest, highest = _lowest_rate(leak), leak.at(LOW_RATES[-1])
    unattained = [x for x in map(leak.at, LOW_RATES) if x and x.attack is None]
    parts = []
    if lowest is not None:
        parts.append(
            f"at {_rate(lowest)} false positives the best attack "
            f"({title(lowest.attack)}) finds "
            f"{percent(lowest.tpr, guess=100 * lowest.rate)} of the members "
            f"(guessing: {_rate(lowest)})"
        )
    elif highest not in unattained:
        parts.append(
            f"too many scores are equal for {_rate(highest)} false positives"
        )
    if unattained:
        rate = f"{_rate(unattained[-1])}{'' if parts else ' false positives'}"
        parts.append(f"{rate} would take {unattained[-1].needed:,} nonmembers")
    return f"{capital('; '.join(parts))}."


def _rate(low_rate):
    return f"{100 * low_rate.rate:g} %"


def _detects(leak):
    return leak.detectable is not None and leak.detectable.auc < 1


def _detectable(leak):
    shift = leak.detectable
    return (
        f"A leak of AUC {shift.auc:.3f} "
        f"({100 * shift.balanced_accuracy:.1f} % judged right), a shift of all "
        f"members' scores ({title(shift.attack)}), would have been found with "
        f"a probability of {100 * shift.power:.0f} %."
    )


def _held_out(target):
    """The strongest attack minus the gap attack, and the held-out result."""
    best = target.strongest
    excess = target.attack(target.leak.strongest).excess
    if excess is not None:
        than = "is not distinguishable from the gap attack"
        if excess.low > 0:
            than = "beats the gap attack"
        elif excess.high < 0:
            than = "is behind the gap attack"
        yield (
            f"The strongest attack {than}, which sees only whether "
            f"labels are right: {points(excess)}."
        )
    yield (
        "Held out (attack chosen on one half of the records, judged on "
        f"the other): AUC {area(best.auc)}, "
        f"{percent(best.point.balanced_accuracy, guess=50)} right "
        f"({title(best.attack)})."
    )
