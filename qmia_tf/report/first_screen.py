"""What a report says first: the answer, a row a model, doubts, what to do.

The page, summary.json and summary.md say the same of it.
"""

import dataclasses

from qmia_tf.auditing import verdict as verdicts
from qmia_tf.auditing.leak_test import LeakTest, LowRate
from qmia_tf.report import advice, parent_changes
from qmia_tf.report.advice import Check
from qmia_tf.report.figures import leak_measure, series
from qmia_tf.report.phrases import attack_title, reference_models
from qmia_tf.report.run_list import Run, artefacts_of
from qmia_tf.report.verdict_sentences import known_bits
from qmia_tf.report.words import say
from qmia_tf.run_dir import TRAINED
from qmia_tf.statistics.intervals import Estimate

NO_VERDICT = "no verdict"
# The least that stands on top of a report.
RANK = (NO_VERDICT, verdicts.NO_LEAK, verdicts.CANNOT_SAY, *verdicts.LEAKS)
# The AUC from which a verdict needs no low false-positive rate.
FROM = {verdicts.CLEAR: verdicts.CLEAR_AUC, verdicts.SEVERE: 0.7}
ONE_PERCENT = 0.01


@dataclasses.dataclass(frozen=True)
class Row:
    """One model or file.

    Attributes:
        run: the name of its audit.
        model: what the page calls the model.
        file: the target.
        verdict: one of five, or "no verdict" in audits of earlier versions.
        auc: of the strongest attack; the interval holds for all at once.
        attack: the strongest one, for people.
        p_value: adjusted for all attacks; null without a verdict.
        found: the share of members that any attack finds while it accuses 1 %
            of the others; null where there are too few to say.
        change: against what `Screen.compared_with` names; null for that one.
        accuracy_members: of the model, on its training records.
        accuracy_nonmembers: of the model, on others.
        size_mb: of the file, if known.
    """

    run: str
    model: str
    file: str
    verdict: str
    auc: Estimate
    attack: str | None
    p_value: float | None
    found: Estimate | None
    change: Estimate | None
    accuracy_members: Estimate
    accuracy_nonmembers: Estimate
    size_mb: float | None

    @property
    def name(self) -> str:
        """The model and the file, where that says more."""
        if self.file == TRAINED or self.model.endswith(self.file):
            return self.model
        return f"{self.model} as {self.file}"


@dataclasses.dataclass(frozen=True)
class Limit:
    """One limit for one artefact.

    Attributes:
        run: the name of its audit.
        target: the artefact.
        limit: such as "AUC <= 0.6".
        outcome: "passed", "failed" or "not judged".
        measured: the numbers behind it, or why it cannot be judged.
    """

    run: str
    target: str
    limit: str
    outcome: str
    measured: str


@dataclasses.dataclass(frozen=True)
class BitsGain:
    """What knowing the bits of an artefact is worth to an attacker.

    Attributes:
        run: the name of its audit.
        file: the target.
        matched: the reference models of its bits, such as "8 of w4a4 (keras)".
        mismatched: the others.
        attack: that was compared, for people.
        gain: of its AUC by the matched ones; the interval is paired and holds
            for all attacks at once.
        p_value: two-sided, of no difference, adjusted likewise.
    """

    run: str
    file: str
    matched: str
    mismatched: str
    attack: str
    gain: Estimate
    p_value: float


@dataclasses.dataclass(frozen=True)
class Screen:
    """The answer about the models that were audited on one data set.

    Attributes:
        dataset: what people call it; "your records" where it has no name.
        members: how many of the first artefact, all distinct.
        nonmembers: how many.
        attacks: how many were run on it.
        verdict: the severest of the rows.
        sentences: the answer, then how the artefacts compare.
        compared_with: what `Row.change` is against; null if nothing is.
        change_of: what changes: "AUC", or between runs "accuracy".
        change_by: the one attack that shows it; null if nothing is compared.
        rows: the artefacts; of many runs the model and its deployed file.
        left_out: how many artefacts have no row here.
        known_bits: what knowing the bits is worth, where there are reference
            models of other bits.
        limits: that were given for a pipeline, and what came of them.
        checks: what limits the answer, and what was checked and is well.
        next_steps: what to do now.
    """

    dataset: str
    members: int
    nonmembers: int
    attacks: int
    verdict: str
    sentences: list[str]
    compared_with: str | None
    change_of: str
    change_by: str | None
    rows: list[Row]
    left_out: int
    known_bits: list[BitsGain]
    limits: list[Limit]
    checks: list[Check]
    next_steps: list[str]


def screens(runs: list[Run], warnings: list[str] = ()) -> list[Screen]:
    """One screen a data set, in the order of the runs.

    Args:
        runs: all of a report.
        warnings: about all of them; they stand on the first screen.
    """
    runs_by_dataset = {}
    for run in runs:
        runs_by_dataset.setdefault(run.dataset, []).append(run)

    def plain(warning):
        # Of a single run the name is known.
        return warning.removeprefix(f"{runs[0].label}: " * (len(runs) == 1))

    return [
        _screen(listed, [] if place else list(map(plain, warnings)))
        for place, listed in enumerate(runs_by_dataset.values())
    ]


def _screen(runs, warnings):
    compared_with, change_of, attack, changes = _changes(runs)
    change_by = attack_title(attack)
    shown = series.artefacts(runs)
    files = [artefact.target.target for artefact in shown]
    rows = [
        _row(
            artefact,
            changes.get(id(artefact.target)),
            alone=files.count(artefact.target.target) == 1,
        )
        for artefact in shown
    ]
    every = [(run, x) for run in runs for x in artefacts_of(run.audit)]
    worst = max((_verdict(x.leak) for _, x in every), key=RANK.index)
    first = every[0][1]
    gains = [x for _, target in every for x in known_bits(target)]
    return Screen(
        dataset=runs[0].title,
        members=first.members,
        nonmembers=first.nonmembers,
        attacks=len(first.attacks),
        verdict=worst,
        sentences=[
            *_answer(rows, every, worst),
            *_holder(every),
            *_comparison(rows, compared_with, change_by),
            *gains[:1],
        ],
        compared_with=compared_with,
        change_of=change_of,
        change_by=change_by,
        rows=rows,
        left_out=len(every) - len(rows),
        known_bits=[
            _gain(run, target, known)
            for run, target in every
            for known in target.known_bits
        ],
        limits=[
            Limit(run.name, **vars(gate))
            for run in runs
            for gate in run.audit.gates
        ],
        checks=advice.checks(runs, warnings),
        next_steps=advice.next_steps(runs, worst),
    )


def _row(artefact, change, *, alone):
    target, leak = artefact.target, artefact.target.leak
    model = artefact.model
    if not artefact.run.is_trained:
        model = (
            target.target if alone else f"{artefact.run.name}: {target.target}"
        )
    rate = leak and leak.at(ONE_PERCENT)
    return Row(
        run=artefact.run.name,
        model=model,
        file=target.target,
        verdict=_verdict(leak),
        auc=leak_measure.leak(target),
        attack=attack_title(leak_measure.strongest(target)),
        p_value=leak and leak.p_value,
        found=rate.tpr if rate and rate.attained else None,
        change=change,
        accuracy_members=target.accuracy_members,
        accuracy_nonmembers=target.accuracy_nonmembers,
        size_mb=target.size_mb,
    )


def _gain(run, target, known):
    return BitsGain(
        run=run.name,
        file=target.target,
        matched=reference_models(known.matched),
        mismatched=reference_models(known.mismatched),
        attack=attack_title(known.attack),
        gain=known.gain,
        p_value=known.p_value,
    )


def _verdict(leak: LeakTest | None) -> str:
    return NO_VERDICT if leak is None else leak.verdict


def _changes(runs):
    """What is compared with, which number of which attack, changes by id."""
    changes = {
        id(target): found.held_out
        for run in runs
        for target in artefacts_of(run.audit)
        if len(runs) > 1
        and (found := parent_changes.change(run, target, runs)) is not None
    }
    if changes:
        return "full precision", "accuracy", "confidence", changes
    comparison = runs[0].audit.comparison
    if len(runs) > 1 or comparison is None:
        return None, "AUC", None, {}
    targets = {x.target: x for x in artefacts_of(runs[0].audit)}
    return (
        comparison.first,
        "AUC",
        comparison.attack,
        {
            id(targets[x.target]): x.difference
            for x in comparison.differences
            if x.target in targets
        },
    )


def _answer(rows, every, worst):
    """What an attacker can do, in a sentence or two."""
    verdicts_ = [_verdict(target.leak) for _, target in every]
    top = [x for x in every if _verdict(x[1].leak) == worst]
    count = verdicts_.count(worst), len(every)
    if worst in verdicts.LEAKS or worst == NO_VERDICT:
        run, target = max(top, key=lambda x: leak_measure.leak(x[1]).value)
        names = {(row.run, row.file): row.name for row in rows}
        name = names.get((run.name, target.target), target.target)
        leaks = sum(x in verdicts.LEAKS for x in verdicts_), len(every)
        rate = target.leak and _by_rate(target.leak)
        auc = leak_measure.leak(target)
        yield say("answer", "leaks", name, leaks, auc, rate)
    elif worst == verdicts.NO_LEAK:
        aucs = [x.leak.detectable.auc for _, x in top if x.leak.detectable]
        names = [x.target for _, x in top]
        yield say("answer", "no_leak", names, count, max(aucs, default=1))
    elif worst == verdicts.CANNOT_SAY:
        (_, target), *_ = top
        names = [x.target for _, x in top]
        yield say("answer", "cannot_say", names, count, target.leak.reasons)


def _holder(every):
    """Where reading inside gives a worse verdict than queries do."""
    worse = [
        target
        for _, target in every
        if target.leak and target.holder and target.holder.leak
        if target.holder.leak.verdict in verdicts.LEAKS
        and RANK.index(target.holder.leak.verdict)
        > RANK.index(target.leak.verdict)
    ]
    if worse:
        target = max(worse, key=lambda x: x.holder.leak.auc.low)
        yield say("answer", "holder", target, len(worse), len(every))


def _by_rate(leak: LeakTest) -> LowRate | None:
    """The low rate that a verdict rests on, where the AUC is too low for it."""
    if leak.auc.low >= FROM.get(leak.verdict, 0.5 + 1e-9):
        return None
    rates = [x for x in leak.tpr_at_fpr if x.attained and x.rate <= ONE_PERCENT]
    rates = [x for x in rates if x.tpr.low > x.rate]
    return max(rates, key=lambda x: x.tpr.low / x.rate, default=None)


def _comparison(rows, compared_with, attack):
    compared = [row for row in rows if row.change is not None]
    if not compared:
        return
    more = [row.name for row in compared if (row.change.low or 0) > 0]
    less = [
        row.name
        for row in compared
        if row.change.high is not None and row.change.high < 0
    ]
    others = len(compared) - len(more) - len(less)
    yield say("answer", "against", compared_with, attack, more, less, others)
