"""The max-T test against every arrangement of few records."""

import itertools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats
from sklearn import metrics

from qmia_tf.statistics import max_t_test, membership_permutations

DRAWS = 20_000


def arrangements(members, strata):
    """Every arrangement with as many members in each stratum, bool [A, N]."""
    choices = []
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        count = int(members[rows].sum())
        choices.append(list(itertools.combinations(rows, count)))
    arranged = []
    for chosen in itertools.product(*choices):
        one = np.zeros(members.size, bool)
        one[[row for part in chosen for row in part]] = True
        arranged.append(one)
    return np.array(arranged)


def area(scores, members):
    """AUC of those with a score, by pairs; 1/2 without one side."""
    has_score = ~np.isnan(scores)
    inside, outside = scores[has_score & members], scores[has_score & ~members]
    if not inside.size * outside.size:
        return 0.5
    apart = np.sign(inside[:, None] - outside[None])
    return float(apart.mean() / 2 + 0.5)


def called(scores, members, allowed):
    """The most members at a threshold with so many false positives."""
    has_score = ~np.isnan(scores)
    best = 0
    for threshold in np.unique(scores[has_score]):
        above = has_score & (scores >= threshold)
        if np.sum(above & ~members) <= allowed:
            best = max(best, int(np.sum(above & members)))
    return best


def tables(scores, members, strata, rates=()):
    """Statistics of every arrangement, dict (attack, rate) -> [A]."""
    every = arrangements(members, strata)
    statistics = {}
    for name, given in scores.items():
        statistics[name, None] = np.array([area(given, x) for x in every])
        has_score = ~np.isnan(given)
        outside = np.mean([np.sum(has_score & ~x) for x in every])
        for rate in rates:
            allowed = int(rate * outside + 1e-9)
            if allowed:
                statistics[name, rate] = np.cbrt(
                    [
                        called(given, x, allowed)
                        / max(np.sum(has_score & x), 1)
                        for x in every
                    ]
                )
    return every, statistics


def exact(every, statistics, members, measured):
    """Adjusted p-values of Westfall and Young's step-down, by enumeration.

    Studentized by the means and deviations that were measured, or two
    statistics that are nearly equal would change places.
    """
    own = int(np.flatnonzero((every == members).all(axis=1))[0])
    t = {
        (x.attack, x.rate): (statistics[x.attack, x.rate] - x.mean)
        / x.deviation
        for x in measured
    }
    largest = {
        name: np.max([x for key, x in t.items() if key[0] == name], axis=0)
        for name in {key[0] for key in t}
    }
    ranked = sorted(largest, key=lambda name: -largest[name][own])
    adjusted, before = {}, 0.0
    for place, name in enumerate(ranked):
        rest = np.max([largest[x] for x in ranked[place:]], axis=0)
        before = max(before, np.mean(rest >= rest[own] - 1e-9))
        adjusted[name] = before
    return adjusted


def max_t(scores, members, strata=None, *, seed=0, **options):
    """The test of some attacks, or of one, within one stratum or several."""
    if not isinstance(scores, dict):
        scores = {"one": scores}
    if strata is None:
        strata = np.zeros(members.size, int)
    return max_t_test.max_t(scores, members, strata, seed=seed, **options)


def tiny(seed, *, ties=False, holes=False):
    """12 records, three attacks, two strata of which one is lopsided."""
    rng = np.random.default_rng(seed)
    members = np.array([1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0], bool)
    strata = np.array([0] * 7 + [1] * 5)
    order = rng.permutation(12)
    scores = {
        name: rng.normal(size=12) + gain * members
        for name, gain in (("one", 1.5), ("two", 0.5), ("three", 0.0))
    }
    scores["two"] += scores["one"]
    if ties:
        scores = {name: np.round(x) for name, x in scores.items()}
    if holes:
        scores["one"][[1, 5, 9]] = np.nan
        scores["three"][strata == 1] = np.nan
    return (
        {name: x[order] for name, x in scores.items()},
        members[order],
        strata[order],
    )


class ExhaustiveTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        seed=(0, 1, 2), ties=(False, True), holes=(False, True)
    )
    def test_p_values(self, seed, ties, holes):
        scores, members, strata = tiny(seed, ties=ties, holes=holes)
        rates = (0.2, 0.4)
        every, statistics = tables(scores, members, strata, rates)
        given = max_t(
            scores, members, strata, seed=seed, rates=rates, permutations=DRAWS
        )
        moving = {key for key, x in statistics.items() if x.std() > 1e-9}
        self.assertEqual(moving, {(x.attack, x.rate) for x in given.statistics})
        want = exact(every, statistics, members, given.statistics)
        # 350 arrangements, each drawn 57 times or so: five binomial standard
        # deviations, 0.018.
        for entry in given.attacks:
            self.assertAllClose(
                entry.p_value, want[entry.attack], atol=0.018, msg=entry.attack
            )
        self.assertEqual(given.p_value, min(x.p_value for x in given.attacks))
        self.assertLen(given.attacks, len(want))
        for entry in given.statistics:
            values = statistics[entry.attack, entry.rate]
            # Five standard errors of a mean, and of a standard deviation.
            away = 5 * values.std() / DRAWS**0.5
            self.assertAllClose(entry.mean, values.mean(), atol=away)
            self.assertAllClose(entry.deviation, values.std(), atol=2 * away)

    def test_one_attack_is_the_exact_rank_sum_test(self):
        rng = np.random.default_rng(5)
        members = np.arange(13) < 6
        scores = rng.normal(size=13) + members
        want = stats.mannwhitneyu(
            scores[members],
            scores[~members],
            alternative="greater",
            method="exact",
        ).pvalue
        [tested] = max_t(scores, members, permutations=DRAWS).attacks
        # Five binomial standard deviations.
        away = 5 * (want * (1 - want) / DRAWS) ** 0.5
        self.assertAllClose(tested.p_value, want, atol=away)

    @parameterized.product(kind=("fine", "step", "few", "hard"), holes=(0, 1))
    def test_every_permutation_of_larger_ones(self, kind, holes):
        """The prefixes against a plain sweep, and scikit-learn's area."""
        rng = np.random.default_rng(7)
        size = 900
        members = np.arange(size) < 400
        given = rng.normal(size=size) + 0.5 * members
        levels = {"fine": 1e6, "step": 20, "few": 1.5, "hard": 0.01}[kind]
        given = np.round(given * levels) / levels
        if kind == "hard":
            given = (given > 0).astype(float)
        strata = rng.integers(0, 4, size)
        if holes:
            given[strata == 2] = np.nan
        layout = membership_permutations.Layout.of(members, strata)
        rates = (0.01, 0.05, 0.5)
        columns = max_t_test._columns(
            {"one": given}, members, layout.shares(), rates, ()
        )
        drawn = layout.draw(rng, 40)
        drawn[0] = members
        evaluated = max_t_test._evaluate(drawn, columns)
        has_score = ~np.isnan(given)
        outside = np.sum(has_score & ~members)
        for one, row in zip(drawn, evaluated, strict=True):
            want = [metrics.roc_auc_score(one[has_score], given[has_score])]
            want += [
                np.cbrt(
                    called(given, one, int(rate * outside))
                    / np.sum(has_score & one)
                )
                for rate in rates
            ]
            self.assertAllClose(row, want, atol=1e-12)
        self.assertAllEqual(
            max_t_test._evaluate(members[None], columns)[0], evaluated[0]
        )


class MaxTTest(parameterized.TestCase, tf.test.TestCase):
    def leaking(self, size=200, seed=0, gains=(0.6, 0.3, 0.0)):
        rng = np.random.default_rng(seed)
        members = np.arange(size) < size // 2
        common = rng.normal(size=size)
        scores = {
            f"of {gain}": common + 0.5 * rng.normal(size=size) + gain * members
            for gain in gains
        }
        return scores, members, rng.integers(0, 3, size)

    def test_adjusted(self):
        """None below its own p-value; they grow as t falls."""
        for seed in range(5):
            scores, members, strata = self.leaking(seed=seed)
            permuted = max_t(
                scores, members, strata, seed=seed, permutations=999
            )
            adjusted = [x.p_value for x in permuted.attacks]
            self.assertEqual(adjusted, sorted(adjusted))
            ts = [x.best.t for x in permuted.attacks]
            self.assertEqual(ts, sorted(ts, reverse=True))
            for tested in permuted.attacks:
                alone = [
                    x.p_value
                    for x in permuted.statistics
                    if x.attack == tested.attack
                ]
                self.assertGreaterEqual(tested.p_value, min(alone))
                # Bonferroni is the most that an adjustment can cost.
                self.assertLessEqual(
                    tested.p_value,
                    len(permuted.statistics) * tested.best.p_value,
                )
            # The test rejects where the largest t exceeds the critical one.
            self.assertEqual(
                ts[0] > permuted.critical, adjusted[0] <= permuted.level
            )

    def test_seed_decides_and_nothing_else(self):
        scores, members, strata = self.leaking()
        one = max_t(scores, members, strata, seed=3)
        again = max_t(scores, members, strata, seed=3)
        self.assertEqual(one, again)
        other = max_t(scores, members, strata, seed=4)
        self.assertNotEqual(one.critical, other.critical)
        # 400 million memberships would take 40,000.
        self.assertEqual(one.permutations, max_t_test.MOST)

    def test_monotone_scores_are_the_same_attack(self):
        scores, members, strata = self.leaking(gains=(0.3, 0.0))
        one = max_t(scores, members, strata, seed=1)
        bent = {name: np.exp(3 * x) for name, x in scores.items()}
        self.assertEqual(one, max_t(bent, members, strata, seed=1))
        # Copies of an attack cost nothing.
        more = {**scores, "copy": scores["of 0.3"] * 2}
        permuted = max_t(more, members, strata, seed=1)
        self.assertEqual(permuted.p_value, one.p_value)
        self.assertEqual(permuted.critical, one.critical)

    def test_a_leak_of_few_records_shows_in_the_rate(self):
        """Ten of 1,000 members stand above everyone; the AUC is .505."""
        rng = np.random.default_rng(2)
        members = np.arange(2000) < 1000
        given = rng.normal(size=2000)
        given[:10] = 9 + rng.random(10)
        [tested] = max_t(given, members).attacks
        self.assertEqual(
            (tested.best.measure, tested.best.rate), ("tpr", 0.001)
        )
        self.assertLess(tested.p_value, 0.005)

    def test_a_fixed_attack_has_no_rates(self):
        scores, members, strata = self.leaking(size=400)
        hard = {name: (x > 0).astype(float) for name, x in scores.items()}
        permuted = max_t(
            hard, members, strata, fixed=tuple(hard), permutations=99
        )
        self.assertEqual({x.measure for x in permuted.statistics}, {"auc"})
        # Of two values the AUC is the balanced accuracy.
        for statistic in permuted.statistics:
            want = metrics.balanced_accuracy_score(
                members, hard[statistic.attack]
            )
            self.assertAllClose(statistic.value, want, atol=1e-12)

    def test_rates_need_a_nonmember(self):
        scores, members, strata = self.leaking(size=1998)
        permuted = max_t(scores, members, strata, permutations=9)
        self.assertEqual({x.rate for x in permuted.statistics}, {None, 0.01})


class DegenerateTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        ("equal scores", lambda members: np.zeros(members.size)),
        ("all nan", lambda members: np.full(members.size, np.nan)),
        ("members alone", lambda members: np.where(members, 1.0, np.nan)),
        ("nonmembers alone", lambda members: np.where(members, np.nan, 1.0)),
    )
    def test_attacks_that_say_nothing(self, name, make):
        del name
        members = np.arange(30) < 12
        strata = np.zeros(30, int)
        permuted = max_t(
            {"one": make(members)}, members, strata, permutations=99
        )
        self.assertEqual((permuted.p_value, permuted.attacks), (1.0, []))
        self.assertEqual(permuted.critical, np.inf)
        # Beside another attack they change nothing.
        scores = {"two": np.random.default_rng(0).normal(size=30)}
        alone, both = (
            max_t(columns, members, strata, permutations=99)
            for columns in (scores, {"one": make(members), **scores})
        )
        self.assertLen(both.attacks, 1)
        self.assertEqual(alone.p_value, both.p_value)
        self.assertAllClose(alone.critical, both.critical, atol=1e-9)

    def test_no_attack(self):
        members = np.arange(8) < 4
        permuted = max_t({}, members)
        self.assertEqual((permuted.p_value, permuted.statistics), (1.0, []))

    @parameterized.parameters(
        (0, 5, 1.0), (5, 0, 1.0), (1, 1, 1 / 2), (1, 3, 1 / 4), (2, 3, 1 / 10)
    )
    def test_few_records(self, members, nonmembers, want):
        """The p-value is no less than one in the number of arrangements."""
        inside = np.arange(members + nonmembers) < members
        scores = {"one": -np.arange(inside.size, dtype=float)}
        permuted = max_t(scores, inside)
        self.assertAllClose(permuted.p_value, want, atol=0.025)

    def test_strata_of_one_side_cannot_be_permuted(self):
        members = np.arange(40) < 20
        scores = {"one": members + 0.0, "two": np.arange(40.0)}
        permuted = max_t(scores, members, members + 0)
        self.assertEqual((permuted.p_value, permuted.attacks), (1.0, []))

    def test_strata_take_the_classes_away(self):
        """A score that only knows the class, of which members have more."""
        rng = np.random.default_rng(0)
        members = np.arange(600) < 300
        classes = rng.integers(0, 4, 600)
        classes[members & (rng.random(600) < 0.5)] = 0
        scores = {"one": -classes + 0.01 * rng.normal(size=600)}
        among_all = max_t(scores, members)
        within = max_t(scores, members, classes)
        self.assertLess(among_all.p_value, 0.001)
        self.assertGreater(within.p_value, 0.025)

    def test_infinite_scores_are_the_highest_and_the_lowest(self):
        rng = np.random.default_rng(1)
        members = np.arange(300) < 150
        given = rng.normal(size=300) + 0.3 * members
        given[[3, 4, 200]], given[[5, 201]] = 50.0, -50.0
        ends = np.where(np.abs(given) == 50, np.sign(given) * np.inf, given)
        strata = np.zeros(300, int)
        one, other = (
            max_t(x, members, strata, permutations=200) for x in (given, ends)
        )
        self.assertEqual(one, other)


class NullTest(tf.test.TestCase):
    def test_permutations_in_blocks_keep_the_level(self):
        """Coarse correlated scores of 40 to 120 records, 150 null audits."""
        alarms = 0
        for seed in range(150):
            rng = np.random.default_rng(seed)
            size = int(rng.integers(40, 121))
            strata = rng.integers(0, 3, size)
            members = rng.random(size) < 0.5
            common = rng.normal(size=size) + 2 * strata
            scores = {
                str(step): np.round((common + rng.normal(size=size)) / step)
                for step in (0.01, 0.5, 2.0)
            }
            permuted = max_t(
                scores, members, strata, seed=seed, permutations=199
            )
            alarms += permuted.p_value <= 0.1
        # The 0.1 % points of the binomial.
        low, high = stats.binom.ppf([0.001, 0.999], 150, 0.1)
        self.assertBetween(alarms, low, high)


if __name__ == "__main__":
    tf.test.main()
