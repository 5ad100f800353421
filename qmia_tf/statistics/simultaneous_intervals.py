"""Intervals on several AUCs that hold all at once.

So whichever is picked afterwards, its interval still holds.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import special, stats

from qmia_tf.statistics.auc import placements, sure_share
from qmia_tf.statistics.intervals import LEVEL, Estimate, balanced_accuracy
from qmia_tf.statistics.sweep import Sweep, sweep

DRAWS = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class Areas:
    """AUCs with what each record adds to their errors.

    Attributes:
        names: of the K scores.
        values: float64 [K].
        influences: float64 [K, R], how much each record moves each AUC; the sum
            of products of two rows is DeLong's covariance.
        members: int [K], how many members each rests on.
        nonmembers: int [K].
        called: of each score with one or two values how many members and how
            many nonmembers have the higher one; None of the others.
    """

    names: list
    values: np.ndarray
    influences: np.ndarray
    members: np.ndarray
    nonmembers: np.ndarray
    called: list[tuple[int, int] | None]


def areas(
    scores: Mapping[str, np.ndarray],
    members,
    *,
    sweeps: Mapping[str, Sweep] | None = None,
) -> Areas:
    """AUC of each score and its influence, record by record.

    With the placements v and w of auc.auc, M members and U nonmembers
    that have a score, the influence of a member is
    (v - AUC) / sqrt(M (M - 1)), of a nonmember (w - AUC) / sqrt(U (U - 1)), 0
    of a record without a score. Scores of different records may overlap.

    Args:
        scores: float [N] of each name, NaN where there is none.
        members: bool [N].
        sweeps: of these scores, if they are at hand.
    Returns: Areas of those scores that say something of two members and two
        nonmembers or more.
    Source: DeLong et al., Biometrics 44 (1988) 837.
    """
    members = np.asarray(members, bool)
    names, values, influences, counts, called = [], [], [], [], []
    for name, score in scores.items():
        score = np.asarray(score, np.float64)
        has_score = ~np.isnan(score)
        inside, outside = has_score & members, has_score & ~members
        sizes = int(inside.sum()), int(outside.sum())
        if min(sizes) < 2:
            continue
        curve = (sweeps or {}).get(name)
        if curve is None:
            curve = sweep(score[has_score], members[has_score])
        won, lost = placements(curve)
        area, influence = float(won.mean()), np.zeros(members.size)
        for rows, placed in ((inside, won), (outside, lost)):
            size = placed.size
            influence[rows] = (placed - area) / np.sqrt(size * (size - 1))
        names.append(name)
        values.append(area)
        influences.append(influence)
        counts.append(sizes)
        # Row 0 is infinity, row 1 the highest score.
        called.append(
            (int(curve.true_positives[1]), int(curve.false_positives[1]))
            if curve.thresholds.size <= 3
            else None
        )
    shaped = np.array(counts, np.int64).reshape(-1, 2)
    return Areas(
        names,
        np.array(values),
        np.array(influences).reshape(len(names), members.size),
        shaped[:, 0],
        shaped[:, 1],
        called,
    )


def largest(influences: np.ndarray, *, seed: int) -> np.ndarray:
    """Draws max |Z|, Z normal with the correlations of the rows, float [K, R].

    Rows that never move are left out.

    Returns: float64 [DRAWS]; exact quantiles of |Z| if one row is left.
    Source: Hothorn, Bretz and Westfall, Biometrical Journal 50 (2008) 346.
    """
    spreads = np.sqrt((influences**2).sum(axis=1))
    rows = influences[spreads > 1e-12] / spreads[spreads > 1e-12, None]
    if len(rows) < 2:
        middles = (np.arange(DRAWS) + 0.5) / DRAWS
        return special.ndtri((1 + middles) / 2)
    # The symmetric root, which is unique: eigenvectors depend on the library.
    # Of equal scores rounding leaves eigenvalues of about 1e-16 in place of 0.
    values, vectors = np.linalg.eigh(rows @ rows.T)
    values[values < 1e-12 * values.max()] = 0
    root = (vectors * np.sqrt(values)) @ vectors.T
    drawn = np.random.default_rng(seed).normal(size=(DRAWS, len(rows)))
    return np.abs(drawn @ root.T).max(axis=1)


def quantile(drawn: np.ndarray, level: float) -> float:
    """The c that max |Z| stays below with P = level; see largest."""
    alone = float(special.ndtri((1 + level) / 2))
    return max(alone, float(np.quantile(drawn, level)))


def p_value(drawn: np.ndarray, z: float) -> float:
    """P(max |Z| >= z), at least what one normal variable has; see largest."""
    alone = float(2 * stats.norm.sf(z))
    reached = (1 + np.sum(drawn >= z)) / (1 + drawn.size)
    return max(alone, float(reached)) if reached < 1 else 1.0


def intervals(
    score_areas: Areas, *, seed: int, level: float = LEVEL
) -> dict[str, Estimate]:
    """An interval for each AUC; all hold at once with P = level.

    On the logit scale: logit A +- c s / (A (1 - A)), so that none leaves
    0..1. The AUC of a score with two values, or one, is a balanced accuracy;
    of that, Newcombe's interval at the level of c: where few records have the
    lower value, their spread is hardly seen (with 40 + 40 records a truth of
    .57 lay above 5.5 % of intervals where .5 % were meant). Where members
    and nonmembers are fully apart: the exact bound of auc.sure_share, its
    level split among the scores.
    """
    c = quantile(largest(score_areas.influences, seed=seed), level)
    count = max(len(score_areas.names), 1)
    estimates = {}
    alone = float(2 * stats.norm.cdf(c) - 1)
    for name, area, influence, m, n, calls in zip(
        score_areas.names,
        score_areas.values,
        score_areas.influences,
        score_areas.members,
        score_areas.nonmembers,
        score_areas.called,
        strict=True,
    ):
        area, spread = float(area), float(np.sqrt((influence**2).sum()))
        if area in (0.0, 1.0):
            bound = sure_share(m, n, level=1 - (1 - level) / count)
            estimates[name] = Estimate(
                area, bound * area, 1 - bound * (1 - area)
            )
        elif calls:
            estimates[name] = balanced_accuracy(
                calls[0], int(m), calls[1], int(n), level=alone
            )
        else:
            middle = special.logit(area)
            half = c * spread / (area * (1 - area))
            ends = special.expit([middle - half, middle + half])
            estimates[name] = Estimate(area, float(ends[0]), float(ends[1]))
    return estimates
