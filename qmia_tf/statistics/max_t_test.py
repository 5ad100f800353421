"""One max-T permutation test over several attacks: is the best one chance?

Without a leak it does not matter which of two records of a class is the
member. So memberships are permuted, every statistic of every attack is
computed again, and the largest of them is kept: max-T. What the audit has
measured counts as a leak if hardly any permutation reaches it.
"""

import concurrent.futures
import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import threadpoolctl
from scipy import stats

from qmia_tf.statistics import membership_permutations

LEVEL = 0.025
AUC = "auc"
RATES = (0.01, 0.001)
# As many permutations as so many permuted memberships allow, within bounds.
BUDGET, FEWEST, MOST = 80_000_000, 2_000, 5_000
# Memberships that one thread holds at a time, as float64.
BLOCK = 4_000_000
# Standard deviations beyond which a count is taken for impossible.
NEVER = 8.0


@dataclasses.dataclass(frozen=True)
class Statistic:
    """One statistic of one attack, and what it is without a leak.

    Attributes:
        attack: name.
        measure: "auc", or "tpr" at a false-positive rate.
        rate: that rate; None for the AUC.
        value: AUC, or true-positive rate, of the memberships as they are.
        mean: mean over the permutations; of the cube root for a "tpr".
        deviation: standard deviation over the permutations, likewise.
        t: (value - mean) / deviation, with the cube root of a "tpr".
        p_value: one-sided, by itself, without regard to the other ones.
    """

    attack: str
    measure: str
    rate: float | None
    value: float
    mean: float
    deviation: float
    t: float
    p_value: float


@dataclasses.dataclass(frozen=True)
class AttackPValue:
    """The adjusted p-value of one attack.

    Attributes:
        attack: name.
        p_value: adjusted for all attacks and statistics (step-down).
        best: its Statistic with the largest t.
    """

    attack: str
    p_value: float
    best: Statistic


@dataclasses.dataclass(frozen=True)
class MaxT:
    """The whole test.

    Attributes:
        p_value: the least adjusted p-value of any attack; 1 if there is no
            statistic that the permutations move.
        critical: the t that the largest statistic exceeds in a share `level`
            of the permutations.
        level: of the one-sided test.
        permutations: how many were drawn.
        attacks: from the least p-value to the largest; attacks that no
            permutation moves are absent.
        statistics: every statistic.
    """

    p_value: float
    critical: float
    level: float
    permutations: int
    attacks: list[AttackPValue]
    statistics: list[Statistic]


def max_t(
    scores: Mapping[str, np.ndarray],
    members,
    strata,
    *,
    seed: int,
    rates: Sequence[float] = RATES,
    fixed: Collection[str] = (),
    permutations: int | None = None,
) -> MaxT:
    """Tests whether any attack detects members, all attacks together.

    Statistics: the AUC of each attack and the cube root of its TPR at each
    rate; the cube root because counts above a nonmember are distributed like
    a gamma variable, whose cube root is nearly normal (Wilson and Hilferty),
    so that no statistic has heavier tails than another. Each is studentized
    by its mean and standard deviation over the permutations. The adjusted
    p-value of an attack is the share of permutations, and of the truth, in
    which the largest statistic of this and all weaker attacks is as large.

    Args:
        scores: float [N] of each attack, higher is more member-like; NaN
            where it has no score, or is not evaluated.
        members: bool [N].
        strata: int [N]; memberships are permuted within them.
        seed: 0 or more.
        rates: false-positive rates; one that less than one nonmember of an
            attack's records makes up is left out. Nonmembers are those that
            permutations leave on average, so that the threshold of a rate
            does not depend on who is one.
        fixed: names of attacks with a threshold of their own. Of them the
            AUC alone is taken: for scores of two values it is the balanced
            accuracy.
        permutations: None takes 2,000 to 5,000, by the records.
    Source: Westfall and Young, Resampling-Based Multiple Testing (1993),
        algorithm 4.1; Wilson and Hilferty, PNAS 17 (1931) 684.
    """
    members = np.asarray(members, bool)
    draws = permutations or int(
        np.clip(BUDGET // max(members.size, 1), FEWEST, MOST)
    )
    layout = membership_permutations.Layout.of(members, strata)
    # Stratum by stratum, so that what is drawn need not be put in order.
    members, shares = members[layout.order], layout.shares()[layout.order]
    scores = {
        name: np.asarray(score, np.float64)[layout.order]
        for name, score in scores.items()
    }
    columns = _columns(scores, members, shares, rates, fixed)
    truth = _evaluate(members[None], columns)
    drawn = _permuted(layout, columns, draws, seed)
    return _adjust(columns, truth[0], drawn)


def _permuted(layout, columns, draws, seed):
    """Every statistic of every permutation, float64 [draws, S]."""
    size = max(1, min(draws, BLOCK // max(layout.order.size, 1)))
    sizes = [min(size, draws - start) for start in range(0, draws, size)]
    streams = np.random.SeedSequence(seed).spawn(len(sizes))

    def block(stream, count):
        rng = np.random.default_rng(stream)
        return _evaluate(layout.draw_in_order(rng, count), columns)

    threads = min(len(sizes), os.cpu_count() or 1, 4)
    # The threads are ours: BLAS must not start more inside them.
    with (
        threadpoolctl.threadpool_limits(1, user_api="blas"),
        concurrent.futures.ThreadPoolExecutor(threads) as pool,
    ):
        return np.concatenate(list(pool.map(block, streams, sizes)))


def _adjust(columns, truth, drawn):
    every = np.vstack([truth, drawn])
    means, deviations = every.mean(axis=0), every.std(axis=0)
    moved = deviations > 1e-9
    t = np.full(every.shape, -np.inf)
    t[:, moved] = (every[:, moved] - means[moved]) / deviations[moved]
    # Sums in another order must not part what is equal.
    t = np.round(t, 9)
    alone = (t >= t[0]).mean(axis=0)
    names = [name for column in columns for name in column.names]
    statistics = [
        Statistic(
            *name,
            value=float(value if name[1] == AUC else value**3),
            mean=float(means[row]),
            deviation=float(deviations[row]),
            t=float(t[0, row]),
            p_value=float(alone[row]),
        )
        for row, (name, value) in enumerate(zip(names, truth, strict=True))
        if moved[row]
    ]
    # The first of equals.
    best = {}
    for statistic in statistics:
        own = best.setdefault(statistic.attack, statistic)
        if statistic.t > own.t:
            best[statistic.attack] = statistic
    ranked = sorted(best, key=lambda name: -best[name].t)
    largest = [
        t[:, [row for row, x in enumerate(names) if x[0] == name]].max(axis=1)
        for name in ranked
    ]
    p_values, running = _step_down(largest, np.full(len(every), -np.inf))
    attacks = zip(ranked, p_values, strict=True)
    return MaxT(
        p_value=p_values[0] if ranked else 1.0,
        critical=float(np.quantile(running, 1 - LEVEL)) if ranked else np.inf,
        level=LEVEL,
        permutations=len(drawn),
        attacks=[AttackPValue(name, p, best[name]) for name, p in attacks],
        statistics=statistics,
    )


def _step_down(largest, running):
    """Adjusted p-values, strongest first, and the largest t of all."""
    p_values = []
    for own in reversed(largest):
        running = np.maximum(running, own)
        p_values.append(float((running >= running[0]).mean()))
    return np.maximum.accumulate(p_values[::-1]).tolist(), running


@dataclasses.dataclass(frozen=True, eq=False)
class _Column:
    """The scores of one attack, ranked once."""

    # (attack, measure, rate) of each statistic.
    names: list
    # int [n], the records it scores, from the highest on.
    order: np.ndarray
    # int [K], where runs of equal scores end in that order.
    ends: np.ndarray
    # float64 [N], twice the midranks, 0 without a score.
    ranks: np.ndarray
    # A rate each: how many nonmembers may be called.
    allowed: list[int]
    # float64 [N], 1 where it has a score; None if everywhere.
    has_score: np.ndarray | None
    # float64 [n] in `order`, the nonmembers up to each record, on average
    # over the permutations.
    expected: np.ndarray


def _columns(scores, members, shares, rates, fixed):
    columns = []
    for name, score in scores.items():
        rows = np.flatnonzero(~np.isnan(score))
        if members[rows].all() or not members[rows].any():
            continue
        order = rows[np.argsort(-score[rows], kind="stable")]
        ranked = score[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        ranks = np.zeros(members.size)
        # Twice a midrank is whole, so that its sums are exact.
        ranks[rows] = 2 * stats.rankdata(score[rows])
        expected = np.cumsum(1 - shares[order])
        # 0.29 * 100 is a little less than 29.
        allowed = {x: int(x * expected[-1] * (1 + 1e-9)) for x in rates}
        used = [x for x in rates if allowed[x] and name not in fixed]
        has_score = None
        if rows.size < members.size:
            has_score = np.zeros(members.size)
            has_score[rows] = 1
        columns.append(
            _Column(
                names=[(name, AUC, None), *((name, "tpr", x) for x in used)],
                order=order,
                ends=ends,
                ranks=ranks,
                allowed=[allowed[x] for x in used],
                has_score=has_score,
                expected=expected,
            )
        )
    return columns


def _evaluate(drawn, columns):
    """Statistics of bool [B, N] memberships, float64 [B, S]."""
    if not columns:
        return np.zeros((len(drawn), 0))
    as_float = drawn.astype(np.float64)
    sums = as_float @ np.column_stack([x.ranks for x in columns])
    inside = np.full(sums.shape, as_float[0].sum())
    masked = [row for row, x in enumerate(columns) if x.has_score is not None]
    if masked:
        inside[:, masked] = as_float @ np.column_stack(
            [columns[row].has_score for row in masked]
        )
    parts = []
    for row, column in enumerate(columns):
        m = inside[:, row]
        n = column.order.size - m
        pairs = np.maximum(m * n, 1)
        won = (sums[:, row] / 2 - m * (m + 1) / 2) / pairs
        parts.append(np.where(m * n > 0, won, 0.5))
        for allowed in column.allowed:
            called = _true_positives(drawn, column, allowed)
            parts.append(np.cbrt(called / np.maximum(m, 1)))
    return np.column_stack(parts)


def _true_positives(drawn, column, allowed):
    """Members above the lowest threshold with `allowed` false positives.

    Of bool [B, N] memberships, int [B].
    """
    order, ends = column.order, column.ends
    length = 4 * (allowed + 1) + 64
    while True:
        cut = ends[: np.searchsorted(ends, length)]
        if cut.size < ends.size:
            following = ends[cut.size]
            least = NEVER * np.sqrt(following + 1) / 2
            # What comes next holds too many nonmembers in any draw.
            whole = drawn.shape[0] > 1 and (
                column.expected[following] - least > allowed
            )
        else:
            whole = True
        if cut.size:
            called = np.cumsum(
                drawn[:, order[: cut[-1] + 1]], axis=1, dtype=np.int32
            )[:, cut]
            fits = np.sum(cut + 1 - called <= allowed, axis=1)
            if whole or (fits < cut.size).all():
                padded = np.column_stack(
                    [np.zeros(len(drawn), np.int32), called]
                )
                return padded[np.arange(len(drawn)), fits]
        elif whole:
            return np.zeros(len(drawn), np.int32)
        length *= 2
