"""An int8 softmax has 256 levels: who stands first among ties never matters.

The numbers of tied scores are tested where they are made (tests/statistics).
"""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.attacks import confidence, tfprivacy
from qmia_tf.auditing import audit
from qmia_tf.outputs import Outputs

STEP = 1 / 256
# Members and nonmembers in unequal numbers; most records at the top level in
# the second case, all in the third.
CASES = {
    "quantized": {"gain": (3.0, 2.0)},
    "saturated": {"gain": (9.0, 7.5)},
    "equal": {"gain": (60.0, 60.0)},
    "members_lower": {"gain": (2.0, 4.0)},
}


def outputs_of(case):
    return synthetic_outputs.outputs(
        120, 90, step=STEP, **CASES[case]
    ).in_record_order()


class AuditTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*CASES)
    def test_order_of_the_file_changes_nothing(self, case):
        outputs = outputs_of(case)
        scores = confidence.scores(outputs)
        least = {"saturated": 0.5, "equal": 1.0}.get(case, 0.0)
        self.assertGreaterEqual(np.mean(scores == scores.max()), least)
        settings = tfprivacy.Settings(
            attacks=("threshold", "threshold-entropy"), sliced=("threshold",)
        )
        one = audit.audit(outputs, tfprivacy=settings)
        for seed in (1, 2):
            order = np.random.default_rng(seed).permutation(210)
            other = audit.audit(outputs.take(order), tfprivacy=settings)
            self.assertEqual(other, one)

    @parameterized.parameters(*CASES)
    def test_new_record_numbers_change_nothing(self, case):
        """They are another order among equal scores."""
        outputs = outputs_of(case)
        ids = np.random.default_rng(5).permutation(210)
        renamed = dataclasses.replace(outputs, record_ids=ids)
        one, other = (
            audit.audit(x).attack("confidence") for x in (outputs, renamed)
        )
        for name in ("auc", "points", "curve", "distinct_scores"):
            self.assertEqual(getattr(one, name), getattr(other, name))

    def test_of_equal_classes_the_first_is_the_answer(self):
        rows = np.array(
            [[64, 96, 96], [128, 0, 128], [0, 1, 255], [85, 85, 85]]
        )
        outputs = Outputs(
            probabilities=(rows / 256).astype(np.float32),
            labels=np.array([2, 0, 2, 0]),
            members=np.array([True, True, False, False]),
            record_ids=np.arange(4),
            info={"target": "int8_io", "probability_step": STEP},
        ).validate()
        # As a loop on the device over the codes, which keeps the first.
        self.assertAllEqual(outputs.predicted, [1, 0, 2, 0])
        self.assertAllEqual(outputs.tied, [True, True, False, True])
        target = audit.audit(outputs)
        self.assertEqual(target.tied_outputs, 3)
        self.assertEqual(target.accuracy_members.value, 0.5)
        self.assertEqual(target.accuracy_nonmembers.value, 1.0)
        point = target.attack("gap").point("fixed")
        self.assertEqual((point.true_positives, point.false_positives), (1, 2))

    @parameterized.parameters(*CASES)
    def test_tensorflow_privacy_counts_ties_half(self, case):
        outputs = outputs_of(case)
        settings = tfprivacy.Settings(attacks=("threshold",), sliced=())
        (row,) = tfprivacy.run(outputs, settings=settings).rows
        # A small loss is a large probability of the label.
        chosen = confidence.true_class_scores(outputs)
        inside, outside = chosen[outputs.members], chosen[~outputs.members]
        above = np.sign(inside[:, None] - outside) / 2 + 0.5
        self.assertAlmostEqual(row.auc.value, above.mean(), places=12)
        gaps = [
            np.mean(inside >= least) - np.mean(outside >= least)
            for least in chosen
        ]
        largest = max(0.0, np.abs(gaps).max())
        self.assertAlmostEqual(row.advantage, largest, places=12)


if __name__ == "__main__":
    tf.test.main()
