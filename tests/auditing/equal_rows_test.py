"""Coarse outputs drawn with replacement: what the answer makes of them."""

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.auditing import audit, verdict
from qmia_tf.outputs import Outputs

CONFIG = {"dataset": {"name": "drawn"}}


def drawn(gain, *, seed=1, times=3):
    """300 int8 records a side, `times` as many drawn with replacement."""
    one = synthetic_outputs.outputs(
        300, 300, classes=10, gain=gain, step=1 / 256, seed=seed
    )
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [
            rng.choice(np.flatnonzero(side), 300 * times)
            for side in (one.members, ~one.members)
        ]
    )
    return Outputs(
        one.probabilities[rows],
        one.labels[rows],
        one.members[rows],
        np.arange(rows.size),
        one.info,
    )


class DoubtTest(parameterized.TestCase, tf.test.TestCase):
    def leak_of(self, outputs):
        run_dir = self.create_tempdir().full_path
        result = audit.audit_outputs(run_dir, [outputs], run_config=CONFIG)
        return result.targets[0].leak

    def test_no_leak_is_found_if_they_may_be_copies(self):
        """Counted one by one they are a leak, by attacks that remember."""
        outputs = drawn((2.0, 2.0))
        alone = audit.audit(outputs).leak
        self.assertLessEqual(alone.p_value, alone.level)
        leak = self.leak_of(outputs)
        self.assertEqual(leak.verdict, verdict.CANNOT_SAY)
        self.assertIn("if they are copies no leak is found", leak.reasons[0])

    def test_a_leak_that_is_there_either_way_is_found(self):
        self.assertIn(self.leak_of(drawn((5.0, 2.0))).verdict, verdict.LEAKS)

    def test_no_leak_and_no_doubt(self):
        outputs = synthetic_outputs.outputs(
            300, 300, classes=10, gain=(2.0, 2.0), step=1 / 256
        )
        self.assertEqual(self.leak_of(outputs).verdict, verdict.NO_LEAK)


if __name__ == "__main__":
    tf.test.main()
