"""Accuracy matching by stored rates alone, without the scores of the records.

A stored result has the leaks and accuracies of every epoch with their
intervals, and no scores. Compared with another training run on the same
members, the differences are the same numbers as accuracy_matching's; their
intervals take the two runs for independent. On the same records two runs are
not: what is hard for the one is hard for the other, so these intervals are
too wide.
"""

import dataclasses

import numpy as np
from scipy import special, stats

from qmia_tf.auditing.accuracy_crossing import bracket, crossings, outside_range
from qmia_tf.auditing.accuracy_matching import (
    INTERPOLATED,
    NEAREST,
    Match,
    Point,
)
from qmia_tf.statistics import intervals
from qmia_tf.statistics.delong import Contrast
from qmia_tf.statistics.intervals import LEVEL, Estimate


def nearest(model: Point, full: list[Point]) -> Match:
    """Compares a model with the epoch nearest in accuracy on nonmembers."""
    right, reached = _rates(model, full)
    point = full[int(np.argmin(np.abs(np.array(reached) - right)))]
    return Match(
        way=NEAREST,
        epochs=[point.epoch],
        weight=None,
        outside=outside_range(right, reached),
        crossings=crossings(right, reached),
        accuracy=intervals.difference(
            model.accuracy_nonmembers, point.accuracy_nonmembers
        ),
        leak={
            name: _contrast(
                intervals.difference(model.leaks[name], point.leaks[name])
            )
            for name in _both(model, [point])
        },
    )


def interpolated(model: Point, full: list[Point]) -> Match | None:
    """Compares a model with full precision between two epochs.

    As accuracy_matching.interpolated. The two epochs are of one training run:
    they are taken to be wrong together, by (1 - w) times the one's and w
    times the other's distance to its limit. What the weight owes to the
    accuracies, the slope of the leak times the limits of their difference, is
    added to the interval as it is.

    Returns: None if the accuracy is outside of what full precision reached.
    """
    right, reached = _rates(model, full)
    bracketing = bracket(right, reached)
    if bracketing is None:
        return None
    *places, weight = bracketing
    pair = [full[place] for place in places]
    rise = reached[places[1]] - reached[places[0]]
    apart = intervals.difference(
        model.accuracy_nonmembers,
        _mixed([point.accuracy_nonmembers for point in pair], weight),
    )
    leak = {}
    for name in _both(model, pair):
        ends = [point.leaks[name] for point in pair]
        slope = (ends[1].value - ends[0].value) / rise if rise else 0.0
        moved = abs(slope) * max(apart.high, -apart.low)
        difference = intervals.difference(
            model.leaks[name], _mixed(ends, weight)
        )
        wide = Estimate(
            difference.value,
            max(difference.low - moved, -1.0),
            min(difference.high + moved, 1.0),
        )
        leak[name] = _contrast(wide)
    return Match(
        way=INTERPOLATED,
        epochs=[point.epoch for point in pair],
        weight=weight,
        outside=None,
        crossings=crossings(right, reached),
        accuracy=Estimate(0.0, None, None),
        leak=leak,
    )


def trained(model: Point, full: list[Point]) -> Match:
    """Compares a trained model with trained full precision."""
    match = nearest(model, full[-1:])
    return dataclasses.replace(match, way="trained", outside=None)


def _rates(model, full):
    return (
        model.accuracy_nonmembers.value,
        [point.accuracy_nonmembers.value for point in full],
    )


def _both(model, points):
    """The attacks that all of them have, in the order of the model."""
    return [
        name
        for name in model.leaks
        if all(name in point.leaks for point in points)
    ]


def _mixed(pair, weight):
    """(1 - weight) of the first and weight of the second, wrong together."""
    first, second = map(dataclasses.astuple, pair)
    # A product of matrices would end in other digits on another processor.
    return Estimate(
        *(
            (1 - weight) * one + weight * other
            for one, other in zip(first, second, strict=True)
        )
    )


def _contrast(interval):
    """With the p-value at which the nearer limit would reach 0."""
    value, low, high = dataclasses.astuple(interval)
    if value == 0:
        return Contrast(interval, 1.0)
    half = value - low if value > 0 else high - value
    deviations = abs(value) / half * special.ndtri((1 + LEVEL) / 2)
    return Contrast(interval, float(2 * stats.norm.sf(deviations)))
