"""The summary of a report: two sentences a data set."""

from qmia_tf.attacks import TITLES
from qmia_tf.auditing import verdict as answers
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report import artefact_pairs, verdict_sentences
from qmia_tf.report.figures.styles import deployed, model_name
from qmia_tf.report.parent_changes import change
from qmia_tf.report.phrases import area, capital, percent, points
from qmia_tf.report.run_list import Run

AMOUNTS = {
    answers.SMALL: "a little",
    answers.CLEAR: "something",
    answers.SEVERE: "much",
}
# More comparisons than these make no sentence.
MAX_LISTED = 4


def summary(listed: list[Run], name) -> list[str]:
    """What an attacker gains, and what quantization changes in that.

    The first sentence is the verdict on each artefact; the second compares
    with full precision, or with the first artefact.

    Args:
        listed: the runs on one data set.
        name: what a person calls the data set.
    Returns: one or two sentences.
    """
    artefacts = [
        (run, x)
        for run in listed
        for x in verdict_sentences.artefacts_of(run.audit)
    ]
    if any(target.leak is None for _, target in artefacts):
        first = _earlier_leak(artefacts, name, listed)
    else:
        first = _leak(artefacts, name, listed)
    return [first, *_comparison(listed, artefacts)]


def artefact_name(run: Run, target: TargetAudit, listed: list[Run]) -> str:
    """The name of an artefact in a sentence: w=4, a=4 as int8.

    Args:
        run: the artefact's run.
        target: the artefact.
        listed: the runs it is named among; a single one needs no name.
    """
    if run.own or len(listed) == 1:
        return target.target
    return f"{model_name(run, listed)} as {target.target}"


def _leak(artefacts, name, listed):
    """The verdicts, the severest first."""
    if len(artefacts) == 1:
        [(run, target)] = artefacts
        return _of_one(target.leak, artefact_name(run, target, listed), name)
    parts = []
    for kind in reversed(answers.VERDICTS):
        group = [x for x in artefacts if x[1].leak.verdict == kind]
        if not group:
            continue
        worst = max(group, key=lambda pair: pair[1].leak.auc.value)
        part = f"{kind}: {len(group)} of {len(artefacts)} artefacts"
        if len(group) == 1:
            part = f"{kind}: {artefact_name(*group[0], listed)}"
        if kind in answers.LEAKS:
            part += (
                f" (AUC up to {area(worst[1].leak.auc)}, "
                f"{artefact_name(*worst, listed)})"
                if len(group) > 1
                else f" (AUC {area(worst[1].leak.auc)})"
            )
        parts.append(part)
    return (
        f"Who was among the {name} training records? "
        f"{capital('; '.join(parts))}."
    )


def _of_one(leak, artefact, name):
    tells = f"{artefact} tells who was among the {name} training records"
    if leak.verdict == answers.CANNOT_SAY:
        return f"Cannot say whether {tells}: {'; '.join(leak.reasons)}."
    sentence = f"{capital(leak.verdict)}: "
    if leak.verdict == answers.NO_LEAK:
        sentence += f"no attack shows that {tells}"
    else:
        sentence += (
            f"{artefact} gives away {AMOUNTS[leak.verdict]} of who was among "
            f"the {name} training records"
        )
    return f"{sentence}. {_numbers(leak)}"


def _numbers(leak):
    title = TITLES.get(leak.strongest, leak.strongest)
    sentence = (
        f"The strongest attack ({title}) has an AUC of {area(leak.auc)}, where "
        f"guessing has 0.5; p {leak.p_value:.2g}, adjusted for all "
        f"{len(leak.attacks)} attacks"
    )
    shift = leak.detectable
    if leak.verdict == answers.NO_LEAK and shift is not None and shift.auc < 1:
        sentence += (
            f"; an AUC of {shift.auc:.3f} would have been found in "
            f"{100 * shift.power:g} of 100 such audits"
        )
    return f"{sentence}."


def _earlier_leak(artefacts, name, listed):
    """Of audits of earlier versions: by the strongest attack on each."""

    def accuracy(pair):
        return pair[1].strongest.point.balanced_accuracy

    def of(pair):
        return artefact_name(*pair, listed)

    low = min(artefacts, key=lambda pair: accuracy(pair).value)
    high = max(artefacts, key=lambda pair: accuracy(pair).value)
    share = percent(accuracy(high), guess=50)
    leaks = [x for x in artefacts if x[1].strongest.auc.low > 0.5]
    many = len(artefacts)
    if many == 1:
        verb = "tells" if leaks else "does not tell"
        return (
            f"Whoever can ask {of(high)} about {name} {verb} its training "
            f"records from others: the strongest attack judges {share} of "
            "the records right, where guessing has 50 %."
        )
    between = (
        f"the strongest attack judges between {_plain(accuracy(low))} "
        f"({of(low)}) and {share} ({of(high)}) of the records right, where "
        "guessing has 50 %"
    )
    if not leaks:
        return (
            f"None of the {many} artefacts tells its {name} training records "
            f"from others: {between}."
        )
    count = f"All {many}" if len(leaks) == many else f"{len(leaks)} of {many}"
    return (
        f"{count} artefacts give away something of who was among their "
        f"{name} training records: {between}."
    )


def _comparison(listed, artefacts):
    own = [run for run in listed if run.own]
    if own:
        return _against_first(own[0], artefacts, listed)
    changes = []
    for run in listed:
        target = deployed(run) or run.audit.targets[0]
        changed = change(run, target, listed)
        if changed is not None:
            changes.append(
                (artefact_name(run, target, listed), changed.held_out)
            )
    if not changes:
        return _against_first(listed[0], artefacts, listed)
    sure_changes = [
        x for x in changes if x[1].low is not None and _excludes_zero(x[1])
    ]
    listing = ", ".join(
        f"{points(x)} on {label}" for label, x in changes[:MAX_LISTED]
    )
    if len(changes) > MAX_LISTED:
        listing += f" and {len(changes) - MAX_LISTED} more"
    if all(x.low is None for _, x in changes):
        end = "; without intervals, for they were judged on other records"
    elif not sure_changes:
        end = (
            ", which cannot be distinguished from no change"
            if len(changes) == 1
            else "; none of these can be distinguished from no change"
        )
    else:
        end = "; distinguishable from no change: " + ", ".join(
            x for x, _ in sure_changes
        )
        end = "" if len(sure_changes) == len(changes) else end
    return [
        "Compared with the full-precision Keras model the accuracy of the "
        f"confidence attack (threshold held out) changes by {listing}{end}."
    ]


def _against_first(run, artefacts, listed):
    mine = [target for owner, target in artefacts if owner is run]
    if len(mine) < 2:
        return []
    first, *others = mine
    compared = _differences(run, first, others)
    more = [name for name, x in compared if x.low > 0]
    less = [name for name, x in compared if x.high < 0]
    parts = []
    if more:
        parts.append(f"{_list(more)} gives away more")
    if less:
        parts.append(f"{_list(less)} gives away less")
    undecided = len(compared) - len(more) - len(less)
    if undecided and not parts:
        parts.append("no other artefact is shown to give away more or less")
    elif undecided:
        parts.append("the others are not shown to differ")
    first_name = artefact_name(run, first, listed)
    return [f"Compared with {first_name}, {'; '.join(parts)}."]


def _differences(run, first, others):
    """(name, interval of how much more it gives away) of each."""
    comparison = run.audit.comparison
    if comparison is not None and comparison.first == first.target:
        names = {x.target for x in others}
        return [
            (x.target, x.difference)
            for x in comparison.differences
            if x.target in names
        ]
    return [
        (x.target, artefact_pairs.compare(run.audit, x, first).difference)
        for x in others
    ]


def _list(names):
    return names[0] if len(names) == 1 else f"each of {', '.join(names)}"


def _excludes_zero(estimate):
    return estimate.low > 0 or estimate.high < 0


def _plain(estimate):
    return percent(estimate, guess=50).partition(" [")[0]
