"""Multipliers and biases that round every sum as the trained network does.

A trained layer gives code k + 1 instead of k from some sum on. The kernel has
one float32 multiplier and one int32 bias a channel, and the plain choice, the
true multiplier and the nearest bias, moves each such threshold by up to half
a step of the bias: now and then past a sum that can occur. But sums are whole
numbers, so the kernel's thresholds need not be the true ones; they only have
to lie between the same two sums. For a bias each threshold allows an interval
of multipliers, and a multiplier that lies in all of them makes the kernel
equal to the trained layer at every sum there is. NumPy only.
"""

import itertools

import numpy as np

NEIGHBOURS = (0, -1, 1)  # biases tried, about the nearest one
ROOMS = 6  # headrooms tried, from the largest down
STRAY = 0.02  # how far a multiplier may be from the true one
# Five float32 roundings make the multiplier, one its product with the sum, and
# one a sum above 2**24: each by up to 2**-24.
MARGIN = 2.0**-21


def halves(low: int, high: int, *, every: int = 1) -> np.ndarray:
    """Lists the thresholds between the lowest and the highest code.

    Codes that round to the same multiple of every, which is odd, are as good
    as equal: every (i + 1/2), float64.
    """
    first, last = np.ceil(low / every - 0.5), np.floor(high / every - 0.5)
    return every * (np.arange(first, last + 1) + 0.5)


def importance(
    thresholds: np.ndarray, mean: np.ndarray, deviation: np.ndarray
) -> np.ndarray:
    """Weighs thresholds by how often a sum comes near them.

    Args:
        thresholds: float64 [thresholds].
        mean: float64 [channels], of what is rounded, in output codes.
        deviation: float64 [channels], its standard deviation.
    Returns: int64 [channels, thresholds], 1 or more: a normal density, which
        is what a batch norm leaves.
    """
    away = thresholds - mean[:, None]
    away = away / np.maximum(deviation[:, None], 1e-6)
    density = np.exp(-0.5 * np.minimum(away * away, 60.0))
    return 1 + np.rint(density * 1e6).astype(np.int64)


def choose(
    size: np.ndarray,
    offset: np.ndarray,
    reach: np.ndarray,
    room: np.ndarray,
    thresholds: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Chooses bias and multiplier of each channel, and its headroom.

    A sum s, an integer, was to become round(size s + offset). The kernel
    computes round((times s + bias) multiplier): its codes are the trained
    ones, times an integer that int8 has room for. A sum that lies on a
    threshold goes up.

    Args:
        size: float64 [channels], > 0, in output codes.
        offset: float64 [channels], in output codes.
        reach: float64 [channels], no sum is larger than this.
        room: float64 [channels], the largest integer for times, >= 1.
        thresholds: float64 [thresholds] half-integers that matter.
        weights: int64 [channels, thresholds], which matter most where not
            all can be met.
    Returns: (times, bias, multipliers, missed): float64 [channels] integers
        twice, float64 [channels], and how many thresholds are not met, or
        so narrowly that float32 might miss them.
    """
    channels = len(size)
    times, bias, multipliers = np.empty((3, channels))
    met, count = np.full((2, channels), -1.0)
    open_ = np.arange(channels)
    for less, step in itertools.product(range(ROOMS), NEIGHBOURS):
        tried = room[open_] - less
        # Below half the room the bias's grid only gets coarser.
        rows = open_[(tried >= 1) & (2 * tried > room[open_])]
        if not rows.size:
            continue
        candidates = _try(
            *(part[rows] for part in (size, offset, reach, room - less)),
            step,
            thresholds,
            weights[rows],
        )
        better = candidates[2] > met[rows]
        rows, candidates = rows[better], [part[better] for part in candidates]
        times[rows] = room[rows] - less
        bias[rows], multipliers[rows], met[rows], count[rows] = candidates
        open_ = np.flatnonzero(count < len(thresholds))
    return times, bias, multipliers, int(np.sum(len(thresholds) - count))


def _try(size, offset, reach, times, step, thresholds, weights):
    """One bias and one headroom a channel: the best multiplier for them."""
    true = size / times
    bias = np.rint(offset / true) + step
    under = np.ceil((thresholds - offset[:, None]) / size[:, None]) - 1.0
    over, end = under + 1.0, reach[:, None]
    occurs = (under >= -end, over <= end)
    # The sums next to the threshold, of those that occur.
    below, above = (
        sums * times[:, None] + bias[:, None]
        for sums in (np.minimum(under, end), np.maximum(over, -end))
    )
    least, most = _allowed(below, above, thresholds, occurs)
    return bias, *_stab(least, most, true, weights)


def _allowed(below, above, thresholds, occurs):
    """The multipliers that each threshold allows.

    below * multiplier must stay under the threshold, above * multiplier over
    it; for a negative threshold both change sides. Where no sum lies on one
    side, that side asks for nothing.
    """
    positive = thresholds > 0
    size = np.abs(thresholds)
    inner = np.where(positive, below, -above)
    outer = np.where(positive, above, -below)
    inner_occurs = np.where(positive, *occurs)
    outer_occurs = np.where(positive, *occurs[::-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.where(outer > 0, size / outer * (1 + MARGIN), np.inf)
        most = np.where(inner > 0, size / inner * (1 - MARGIN), np.inf)
    least = np.where(outer_occurs, least, 0.0)
    most = np.where(inner_occurs, most, np.inf)
    return least, most


def _stab(least, most, true, weights):
    """Finds, near the true multiplier, a point inside the best intervals."""
    ends = true * (1 - STRAY), true * (1 + STRAY)
    least = np.maximum(least, ends[0][:, None])
    most = np.minimum(most, ends[1][:, None])
    weights = np.where(least < most, weights, 0)
    points = np.stack([*ends, true], axis=1)
    points = np.concatenate([least, most, points], axis=1)
    gain = np.concatenate([weights, -weights, np.zeros((len(true), 3))], axis=1)
    order = np.argsort(points, axis=1, kind="stable")
    points = np.take_along_axis(points, order, axis=1)
    met = np.cumsum(np.take_along_axis(gain, order, axis=1), axis=1)[:, :-1]
    left, right = points[:, :-1], points[:, 1:]
    usable = (right > left) & np.isfinite(right) & (left >= ends[0][:, None])
    met = np.where(usable, met, -1)
    # Where several pieces meet as much, the one nearest to the true one.
    away = np.abs(np.clip(true[:, None], left, right) - true[:, None])
    away = np.where(met == met.max(axis=1, keepdims=True), away, np.inf)
    rows, pick = np.arange(len(true)), away.argmin(axis=1)
    left, right = left[rows, pick], right[rows, pick]
    inset = (right - left) / 4
    multiplier = np.clip(true, left + inset, right - inset)
    inside = (least < multiplier[:, None]) & (multiplier[:, None] < most)
    return multiplier, met[rows, pick], inside.sum(axis=1)
