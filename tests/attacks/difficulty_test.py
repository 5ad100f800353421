"""Means over models, and difficulty calibration, against plain loops."""

import numpy as np
import simulated_margins
import tensorflow as tf
from absl.testing import parameterized
from scipy import special

from qmia_tf.attacks import difficulty, reference_moments
from qmia_tf.attacks.attack_inputs import References
from qmia_tf.attacks.margin import margins


def masked(records=40, models=7, share=0.4, seed=0):
    """Values, and masks under which some records have no model at all."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(models, records))
    masks = rng.random((models, records)) < share
    masks[:, :3] = False
    masks[2, 3] = True
    return np.where(masks, values, np.nan), masks


class MomentsTest(parameterized.TestCase, tf.test.TestCase):
    def test_counts_centers_and_squares_of_a_loop(self):
        values, masks = masked()
        estimates = reference_moments.moments(values, masks)
        for record in range(values.shape[1]):
            own = values[masks[:, record], record]
            self.assertEqual(estimates.counts[record], own.size)
            if own.size == 0:
                self.assertTrue(np.isnan(estimates.centers[record]))
                continue
            center = np.mean(own)
            squares = np.sum((own - center) ** 2)
            # Sums of seven numbers, in another order.
            self.assertAllClose(estimates.centers[record], center, atol=1e-14)
            self.assertAllClose(estimates.squares[record], squares, atol=1e-13)

    def test_a_value_that_is_not_finite_is_refused_where_it_counts(self):
        values, masks = masked()
        values[2, 3] = np.inf
        with self.assertRaisesRegex(ValueError, "must be finite"):
            reference_moments.moments(values, masks)
        masks[2, 3] = False
        reference_moments.moments(values, masks)


class DifficultyTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters("margin", "loss", "confidence")
    def test_is_the_definition(self, score):
        inputs = simulated_margins.simulate(50, 4)
        references = inputs.references
        references.outside[:, 0] = False
        p = special.expit(margins(inputs.outputs))
        p_k = special.expit(references.margins)
        of_p = {"margin": special.logit, "loss": np.log, "confidence": abs}
        expected = []
        for record, own in enumerate(of_p[score](p)):
            outside = references.outside[:, record]
            others = of_p[score](p_k[outside, record])
            expected.append(own - np.mean(others) if others.size else np.nan)
        scores = difficulty.scores(inputs, score=score)
        self.assertTrue(np.isnan(scores[0]))
        # A margin of 10 is known to 1e-12 from p.
        self.assertAllClose(scores, expected, atol=1e-9)

    def test_parent_is_subtracted(self):
        members = np.array([True, True, False, False])
        parent = simulated_margins.outputs_of([1, 2, 3, 4], members)
        inputs = simulated_margins.attack_inputs_of(
            [1.5, 2.25, 3, 3], members, parent=parent
        )
        self.assertAllEqual(
            difficulty.parent_scores(inputs), [0.5, 0.25, 0, -1]
        )

    def test_references_of_other_records(self):
        members = np.array([True, True, False, False])
        wrong = References(np.zeros((2, 5)), *np.ones((2, 2, 5), bool))
        inputs = simulated_margins.attack_inputs_of(
            np.arange(4), members, references=wrong
        )
        with self.assertRaisesRegex(ValueError, r"must be \[K, 4\]"):
            difficulty.scores(inputs)


if __name__ == "__main__":
    tf.test.main()
