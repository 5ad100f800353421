"""What coarser outputs hide from who queries, and what they cost the user.

One row for each form of the same stored outputs (outputs/answer_forms.py). The
attacks of the audit run on each form again; nothing is queried.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from qmia_tf.attacks import PLAIN, with_options
from qmia_tf.attacks.losses import losses
from qmia_tf.auditing import class_audits, leak_test
from qmia_tf.auditing.auxiliary import Auxiliary, aligned
from qmia_tf.auditing.leak_test import LeakTest, LowRate
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.answer_forms import ANSWERED, COARSE, LABEL
from qmia_tf.statistics import delong
from qmia_tf.statistics.attack_selection import choose
from qmia_tf.statistics.calibration_error import calibration_error
from qmia_tf.statistics.intervals import Estimate

RATES = leak_test.TESTED
# What who sees labels alone may have.
OF_LABELS = (PLAIN[0], "augmented_labels", "noisy_labels")


@dataclasses.dataclass(frozen=True)
class AnswerLeak:
    """What one form of the outputs gives away, and what it costs.

    The outputs of reference models and of the parent, where there are any, are
    in the same form. The costs are measured on nonmembers. The class is named
    before anything is rounded, so a coarser form costs no accuracy.

    Attributes:
        form: `label`; `top_1`: the class and its probability; `one_digit`,
            `two_digits`: all probabilities, rounded; `answered`: as the
            target outputs them, the attacks of `leak`.
        attack: whose AUC is surely the highest; None if there is none.
        attacks: how many there are.
        auc: its AUC, with an interval that holds for all attacks on this form
            at once. Where the test found no leak in a form that shows more,
            the interval holds 1/2.
        tpr_at_fpr: the most that any attack finds at 1 % and 0.1 % FPR.
        change: AUC of the held-out strongest attack minus that on `answered`,
            on the same records: both were chosen on the calibration half, and
            are evaluated on the other. None of `answered`.
        accuracy: how often the class is right.
        calibration_error: expected calibration error of the class's
            probability, 15 bins of equal width; None of the label.
        log_loss: mean of -log p_y; p_y = 0 counts as half a step. None of the
            label.
    """

    form: Literal["label", "top_1", "one_digit", "two_digits", "answered"]
    attack: str | None
    attacks: int
    auc: Estimate
    tpr_at_fpr: list[LowRate]
    change: Estimate | None
    accuracy: Estimate
    calibration_error: float | None
    log_loss: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class Answered:
    """The audit of the outputs as they are.

    Attributes:
        scores: of each attack that ran, as leak_test.evaluated_scores.
        leak: the test over them.
        strongest: the held-out strongest.
    """

    scores: Mapping[str, np.ndarray]
    leak: LeakTest
    strongest: str


def of_forms(
    outputs: Outputs,
    auxiliary: Auxiliary,
    answered: Answered,
    *,
    seed: int,
    attack_options: Mapping[str, Mapping] | None = None,
) -> list[AnswerLeak]:
    """Measures every form, the coarsest first.

    Args:
        outputs: of the target.
        auxiliary: what was known to the attacks.
        answered: what they found.
    """
    outputs = outputs.in_record_order()
    attacks = with_options(attack_options or {})
    attacks = [x for x in attacks if x.name in answered.scores]
    labelled = [x for x in attacks if set(x.needs) <= {*OF_LABELS}]
    leaks = []
    for form, made in COARSE.items():
        known = in_form(auxiliary, form)
        inputs = aligned(made(outputs), known, seed=seed)
        own = [] if form == LABEL else attacks
        # Labels were named before anything was rounded.
        scores = {x.name: answered.scores[x.name] for x in labelled}
        scores |= {
            x.name: np.asarray(x.scores(inputs), np.float64)
            for x in own
            if x not in labelled
        }
        leaks.append(_of_form(form, inputs, scores, attacks, answered, outputs))
    return [*leaks, _as_answered(outputs, answered)]


def in_form(auxiliary: Auxiliary, form: str) -> Auxiliary:
    """The same knowledge, with the outputs of other models in a form."""
    made, parent = COARSE[form], auxiliary.parent
    return dataclasses.replace(
        auxiliary,
        references=tuple(made(x) for x in auxiliary.references),
        parent=parent and made(parent),
    )


def _of_form(form, inputs, scores, attacks, answered, outputs):
    members, half = outputs.members, inputs.calibration
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
        seed=inputs.seed,
    )
    if answered.leak.p_value > answered.leak.level:
        # A form shows no more than what it was made of.
        measured = measured.reaching_chance()
    areas = measured.auc_by_attack
    attack = max(
        areas,
        key=lambda name: (areas[name].low, areas[name].value),
        default=None,
    )
    best = choose(scores, members, half)
    pair = evaluated[best], answered.scores[answered.strongest]
    change = delong.paired(*(np.where(half, np.nan, x) for x in pair), members)
    return AnswerLeak(
        form=form,
        attack=attack,
        attacks=len(areas),
        auc=Estimate(0.5, 0.0, 1.0) if attack is None else areas[attack],
        tpr_at_fpr=measured.tpr_at_fpr,
        change=change.difference,
        **_costs(inputs.outputs, outputs, form),
    )


def _as_answered(outputs, answered):
    leak = answered.leak
    return AnswerLeak(
        form=ANSWERED,
        attack=leak.strongest,
        attacks=len(leak.attacks),
        auc=leak.auc,
        tpr_at_fpr=[x for x in leak.tpr_at_fpr if x.rate in RATES],
        change=None,
        **_costs(outputs, outputs, ANSWERED),
    )


def _costs(shown, outputs, form):
    """What a user gets on nonmembers: fields of AnswerLeak.

    Args:
        shown: the outputs in this form.
        outputs: those that name the class.
    """
    rows = np.flatnonzero(~outputs.members)
    named = outputs.predicted[rows]
    right = named == outputs.labels[rows]
    costs = {"accuracy": class_audits.rate(right)}
    if form == LABEL:
        return {**costs, "calibration_error": None, "log_loss": None}
    confidences = shown.probabilities[rows, named]
    return {
        **costs,
        "calibration_error": calibration_error(confidences, right),
        "log_loss": float(losses(shown.take(rows)).mean()),
    }
