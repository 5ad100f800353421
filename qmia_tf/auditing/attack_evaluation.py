"""One attack on one target: its scores evaluated, in all its measures."""

import dataclasses
import hashlib

import numpy as np

from qmia_tf.attacks import Attack, AttackInputs
from qmia_tf.auditing import membership_decisions
from qmia_tf.auditing.target_result import AttackAudit, Strongest
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics import (
    class_thresholds,
    epsilon,
    paired_differences,
    score_counts,
    thinned_sweep,
)
from qmia_tf.statistics.attack_selection import choose
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.held_out_thresholds import cross_fit, hold_out
from qmia_tf.statistics.low_fpr_rates import (
    attainable,
    roc_band,
    tpr_at_fpr,
)
from qmia_tf.statistics.operating_points import (
    in_sample_points,
    measure_decisions,
)
from qmia_tf.statistics.sweep import Sweep, sweep

# The paper's attack: its tables need more points, its figure a finer curve.
PAPER_ATTACK = "confidence"
PEAK = "peak_accuracy"
COARSE = 120


class TooFewScores(InputError):
    """The attack has scores for too few records."""


@dataclasses.dataclass(frozen=True, eq=False)
class AttackOutcome:
    """The scores of an attack for N records, and their evaluation.

    Attributes:
        attack: the Attack.
        scores: float64 [N], NaN where it has none.
        called: bool [N], membership decisions by its own threshold, or the
            one that was chosen on the calibration half.
        evaluated: bool [N], the records that it is evaluated on.
        audit: AttackAudit.
        sweep: of the scores that the audit rests on.
    """

    attack: Attack
    scores: np.ndarray
    called: np.ndarray
    evaluated: np.ndarray
    audit: AttackAudit
    sweep: Sweep


def run_attack(attack: Attack, inputs: AttackInputs) -> AttackOutcome:
    """Scores the records and measures what the scores give away.

    Raises: TooFewScores if it has scores for too few records.
    """
    scores = np.asarray(attack.scores(inputs), np.float64)
    has_score = ~np.isnan(scores)
    _check_enough(has_score, inputs)
    seed, half = inputs.seed, inputs.calibration
    members, rows = inputs.outputs.members, np.flatnonzero(has_score)
    # Sorted here alone: what follows is measured of these two.
    scored = sweep(scores[rows], members[rows])
    everything = scored.take(~half[rows]) if attack.learns else scored
    shared = {
        "name": attack.name,
        "title": attack.title,
        "needs": list(attack.needs),
        "members": everything.members,
        "nonmembers": everything.nonmembers,
        "excluded": int(np.sum(~has_score)),
        "distinct_scores": everything.thresholds.size - 1,
        "least_false_positive_rate": attainable(everything),
        "auc": auc(everything),
        "epsilon": epsilon.lower_bound(scored, None, half[rows]),
    }
    if attack.threshold is not None:
        return _fixed(attack, scores, everything, inputs, shared)
    held_out = hold_out(scored, seed=seed, calibration=half[rows])
    points = in_sample_points(everything, seed=seed)
    if attack.learns:
        held_out = _with_peak_optimism(held_out, points)
    least = held_out.point.threshold
    called = has_score & (scores >= (np.inf if least is None else least))
    evaluated = has_score & ~half
    audit = AttackAudit(
        **shared,
        tpr_at_fpr=tpr_at_fpr(everything, seed=seed),
        points=[
            point
            for point in points
            if attack.name == PAPER_ATTACK or point.name == PEAK
        ],
        held_out=held_out,
        **_by_other_thresholds(attack, scored, rows, inputs),
        excess=None,
        curve=thinned_sweep.thin(
            everything,
            points=thinned_sweep.POINTS
            if attack.name == PAPER_ATTACK
            else COARSE,
        ),
        membership_decisions=membership_decisions.of_records(
            called, members, evaluated
        ),
        records_sha256=records_sha256(inputs.outputs.take(evaluated)),
        histogram=score_counts.of_scores(everything),
        roc=roc_band(everything, seed=seed),
    )
    return AttackOutcome(attack, scores, called, evaluated, audit, everything)


def with_excess(
    scored: AttackOutcome, gap: AttackOutcome, members: np.ndarray
) -> AttackAudit:
    """Adds by how much an attack beats the gap attack on the same records."""
    if scored is gap:
        return scored.audit
    pairs = [
        (scored.called[kind], gap.called[kind])
        for kind in (scored.evaluated & members, scored.evaluated & ~members)
    ]
    return dataclasses.replace(
        scored.audit, excess=paired_differences.balanced_change(*pairs)
    )


def strongest(scored: list[AttackOutcome], inputs: AttackInputs) -> Strongest:
    """Takes the attack that attack_selection.choose names, and evaluates it.

    It is evaluated on the other half, so that the choice does not flatter it.
    """
    named = {outcome.attack.name: outcome for outcome in scored}
    half, members = inputs.calibration, inputs.outputs.members
    name = choose(
        {name: outcome.scores for name, outcome in named.items()}, members, half
    )
    best = named[name]
    rows = ~half & ~np.isnan(best.scores)
    inside, held_out = members[rows], best.audit.held_out
    evaluated = best.sweep
    if not best.attack.learns:
        evaluated = evaluated.take(~half[~np.isnan(best.scores)])
    point = measure_decisions(
        "held_out",
        best.called[rows],
        inside,
        seed=inputs.seed,
        threshold=(
            best.attack.threshold
            if held_out is None
            else _number(held_out.point.threshold)
        ),
    )
    return Strongest(
        attack=name,
        candidates=list(named),
        point=point,
        auc=auc(evaluated),
        tpr_at_fpr=tpr_at_fpr(evaluated, seed=inputs.seed),
    )


def records_sha256(outputs: Outputs) -> str:
    """Hashes the ids of the records: equal for the same members and others.

    Returns: sha256 of the sorted ids of the members, then of the nonmembers, as
        little-endian int64.
    """
    digest = hashlib.sha256()
    for kind in (outputs.members, ~outputs.members):
        digest.update(np.sort(outputs.record_ids[kind]).astype("<i8").tobytes())
    return digest.hexdigest()


def _fixed(attack, scores, everything, inputs, shared):
    members, has_score = inputs.outputs.members, ~np.isnan(scores)
    called = has_score & (scores >= attack.threshold)
    point = measure_decisions(
        "fixed",
        called[has_score],
        members[has_score],
        seed=inputs.seed,
        threshold=attack.threshold,
    )
    audit = AttackAudit(
        **shared,
        tpr_at_fpr=[],
        points=[point],
        held_out=None,
        cross_fitted=None,
        by_class=None,
        excess=None,
        curve=None,
        membership_decisions=membership_decisions.of_records(
            called, members, has_score
        ),
        records_sha256=records_sha256(inputs.outputs.take(has_score)),
        histogram=None,
        roc=None,
    )
    return AttackOutcome(attack, scores, called, has_score, audit, everything)


def _with_peak_optimism(held_out, points):
    """Measures optimism by the peak of the records that are counted."""
    accuracy = {x.name: x.balanced_accuracy.value for x in points}
    optimism = accuracy[PEAK] - held_out.point.balanced_accuracy.value
    return dataclasses.replace(held_out, optimism=optimism)


def _by_other_thresholds(attack, scored, rows, inputs):
    """Cross-fitted and per-class thresholds; not for scores that were learnt.

    A score that was learned on the calibration half must not be evaluated on
    it, and can use the classes itself.
    """
    if attack.learns:
        return {"cross_fitted": None, "by_class": None}
    outputs, half = inputs.outputs, inputs.calibration[rows]
    return {
        "cross_fitted": cross_fit(scored, seed=inputs.seed, calibration=half),
        "by_class": class_thresholds.hold_out(
            scored,
            None,
            outputs.labels[rows],
            classes=outputs.classes,
            seed=inputs.seed,
            calibration=half,
        ),
    }


def _check_enough(has_score, inputs):
    members, half = inputs.outputs.members, inputs.calibration
    for kind, name in ((members, "member"), (~members, "nonmember")):
        for part, where in ((half, "calibration"), (~half, "evaluation")):
            if not np.any(has_score & kind & part):
                raise TooFewScores(
                    f"it has no score for any {name} of the {where} half: "
                    "query more records"
                )


def _number(threshold):
    return np.inf if threshold is None else threshold
