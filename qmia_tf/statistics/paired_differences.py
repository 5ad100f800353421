"""Intervals on the change between two models queried about the same records."""

import numpy as np
from scipy import optimize, special

from qmia_tf.statistics.intervals import LEVEL, Estimate, arms, within


def tango(
    first_only: int, second_only: int, total: int, *, level: float = LEVEL
) -> Estimate:
    """The score interval on p1 - p2, two rates over the same records.

    With b and c the records of which only the first and only the second is
    right, D a difference and q the likeliest P(second only) under D, the
    interval holds every D with
        |b - c - nD| <= z sqrt(n (2q + D(1 - D))),
        q = (sqrt(B^2 + 8nc D(1 - D)) - B)/4n, B = (2n - b + c)D - b - c.
    It excludes 0 exactly where McNemar's test does, and where the two never
    differ it is z^2/(n + z^2) to either side rather than a point.

    Source: Tango, Statistics in Medicine 17 (1998) 891.
    """
    b, c, n = int(first_only), int(second_only), int(total)
    if min(b, c) < 0 or b + c > n or n < 1:
        raise ValueError(
            "of 1 record or more the two counts must be parts, got "
            f"{b} and {c} of {n}"
        )
    z = special.ndtri((1 + level) / 2)
    # Where the spread at (b - c)/n is 0 the equation has a second root there.
    if b == c == 0:
        half = float(z * z / (n + z * z))
        return Estimate(0.0, -half, half)
    if n in (b, c):
        end = float((n - z * z) / (n + z * z))
        return Estimate(1.0, end, 1.0) if c == 0 else Estimate(-1.0, -1.0, -end)

    def excess(difference):
        spread = difference * (1 - difference)
        slope = (2 * n - b + c) * difference - b - c
        rare = (np.sqrt(slope**2 + 8 * n * c * spread) - slope) / (4 * n)
        return (b - c - n * difference) ** 2 - z * z * n * (2 * rare + spread)

    center = (b - c) / n
    low = optimize.brentq(excess, -1.0, center)
    high = optimize.brentq(excess, center, 1.0)
    return Estimate(center, float(low), float(high))


def change(
    after: np.ndarray, before: np.ndarray, *, level: float = LEVEL
) -> Estimate:
    """The interval on mean(after) - mean(before), bool [N] each."""
    return tango(
        np.sum(after & ~before),
        np.sum(before & ~after),
        len(after),
        level=level,
    )


def balanced_change(members, nonmembers, *, level: float = LEVEL) -> Estimate:
    """The interval on the change of an attack's balanced accuracy.

    (x - y)/2, x the change of TPR and y that of FPR, which are independent,
    with limits as in intervals.arms.

    Args:
        members: (after, before), each bool [M]: which members are called.
        nonmembers: likewise for the nonmembers.
        level: coverage, in 0..1.
    """
    x, y = (change(*pair, level=level) for pair in (members, nonmembers))
    middle = x.value - y.value
    below, above = arms(x, y)
    return within(
        middle / 2, (middle - below) / 2, (middle + above) / 2, (-1.0, 1.0)
    )
