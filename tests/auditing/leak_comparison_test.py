"""Which artefact leaks more, against DeLong's paired test."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats
from sklearn import metrics

from qmia_tf.auditing import leak_comparison
from qmia_tf.auditing.leak_comparison import TargetScores
from qmia_tf.statistics import delong

ATTACKS = ("margin", "entropy", "gap")


def artefacts(gains=(0.8, 0.8), *, size=300, seed=0, attacks=ATTACKS, own=0.3):
    """Artefacts of one training: the same records, mostly the same scores."""
    rng = np.random.default_rng(seed)
    members = np.arange(size) < size // 2
    common = rng.normal(size=size)
    targets = []
    for place, gain in enumerate(gains):
        scores = {}
        for row, name in enumerate(attacks):
            noise = own * rng.normal(size=size)
            scores[name] = common + noise + gain * members / (1 + row)
        targets.append(
            TargetScores(f"m{place}", np.arange(size), members, scores)
        )
    return targets


def numbers(contrast):
    difference = contrast.difference
    return difference.value, difference.low, difference.high, contrast.p_value


class CompareTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(gains=((0.8, 0.8), (0.5, 0.9)), coarse=(0, 2))
    def test_two_artefacts_and_one_attack_are_delongs_test(self, gains, coarse):
        targets = artefacts(gains, attacks=("margin",))
        if coarse:
            for artefact in targets:
                given = artefact.scores["margin"]
                artefact.scores["margin"] = np.round(given * coarse)
        one, other = (artefact.scores["margin"] for artefact in targets)
        want = delong.paired(other, one, targets[0].members)
        comparison = leak_comparison.compare(targets, seed=0)
        [difference] = comparison.differences
        # 20,000 quantiles stand in for the normal distribution's.
        self.assertAllClose(
            numbers(difference)[:3],
            (
                want.difference.value,
                want.difference.low,
                want.difference.high,
            ),
            atol=1e-4,
        )
        self.assertAllClose(difference.p_value, want.p_value, atol=1e-3)
        members = targets[0].members
        self.assertAllClose(
            (comparison.first_auc, difference.auc),
            [metrics.roc_auc_score(members, x) for x in (one, other)],
            atol=1e-12,
        )
        self.assertEqual((comparison.first, difference.target), ("m0", "m1"))

    def test_records_that_only_one_was_asked(self):
        """Paired where they are the same: pulls of others do not cancel."""
        first, second = artefacts((0.8, 0.8), attacks=("margin",))
        some = np.random.default_rng(0).permutation(300)[:200]
        part = TargetScores(
            "part",
            second.record_ids[some],
            second.members[some],
            {"margin": second.scores["margin"][some]},
        )
        holes = np.full(300, np.nan)
        holes[some] = second.scores["margin"][some]
        same = TargetScores(
            "part", first.record_ids, first.members, {"margin": holes}
        )
        one, other = (
            leak_comparison.compare([first, artefact], seed=0)
            for artefact in (part, same)
        )
        self.assertEqual(one, other)
        # Records in common make the difference surer.
        apart = TargetScores(
            "apart", second.record_ids + 1000, second.members, second.scores
        )
        lone = leak_comparison.compare([first, apart], seed=0)
        pair = leak_comparison.compare([first, second], seed=0)
        widths = [
            x.differences[0].difference.high - x.differences[0].difference.low
            for x in (pair, lone)
        ]
        self.assertLess(widths[0], 0.6 * widths[1])
        # And apart from each other the variances add.
        halves = [
            simultaneous_half(artefact.scores["margin"], artefact.members)
            for artefact in (first, second)
        ]
        self.assertAllClose(widths[1] / 2, np.hypot(*halves), atol=1e-4)

    def test_the_attack_is_the_same_for_all_and_named(self):
        targets = artefacts((0.9, 0.6, 0.6))
        comparison = leak_comparison.compare(targets, seed=0)
        self.assertEqual(comparison.attack, "margin")
        self.assertEqual(comparison.candidates, list(ATTACKS))
        # What only one artefact has is no candidate, were it ever so strong.
        targets[0].scores["lira"] = targets[
            0
        ].members + 0.01 * np.random.default_rng(0).normal(size=300)
        self.assertEqual(leak_comparison.compare(targets, seed=0), comparison)

    def test_several_artefacts_are_adjusted(self):
        targets = artefacts((0.8, 0.8, 0.8, 0.8, 0.4))
        comparison = leak_comparison.compare(targets, seed=0)
        self.assertLen(comparison.differences, 4)
        for difference, other in zip(
            comparison.differences, targets[1:], strict=True
        ):
            alone = delong.paired(
                other.scores[comparison.attack],
                targets[0].scores[comparison.attack],
                targets[0].members,
            )
            value, low, high, p_value = numbers(difference)
            self.assertAllClose(value, alone.difference.value, atol=1e-12)
            self.assertLess(low, alone.difference.low)
            self.assertGreater(high, alone.difference.high)
            self.assertGreaterEqual(p_value, alone.p_value)
            self.assertEqual(p_value <= 0.05, not low <= 0 <= high)
        self.assertLess(comparison.differences[3].p_value, 1e-3)

    def test_equal_artefacts_do_not_differ(self):
        [one] = artefacts((0.8,))
        twin = TargetScores(
            "twin", one.record_ids, one.members, dict(one.scores)
        )
        comparison = leak_comparison.compare([one, twin], seed=0)
        self.assertEqual(
            numbers(comparison.differences[0]), (0.0, 0.0, 0.0, 1.0)
        )

    def test_all_records_differ_alike(self):
        """One tells all apart and the other none: no variance is left."""
        members = np.arange(30) < 12
        targets = [
            TargetScores(name, np.arange(30), members, {"margin": scores})
            for name, scores in (
                ("dead", np.zeros(30)),
                ("sure", members.astype(float)),
            )
        ]
        [difference] = leak_comparison.compare(targets, seed=0).differences
        least = stats.binomtest(12, 12).proportion_ci().low
        self.assertAllClose(
            numbers(difference), (0.5, 0.5 * least, 0.5, 2 / 2**12), atol=1e-12
        )
        [back] = leak_comparison.compare(targets[::-1], seed=0).differences
        self.assertAllClose(
            numbers(back), (-0.5, -0.5, -0.5 * least, 2 / 2**12), atol=1e-12
        )

    def test_order_of_the_records_changes_nothing(self):
        targets = artefacts((0.8, 0.5))
        order = np.random.default_rng(2).permutation(300)
        mixed = TargetScores(
            "m1",
            targets[1].record_ids[order],
            targets[1].members[order],
            {name: x[order] for name, x in targets[1].scores.items()},
        )
        self.assertEqual(
            leak_comparison.compare(targets, seed=0),
            leak_comparison.compare([targets[0], mixed], seed=0),
        )

    def test_nothing_to_compare(self):
        targets = artefacts((0.8, 0.5))
        self.assertIsNone(leak_comparison.compare(targets[:1], seed=0))
        self.assertIsNone(leak_comparison.compare([], seed=0))
        renamed = TargetScores(
            "m1",
            targets[1].record_ids,
            targets[1].members,
            {f"other {name}": x for name, x in targets[1].scores.items()},
        )
        self.assertIsNone(
            leak_comparison.compare([targets[0], renamed], seed=0)
        )
        silent = TargetScores(
            "m1",
            targets[1].record_ids,
            targets[1].members,
            {name: np.full(300, np.nan) for name in ATTACKS},
        )
        self.assertIsNone(leak_comparison.compare([targets[0], silent], seed=0))


class LevelTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(80, 400)
    def test_equal_leaks_are_told_apart_as_seldom_as_said(self, size):
        """Four artefacts that leak alike, 150 times; 5 % may differ."""
        wrong = 0
        for seed in range(150):
            targets = artefacts((0.7,) * 4, size=size, seed=seed, own=0.5)
            comparison = leak_comparison.compare(targets, seed=seed)
            wrong += any(x.p_value <= 0.05 for x in comparison.differences)
        # The 0.1 % point of the binomial.
        self.assertLessEqual(wrong, stats.binom.ppf(0.999, 150, 0.05))


def simultaneous_half(scores, members):
    """Half the width of DeLong's interval on one AUC."""
    difference = delong.contrast([scores], members, (1.0,)).difference
    return difference.high - difference.value


if __name__ == "__main__":
    tf.test.main()
