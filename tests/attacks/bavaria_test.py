"""BaVarIA against SciPy's Student's t, and against LiRA's limit."""

import dataclasses

import numpy as np
import simulated_margins
import tensorflow as tf
from absl.testing import parameterized
from lira_test import small
from scipy import integrate, stats
from sklearn import metrics

from qmia_tf.attacks import bavaria, lira, reference_moments
from qmia_tf.attacks.margin import margins
from qmia_tf.statistics.auc import auc


def predictive_density(x, values, prior):
    """The density of the next value, integrated over mean and variance."""
    m0, k0, a0, b0 = prior

    def joint(mean, log_variance, extra):
        variance = np.exp(log_variance)
        logs = stats.invgamma.logpdf(variance, a0, scale=b0) + log_variance
        logs += stats.norm.logpdf(mean, m0, np.sqrt(variance / k0))
        for value in [*values, *extra]:
            logs += stats.norm.logpdf(value, mean, np.sqrt(variance))
        return np.exp(logs)

    grid = np.linspace(-12, 12, 801), np.linspace(-6, 7, 601)
    mesh = np.meshgrid(*grid, indexing="ij")
    over = [
        integrate.simpson(
            integrate.simpson(joint(*mesh, extra), x=grid[1], axis=1),
            x=grid[0],
        )
        for extra in ([x], [])
    ]
    return over[0] / over[1]


class StudentTest(parameterized.TestCase, tf.test.TestCase):
    def test_density_and_survival_are_scipys(self):
        rng = np.random.default_rng(0)
        freedom, scale = rng.uniform(0.5, 90, 200), rng.uniform(0.1, 4, 200)
        location, x = rng.normal(size=200), 5 * rng.normal(size=200)
        ours = bavaria.StudentT(freedom, location, scale)
        theirs = stats.t(freedom, location, scale)
        self.assertAllClose(ours.log_density(x), theirs.logpdf(x), atol=1e-10)
        self.assertAllClose(
            ours.log_survival(x), np.log(theirs.sf(x)), atol=1e-10
        )

    @parameterized.parameters(5.0, 40.0, 1000.0)
    def test_far_tail_goes_on_where_survival_is_0(self, freedom):
        z = np.geomspace(3, 1e60, 400)
        one = np.ones(400)
        tail = bavaria.StudentT(freedom * one, 0 * one, one)
        logs = tail.log_survival(z)
        self.assertAllLess(np.diff(logs), 0)
        self.assertTrue(np.isfinite(logs).all())
        # Far out the survival falls as z^-freedom.
        slope = np.diff(logs)[-1] / np.diff(np.log(z))[-1]
        self.assertAllClose(slope, -freedom, rtol=1e-3)
        # Both ways agree where both are exact.
        survival = stats.t.sf(z, freedom)
        both = (survival > 1e-200) & (survival < 1e-20)
        self.assertGreater(both.sum(), 3)
        self.assertAllClose(
            bavaria._log_far_tail(z[both], freedom * one[both]),
            np.log(survival[both]),
            rtol=1e-9,
        )


class PredictiveTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(([],), ([0.3],), ([-1.0, 0.2, 2.5],))
    def test_is_the_integral_over_means_and_variances(self, values):
        # Enough other records that m0, k0 and p are set by them.
        rng = np.random.default_rng(1)
        draws = rng.normal(0.5, 1.3, (3, 500)) + rng.normal(size=(3, 500))
        mask = np.ones((3, 500), bool)
        draws[: len(values), 0], mask[:, 0] = values, False
        mask[: len(values), 0] = True
        records = reference_moments.moments(draws, mask)
        common = lira.global_variance(records)
        side = bavaria.predictive(records, common, freedom=4.0)
        known = records.counts > 0
        centers = records.centers[known]
        between = centers.var() - common * np.mean(1 / records.counts[known])
        prior = (centers.mean(), common / between, 2.0, 2.0 * common)
        x = np.array([-2.0, 0.7, 3.0])
        if not values:
            # The prior alone, which scores leave out.
            self.assertTrue(np.isnan(side.location[0]))
            return
        expected = [predictive_density(some, values, prior) for some in x]
        density = [
            np.exp(side.log_density(np.full(500, some)))[0] for some in x
        ]
        self.assertAllClose(density, expected, rtol=2e-3)

    def test_many_models_end_at_lira(self):
        rng = np.random.default_rng(2)
        draws = (2 + rng.normal(size=(4000, 5))) * np.arange(1, 6)
        records = reference_moments.moments(draws, np.ones(draws.shape, bool))
        common = lira.global_variance(records)
        side = bavaria.predictive(records, common)
        normal = lira.spreads(records, common, variance="per_record")
        self.assertAllClose(side.scale, normal, rtol=1e-2)
        self.assertAllClose(side.location, records.centers, atol=1e-2)
        x = np.full(5, 1.0)
        self.assertAllClose(
            side.log_density(x),
            stats.norm.logpdf(x, records.centers, normal),
            atol=2e-2,
        )


class AttackTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(("online", [0, 1]), ("offline", [1]))
    def test_says_nothing_without_models(self, kind, expected):
        attack = getattr(bavaria, f"{kind}_scores")
        scores = attack(small(models=40))
        self.assertAllEqual(np.flatnonzero(np.isnan(scores)), expected)

    def test_equal_references_divide_by_no_0(self):
        inputs = simulated_margins.simulate(30, 4)
        references = inputs.references
        alike = simulated_margins.references_of(
            np.full_like(references.margins, 1.0), references.inside
        )
        inputs = dataclasses.replace(inputs, references=alike)
        for attack in (bavaria.online_scores, bavaria.offline_scores):
            scores = attack(inputs)
            self.assertFalse(np.isinf(scores).any())

    @parameterized.parameters("online", "offline")
    def test_tells_more_than_the_margin(self, kind):
        inputs = simulated_margins.simulate(6000, 8)
        scores = getattr(bavaria, f"{kind}_scores")(inputs)
        use = np.isfinite(scores)
        members = inputs.outputs.members[use]
        area = auc(scores[use], members)
        own = auc(margins(inputs.outputs)[use], members)
        self.assertGreater(area.low, own.high)

    @parameterized.parameters(4, 8)
    def test_with_few_models_finds_more_than_lira_at_few_alarms(self, models):
        inputs = simulated_margins.simulate(20000, models, leak=1.5)
        rates = []
        for attack in (bavaria, lira):
            scores = attack.online_scores(inputs)
            use = np.isfinite(scores)
            members = inputs.outputs.members[use]
            fpr, tpr, _ = metrics.roc_curve(members, scores[use])
            rates.append(np.interp(0.001, fpr, tpr))
        # 5 % and 2 %, 8 % and 5 %: seven standard errors and more.
        self.assertGreater(rates[0], 1.4 * rates[1])


if __name__ == "__main__":
    tf.test.main()
