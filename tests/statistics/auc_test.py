"""The AUC against SciPy, DeLong's definition, and coverage."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from binormal_scores import KINDS, scores_of
from scipy import stats
from sklearn import metrics

from qmia_tf.statistics.auc import auc, hanley_mcneil


class AucTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*KINDS)
    def test_is_mann_whitneys_u(self, kind):
        scores, members = scores_of(kind)
        u = stats.mannwhitneyu(scores[members], scores[~members]).statistic
        area = auc(scores, members).value
        pairs = members.sum() * (~members).sum()
        self.assertAlmostEqual(area, u / pairs, places=12)
        self.assertAlmostEqual(
            area, metrics.roc_auc_score(members, scores), places=12
        )

    @parameterized.parameters(*KINDS)
    def test_interval_is_delongs_definition(self, kind):
        scores, members = scores_of(kind)
        inside, outside = scores[members][:, None], scores[~members][None]
        won = (inside > outside) + 0.5 * (inside == outside)
        rows, columns = won.mean(axis=1), won.mean(axis=0)
        variance = np.var(rows, ddof=1) / rows.size
        variance += np.var(columns, ddof=1) / columns.size
        half = 1.959963984540054 * np.sqrt(variance)
        area = auc(scores, members)
        self.assertAllClose(
            (area.low, area.high),
            np.clip([won.mean() - half, won.mean() + half], 0, 1),
            atol=1e-9,
        )

    def test_tensorflow_privacys_fixture(self):
        """membership_inference_attack_test.py: AUC .83 to two places."""
        inside = np.array([0.1, 0.2, 1.3, 0.4, 0.5, 0.6])
        outside = np.array([1.1, 1.2, 1.3, 0.4, 1.5, 1.6])
        area = auc(-np.r_[inside, outside], np.arange(12) < 6)
        self.assertAllClose(area.value, 0.83, rtol=0, atol=0.005)

    def test_sacros_fixture(self):
        scores = [0.1, 0.6, 0.2, 0.45, 0.9, 0.99]
        area = auc(scores, np.arange(6) >= 3)
        self.assertAlmostEqual(area.value, 8 / 9)

    def test_fully_apart_is_not_certain(self):
        members = np.arange(30) < 10
        area = auc(np.where(members, 1.0, 0.0), members)
        want = stats.binomtest(10, 10).proportion_ci().low
        self.assertAllClose((area.low, area.high), (want, 1.0))
        area = auc(np.where(members, 0.0, 1.0), members)
        self.assertAllClose((area.low, area.high), (0.0, 1 - want))

    def test_one_member(self):
        area = auc([3.0, 1.0, 2.0, 4.0], np.array([True, False, False, False]))
        self.assertAlmostEqual(area.value, 2 / 3)
        self.assertAllEqual((area.low, area.high), (0.0, 1.0))


class HanleyMcNeilTest(tf.test.TestCase):
    def test_is_the_spread_between_exponential_scores(self):
        """The model behind the formula; AUC = 1/(1 + 1/4)."""
        rng = np.random.default_rng(6)
        members = np.arange(50) < 20
        areas = [
            auc(rng.exponential(np.where(members, 4.0, 1.0)), members).value
            for _ in range(1500)
        ]
        area = hanley_mcneil(0.8, 20, 30)
        spread = (area.high - area.low) / 2 / 1.959963984540054
        # The deviation of 1,500 values is known to 1.8 %.
        self.assertAllClose(spread, np.std(areas), rtol=0.06)
        self.assertAllClose(np.mean(areas), 0.8, atol=0.01)

    def test_ends(self):
        self.assertEqual(hanley_mcneil(1.0, 9, 9).high, 1.0)
        self.assertEqual(hanley_mcneil(0.0, 9, 9).low, 0.0)


if __name__ == "__main__":
    tf.test.main()
