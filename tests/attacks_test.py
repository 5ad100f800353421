"""The attacks: what they score, and identities with scikit-learn."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from sklearn import metrics

from qmia_tf.attacks import ATTACKS, confidence, gap
from qmia_tf.attacks.losses import losses, modified_entropies
from qmia_tf.audit import run_attack
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.sweep import sweep


def outputs_of(rows, labels, step=0.0):
    return Outputs(
        probabilities=np.array(rows, np.float32),
        labels=np.array(labels),
        members=np.arange(len(labels)) % 2 == 0,
        record_ids=np.arange(len(labels)),
        info={"target": "t", "probability_step": step},
    )


class GapTest(parameterized.TestCase, tf.test.TestCase):
    def test_scores(self):
        made = outputs_of(
            [[0.7, 0.3], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]], [0, 0, 0, 1]
        )
        self.assertAllEqual(gap.scores(made), [1, 0, 1, 0])

    @parameterized.parameters((80, 80), (90, 30))
    def test_is_yeoms_formula_and_scikit_learns_numbers(self, inside, outside):
        made = synthetic_outputs.outputs(inside, outside)
        right = np.argmax(made.probabilities, axis=1) == made.labels
        train, test = right[made.members].mean(), right[~made.members].mean()
        found = run_attack(ATTACKS[0], made, seed=0)
        point = found.point("fixed")
        self.assertFalse(point.in_sample)
        self.assertAlmostEqual(
            point.balanced_accuracy.value, 0.5 + (train - test) / 2
        )
        for name in ("precision", "recall", "f1"):
            score = getattr(metrics, f"{name}_score")(made.members, right)
            self.assertAlmostEqual(getattr(point, name).value, score)
        if inside == outside:
            self.assertAlmostEqual(
                point.precision.value, train / (train + test)
            )
        self.assertAlmostEqual(found.auc.value, point.balanced_accuracy.value)

    def test_sweeping_hard_labels_is_the_gap_attack(self):
        made = synthetic_outputs.outputs(70, 50)
        point = run_attack(ATTACKS[0], made, seed=0).point("fixed")
        found = sweep(gap.scores(made), made.members)
        row = list(found.thresholds).index(1.0)
        self.assertEqual(found.true_positives[row], point.true_positives)
        self.assertEqual(found.false_positives[row], point.false_positives)
        self.assertEqual(
            found.balanced_accuracy[row], point.balanced_accuracy.value
        )

    def test_a_perfect_network_has_no_gap(self):
        made = synthetic_outputs.outputs(10, 10)
        made = dataclasses.replace(
            made, labels=made.probabilities.argmax(axis=1)
        )
        found = run_attack(ATTACKS[0], made, seed=0)
        point = found.point("fixed")
        self.assertEqual(point.balanced_accuracy.value, 0.5)
        self.assertEqual(point.true_positives, 10)
        self.assertEqual(point.false_positives, 10)
        self.assertEqual(found.distinct_scores, 1)


class ConfidenceTest(tf.test.TestCase):
    def test_scores(self):
        made = outputs_of([[0.75, 0.25], [0.125, 0.875]], [1, 1])
        self.assertAllEqual(confidence.scores(made), [0.75, 0.875])

    def test_a_quantized_output_has_few_scores(self):
        made = synthetic_outputs.outputs(400, 400, step=1 / 256)
        found = run_attack(ATTACKS[1], made, seed=0)
        self.assertLessEqual(found.distinct_scores, 256)
        levels = np.array(found.curve.threshold) * 256
        self.assertAllEqual(levels, np.round(levels))


class LossesTest(parameterized.TestCase, tf.test.TestCase):
    def test_losses(self):
        made = synthetic_outputs.outputs(20, 20)
        want = metrics.log_loss(
            made.labels, made.probabilities.astype(float), labels=range(5)
        )
        self.assertAllClose(losses(made).mean(), want, rtol=1e-6)

    def test_modified_entropies_by_hand(self):
        made = outputs_of([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]], [0, 0])
        log = np.log
        self.assertAllClose(
            modified_entropies(made),
            [
                -0.5 * log(0.5) - 2 * 0.25 * log(0.75),
                -0.75 * log(0.25) - 0.5 * log(0.5) - 0.25 * log(0.75),
            ],
        )

    @parameterized.parameters(0.0, 1 / 256)
    def test_the_far_tail_keeps_its_order(self, step):
        """No clip at 1e-8: 0 is worse than whatever the output can hold."""
        least = step or 1e-40
        rows = [[1 - p, p] for p in (0.5, 2 * least, least, 0.0)]
        made = outputs_of(rows, [1, 1, 1, 1], step)
        for values in (losses(made), modified_entropies(made)):
            self.assertAllGreater(np.diff(values), 0)
            self.assertTrue(np.isfinite(values).all())


if __name__ == "__main__":
    tf.test.main()
