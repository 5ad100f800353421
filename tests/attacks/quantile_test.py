"""Quantile regression: its fits, its folds, its scores."""

import dataclasses

import numpy as np
import simulated_margins
import tensorflow as tf
from absl.testing import parameterized
from scipy import optimize, stats

from qmia_tf.attacks import folds, quantile, regression
from qmia_tf.attacks.margin import margins
from qmia_tf.statistics.auc import auc


def heteroscedastic(records, *, seed=0, leak=1.0):
    """Margins whose mean and spread follow from three features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(records, 3))
    members = rng.random(records) < 0.5
    spread = np.exp(0.5 * x[:, 1])
    drawn = 2 + 2 * x[:, 0] + spread * rng.normal(size=records)
    return simulated_margins.attack_inputs_of(
        drawn + leak * members, members, seed=seed, features=x
    )


class GaussianTest(tf.test.TestCase):
    def test_finds_means_and_spreads(self):
        rng = np.random.default_rng(0)
        x = rng.normal(3, 2, (20000, 2))
        means, logs = 5 + x @ [2, -1], 0.3 + x @ [0.1, 0.2]
        drawn = means + np.exp(logs) * rng.normal(size=20000)
        fitted = regression.fit_gaussian(x, drawn)(x)
        # Coefficients have an error of about 1/sqrt(20,000) = 0.007 spreads,
        # the outermost records lie four spreads from the middle.
        self.assertAllClose(
            (fitted[0] - means) / np.exp(logs), 0 * x[:, 0], atol=0.1
        )
        self.assertAllClose(np.log(fitted[1]), logs, atol=0.1)

    def test_is_the_minimum_of_the_likelihood(self):
        rng = np.random.default_rng(1)
        x = rng.normal(size=(200, 2))
        t = x[:, 0] + np.exp(0.4 * x[:, 1]) * rng.normal(size=200)

        def negative(c):
            m, s = c[0] + x @ c[1:3], np.exp(c[3] + x @ c[4:])
            return -stats.norm.logpdf(t, m, s).sum()

        best = optimize.minimize(negative, np.zeros(6), method="BFGS")
        m, s = regression.fit_gaussian(x, t, ridge=0.0, spread_ridge=0.0)(x)
        # Where the other optimizer stops.
        loss = -stats.norm.logpdf(t, m, s).sum()
        self.assertAllClose(loss, best.fun, atol=1e-4, rtol=0)

    def test_is_where_the_slope_is_zero(self):
        """The penalized likelihood's, by differences, with few records."""
        rng = np.random.default_rng(2)
        x = rng.normal(size=(60, 24))
        t = rng.standard_t(3, size=60)
        scaled = regression.scaling(x)(x)
        m, s = regression.fit_gaussian(x, t)(x)
        mean, spread = t.mean(), t.std()
        w, v = (
            np.linalg.lstsq(scaled, values, rcond=None)[0]
            for values in ((m - mean) / spread, np.log(s / spread))
        )
        residuals, spreads = (
            (t - mean) / spread - scaled @ w,
            np.exp(scaled @ v),
        )
        squares = (residuals**2 + 1e-4) / spreads**2
        free = np.arange(25) > 0
        by_mean = free * w - scaled.T @ (residuals / spreads**2)
        by_spread = 10 * free * v + scaled.T @ (1 - squares)
        self.assertAllClose(by_mean, 0 * w, atol=1e-5)
        self.assertAllClose(by_spread, 0 * v, atol=1e-5)

    def test_equal_records_get_equal_values(self):
        rng = np.random.default_rng(3)
        x, t = rng.normal(size=(203, 37)), rng.normal(size=203)
        x[101:202] = x[:101]
        for values in regression.fit_gaussian(x, t)(x):
            self.assertAllEqual(values[101:202], values[:101])
        log_odds = regression.fit_logistic(x, t > 0)(x)
        self.assertAllEqual(log_odds[101:202], log_odds[:101])

    def test_constant_features_and_values(self):
        x, t = np.full((30, 2), 0.1), np.full(30, 7.0)
        m, s = regression.fit_gaussian(x, t)(x)
        self.assertAllClose(m, t)
        self.assertTrue(np.isfinite(s).all())


class FoldsTest(parameterized.TestCase, tf.test.TestCase):
    def test_deals_members_and_nonmembers_evenly(self):
        rng = np.random.default_rng(0)
        members, calibration = rng.random((2, 501)) < 0.5
        dealt = folds.draw(calibration, members, seed=0)
        self.assertAllEqual(dealt == folds.EVALUATED, ~calibration)
        for kind in (members, ~members):
            sizes = np.bincount(dealt[calibration & kind], minlength=5)
            self.assertLessEqual(np.ptp(sizes), 1)
        self.assertAllEqual(dealt, folds.draw(calibration, members, seed=0))
        self.assertNotAllEqual(dealt, folds.draw(calibration, members, seed=1))

    def test_nobody_is_scored_by_a_model_that_saw_them(self):
        dealt = np.array([0, 1, 2, 0, 1, 2, folds.EVALUATED, folds.EVALUATED])
        seen = []

        def learn(chosen):
            seen.append(chosen.copy())
            return np.full(8, float(len(seen) - 1))

        models = folds.out_of_fold(learn, dealt).astype(int)
        for record, model in enumerate(models):
            self.assertFalse(seen[model][record])
            judged = dealt[record] == folds.EVALUATED
            self.assertEqual(seen[model].sum(), 6 if judged else 4)

    @parameterized.parameters(0, 1)
    def test_too_few_to_learn_from(self, nonmembers):
        members = np.arange(8) >= nonmembers
        dealt = folds.draw(np.ones(8, bool), members, seed=0)
        predicted = folds.out_of_fold(lambda chosen: np.zeros(8), dealt)
        self.assertTrue(np.isnan(predicted).all())


class ScoresTest(parameterized.TestCase, tf.test.TestCase):
    def test_judged_nonmembers_are_standard_normal(self):
        inputs = heteroscedastic(20000)
        scores = quantile.scores(inputs)
        for half in (inputs.calibration, ~inputs.calibration):
            some = scores[half & ~inputs.outputs.members]
            # 5,000 draws; the fit's own error is of the same size.
            self.assertGreater(stats.kstest(some, "norm").pvalue, 1e-3)

    def test_learns_from_nonmembers_of_the_calibration_half_only(self):
        inputs = heteroscedastic(600)
        members, own = inputs.outputs.members, margins(inputs.outputs)
        learned_from = inputs.calibration & ~members
        changed = np.where(learned_from, own, own + 50)
        other = dataclasses.replace(
            inputs, outputs=simulated_margins.outputs_of(changed, members)
        )
        before, after = quantile.scores(inputs), quantile.scores(other)
        self.assertAllEqual(before[learned_from], after[learned_from])
        self.assertTrue((after > before)[~learned_from].all())

    def test_references_and_classes_are_features(self):
        inputs = simulated_margins.simulate(2000, 6)
        inputs.references.outside[:, 3] = False
        scores = quantile.scores(inputs)
        silent = ~inputs.references.outside.any(axis=0)
        self.assertTrue(silent[3])
        self.assertAllEqual(np.isnan(scores), silent)
        rows = quantile.design(inputs)
        self.assertAllEqual(rows.shape, [2000, 2 + 2])
        record = 7
        outside = inputs.references.outside[:, record]
        mean = inputs.references.margins[outside, record].mean()
        self.assertAllClose(rows[record], [1, 0, mean, mean**2])
        judged = ~inputs.calibration & np.isfinite(scores)
        members = inputs.outputs.members[judged]
        area = auc(scores[judged], members)
        own = auc(margins(inputs.outputs)[judged], members)
        self.assertGreater(area.low, own.high)

    def test_the_class_alone(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 3, 3000)
        members = rng.random(3000) < 0.5
        drawn = 3.0 * labels + rng.normal(size=3000)
        inputs = simulated_margins.attack_inputs_of(
            drawn, members, labels=labels, classes=3
        )
        scores = quantile.scores(inputs)
        for label in range(3):
            some = scores[(labels == label) & ~inputs.calibration]
            # 500 draws: the mean is known to 0.045 and the fit to 0.05.
            self.assertAllClose(some.mean(), 0.0, atol=0.3)


if __name__ == "__main__":
    tf.test.main()
