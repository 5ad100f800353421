"""The summary of a report: two sentences a data set."""

from types import SimpleNamespace

from qmia_tf.auditing import verdict as verdicts
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures.styles import deployed, model_name
from qmia_tf.report.parent_changes import change
from qmia_tf.report.run_list import Run, artefacts_of
from qmia_tf.report.words import say

# More comparisons than these make no sentence.
MAX_LISTED = 4
NO_VERDICT = "no verdict"


def summary(listed: list[Run], name: str) -> list[str]:
    """What an attacker gains, and what quantization changes in that.

    The first sentence is the verdict on each artefact; the second compares
    with full precision, or with the first artefact.

    Args:
        listed: the runs on one data set.
        name: what a person calls the data set.
    Returns: one or two sentences.
    """
    artefacts = [(run, x) for run in listed for x in artefacts_of(run.audit)]
    if len(artefacts) == 1:
        [(run, target)] = artefacts
        first = _one(target.leak, artefact_name(run, target, listed), name)
    else:
        first = _several(artefacts, name, listed)
    return [first, *_comparison(listed)]


def artefact_name(run: Run, target: TargetAudit, listed: list[Run]) -> str:
    """The name of an artefact in a sentence: w=4, a=4 as int8.

    Args:
        run: the artefact's run.
        target: the artefact.
        listed: the runs it is named among; a single one needs no name.
    """
    if len(listed) == 1 or not run.is_trained:
        return target.target
    return f"{model_name(run, listed)} as {target.target}"


def _one(leak, artefact, name):
    if leak is None:
        return say("summary", "untested", artefact)
    shift = leak.detectable
    known = leak.verdict == verdicts.NO_LEAK and shift and shift.auc < 1
    return say("summary", "one", leak, artefact, name, shift if known else None)


def _several(artefacts, name, listed):
    """The verdicts, the severest first."""
    groups = []
    for answer in (*reversed(verdicts.VERDICTS), NO_VERDICT):
        group = [x for x in artefacts if _answer(x[1].leak) == answer]
        if not group:
            continue
        is_leak = answer in verdicts.LEAKS
        if is_leak:
            group.sort(key=lambda pair: -pair[1].leak.auc.value)
        groups.append(
            SimpleNamespace(
                verdict=answer,
                count=len(group),
                worst=artefact_name(*group[0], listed),
                auc=group[0][1].leak.auc if is_leak else None,
            )
        )
    return say("summary", "several", groups, len(artefacts), name)


def _answer(leak):
    return NO_VERDICT if leak is None else leak.verdict


def _comparison(listed):
    changes = []
    for run in listed:
        target = deployed(run) or run.audit.targets[0]
        changed = change(run, target, listed)
        if changed is not None:
            changes.append(
                (artefact_name(run, target, listed), changed.held_out)
            )
    if not changes:
        return _against_first(listed[0], listed)
    judged = [(name, x) for name, x in changes if x.low is not None]
    sentence = say(
        "summary",
        "changes",
        changes[:MAX_LISTED],
        max(len(changes) - MAX_LISTED, 0),
        [name for name, x in judged if x.low > 0 or x.high < 0],
        bool(judged),
        len(changes),
    )
    return [sentence]


def _against_first(run, listed):
    """How the other artefacts of a run compare with its first."""
    comparison, targets = run.audit.comparison, artefacts_of(run.audit)
    if comparison is None or comparison.first != targets[0].target:
        return []
    names = {target.target for target in targets}
    compared = [x for x in comparison.differences if x.target in names]
    more = [x.target for x in compared if x.difference.low > 0]
    less = [x.target for x in compared if x.difference.high < 0]
    undecided = len(compared) - len(more) - len(less)
    first = artefact_name(run, targets[0], listed)
    return [say("summary", "against_first", first, more, less, undecided)]
