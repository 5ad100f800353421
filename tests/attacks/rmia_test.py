"""RMIA against its O(N Z) definition."""

from unittest import mock

import numpy as np
import simulated_margins
import tensorflow as tf
from absl.testing import parameterized
from sklearn import metrics

from qmia_tf.attacks import rmia
from qmia_tf.attacks.attack_inputs import References
from qmia_tf.attacks.margin import margins
from qmia_tf.statistics.auc import auc


def defined(records, population, gamma=1.0):
    """The definition: one comparison a pair, in a plain loop."""
    shares = []
    for x in records:
        likelier = [x >= gamma * z for z in population]
        shares.append(sum(likelier) / len(likelier))
    return np.array(shares)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def average(column, use):
    return np.mean(column[use]) if use.any() else np.nan


class SharesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters("continuous", "levels", "equal")
    def test_equals_the_definition(self, kind):
        rng = np.random.default_rng(0)
        x, z = rng.gamma(2, size=200), rng.gamma(2, size=150)
        if kind == "levels":
            # Ties: ratios of 256-level probabilities.
            x, z = (np.ceil(v * 8) / 8 for v in (x, z))
            self.assertNotEmpty(np.intersect1d(x, z))
        elif kind == "equal":
            x, z = np.full(5, 0.3), np.full(7, 0.3)
        # Logarithms split ties at other gammas in the last bit.
        for gamma in (1.0, 1.97, 0.53):
            shares = rmia.shares(np.log(x), np.log(z), gamma=gamma)
            self.assertAllEqual(shares, defined(x, z, gamma))

    def test_nan_says_nothing_on_either_side(self):
        x, z = np.array([1.0, np.nan, 3.0]), np.array([np.nan, 2.0, 1.0])
        self.assertAllEqual(rmia.shares(x, z), [0.5, np.nan, 1.0])

    def test_population_without_ratios(self):
        with self.assertRaisesRegex(ValueError, "no record of the popul"):
            rmia.shares(np.ones(3), np.full(2, np.nan))


class ScoresTest(parameterized.TestCase, tf.test.TestCase):
    def inputs(self):
        inputs = simulated_margins.simulate(300, 5, seed=2)
        inputs.references.inside[:, 0] = False
        inputs.references.outside[:, 1] = False
        return inputs

    @parameterized.product(
        kind=("online", "offline"),
        gamma=("none", 1.0, 1.7),
        a=(rmia.TUNED, 0.25),
        temperature=(1.0, 2.0),
    )
    def test_equals_the_definition(self, kind, gamma, a, temperature):
        inputs = self.inputs()
        references = inputs.references
        # Of two classes a temperature divides the margins.
        own = sigmoid(margins(inputs.outputs) / temperature)
        peers = sigmoid(references.margins / temperature)
        options = {"a": a} if kind == "offline" else {}
        ratios = []
        if a == rmia.TUNED:
            a = rmia.tune_offline(references, temperature=temperature)
        for record in range(300):
            column = peers[:, record]
            out = average(column, references.outside[:, record])
            inside = average(column, references.inside[:, record])
            p = (inside + out) / 2
            if kind == "offline":
                p = 0.5 * ((1 + a) * out + (1 - a))
            ratios.append(own[record] / p)
        ratios = np.array(ratios)
        attack = getattr(rmia, f"{kind}_scores")
        options.update(gamma=gamma, temperature=temperature)
        scores = attack(inputs, **options)
        if gamma == "none":
            self.assertAllClose(scores, np.log(ratios), atol=1e-12)
            return
        population = ~inputs.outputs.members & inputs.calibration
        population &= np.isfinite(ratios)
        expected = defined(ratios, ratios[population], gamma)
        expected[np.isnan(ratios)] = np.nan
        self.assertAllEqual(np.isnan(scores), np.isnan(expected))
        # A last bit of a mean may move one record past one z.
        away = np.abs(scores - expected)[np.isfinite(expected)]
        self.assertLessEqual(away.max(), 1.01 / population.sum())
        self.assertLessEqual(np.sum(away > 0), 2)

    def test_says_nothing_without_models(self):
        inputs = self.inputs()
        masks = inputs.references.inside, inputs.references.outside
        for mask in masks:
            mask[:, 2:] = True
        for attack, silent in (
            (rmia.online_scores, [0, 1]),
            (rmia.offline_scores, [1]),
        ):
            scores = attack(inputs)
            self.assertAllEqual(np.flatnonzero(np.isnan(scores)), silent)
        # Nothing is known of the population.
        nonmembers = inputs.calibration & ~inputs.outputs.members
        for mask in masks:
            mask[:, nonmembers] = False
        for attack in (rmia.online_scores, rmia.offline_scores):
            self.assertTrue(np.isnan(attack(inputs, gamma=1.0)).all())
            rest = ~nonmembers
            rest[:2] = False
            self.assertAllEqual(np.isfinite(attack(inputs))[2:], rest[2:])

    def test_number_of_in_models_does_not_show(self):
        # Two records alike but for how often they were trained on.
        references = References(
            np.array([[3.0, 3.0], [3.0, 1.0], [1.0, 1.0], [1.0, 1.0]]),
            inside=np.array([[1, 1], [1, 0], [0, 0], [0, 0]], bool),
            outside=np.array([[0, 0], [0, 1], [1, 1], [1, 1]], bool),
        )
        references = references.take(np.array([0, 1] * 4))
        inputs = simulated_margins.attack_inputs_of(
            np.full(8, 2.0), np.arange(8) < 4, references=references
        )
        self.assertLen(set(rmia.online_scores(inputs)), 1)
        shares = rmia.online_scores(inputs, gamma=1.0)
        self.assertAllEqual(shares, np.ones(8))

    def test_a_share_ties_at_the_top_and_a_ratio_does_not(self):
        inputs = simulated_margins.simulate(3000, 8, leak=6.0)
        # A small population, as an attacker has.
        nonmembers = np.flatnonzero(~inputs.outputs.members)
        inputs.calibration[nonmembers[50:]] = False
        ratios = rmia.online_scores(inputs)
        shares = rmia.online_scores(inputs, gamma=1.0)
        known = np.isfinite(ratios)
        self.assertGreater((shares[known] == 1).sum(), 20)
        self.assertLen(np.unique(ratios[known]), known.sum())
        # Otherwise they rank alike.
        ordered = shares[known][np.argsort(ratios[known])]
        self.assertAllGreaterEqual(np.diff(ordered), 0)

    def test_probabilities_of_nearly_one_do_not_tie(self):
        # 1 - exp(-40) is 1 in float64.
        own = np.array([40.0, 41.0, 42.0, 60.0] * 2)
        inside = np.array([[True] * 8, [False] * 8])
        references = simulated_margins.references_of(
            np.array([[38.0] * 8, [36.0] * 8]), inside
        )
        inputs = simulated_margins.attack_inputs_of(
            own, np.arange(8) < 4, references=references
        )
        for attack in (rmia.online_scores, rmia.offline_scores):
            scores = attack(inputs)[:4]
            self.assertAllGreater(np.diff(scores), 0)

    @parameterized.parameters("online", "offline")
    def test_tells_more_than_the_margin(self, kind):
        inputs = simulated_margins.simulate(6000, 8)
        scores = getattr(rmia, f"{kind}_scores")(inputs)
        use = np.isfinite(scores)
        members = inputs.outputs.members[use]
        area = auc(scores[use], members)
        own = auc(margins(inputs.outputs)[use], members)
        self.assertGreater(area.low, own.high)


def pairs(records=400, seed=5):
    """Models in pairs, each trained on what its partner was not."""
    rng = np.random.default_rng(seed)
    level, half = rng.normal(2, 2, records), rng.random(records) < 0.5
    inside = np.stack([half, ~half, half, ~half])
    drawn = level + 1.5 * inside + rng.normal(size=inside.shape) / 2
    return References(drawn, inside, ~inside)


def searched(references, labels):
    """Mean area for each a of the grid, in plain loops; labels bool [K, N]."""
    models = len(labels)
    p = sigmoid(references.margins)
    areas = np.zeros((models, rmia.GRID.size))
    for target in range(models):
        others = [k for k in range(models) if k != target]
        outside = references.outside[others]
        use = np.flatnonzero(outside.any(axis=0))
        means = [p[others, r][outside[:, r]].mean() for r in use]
        for column, a in enumerate(rmia.GRID):
            raised = 0.5 * ((1 + a) * np.array(means) + (1 - a))
            areas[target, column] = metrics.roc_auc_score(
                labels[target, use], p[target, use] / raised
            )
    return areas.mean(axis=0)


class TuningTest(parameterized.TestCase, tf.test.TestCase):
    def test_is_the_best_of_a_plain_search(self):
        references = simulated_margins.simulate(400, 3, seed=5).references
        areas = searched(references, references.inside)
        self.assertEqual(
            rmia.tune_offline(references), rmia.GRID[areas.argmax()]
        )
        self.assertGreater(np.ptp(areas), 0.01)

    def test_of_many_records_evenly_spaced_ones_are_taken(self):
        references = simulated_margins.simulate(400, 3, seed=5).references
        with mock.patch.object(rmia, "TUNED_ON", 100):
            some = rmia.tune_offline(references)
        rows = np.linspace(0, 399, 100).astype(int)
        self.assertEqual(some, rmia.tune_offline(references.take(rows)))

    def test_labels_are_those_of_the_pretended_target(self):
        references = pairs()
        areas = searched(references, references.inside)
        mistaken = searched(references, references.inside[[1, 0, 3, 2]])
        self.assertNotEqual(areas.argmax(), mistaken.argmax())
        self.assertEqual(
            rmia.tune_offline(references), rmia.GRID[areas.argmax()]
        )

    @parameterized.named_parameters(
        ("one_model", 1, None),
        ("nobody_outside", 4, False),
        ("everybody_outside", 4, True),
    )
    def test_untuned(self, models, outside):
        references = simulated_margins.simulate(50, models).references
        if outside is not None:
            masks = np.full((2, models, 50), outside)
            references = References(references.margins, ~masks[0], masks[1])
        self.assertEqual(rmia.tune_offline(references), rmia.UNTUNED)


if __name__ == "__main__":
    tf.test.main()
