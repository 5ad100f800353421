"""Outputs that cannot be audited, and the least that can."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.attacks import confidence, entropy, gap, losses, margin
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.held_out_thresholds import calibration_half, hold_out
from qmia_tf.statistics.sweep import sweep

SCORES = {
    "gap": gap.scores,
    "confidence": confidence.scores,
    "true_confidence": confidence.true_class_scores,
    "loss": losses.scores,
    "margin": margin.margins,
    "entropy": entropy.scores,
    "modified_entropy": entropy.modified_scores,
}
GOOD = [0.7, 0.1, 0.2]


def four(row=GOOD, label=1, **changes):
    """Two members and two nonmembers; record 12, a member, is as given."""
    outputs = Outputs(
        probabilities=np.array([GOOD, GOOD, row, GOOD], np.float32),
        labels=np.array([0, 1, label, 2]),
        members=np.array([True, False, True, False]),
        record_ids=np.arange(10, 14),
        info={"target": "t"},
    )
    return dataclasses.replace(outputs, **changes)


class RefusedTest(parameterized.TestCase, tf.test.TestCase):
    def assertRefused(self, answers, message):
        with self.assertRaisesRegex(InputError, message) as caught:
            answers.validate("pi4.npz")
        self.assertStartsWith(str(caught.exception), "pi4.npz: ")
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        ([False] * 4, "4 records and not one member"),
        ([True] * 4, "4 records and not one nonmember"),
    )
    def test_empty_sides(self, members, message):
        self.assertRefused(four(members=np.array(members)), message)

    @parameterized.parameters((0, "nonmember"), (1, "member"))
    def test_one_record(self, row, missing):
        self.assertRefused(
            four().take([row]), f"1 record and not one {missing}"
        )

    def test_no_record(self):
        self.assertRefused(four().take([]), "0 records and not one member")

    @parameterized.parameters(
        ([np.nan, 0.5, 0.5], "not finite"),
        ([np.inf, 0.0, 0.0], "not finite"),
        ([-np.inf, 1.0, 0.0], "not finite"),
        ([1.2, -0.1, -0.1], "negative: -0.1; rows sum to 1 .. 1, the least"),
        ([0.5, 0.2, 0.2], "sum to 0.9, not to 1 .*'probability_step'. of a qu"),
        ([3.0, 1.5, 0.5], "sum to 5, not to 1"),
    )
    def test_probabilities(self, row, message):
        self.assertRefused(four(row), f"row 2 .record 12.: .*{message}")

    @parameterized.parameters(-1, 3, 255)
    def test_labels_outside_the_classes(self, label):
        self.assertRefused(
            four(label=label), rf"row 2 .*label {label} is outside 0\.\.2"
        )

    def test_a_record_twice(self):
        self.assertRefused(
            four(record_ids=np.array([10, 11, 10, 13])), "row 2 .*there twice"
        )

    @parameterized.parameters(
        ("labels", np.array([0.0, 1, 1, 2]), "labels must be integers, got fl"),
        ("members", np.array([1, 0, 1, 0]), "members must be booleans, got in"),
        ("record_ids", np.arange(4.0), "record_ids must be integers"),
        ("probabilities", np.eye(4, dtype=int), "probabilities must be floats"),
    )
    def test_types(self, name, array, message):
        """~members of 0 and 1 would be -1 and -2: everybody a nonmember."""
        self.assertRefused(four(**{name: array}), message)

    def test_logits_given_as_probabilities(self):
        outputs = synthetic_outputs.outputs(30, 30)
        logits = np.log(outputs.probabilities)
        self.assertRefused(
            dataclasses.replace(outputs, probabilities=logits),
            "are these logits",
        )

    def test_bad_outputs_are_never_scored_as_logits(self):
        """A row that no softmax gives is refused, not sent through one."""
        rows = synthetic_outputs.outputs(30, 30, step=1 / 256, classes=10)
        bare = dataclasses.replace(rows, info={"target": "t"})
        self.assertRefused(bare, "probability_step.* missing")
        self.assertIs(rows.validate(), rows)


class LeastTest(parameterized.TestCase, tf.test.TestCase):
    def test_one_member_and_one_nonmember_cannot_be_held_out(self):
        answers = four().take([0, 1]).validate()
        scores = confidence.scores(answers)
        self.assertEqual(auc(scores, answers.members).value, 0.5)
        for call in (
            lambda: calibration_half(answers.members, seed=0),
            lambda: hold_out(scores, answers.members, seed=0),
        ):
            with self.assertRaisesRegex(InputError, "query more records"):
                call()

    @parameterized.parameters(*SCORES)
    def test_all_scores_equal(self, name):
        row = np.array([[0.5, 0.25, 0.25]], np.float32)
        answers = four(
            probabilities=np.repeat(row, 4, axis=0), labels=np.zeros(4, int)
        ).validate()
        scores = SCORES[name](answers)
        self.assertLen(set(scores), 1)
        area = auc(scores, answers.members)
        self.assertEqual(area.value, 0.5)
        rule = sweep(scores, answers.members)
        self.assertAllEqual(rule.true_positives, [0, 2])
        self.assertAllEqual(rule.false_positives, [0, 2])
        point = hold_out(scores, answers.members, seed=0).point
        self.assertEqual(point.balanced_accuracy.value, 0.5)

    @parameterized.parameters(*SCORES)
    def test_zeros_and_ones_give_finite_scores(self, name):
        rows = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], "f")
        for step in (0.0, 1 / 256):
            info = {"target": "t", "probability_step": step}
            answers = four(probabilities=rows, info=info).validate()
            self.assertTrue(np.isfinite(SCORES[name](answers)).all())


if __name__ == "__main__":
    tf.test.main()
