"""The likelihood ratio of the margin, against ratios known in closed form."""

import numpy as np
import simulated_margins
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats

from qmia_tf.attacks import likelihood, margin
from qmia_tf.statistics.auc import auc

# Margins of a memorized network: members in a narrow band, nonmembers on
# both sides of it.
INSIDE, OUTSIDE = stats.norm(8, 1), stats.norm(8, 4)


def memorized(records, *, seed=0):
    rng = np.random.default_rng(seed)
    members = rng.random(records) < 0.5
    drawn = np.where(
        members,
        INSIDE.rvs(records, random_state=rng),
        OUTSIDE.rvs(records, random_state=rng),
    )
    return drawn, members


class DensityRatioTest(parameterized.TestCase, tf.test.TestCase):
    def test_is_the_ratio_of_the_densities(self):
        values, members = memorized(200_000)
        asked = np.linspace(5.5, 10.5, 21)
        ratios = likelihood.density_ratio(values, members)(asked)
        exact = INSIDE.logpdf(asked) - OUTSIDE.logpdf(asked)
        # 58 bins of 3,400 values: counts are off by a few per cent, and the
        # curve bends by 0.06 within the widest of these bins.
        self.assertAllClose(ratios, exact, atol=0.2)

    def test_by_hand(self):
        # Two bins, {0, 1, 2, 3} and {4, 5, 6, 7}, with 3 and 1 of 4 members.
        values = np.arange(8.0)
        members = np.array([1, 1, 1, 0, 0, 0, 0, 1], bool)
        ratio = likelihood.density_ratio(values, members)
        high = np.log(4 / 6) - np.log(2 / 6)
        self.assertAllClose(
            ratio(np.array([-9.0, 1.5, 3.5, 5.5, 99.0])),
            [high, high, 0.0, -high, -high],
        )

    @parameterized.parameters(2, 9, 5000)
    def test_equal_values_say_nothing(self, size):
        members = np.arange(size) % 2 == 0
        ratio = likelihood.density_ratio(np.full(size, 6.24), members)
        ratios = ratio(np.array([-1.0, 6.24, 7.0]))
        self.assertAllClose(ratios, np.full(3, ratios[0]))

    def test_ties_stay_together(self):
        # Four fifths of the values are one, as at the end of an int8 softmax.
        rng = np.random.default_rng(0)
        values = np.minimum(rng.normal(7.4, 1, 1000), 6.24)
        members = rng.random(1000) < 0.5
        ratio = likelihood.density_ratio(values, members)
        tied = values == 6.24
        rate = [members[tied].sum(), (~members)[tied].sum()]
        totals = [members.sum(), (~members).sum()]
        # The prior moves a share by one record and one bin of ten at most.
        self.assertAllClose(
            ratio(np.array([6.24]))[0],
            np.log(rate[0] / totals[0]) - np.log(rate[1] / totals[1]),
            atol=0.02,
        )


class ScoresTest(tf.test.TestCase):
    def test_finds_what_no_threshold_does(self):
        drawn, members = memorized(20_000)
        inputs = simulated_margins.attack_inputs_of(drawn, members)
        judged = ~inputs.calibration
        area = auc(likelihood.scores(inputs)[judged], members[judged])
        # Of |x - 8|, which orders as the exact ratio does: P(|Z| < 4 |Z'|)
        # for two standard normals is 2 arctan(4)/pi.
        exact = 2 * np.arctan(4) / np.pi
        self.assertBetween(exact, area.low - 0.005, area.high + 0.005)
        alone = auc(margin.margins(inputs.outputs)[judged], members[judged])
        self.assertBetween(0.5, alone.low, alone.high)

    def test_saturation_cannot_help(self):
        # Ties at the top raise the AUC of a threshold on these margins and
        # lower that of the best attack.
        drawn, members = memorized(20_000, seed=1)
        aucs = {}
        for name, values in (
            ("exact", drawn),
            ("saturated", np.minimum(drawn, 8)),
        ):
            inputs = simulated_margins.attack_inputs_of(values, members)
            judged = ~inputs.calibration
            aucs[name] = [
                auc(scores[judged], members[judged]).value
                for scores in (
                    margin.margins(inputs.outputs),
                    likelihood.scores(inputs),
                )
            ]
        self.assertGreater(aucs["saturated"][0], aucs["exact"][0] + 0.05)
        self.assertLess(aucs["saturated"][1], aucs["exact"][1] - 0.05)

    def test_too_few_records(self):
        inputs = simulated_margins.attack_inputs_of(
            [3.0, 2.0, 1.0, 0.0], [True, True, False, False]
        )
        self.assertTrue(np.isnan(likelihood.scores(inputs)).all())


if __name__ == "__main__":
    tf.test.main()
