"""What limits the answer of an audit, and what to do next."""

import dataclasses

from qmia_tf.auditing import verdict as verdicts
from qmia_tf.report.phrases import capital
from qmia_tf.report.run_list import Run, artefacts_of
from qmia_tf.report.verdict_sentences import MIN_RECORDS
from qmia_tf.report.words import say

# A model that is right on so many more members overfits; a share.
OVERFIT = 0.1
# Leaks above this AUC should be found; else there are few records.
FINE_AUC = 0.6
ONE_PERCENT = 0.01


@dataclasses.dataclass(frozen=True)
class Check:
    """Something that decides how far the answer can be trusted.

    Attributes:
        fine: whether it is as it should be; else it limits the answer.
        text: one or two sentences.
    """

    fine: bool
    text: str


def checks(runs: list[Run], warnings: list[str] = ()) -> list[Check]:
    """What limits the answer first, then what was checked and is well.

    Args:
        runs: of one data set.
        warnings: why their numbers mislead or do not compare.
    """
    by_kind = {}
    for run in runs:
        for kind, check in _of_run(run):
            by_kind.setdefault(kind, []).append((run, check))
    listed = [Check(False, f"{text.rstrip('.')}.") for text in warnings]
    listed += [_together(pairs, len(runs)) for pairs in by_kind.values()]
    recipes = {str(run.setting("seed")) for run in runs}
    if len(recipes) == 1:
        listed.append(Check(False, say("advice", "one_training")))
    return sorted(listed, key=lambda check: check.fine)


def next_steps(runs: list[Run], worst: str) -> list[str]:
    """What to do about the answer, the most useful first."""
    targets = [x for run in runs for x in artefacts_of(run.audit)]
    few = min(min(x.members, x.nonmembers) for x in targets)
    baselines = [run.audit.blind_baseline for run in runs]
    steps = []
    if any(x is not None and x.distinguishable for x in baselines):
        steps.append(say("advice", "draw_again"))
    if few < MIN_RECORDS:
        steps.append(say("advice", "more_records"))
    if any(map(verdicts.not_learned, targets)):
        steps.append(say("advice", "train_first"))
    if worst in verdicts.LEAKS:
        steps += _against_the_leak(runs, targets)
    if all(not run.audit.references for run in runs):
        steps.append(say("advice", "train_references"))
    if worst == verdicts.NO_LEAK and few >= MIN_RECORDS:
        steps.append(say("advice", "smaller_leaks"))
    if worst in verdicts.LEAKS:
        if any(run.is_trained for run in runs):
            steps.append(say("advice", "list_records"))
        steps.append(say("advice", "proven_bound"))
    own = [run for run in runs if not run.is_trained]
    if len(own) > 1:
        steps.append(say("advice", "one_call"))
    if not any(run.audit.gates for run in runs):
        steps.append(say("advice", "limit", worst))
    return steps


def _against_the_leak(runs, targets):
    worst = max(
        (x for x in targets if x.leak is not None),
        key=lambda x: x.leak.auc.low,
    )
    right = worst.accuracy_members.value, worst.accuracy_nonmembers.value
    if right[0] - right[1] > OVERFIT:
        yield say("advice", "overfits", worst, *right)
    comparison = runs[0].audit.comparison
    if len(runs) == 1 and comparison is not None:
        named = {x.target: x for x in targets}
        less = [
            x
            for x in comparison.differences
            if x.difference.high < 0 and x.target in named
        ]
        if less:
            best = named[min(less, key=lambda x: x.difference.value).target]
            yield say("advice", "ship", best, named[comparison.first])


def _together(pairs, count):
    """One check of several runs: the first that limits, and how many more."""
    texts = {check.text: check for _, check in pairs}
    if len(texts) == 1 and len(pairs) == count:
        return pairs[0][1]
    run, check = min(pairs, key=lambda pair: pair[1].fine)
    others = sum(check.fine == x.fine for _, x in pairs) - 1
    text = say("advice", "of_run", run.name, check.text, others)
    return Check(check.fine, text)


def _of_run(run):
    """(kind, Check) of one run."""
    audit, targets = run.audit, artefacts_of(run.audit)
    if any(target.leak is None for target in targets):
        yield "version", Check(False, say("advice", "untested"))
    yield "baseline", _baseline(audit.blind_baseline)
    for kind in ("repeated_records", "duplicates"):
        found = getattr(audit, kind)
        text = found and (getattr(found, "warning", "") or _sentence(found))
        if text:
            yield kind, Check(False, f"{capital(text)}.")
    yield "records", _records(targets)
    rate = targets[0].leak and targets[0].leak.at(ONE_PERCENT)
    if rate and rate.attack is None:
        yield "rate", Check(False, say("advice", "few_for_rate", rate))
    lost = ", ".join(dict.fromkeys(x.target for x in audit.left_out))
    if lost:
        yield "left_out", Check(False, say("advice", "left_out", lost))
    count = len(audit.references)
    text = say("advice", "references", count)
    yield "references", Check(bool(count), text)


def _sentence(found):
    return getattr(found, "sentence", "")


def _baseline(baseline):
    if baseline is None:
        return Check(False, say("advice", "no_baseline"))
    if baseline.distinguishable:
        return Check(False, say("advice", "distinguishable", baseline))
    return Check(True, say("advice", "alike", baseline))


def _records(targets):
    """Whether there are enough to see a leak."""
    members = min(x.members for x in targets)
    nonmembers = min(x.nonmembers for x in targets)
    auc = (
        max(
            (x.leak.detectable.auc if x.leak.detectable else 1)
            for x in targets
            if x.leak
        )
        if any(x.leak for x in targets)
        else None
    )
    fine = min(members, nonmembers) >= MIN_RECORDS
    fine = fine and (auc is None or auc <= FINE_AUC)
    return Check(fine, say("advice", "records", members, nonmembers, auc, fine))
