"""What holds of everything that is measured of scores and members."""

import dataclasses
import functools

import binormal_scores
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.statistics import (
    auc,
    class_thresholds,
    epsilon,
    held_out_thresholds,
    low_fpr_rates,
    operating_points,
    score_counts,
    thinned_sweep,
)
from qmia_tf.statistics.sweep import sweep

HALF = np.random.default_rng(7).random(400) < 0.5
LABELS = np.random.default_rng(8).integers(0, 3, 400)


def of_sweep(measure):
    """A measure that takes nothing but a Sweep."""

    def of_scores(scores, members, half, labels):
        del half, labels
        return measure(sweep(scores, members))

    return of_scores


def of_scores(measure):
    return lambda scores, members, half, labels: measure(scores, members)


def of_halves(measure):
    return lambda scores, members, half, labels: measure(
        scores, members, calibration=half
    )


def by_class(scores, members, half, labels):
    return class_thresholds.hold_out(
        scores, members, labels, classes=3, seed=0, calibration=half
    )


# Each takes scores, members, a half and classes.
MEASURES = {
    "auc": of_scores(auc.auc),
    "tpr_at_fpr": of_scores(
        functools.partial(low_fpr_rates.tpr_at_fpr, seed=3)
    ),
    "roc_band": of_sweep(functools.partial(low_fpr_rates.roc_band, seed=3)),
    "in_sample_points": of_sweep(
        functools.partial(operating_points.in_sample_points, seed=0)
    ),
    "thin": of_sweep(functools.partial(thinned_sweep.thin, points=40)),
    "histogram": of_scores(score_counts.of_scores),
    "hold_out": of_halves(
        functools.partial(held_out_thresholds.hold_out, seed=0)
    ),
    "cross_fit": of_halves(
        functools.partial(held_out_thresholds.cross_fit, seed=0)
    ),
    "epsilon": of_halves(epsilon.lower_bound),
    "by_class": by_class,
}
# What is made of the scores themselves, not of their order alone.
OF_VALUES = ("histogram", "thin")
IN_HALVES = ("hold_out", "cross_fit", "by_class")


def numbers(result):
    """All numbers of a result but thresholds, which are scores."""
    if isinstance(result, (list, tuple)):
        return [number for part in result for number in numbers(part)]
    if isinstance(result, dict):
        return [
            number
            for name, part in result.items()
            if not name.startswith("threshold")
            for number in numbers(part)
        ]
    if dataclasses.is_dataclass(result):
        return numbers(dataclasses.asdict(result))
    return [] if isinstance(result, str) or result is None else [result]


class ContractTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(name=[*MEASURES], kind=binormal_scores.KINDS)
    def test_a_sweep_stands_for_scores_and_members(self, name, kind):
        scores, members = binormal_scores.scores_of(kind)
        one = MEASURES[name](scores, members, HALF, LABELS)
        curve = sweep(scores, members)
        self.assertIs(sweep(curve), curve)
        self.assertEqual(MEASURES[name](curve, None, HALF, LABELS), one)

    @parameterized.product(name=[*MEASURES], kind=binormal_scores.KINDS)
    def test_order_of_records_changes_nothing(self, name, kind):
        given = (*binormal_scores.scores_of(kind), HALF, LABELS)
        order = np.random.default_rng(1).permutation(400)
        one = numbers(MEASURES[name](*given))
        other = numbers(MEASURES[name](*(x[order] for x in given)))
        # Sums in another order.
        self.assertAllClose(one, other, atol=1e-12)

    @parameterized.product(
        name=sorted({*MEASURES} - {*OF_VALUES}), kind=binormal_scores.KINDS
    )
    def test_only_the_order_of_scores_counts(self, name, kind):
        scores, *rest = *binormal_scores.scores_of(kind), HALF, LABELS
        one, other = (
            MEASURES[name](values, *rest)
            for values in (scores, np.exp(scores / 400) - 7)
        )
        self.assertEqual(numbers(other), numbers(one))

    @parameterized.parameters(
        ([1.0, 2.0], np.array([True]), "equally long"),
        ([[1.0, 2.0]], np.array([[True, False]]), "one-dimensional"),
        ([1.0, 2.0], np.array([1, 0]), "booleans"),
        ([1.0, np.nan], np.array([True, False]), "row 1 is nan"),
        ([1.0, np.inf], np.array([True, False]), "row 1 is inf"),
        ([1.0, 2.0], np.array([True, True]), "both needed, got 2"),
        ([], np.array([], bool), "both needed, got 0"),
    )
    def test_refuses(self, scores, members, message):
        half, labels = HALF[: len(scores)], LABELS[: len(scores)]
        for measure in MEASURES.values():
            with self.assertRaisesRegex(ValueError, message):
                measure(scores, members, half, labels)

    @parameterized.product(name=IN_HALVES, count=(1, 19))
    def test_a_single_record_has_no_halves(self, name, count):
        members = np.arange(20) < count
        with self.assertRaisesRegex(InputError, "1 (non)?member: .* two"):
            MEASURES[name](np.arange(20.0), members, None, LABELS[:20])

    @parameterized.parameters("hold_out", "cross_fit", "epsilon", "by_class")
    def test_a_half_needs_both_kinds(self, name):
        scores, members = binormal_scores.scores_of("levels")
        with self.assertRaisesRegex(ValueError, "are both needed, got"):
            MEASURES[name](scores, members, members, LABELS)


if __name__ == "__main__":
    tf.test.main()
