"""Is there a leak, and how large? One test over all attacks on a target."""

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np

from qmia_tf.attacks import AttackInputs
from qmia_tf.statistics import (
    low_fpr_rates,
    max_t_test,
    membership_permutations,
    power,
    simultaneous_intervals,
)
from qmia_tf.statistics.intervals import LEVEL, Estimate
from qmia_tf.statistics.sweep import Sweep, sweep

# The rates that the test and the verdict use; others are only measured.
TESTED = max_t_test.RATES
# A rate is given from so many expected false positives on.
BASIS = 3
DRAWS = 20_000
NO_SWEEPS: Mapping[str, Sweep] = {}
CLASS, NONE = "class", "none"
STRATA = (CLASS, NONE)


@dataclasses.dataclass(frozen=True)
class TestedAttack:
    """One attack in the test.

    Attributes:
        attack: name.
        p_value: the probability that without a leak this attack or a weaker one
            stands out as much: adjusted for all attacks and statistics
            (step-down max-T of Westfall and Young).
        measure: its statistic that sticks out most.
        rate: the false-positive rate of that "tpr", 1 % or 0.1 %; None of
            "auc".
        t: by how many standard deviations of the permutations it does.
        auc: its AUC, with an interval that holds for all attacks at once.
        members: how many members it was evaluated on.
        nonmembers: how many nonmembers.
    """

    attack: str
    p_value: float
    measure: Literal["auc", "tpr"]
    rate: float | None
    t: float
    auc: Estimate
    members: int
    nonmembers: int


@dataclasses.dataclass(frozen=True)
class LowRate:
    """The most that any attack finds at a low false-positive rate.

    Attributes:
        rate: the false-positive rate that is allowed.
        attack: the attack whose interval starts highest there; None if the rate
            is less than three nonmembers, as `tpr` is then.
        tpr: its true-positive rate; the interval holds for all attacks at once.
            0, and 0 false positives, mean that equal scores leave no threshold
            there.
        false_positives: the nonmembers that it calls.
        nonmembers: how many there are.
        needed: how many nonmembers the rate takes.
    """

    rate: float
    attack: str | None
    tpr: Estimate
    false_positives: int
    nonmembers: int
    needed: int

    @property
    def attained(self) -> bool:
        """Whether a threshold has the rate: equal scores may leave none."""
        return self.attack is not None and bool(
            self.false_positives or self.tpr.value
        )


@dataclasses.dataclass(frozen=True)
class Detectable:
    """The smallest leak that this audit would have found.

    Attributes:
        auc: as an AUC; 1 if it would have found none.
        balanced_accuracy: as the best balanced accuracy of such scores.
        power: with which probability.
        attack: the attack that would have found it, the strongest of those
            that choose a threshold, if there are any. The alternative is that
            its scores of all members are shifted by a constant.
    """

    auc: float
    balanced_accuracy: float
    power: float
    attack: str


@dataclasses.dataclass(frozen=True)
class LeakTest:
    """Whether a target leaks, how much, and what would have been found.

    Attributes:
        verdict: by the rules of verdict.md.
        reasons: sentences: the check that failed, the p-value, or the rules
            that hold.
        p_value: the least of the attacks' p-values. At or below `level` there
            is a leak.
        level: of the one-sided test, 0.025.
        permutations: how many times the memberships were permuted, each half by
            itself.
        strata: what memberships were permuted within: classes, which holds
            however the records were split, or none.
        attacks: the attacks in the test, the surest first. One that gives all
            records the same score is not among them.
        strongest: the attack whose interval of the AUC starts highest; None if
            there is none.
        auc: its AUC; the interval holds for all attacks at once.
        tpr_at_fpr: the most that any attack finds at 10 %, 1 %, 0.1 % and 0.01
            % FPR.
        detectable: the smallest leak that this audit would have found; None if
            no permutation moves any attack.
    """

    verdict: Literal[
        "cannot say", "no leak found", "small leak", "clear leak", "severe leak"
    ]
    reasons: list[str]
    p_value: float
    level: float
    permutations: int
    strata: Literal["class", "none"]
    attacks: list[TestedAttack]
    strongest: str | None
    auc: Estimate
    tpr_at_fpr: list[LowRate]
    detectable: Detectable | None

    def at(self, rate) -> LowRate | None:
        """Returns what was found at a false-positive rate."""
        return next((x for x in self.tpr_at_fpr if x.rate == rate), None)

    def attack(self, name) -> TestedAttack | None:
        """Returns what was found of an attack; None if it was not tested."""
        return next((x for x in self.attacks if x.attack == name), None)


@dataclasses.dataclass(frozen=True, eq=False)
class Strengths:
    """How strong attacks are, by intervals that hold for all of them at once.

    Attributes:
        areas: of the attacks that say something.
        auc_by_attack: with such intervals.
        tpr_at_fpr: the most that any finds, a rate.
    """

    areas: simultaneous_intervals.Areas
    auc_by_attack: dict[str, Estimate]
    tpr_at_fpr: list[LowRate]

    def reaching_chance(self) -> "Strengths":
        """Makes the intervals hold what guessing gives.

        What a one-sided test does not reject belongs to the intervals.
        """
        areas = self.auc_by_attack.items()
        return dataclasses.replace(
            self,
            auc_by_attack={name: _reaching(x, 0.5) for name, x in areas},
            tpr_at_fpr=[
                dataclasses.replace(x, tpr=_reaching(x.tpr, x.rate))
                for x in self.tpr_at_fpr
            ],
        )


def evaluated_scores(scored, inputs) -> dict[str, np.ndarray]:
    """The scores to evaluate: of learned ones, those of the other half.

    Returns: float64 [N] by attack, NaN where it is not evaluated.
    """
    return {
        outcome.attack.name: np.where(
            inputs.calibration & outcome.attack.learns, np.nan, outcome.scores
        )
        for outcome in scored
    }


def run(
    scores: dict[str, np.ndarray],
    inputs: AttackInputs,
    *,
    sweeps: Mapping[str, Sweep] = NO_SWEEPS,
    fixed: Collection[str] = (),
    strata: str = CLASS,
) -> LeakTest:
    """Tests one target; verdict.decide adds the verdict.

    Args:
        scores: as `evaluated_scores` returns them.
        sweeps: of these scores; those that are not here are made.
        fixed: attacks with a threshold of their own.
        strata: "class" permutes memberships within the classes, which holds for
            every split; "none" among all records.
    """
    outputs, seed = inputs.outputs, inputs.seed
    members = outputs.members
    measured = strengths(scores, members, sweeps=sweeps, fixed=fixed, seed=seed)
    areas = measured.areas
    # The same attacks in the test and among the intervals.
    scores = {name: scores[name] for name in areas.names}
    groups = membership_permutations.strata_of(
        outputs.labels, inputs.calibration, by_class=strata == CLASS
    )
    max_t = max_t_test.max_t(scores, members, groups, seed=seed, fixed=fixed)
    if max_t.p_value > max_t.level:
        measured = measured.reaching_chance()
    auc_by_attack = measured.auc_by_attack
    sizes = {
        name: (int(m), int(n))
        for name, m, n in zip(
            areas.names, areas.members, areas.nonmembers, strict=True
        )
    }
    tested = [
        TestedAttack(
            attack=adjusted_p.attack,
            p_value=adjusted_p.p_value,
            measure=adjusted_p.best.measure,
            rate=adjusted_p.best.rate,
            t=adjusted_p.best.t,
            auc=auc_by_attack[adjusted_p.attack],
            members=sizes[adjusted_p.attack][0],
            nonmembers=sizes[adjusted_p.attack][1],
        )
        for adjusted_p in max_t.attacks
    ]
    strongest = max(tested, key=lambda x: (x.auc.low, x.t), default=None)
    return LeakTest(
        verdict="",
        reasons=[],
        p_value=max_t.p_value,
        level=max_t.level,
        permutations=max_t.permutations,
        strata=strata,
        attacks=tested,
        strongest=strongest and strongest.attack,
        auc=strongest.auc if strongest else Estimate(0.5, 0.0, 1.0),
        tpr_at_fpr=measured.tpr_at_fpr,
        detectable=_detectable(
            max_t,
            max(
                (x for x in tested if x.attack not in fixed),
                key=lambda x: (x.auc.low, x.t),
                default=strongest,
            ),
            scores,
            members,
            groups,
        ),
    )


def strengths(
    scores: Mapping[str, np.ndarray],
    members: np.ndarray,
    *,
    sweeps: Mapping[str, Sweep] = NO_SWEEPS,
    fixed: Collection[str] = (),
    rates: Collection[float] = low_fpr_rates.RATES,
    seed: int,
) -> Strengths:
    """Measures attacks, without a test; the arguments are those of `run`.

    Args:
        members: bool [N].
        rates: false-positive rates.
    """
    curves = {name: sweeps.get(name) for name in scores}
    for name, score in scores.items():
        has_score = ~np.isnan(score)
        inside = members[has_score]
        if curves[name] is None and inside.any() and not inside.all():
            curves[name] = sweep(score[has_score], inside)
    areas = simultaneous_intervals.areas(scores, members, sweeps=curves)
    curves = {name: curves[name] for name in areas.names if name not in fixed}
    return Strengths(
        areas,
        simultaneous_intervals.intervals(areas, seed=seed),
        [_low_rate(curves, rate, seed=seed) for rate in rates],
    )


def _reaching(estimate, guessing):
    """Makes the interval hold what guessing gives or less."""
    if estimate.low is None or estimate.low <= guessing:
        return estimate
    return dataclasses.replace(estimate, low=guessing)


def _low_rate(curves, rate, *, seed):
    """Takes the attack whose interval starts highest; Bonferroni."""
    needed = math.ceil(BASIS / rate)
    most = max((curve.nonmembers for curve in curves.values()), default=0)
    usable = {
        name: curve
        for name, curve in curves.items()
        if curve.nonmembers >= needed
    }
    best, attack = None, None
    for name, curve in usable.items():
        [estimate] = low_fpr_rates.tpr_at_fpr(
            curve,
            rates=[rate],
            seed=seed,
            level=1 - (1 - LEVEL) / len(usable),
            draws=DRAWS,
        )
        place = estimate.tpr.low, estimate.tpr.value
        if best is None or place > (best.tpr.low, best.tpr.value):
            best, attack = estimate, name
    if best is None:
        return LowRate(rate, None, Estimate(None, None, None), 0, most, needed)
    return LowRate(
        rate, attack, best.tpr, best.false_positives, best.nonmembers, needed
    )


def _detectable(max_t, strongest, scores, members, groups):
    areas = {
        x.attack: x for x in max_t.statistics if x.measure == max_t_test.AUC
    }
    if strongest is None or strongest.attack not in areas:
        return None
    statistic = areas[strongest.attack]
    shares = membership_permutations.Layout.of(members, groups).shares()
    has_score = ~np.isnan(scores[strongest.attack])
    auc = power.detectable_auc(
        max_t.critical,
        statistic.mean,
        statistic.deviation,
        strongest.members,
        strongest.nonmembers,
        moved=_moved(shares[has_score], members[has_score]),
    )
    return Detectable(
        auc=auc,
        balanced_accuracy=power.balanced_accuracy_of(auc),
        power=power.POWER,
        attack=strongest.attack,
    )


def _moved(shares, members):
    """How much of an AUC's excess over 1/2 permutations take away, 0..1.

    Permuted, record i is the member and j the nonmember of a pair with
    probability p_i (1 - p_j), p the shares; that leaves of the excess
    (mean p of members) + (mean 1 - p of nonmembers) - 1.
    """
    return float(1 - shares[members].mean() + shares[~members].mean())
