"""The verdict of an audit in sentences."""

from qmia_tf.auditing import member_accuracy
from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report import artefact_verdict, earlier_artefact_verdict
from qmia_tf.report.phrases import area, capital, figures
from qmia_tf.report.run_list import is_variant
from qmia_tf.report.warnings import guessing, listed
from qmia_tf.terminal import counted

# With fewer members or nonmembers there is a warning.
MIN_RECORDS = 50
EARLIER = (
    "Audited by an earlier version: the strongest attack was chosen on one "
    "half of the records and judged on the other. Audit again for the verdict "
    "of all attacks on all records."
)
INTERVALS = (
    "In brackets: 95 % intervals over records, for these models as they are; "
    "another training run may differ by more. Those of the AUC and of the "
    "rates hold for all attacks at once."
)


def verdict(result: AuditResult) -> list[str]:
    """The verdict of an audit, warnings first.

    First the warnings; then the verdict on each artefact with its numbers;
    then each artefact compared with the first.

    Args:
        result: the audit.
    Returns: sentences, one or more a string.
    """
    sentences = _warnings(result)
    artefacts = artefacts_of(result)
    for target in artefacts:
        if target.leak is None:
            sentences.append(earlier_artefact_verdict.sentences(target))
        else:
            sentences.append(artefact_verdict.sentences(target))
    sentences += _comparison(result, artefacts)
    return [
        *sentences,
        *_blind_baseline(result),
        *_earlier_note(artefacts),
        INTERVALS,
    ]


def short(result: AuditResult) -> list[str]:
    """The same in one line an artefact.

    Args:
        result: the audit.
    Returns: sentences: warnings, artefacts, comparisons.
    """
    artefacts = artefacts_of(result)
    lines = [
        (
            earlier_artefact_verdict if x.leak is None else artefact_verdict
        ).short(x)
        for x in artefacts
    ]
    return [
        *_warnings(result),
        *lines,
        *_comparison(result, artefacts),
        *_earlier_note(artefacts),
    ]


def gate_lines(result: AuditResult) -> list[str]:
    """The outcome of each limit, one line an artefact and limit."""
    return [
        f"{gate.outcome}: {gate.target}: {gate.limit}: {gate.measured}."
        for gate in result.gates
    ]


def artefacts_of(result: AuditResult) -> list[TargetAudit]:
    """The targets that count: no twins, no other kernels than the default."""
    targets = [x for x in result.targets if not is_variant(x)]
    return targets or result.targets


def _comparison(result, artefacts):
    """Every artefact compared with the first, in one sentence."""
    if len(artefacts) < 2:
        return
    leaks = result.comparison
    if leaks is None:
        yield from earlier_artefact_verdict.compared(result, artefacts)
        return
    names = {target.target for target in artefacts}
    parts = {"more": [], "less": [], "not shown to differ": []}
    for difference in leaks.differences:
        if difference.target not in names:
            continue
        ends = difference.difference
        than = "more" if difference.difference.value > 0 else "less"
        if ends.low <= 0 <= ends.high:
            than = "not shown to differ"
        numbers = figures(ends, 1, guess=0, least=3, sign=True)
        parts[than].append(f"{difference.target} {numbers}")
    listing = "; ".join(f"{k}: {', '.join(v)}" for k, v in parts.items() if v)
    yield (
        f"What they give away compared with {leaks.first} (AUC "
        f"{leaks.first_auc:.3f}; the same attack on all: "
        f"{artefact_verdict.title(leaks.attack)}; differences of the AUC, "
        "with intervals that hold for all of them and for any "
        f"choice of the attack): {listing}."
    )


def _earlier_note(artefacts):
    if any(x.leak is None for x in artefacts):
        yield EARLIER


def _warnings(result):
    sentences = []
    control, artefacts = result.blind_baseline, artefacts_of(result)
    if control is not None and control.distinguishable:
        sentences.append(
            "Warning: members and nonmembers can be distinguished without the "
            f"model: {_baseline_findings(control)}. So this audit measures "
            "that too, and not the leak alone; take both from one source, "
            "drawn at random."
        )
    if result.repeated_records is not None and result.repeated_records.sentence:
        sentences.append(f"{capital(result.repeated_records.sentence)}.")
    if result.duplicates is not None and result.duplicates.warning:
        sentences.append(f"Warning: {result.duplicates.warning}.")
    if result.calibration is not None and result.calibration.warning:
        sentences.append(f"Warning: {result.calibration.warning}.")
    worse = member_accuracy.sentence(artefacts)
    if worse:
        sentences.append(f"Warning: {worse}.")
    weak = {name: f"{100 * x:.1f} %" for name, x in guessing(artefacts).items()}
    if weak:
        sentences.append(
            "Warning: hardly better than guessing on nonmembers: "
            f"{listed(weak)} right (guessing: {100 / artefacts[0].classes:.3g} "
            "%); the audit of a model that has not learned says nothing about "
            "privacy."
        )
    members = min(x.members for x in artefacts)
    nonmembers = min(x.nonmembers for x in artefacts)
    if min(members, nonmembers) < MIN_RECORDS:
        sentences.append(
            f"Warning: {counted(members, 'member')} and "
            f"{counted(nonmembers, 'nonmember')} are few: "
            "the intervals are wide, and a small leak would not be seen."
        )
    return sentences


def _blind_baseline(result):
    control = result.blind_baseline
    if control is None:
        yield (
            "Whether members can be distinguished without the model was not "
            "checked: the records were not available."
        )
    elif not control.distinguishable:
        sentence = (
            "Without the model a simple classifier does not distinguish "
            f"members from nonmembers: AUC {area(control.auc)}"
            f"{_without_difference(control)}"
        )
        if control.classes_p_value is not None:
            sentence += (
                "; nor do the classes: they are as frequent on both sides as "
                f"chance makes them (p {control.classes_p_value:.2g})"
            )
        yield f"{sentence}."


def _baseline_findings(control):
    """How members and nonmembers differ without the model."""
    signs = []
    if control.classifier_differs:
        signs.append(
            f"AUC {area(control.auc)} from {control.features}"
            f"{_without_difference(control)}"
        )
    if control.classes_differ:
        signs.append(
            "their classes are not equally frequent (p "
            f"{control.classes_p_value:.2g})"
        )
    return "; ".join(signs)


def _without_difference(control):
    if control.null_auc is None:
        return ""
    return (
        f" (on average {control.null_auc:.3f} without any difference, p "
        f"{control.p_value:.2g})"
    )
