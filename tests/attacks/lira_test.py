"""LiRA against a plain loop, SciPy, and tensorflow-privacy's fixture."""

import dataclasses

import numpy as np
import simulated_margins
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.attacks import lira, reference_moments
from qmia_tf.attacks.attack_inputs import References
from qmia_tf.attacks.margin import margins, rounding
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.auc import auc

PRIOR = 4.0
# Log-densities of size 100 at most, from sums of up to 9 models.
ATOL = 1e-10


def small(records=60, models=9, seed=1):
    """AttackInputs in which records 0 to 3 have none or one model on a side."""
    inputs = simulated_margins.simulate(records, models, seed=seed)
    inside, outside = inputs.references.inside, inputs.references.outside
    inside[:, 0] = False
    outside[:, 1] = False
    inside[:, 2:4] = outside[:, 2:4] = False
    inside[0, 2:4] = outside[1, 2:4] = True
    # A model that used a record for something else says nothing of it.
    inside[4, 10:20] = outside[4, 10:20] = False
    inputs.references.margins[4, 10:20] = np.nan
    return inputs


def own_models(inputs, mask):
    """Of each record the margins that count, their center and residuals."""
    values = [
        column[use]
        for column, use in zip(inputs.references.margins.T, mask.T, strict=True)
    ]
    middles = [np.mean(own) if own.size else np.nan for own in values]
    rests = [own - m for own, m in zip(values, middles, strict=True)]
    return values, middles, rests


def loop_spread(rest, rests, variance, models):
    """The spread of one record, from the definition."""
    if rest.size == 0:
        return np.nan
    if variance == "paper":
        variance = "global" if models < 64 else "per_record"
    freedom = sum(max(values.size - 1, 0) for values in rests)
    pooled = sum(np.sum(values**2) for values in rests) / freedom
    if variance == "global":
        return np.sqrt(pooled)
    if variance == "per_record":
        if rest.size < 2:
            return np.nan
        return np.sqrt(np.sum(rest**2) / (rest.size - 1))
    weighed = np.sum(rest**2) + PRIOR * pooled
    return np.sqrt(weighed / (rest.size - 1 + PRIOR))


class LoopTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        variance=lira.VARIANCES, online=(False, True), models=(9, 64)
    )
    def test_scores_are_those_of_a_loop(self, variance, online, models):
        inputs = small(models=models)
        references, target = inputs.references, margins(inputs.outputs)
        sides = [references.outside]
        if online:
            sides.append(references.inside)
        logs = []
        for mask in sides:
            _, middles, rests = own_models(inputs, mask)
            widths = [
                loop_spread(rest, rests, variance, models) for rest in rests
            ]
            log = stats.norm.logpdf if online else stats.norm.logsf
            logs.append(log(target, middles, widths))
        expected = np.array(logs[0]) if online else -np.array(logs[0])
        if online:
            expected = np.array(logs[1]) - expected
        attack = lira.online_scores if online else lira.offline_scores
        scores = attack(inputs, variance=variance)
        self.assertAllEqual(np.isnan(scores), np.isnan(expected))
        self.assertAllClose(scores, expected, atol=ATOL, rtol=ATOL)

    @parameterized.parameters(
        ("online", "shrunken", [0, 1]),
        ("online", "per_record", [0, 1, 2, 3]),
        ("offline", "global", [1]),
        ("offline", "per_record", [1, 2, 3]),
    )
    def test_says_nothing_without_models(self, kind, variance, expected):
        attack = getattr(lira, f"{kind}_scores")
        scores = attack(small(models=40), variance=variance)
        self.assertAllEqual(np.flatnonzero(np.isnan(scores)), expected)


class FixtureTest(parameterized.TestCase, tf.test.TestCase):
    """The figures of tensorflow-privacy's advanced_mia_test.

    Its spread divides by n, not n - 1, and a record without models gets the
    mean of the others' center and spread.
    """

    targets = np.array([1.0, 0.0, 0.0, 0.0])
    shadows = np.array([[-1.0, 0, 0, np.nan], [1.0, 2, 20, np.nan]])

    def filled(self, spreads, centers):
        rows = np.vstack([centers, np.broadcast_to(spreads, 4)])
        rows[:, 3] = rows[:, :3].mean(axis=1)
        return rows

    @parameterized.parameters(
        (False, [1.41893853, 1.41893853, 3.72152363, 2.72537178]),
        (True, [2.69682468, 2.69682468, 4.15270703, 2.87983121]),
    )
    def test_log_density_of_in_models(self, fixed, expected):
        inside = reference_moments.moments(
            self.shadows, np.isfinite(self.shadows)
        )
        per_example = lira.spreads(inside, 0.0, variance="per_record")
        spreads = per_example * np.sqrt(1 / 2)
        if fixed:
            pooled = lira.global_variance(inside) * 3 / 6
            spreads = np.sqrt(pooled)
        centers, spreads = self.filled(spreads, inside.centers)
        # Against a normal of known density, the ratio is the density.
        known = stats.norm.logpdf(self.targets, 5, 1)
        ratios = lira.likelihood_ratio(
            self.targets, (centers, spreads), (5.0, 1.0)
        )
        self.assertAllClose(-(ratios + known), expected, atol=1e-7)


class SpreadsTest(parameterized.TestCase, tf.test.TestCase):
    def test_spread_between_records_is_not_pooled(self):
        rng = np.random.default_rng(0)
        levels = rng.normal(scale=100, size=4000)
        values = levels + rng.normal(size=(5, 4000))
        estimates = reference_moments.moments(
            values, np.ones(values.shape, bool)
        )
        # A mean of 16,000 squared normals: sd 0.011.
        self.assertAllClose(lira.global_variance(estimates), 1.0, atol=0.05)

    def test_floor(self):
        estimates = reference_moments.moments(
            np.ones((3, 2)), np.ones((3, 2), bool)
        )
        for floor in (0.25, np.array([0.25, 0.25])):
            spreads = lira.spreads(estimates, 0.0, floor=floor)
            self.assertAllEqual(spreads, [0.25, 0.25])
        self.assertAllEqual(
            lira.spreads(estimates, 0.0), [lira.LEAST_SPREAD] * 2
        )

    def test_unknown_variance(self):
        with self.assertRaisesRegex(ValueError, "must be one of shrunken"):
            lira.online_scores(small(), variance="pooled")


class AttackTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters("online", "offline")
    def test_one_model_a_record_still_ranks(self, kind):
        inputs = simulated_margins.simulate(300, 2, leak=3.0)
        inside = np.array([[True], [False]]) * np.ones(300, bool)
        references = References(inputs.references.margins, inside, ~inside)
        inputs = dataclasses.replace(inputs, references=references)
        scores = getattr(lira, f"{kind}_scores")(inputs)
        self.assertTrue(np.isfinite(scores).all())
        m_in, m_out = references.margins
        target = margins(inputs.outputs)
        plain = target - m_out
        if kind == "online":
            plain = (target - m_out) ** 2 - (target - m_in) ** 2
        self.assertAllEqual(np.argsort(scores), np.argsort(plain))

    def test_one_side_lends_its_spread(self):
        inputs = simulated_margins.simulate(300, 5)
        inside = np.zeros((5, 300), bool)
        inside[0] = True
        references = References(inputs.references.margins, inside, ~inside)
        inputs = dataclasses.replace(inputs, references=references)
        scores = lira.online_scores(inputs, variance="global")
        out = references.margins[1:]
        spread = np.sqrt(np.var(out, axis=0, ddof=1).mean())
        target = margins(inputs.outputs)
        m_in, m_out = references.margins[0], out.mean(axis=0)
        expected = stats.norm.logpdf(target, m_in, spread)
        expected -= stats.norm.logpdf(target, m_out, spread)
        self.assertAllClose(scores, expected, atol=ATOL)

    def test_quantized_outputs_floor_the_spread(self):
        p = np.array([128, 255, 1, 250] * 2, np.float32) / 256
        answers = Outputs(
            probabilities=np.stack([p, 1 - p], axis=1),
            labels=np.zeros(8, np.int64),
            members=np.arange(8) < 4,
            record_ids=np.arange(8),
            info={"target": "int8", "probability_step": 1 / 256},
        )
        own = margins(answers)
        inside = np.array([[True], [True], [False], [False]])
        inside = np.broadcast_to(inside, (4, 8))
        # All references agree to the last bit: only rounding is left.
        references = References(np.tile(own - 1, (4, 1)), inside, ~inside)
        inputs = simulated_margins.attack_inputs_of(own, answers.members)
        inputs = dataclasses.replace(
            inputs, outputs=answers, references=references
        )
        expected = -stats.norm.logsf(1 / rounding(answers))
        scores = lira.offline_scores(inputs)
        self.assertAllClose(scores, expected, atol=1e-12)

    def test_shrunken_is_the_best_of_the_three(self):
        areas = {}
        for models in (4, 16):
            inputs = simulated_margins.simulate(8000, models)
            for variance in lira.VARIANCES:
                scores = lira.online_scores(inputs, variance=variance)
                use = np.isfinite(
                    lira.online_scores(inputs, variance="per_record")
                )
                areas[variance] = auc(
                    scores[use], inputs.outputs.members[use]
                ).value
            self.assertGreater(areas["shrunken"], areas["global"])
            self.assertGreater(areas["shrunken"], areas["per_record"])


if __name__ == "__main__":
    tf.test.main()
