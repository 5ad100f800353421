"""The verdict of an audit in sentences; words/verdict.jinja phrases it."""

import dataclasses

from qmia_tf.auditing import member_accuracy
from qmia_tf.auditing import verdict as verdicts
from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.auditing.leak_test import Detectable, LowRate
from qmia_tf.auditing.target_result import (
    NOT_GIVEN,
    NOT_WANTED,
    TargetAudit,
)
from qmia_tf.report.phrases import capital, share_values
from qmia_tf.report.run_list import artefacts_of, held_out_point
from qmia_tf.report.warnings import guessing
from qmia_tf.report.words import say
from qmia_tf.statistics.intervals import Estimate

# With fewer members or nonmembers there is a warning.
MIN_RECORDS = 50
# The false-positive rates that a sentence has, the lowest first.
LOW_RATES = (0.001, 0.01)
# Why an inside was not read, where whoever audits knows.
UNSAID = (NOT_GIVEN, NOT_WANTED)
INTERVALS = say("verdict", "intervals")


@dataclasses.dataclass(frozen=True)
class VerdictFacts:
    """What sentences on an artefact say besides its leak test.

    Attributes:
        accuracy: of its strongest attack, balanced, held out.
        example: the attack that stands out most, if that is another.
        lowest: the lowest of LOW_RATES that a threshold attains.
        tied: the highest of them, if ties alone leave no such threshold.
        too_low: the highest of them that takes more nonmembers.
        detectable: the leak that would have been found, where none was.
        excess: of the strongest attack over the gap attack.
    """

    accuracy: Estimate
    example: str | None
    lowest: LowRate | None
    tied: LowRate | None
    too_low: LowRate | None
    detectable: Detectable | None
    excess: Estimate | None


def verdict(result: AuditResult) -> list[str]:
    """The verdict of an audit, warnings first.

    First the warnings; then the verdict on each artefact with its numbers;
    then each artefact compared with the first;
    then what knowing the bits is worth.

    Returns: sentences, one or more a string.
    """
    artefacts = artefacts_of(result)
    return [
        *_warnings(result),
        *_each(_artefact, artefacts),
        *_comparison(result, artefacts),
        *(x for target in artefacts for x in known_bits(target)),
        *_blind_baseline(result.blind_baseline),
        *_gradients(artefacts),
        INTERVALS,
    ]


def short(result: AuditResult) -> list[str]:
    """The same in one line an artefact."""
    artefacts = artefacts_of(result)
    return [
        *_warnings(result),
        *_each(_short, artefacts),
        *_comparison(result, artefacts),
    ]


def known_bits(target: TargetAudit) -> list[str]:
    """Says what knowing the bits of an artefact is worth, where it is known."""
    return [
        say("verdict", "known_bits", target, known, known.strongest)
        for known in target.known_bits
    ]


def gate_lines(result: AuditResult) -> list[str]:
    """The outcome of each limit, one line an artefact and limit."""
    return [say("verdict", "gate", gate) for gate in result.gates]


def _each(sentence, artefacts):
    """Each artefact for who queries it, then for who holds it."""
    for target in artefacts:
        yield sentence(target)
        holder = target.holder
        if holder is not None and holder.leak is not None:
            yield say("verdict", "holder", target)
        elif holder is not None and holder.reason not in UNSAID:
            yield say("verdict", "not_read", target)


def _gradients(artefacts):
    """How near the graphs are that gradients were computed on."""
    for target in artefacts:
        if target.holder is not None and target.holder.gradients is not None:
            yield say("verdict", "gradients", target)


def _artefact(target):
    if target.leak is None:
        return say("verdict", "untested", target)
    return say("verdict", "artefact", target, _facts(target))


def _short(target):
    if target.leak is None:
        return say("verdict", "untested", target)
    if target.leak.verdict == verdicts.CANNOT_SAY:
        return say("verdict", "cannot_say", target)
    return say("verdict", "short", target, _facts(target))


def _facts(target: TargetAudit) -> VerdictFacts | None:
    leak = target.leak
    if leak.strongest is None:
        return None
    rates = [rate for rate in map(leak.at, LOW_RATES) if rate is not None]
    lowest = next((rate for rate in rates if rate.attained), None)
    too_low = [rate for rate in rates if rate.attack is None]
    first, shift = leak.attacks[0].attack, leak.detectable
    known = leak.verdict == verdicts.NO_LEAK and shift and shift.auc < 1
    return VerdictFacts(
        accuracy=held_out_point(target, leak.strongest).balanced_accuracy,
        example=None if first == leak.strongest else first,
        lowest=lowest,
        tied=None if lowest or rates[-1] in too_low else rates[-1],
        too_low=too_low[-1] if too_low else None,
        detectable=shift if known else None,
        excess=target.attack(leak.strongest).excess,
    )


def _comparison(result, artefacts):
    """Every artefact compared with the first, in one sentence."""
    leaks = result.comparison
    if len(artefacts) < 2 or leaks is None:
        return
    names = {target.target for target in artefacts}
    differences = {"more": [], "less": [], "not shown to differ": []}
    for entry in leaks.differences:
        interval = entry.difference
        how = "more" if interval.value > 0 else "less"
        if interval.low <= 0 <= interval.high:
            how = "not shown to differ"
        if entry.target in names:
            differences[how].append(entry)
    yield say("verdict", "comparison", leaks, differences)


def _warnings(result):
    baseline, artefacts = result.blind_baseline, artefacts_of(result)
    if baseline is not None and baseline.distinguishable:
        yield say("verdict", "distinguishable", baseline)
    if result.repeated_records is not None and result.repeated_records.sentence:
        yield f"{capital(result.repeated_records.sentence)}."
    for checked in (result.duplicates, result.calibration):
        if checked is not None and checked.warning:
            yield say("verdict", "warning", checked.warning)
    worse = member_accuracy.sentence(artefacts)
    if worse:
        yield say("verdict", "warning", worse)
    weak = guessing(artefacts)
    if weak:
        classes = artefacts[0].classes
        yield say("verdict", "not_learned", share_values(weak), classes)
    members = min(x.members for x in artefacts)
    nonmembers = min(x.nonmembers for x in artefacts)
    if min(members, nonmembers) < MIN_RECORDS:
        yield say("verdict", "few", members, nonmembers)


def _blind_baseline(baseline):
    if baseline is None:
        yield say("verdict", "no_baseline")
    elif not baseline.distinguishable:
        yield say("verdict", "not_distinguishable", baseline)
