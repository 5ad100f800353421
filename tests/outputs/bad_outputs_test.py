"""Outputs that cannot be audited: one line that says the file and the row."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs

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


ROUNDED = synthetic_outputs.outputs(30, 30, step=1 / 256, classes=10)
EXACT = synthetic_outputs.outputs(30, 30)
LOGITS = np.log(EXACT.probabilities)
CASES = (
    (four(members=np.zeros(4, bool)), "4 records and not one member"),
    (four(members=np.ones(4, bool)), "4 records and not one nonmember"),
    (four().take([0]), "1 record and not one nonmember"),
    (four().take([1]), "1 record and not one member"),
    (four().take([]), "0 records and not one member"),
    (four([np.nan, 0.5, 0.5]), "row 2 .record 12.: .*not finite"),
    (four([np.inf, 0.0, 0.0]), "row 2 .record 12.: .*not finite"),
    (four([-np.inf, 1.0, 0.0]), "row 2 .record 12.: .*not finite"),
    (
        four([1.2, -0.1, -0.1]),
        "row 2 .record 12.: .*negative: -0.1; rows sum to 1 .. 1, the least",
    ),
    (
        four([0.5, 0.2, 0.2]),
        "row 2 .record 12.: .*sum to 0.9, not to 1 .*'probability_step'. of a",
    ),
    (four([3.0, 1.5, 0.5]), "row 2 .record 12.: .*sum to 5, not to 1"),
    (four(label=-1), r"row 2 .*label -1 is outside 0\.\.2"),
    (
        four(labels=np.array([1, 2, 3, 3])),
        r"label 3 is outside 0..2 \(of 2 members 0 are right as they are, 1 "
        r"with labels - 1: write labels from 0 on\)",
    ),
    (four(label=3), r"row 2 .*label 3 is outside 0\.\.2"),
    (four(label=255), r"row 2 .*label 255 is outside 0\.\.2"),
    (four(record_ids=np.array([10, 11, 10, 13])), "row 2 .*there twice"),
    (four(labels=np.array([0.0, 1, 1, 2])), "labels must be integers, got fl"),
    # ~members of 0 and 1 would be -1 and -2: everybody a nonmember.
    (four(members=np.array([1, 0, 1, 0])), "members must be booleans, got in"),
    (four(record_ids=np.arange(4.0)), "record_ids must be integers"),
    (four(probabilities=np.eye(4, dtype=int)), "probabilities must be floats"),
    (dataclasses.replace(EXACT, probabilities=LOGITS), "are these logits"),
    # A row that no softmax gives is refused, not sent through one.
    (
        dataclasses.replace(ROUNDED, info={"target": "t"}),
        "probability_step.* missing",
    ),
)


class RefusedTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*CASES)
    def test_says_what_and_where(self, outputs, message):
        with self.assertRaisesRegex(InputError, message) as caught:
            outputs.validate("pi4.npz")
        self.assertStartsWith(str(caught.exception), "pi4.npz: ")
        self.assertNotIn("\n", str(caught.exception))

    def test_a_step_that_is_declared(self):
        self.assertIs(ROUNDED.validate(), ROUNDED)


if __name__ == "__main__":
    tf.test.main()
