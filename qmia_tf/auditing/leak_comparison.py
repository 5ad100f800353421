"""Which artefact leaks more, by one attack that is the same for all."""

import dataclasses

import numpy as np
from scipy import special

from qmia_tf.statistics import simultaneous_intervals
from qmia_tf.statistics.delong import unanimous
from qmia_tf.statistics.intervals import LEVEL, Estimate, within


@dataclasses.dataclass(frozen=True)
class Difference:
    """One artefact compared with the first.

    Attributes:
        target: its name.
        auc: of the attack on it.
        difference: that minus the AUC on the first artefact; the interval
            holds for all attacks and artefacts at once.
        p_value: two-sided, of no difference, adjusted likewise.
    """

    target: str
    auc: float
    difference: Estimate
    p_value: float


@dataclasses.dataclass(frozen=True)
class LeakComparison:
    """Artefacts compared by one attack.

    Attributes:
        attack: its name: the one whose AUC, averaged over the artefacts, is
            surely the highest.
        candidates: the attacks that all artefacts have.
        first: the artefact that the others are compared with.
        first_auc: of the attack on it.
        differences: one a further artefact.
    """

    attack: str
    candidates: list[str]
    first: str
    first_auc: float
    differences: list[Difference]


@dataclasses.dataclass(frozen=True, eq=False)
class TargetScores:
    """What attacks make of the records of one target.

    Attributes:
        target: its name.
        record_ids: int64 [N].
        members: bool [N].
        scores: dict attack -> float64 [N], NaN where it is not evaluated.
    """

    target: str
    record_ids: np.ndarray
    members: np.ndarray
    scores: dict


def compare(
    targets: list[TargetScores], *, seed: int, level: float = LEVEL
) -> LeakComparison | None:
    """Compares all artefacts with the first by their AUCs.

    The errors of two AUCs go together as far as they come from the same
    records (DeLong's covariance), so the comparison is paired where the
    records are the same. The intervals hold for every attack and artefact at
    once (simultaneous_intervals.largest), so the choice of the attack does
    not flatter any.

    Returns: None for less than two artefacts, or if they have no attack in
        common.
    """
    if len(targets) < 2:
        return None
    records = np.unique(np.concatenate([x.record_ids for x in targets]))
    all_areas = [_on(records, artefact) for artefact in targets]
    shared = [
        name
        for name in all_areas[0].names
        if all(name in areas.names for areas in all_areas)
    ]
    if not shared:
        return None
    rows = [[areas.names.index(name) for name in shared] for areas in all_areas]
    values = np.stack(
        [areas.values[row] for areas, row in zip(all_areas, rows, strict=True)]
    )
    influences = np.stack(
        [
            areas.influences[row]
            for areas, row in zip(all_areas, rows, strict=True)
        ]
    )
    average = influences.mean(axis=0)
    spread = np.sqrt((average**2).sum(axis=1))
    sure = values.mean(axis=0) - special.ndtri((1 + level) / 2) * spread
    chosen = int(np.argmax(sure))
    apart = (influences[1:] - influences[:1]).reshape(-1, records.size)
    largest = simultaneous_intervals.largest(apart, seed=seed)
    decided = [
        min(areas.members[row[chosen]], areas.nonmembers[row[chosen]])
        for areas, row in zip(all_areas, rows, strict=True)
    ]
    return LeakComparison(
        attack=shared[chosen],
        candidates=shared,
        first=targets[0].target,
        first_auc=float(values[0, chosen]),
        differences=[
            _difference(
                artefact.target,
                values[row, chosen],
                values[0, chosen],
                np.sqrt(
                    (
                        (influences[row, chosen] - influences[0, chosen]) ** 2
                    ).sum()
                ),
                largest,
                pairs=int(min(decided[0], decided[row])),
                count=len(apart),
                level=level,
            )
            for row, artefact in enumerate(targets)
            if row
        ],
    )


def _on(records, target):
    """Spreads scores over the union of the records."""
    places = np.searchsorted(records, target.record_ids)
    members = np.zeros(records.size, bool)
    members[places] = target.members
    scores = {}
    for name, score in target.scores.items():
        scores[name] = np.full(records.size, np.nan)
        scores[name][places] = score
    return simultaneous_intervals.areas(scores, members)


def _difference(target, value, first, spread, largest, *, pairs, count, level):
    apart = float(value - first)
    if spread <= 1e-12:
        contrast = unanimous(apart, pairs, level=level, count=count)
        return Difference(
            target, float(value), contrast.difference, contrast.p_value
        )
    c = simultaneous_intervals.quantile(largest, level)
    return Difference(
        target=target,
        auc=float(value),
        difference=within(
            apart, apart - c * spread, apart + c * spread, (-1.0, 1.0)
        ),
        p_value=simultaneous_intervals.p_value(largest, abs(apart) / spread),
    )
