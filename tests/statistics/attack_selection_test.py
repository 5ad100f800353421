"""The choice among attacks on the calibration half."""

import numpy as np
import tensorflow as tf
from sklearn import metrics

from qmia_tf.statistics import attack_selection
from qmia_tf.statistics.held_out_thresholds import calibration_half


class ChooseTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.members = np.arange(200) < 100
        self.half = calibration_half(self.members, seed=0)

    def scores(self, gain):
        return self.rng.normal(size=200) + gain * self.members

    def test_the_best_there(self):
        given = {f"gain_{gain}": self.scores(gain) for gain in (0.0, 2.0, 0.5)}
        # Of as many records each, the highest is surely so as well.
        chosen = attack_selection.choose(given, self.members, self.half)
        areas = {
            name: metrics.roc_auc_score(self.members[self.half], x[self.half])
            for name, x in given.items()
        }
        self.assertEqual(chosen, max(areas, key=areas.get))
        self.assertEqual(chosen, "gain_2.0")

    def test_the_judged_half_has_no_say(self):
        good = self.scores(2.0)
        given = {
            "here": np.where(self.half, good, 0.0),
            "there": np.where(self.half, 0.0, 3 * good),
        }
        chosen = attack_selection.choose(given, self.members, self.half)
        self.assertEqual(chosen, "here")
        chosen = attack_selection.choose(given, self.members, ~self.half)
        self.assertEqual(chosen, "there")

    def test_records_without_a_score_do_not_count(self):
        partly = self.scores(3.0)
        partly[::3] = np.nan
        silent = np.full(200, np.nan)
        given = {
            "silent": silent,
            "members only": np.where(self.members, 1.0, np.nan),
            "weak": self.scores(0.2),
            "partly": partly,
        }
        chosen = attack_selection.choose(given, self.members, self.half)
        self.assertEqual(chosen, "partly")
        with self.assertRaisesRegex(
            ValueError, r"none of \['silent'\] has scores"
        ):
            attack_selection.choose({"silent": silent}, self.members, self.half)
        with self.assertRaisesRegex(ValueError, r"none of \[\] has scores"):
            attack_selection.choose({}, self.members, self.half)

    def test_few_records_have_to_be_sure(self):
        # More than 0.84 on 20 records, against 0.8 on 1,000.
        members = np.arange(2000) < 1000
        half = calibration_half(members, seed=0)
        many = self.rng.normal(size=2000) + 1.19 * members
        few = np.full(2000, np.nan)
        shown = np.flatnonzero(half & members)[:10]
        others = np.flatnonzero(half & ~members)[:10]
        few[others] = np.arange(10)
        few[shown] = np.arange(10) + 4.5
        area = metrics.roc_auc_score(
            members[[*shown, *others]], few[[*shown, *others]]
        )
        self.assertGreater(area, 0.84)
        chosen = attack_selection.choose(
            {"few": few, "many": many}, members, half
        )
        self.assertEqual(chosen, "many")

    def test_where_nothing_is_sure_the_area_decides(self):
        # The AUC of constant scores is 1/2 without any doubt.
        given = {"constant": np.ones(200), "weak": self.scores(0.15)}
        area = metrics.roc_auc_score(
            self.members[self.half], given["weak"][self.half]
        )
        self.assertBetween(area, 0.5, 0.6)
        chosen = attack_selection.choose(given, self.members, self.half)
        self.assertEqual(chosen, "weak")

    def test_the_first_of_equals(self):
        scores = self.scores(1.0)
        given = {"one": scores, "same": np.exp(scores)}
        chosen = attack_selection.choose(given, self.members, self.half)
        self.assertEqual(chosen, "one")


if __name__ == "__main__":
    tf.test.main()
