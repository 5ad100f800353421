"""What outputs hide, by what an attacker sees, and what that costs the user.

One row for each form of the same outputs (outputs/output_forms.py). The attacks
of the audit run on each form again; nothing is queried.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from qmia_tf.attacks import PLAIN, with_options
from qmia_tf.attacks.losses import losses
from qmia_tf.auditing import class_audits, leak_test
from qmia_tf.auditing.auxiliary import Auxiliary, unchecked_inputs
from qmia_tf.auditing.leak_test import LeakTest, LowRate
from qmia_tf.outputs import Outputs, output_forms
from qmia_tf.outputs.output_forms import (
    COARSE,
    FULL,
    INSIDE,
    LABEL,
    LOGITS,
    PROBABILITIES,
)
from qmia_tf.outputs.unread_outputs import UnreadOutputs
from qmia_tf.statistics import delong
from qmia_tf.statistics.attack_selection import choose
from qmia_tf.statistics.calibration_error import calibration_error
from qmia_tf.statistics.held_out_thresholds import calibration_half
from qmia_tf.statistics.intervals import Estimate

RATES = leak_test.TESTED
# What who sees labels alone may have.
OF_LABELS = (PLAIN[0], "augmented_labels", "noisy_labels")


@dataclasses.dataclass(frozen=True)
class FormLeak:
    """What one form of the outputs gives away, and what it costs.

    The outputs of reference models and of the parent, where there are any, are
    in the same form. The costs are measured on nonmembers. An app names the
    class before it rounds, so a coarser form costs no accuracy.

    Attributes:
        form: what the attacker sees. `label`; `top_1`: the class and its
            probability; `one_digit`, `two_digits`: all probabilities, rounded;
            `full`: as the target outputs them, the attacks of `leak`;
            `probabilities`: the softmax of the exact logits, if `full` is
            rounded; `logits`: the exact logits; `inside`: the attacks of
            `holder`. The last three are what who holds the model computes,
            and are there if it was read.
        attack: whose AUC is surely the highest; None if there is none.
        attacks: how many there are.
        auc: its AUC, with an interval that holds for all attacks on this form
            at once. Where the test found no leak in a form that shows as much
            or more, the interval holds 1/2.
        tpr_at_fpr: the most that any attack finds at 1 % and 0.1 % FPR.
        change: AUC of the held-out strongest attack minus that on `full`,
            on the same records: both were chosen on the calibration half, and
            are evaluated on the other. None of `full`.
        accuracy: how often the class is right.
        calibration_error: expected calibration error of the class's
            probability, 15 bins of equal width; None of the label.
        log_loss: mean of -log p_y; p_y = 0 counts as half a step. None of the
            label.
    """

    form: Literal[
        "label",
        "top_1",
        "one_digit",
        "two_digits",
        "full",
        "probabilities",
        "logits",
        "inside",
    ]
    attack: str | None
    attacks: int
    auc: Estimate
    tpr_at_fpr: list[LowRate]
    change: Estimate | None
    accuracy: Estimate
    calibration_error: float | None
    log_loss: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class Tested:
    """A family of attacks on a target, tested.

    Attributes:
        scores: of each attack that ran, as leak_test.evaluated_scores.
        leak: the test over them.
        strongest: the held-out strongest.
    """

    scores: Mapping[str, np.ndarray]
    leak: LeakTest
    strongest: str


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """What an attacker sees in one form.

    Attributes:
        form: its key.
        outputs: of the target.
        auxiliary: with the outputs of other models in the same form.
        family: the attacks on a form that shows as much or more.
    """

    form: str
    outputs: Outputs
    auxiliary: Auxiliary
    family: Tested


def of_forms(
    outputs: Outputs,
    auxiliary: Auxiliary,
    queried: Tested,
    holder: Tested | None = None,
    *,
    seed: int,
    attack_options: Mapping[str, Mapping] | None = None,
) -> list[FormLeak]:
    """Measures every form, the coarsest first.

    Args:
        outputs: of the target.
        auxiliary: what was known to the attacks.
        queried: what the attacks on the outputs found.
        holder: what those of who holds the model found; None if it was not
            read.
    """
    outputs = outputs.in_record_order()
    attacks = [
        attack
        for attack in with_options(attack_options or {})
        if attack.name in queried.scores
    ]
    leaks = [
        _of_form(seen, outputs, attacks, queried, seed=seed)
        for seen in coarse(outputs, auxiliary, queried)
    ]
    leaks.append(_of_family(FULL, outputs, queried, None))
    if holder is None or auxiliary.inside is None:
        return leaks
    inside = auxiliary.inside.of_records(outputs.record_ids)
    exact = inside.outputs_of(outputs)
    leaks += [
        _of_form(seen, exact, attacks, queried, seed=seed)
        for seen in finer(outputs, exact, auxiliary, holder)
    ]
    change = _change(
        holder.scores[holder.strongest], queried, exact.members, seed
    )
    return [*leaks, _of_family(INSIDE, exact, holder, change)]


def coarse(outputs, auxiliary, queried) -> Iterator[Seen]:
    """What an app may give instead of its model's outputs."""
    for form, made in COARSE.items():
        known = _in_form(auxiliary, auxiliary.references, made)
        yield Seen(form, made(outputs), known, queried)


def finer(outputs, exact, auxiliary, holder) -> Iterator[Seen]:
    """What who holds the model computes: of its exact logits.

    Reference models whose inside was not read take part by their outputs.
    """
    references = auxiliary.inside_references or auxiliary.references
    if outputs.probability_step:
        made = output_forms.probabilities
        known = _in_form(auxiliary, references, made)
        yield Seen(PROBABILITIES, made(exact), known, holder)
    known = _in_form(auxiliary, references, lambda shown: shown)
    yield Seen(LOGITS, exact, known, holder)


def _in_form(auxiliary, references, made):
    """The same knowledge, with the outputs of other models in a form."""
    parent = auxiliary.parent
    return dataclasses.replace(
        auxiliary,
        references=tuple(
            x.changed(made) if isinstance(x, UnreadOutputs) else made(x)
            for x in references
        ),
        # Those that are kept are of full outputs.
        margins_folder=None,
        parent=parent and made(parent),
        inside=None,
        inside_references=(),
    )


def _of_form(seen, named, attacks, queried, *, seed):
    """Runs the attacks on a form; `named` are outputs that name the class."""
    inputs = unchecked_inputs(seen.outputs, seen.auxiliary, seed=seed)
    members, half = named.members, inputs.calibration
    # Of a coarse form the labels were named before anything was rounded.
    labels = dataclasses.replace(inputs, outputs=named)
    scores = {}
    for attack in attacks:
        of_labels = set(attack.needs) <= {*OF_LABELS}
        if of_labels or seen.form != LABEL:
            given = labels if of_labels else inputs
            scores[attack.name] = np.asarray(attack.scores(given), np.float64)
    learned = {x.name for x in attacks if x.learns}
    evaluated = {
        name: np.where(half & (name in learned), np.nan, score)
        for name, score in scores.items()
    }
    measured = leak_test.strengths(
        evaluated,
        members,
        fixed=[x.name for x in attacks if x.threshold is not None],
        rates=RATES,
        seed=seed,
    )
    if seen.family.leak.p_value > seen.family.leak.level:
        measured = measured.reaching_chance()
    areas = measured.auc_by_attack
    attack = max(
        areas,
        key=lambda name: (areas[name].low, areas[name].value),
        default=None,
    )
    best = evaluated[choose(scores, members, half)]
    return FormLeak(
        form=seen.form,
        attack=attack,
        attacks=len(areas),
        auc=Estimate(0.5, 0.0, 1.0) if attack is None else areas[attack],
        tpr_at_fpr=measured.tpr_at_fpr,
        change=_change(best, queried, members, seed),
        **_costs(seen.form, seen.outputs, named),
    )


def _of_family(form, outputs, family, change):
    """The row of attacks that were tested already."""
    leak = family.leak
    return FormLeak(
        form=form,
        attack=leak.strongest,
        attacks=len(leak.attacks),
        auc=leak.auc,
        tpr_at_fpr=[x for x in leak.tpr_at_fpr if x.rate in RATES],
        change=change,
        **_costs(form, outputs, outputs),
    )


def _change(best, queried, members, seed):
    """AUC of an attack minus that of the strongest on the outputs."""
    half = calibration_half(members, seed=seed)
    pair = best, queried.scores[queried.strongest]
    scores = [np.where(half, np.nan, score) for score in pair]
    return delong.paired(*scores, members).difference


def _costs(form, shown, named):
    """What a user gets on nonmembers: fields of FormLeak.

    Args:
        shown: the outputs in this form.
        named: those that name the class.
    """
    rows = np.flatnonzero(~named.members)
    top = named.predicted[rows]
    right = top == named.labels[rows]
    costs = {"accuracy": class_audits.rate(right)}
    if form == LABEL:
        return {**costs, "calibration_error": None, "log_loss": None}
    confidences = shown.probabilities[rows, top]
    return {
        **costs,
        "calibration_error": calibration_error(confidences, right),
        "log_loss": float(losses(shown.take(rows)).mean()),
    }
