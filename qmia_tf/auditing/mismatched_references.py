"""What is knowing the bits worth? References of the target's bits, and others.

An attacker who knows how a target was quantized trains reference models
likewise. One who does not trains others. Each reference attack is run with
both, on the same records.
"""

import dataclasses

import numpy as np

from qmia_tf.attacks import AttackInputs, with_options
from qmia_tf.auditing import leak_comparison
from qmia_tf.auditing.auxiliary import (
    Auxiliary,
    ReferenceModels,
    make_attack_inputs,
)
from qmia_tf.auditing.leak_comparison import TargetScores
from qmia_tf.auditing.leak_test import TESTED
from qmia_tf.outputs import Outputs
from qmia_tf.statistics import delong
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.intervals import Estimate
from qmia_tf.statistics.low_fpr_rates import TprAtFpr, tpr_at_fpr
from qmia_tf.statistics.rate_differences import tpr_difference

MATCHED, MISMATCHED = "matched", "mismatched"


@dataclasses.dataclass(frozen=True)
class RateDifference:
    """What an attack finds at a low false-positive rate, with either kind.

    Attributes:
        matched: with the references of the target's bits.
        mismatched: with the others.
        difference: the TPR of `matched` minus that of `mismatched`, paired
            interval.
    """

    matched: TprAtFpr
    mismatched: TprAtFpr
    difference: Estimate


@dataclasses.dataclass(frozen=True)
class AttackDifference:
    """One attack with either kind of references, on the same records.

    Each interval holds for itself.

    Attributes:
        attack: its name.
        members: how many members have a score with both.
        nonmembers: how many nonmembers.
        matched: its AUC with the references of the target's bits.
        mismatched: with the others.
        difference: `matched` minus `mismatched`, paired DeLong interval.
        rates: at 1 % and 0.1 % FPR.
    """

    attack: str
    members: int
    nonmembers: int
    matched: Estimate
    mismatched: Estimate
    difference: Estimate
    rates: list[RateDifference]


@dataclasses.dataclass(frozen=True)
class KnownBits:
    """What matched references gain over mismatched ones, on one target.

    None of it is part of the test for a leak, which has the matched ones.

    Attributes:
        matched: the references of the target's bits.
        mismatched: the others; of the larger number only the first are taken,
            so that there are as many of both.
        attack: the one whose AUC, averaged over both, is surely the highest.
        gain: its AUC with matched references minus that with mismatched ones;
            the interval is paired and holds for all attacks at once.
        p_value: two-sided, of no difference, adjusted likewise.
        attacks: every attack that needs references.
    """

    matched: ReferenceModels
    mismatched: ReferenceModels
    attack: str
    gain: Estimate
    p_value: float
    attacks: list[AttackDifference]

    @property
    def strongest(self) -> AttackDifference:
        """What was measured of `attack`."""
        return next(x for x in self.attacks if x.attack == self.attack)


def compare(
    inputs: AttackInputs, outputs: Outputs, auxiliary: Auxiliary, config
) -> list[KnownBits]:
    """Compares the references of a target with its mismatched ones.

    Args:
        inputs: of the target, made of `outputs` and `auxiliary`.
        config: AuditConfig.
    Returns: one a kind of mismatched references; empty without references of
        both kinds, or if no attack has a score for enough records.
    """
    matched = auxiliary.matched
    if matched is None:
        return []
    compared = []
    for models, references in auxiliary.mismatched:
        others = make_attack_inputs(
            outputs,
            dataclasses.replace(auxiliary, references=references),
            seed=config.seed,
        )
        count = min(matched.available, models.available)
        known = _compare(
            _with_first(inputs, count),
            _with_first(others, count),
            config.attack_options,
        )
        if known is not None:
            compared.append(
                KnownBits(
                    dataclasses.replace(matched, models=count),
                    dataclasses.replace(models, models=count),
                    *known,
                )
            )
    return compared


def _with_first(inputs, count):
    references = inputs.references.first(count)
    return dataclasses.replace(inputs, references=references)


def _compare(matched, mismatched, options):
    """The last fields of KnownBits; None without scores."""
    scores = {MATCHED: {}, MISMATCHED: {}}
    members = matched.outputs.members
    for name, attack in with_options(options).items():
        if "references" not in attack.needs or attack.missing(matched):
            continue
        pair = [_evaluated(attack, side) for side in (matched, mismatched)]
        unknown = np.isnan(pair).any(axis=0)
        if min((~unknown & members).sum(), (~unknown & ~members).sum()) < 2:
            continue
        for side, side_scores in zip(scores.values(), pair, strict=True):
            side[name] = np.where(unknown, np.nan, side_scores)
    ids, seed = matched.outputs.record_ids, matched.seed
    comparison = leak_comparison.compare(
        [
            TargetScores(side, ids, members, scores[side])
            for side in (MISMATCHED, MATCHED)
        ],
        seed=seed,
    )
    if comparison is None:
        return None
    (gain,) = comparison.differences
    differences = [
        _difference(name, scores, members, seed) for name in scores[MATCHED]
    ]
    return comparison.attack, gain.difference, gain.p_value, differences


def _evaluated(attack, inputs):
    """Scores, NaN where the attack is not evaluated."""
    scores = np.asarray(attack.scores(inputs), np.float64)
    return np.where(inputs.calibration & attack.learns, np.nan, scores)


def _difference(name, scores, members, seed):
    first, second = scores[MATCHED][name], scores[MISMATCHED][name]
    known = ~np.isnan(first)
    first, second, members = first[known], second[known], members[known]
    points = [
        tpr_at_fpr(side, members, TESTED, seed=seed) for side in (first, second)
    ]
    return AttackDifference(
        attack=name,
        members=int(members.sum()),
        nonmembers=int((~members).sum()),
        matched=auc(first, members),
        mismatched=auc(second, members),
        difference=delong.paired(first, second, members).difference,
        rates=[
            RateDifference(
                one,
                other,
                tpr_difference(first, second, members, one.rate, seed=seed),
            )
            for one, other in zip(*points, strict=True)
        ],
    )
