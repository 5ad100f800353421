"""Two artefacts of one audit, compared record by record."""

import dataclasses

import numpy as np
import synthetic_audits
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from paper import artefact_pairs
from qmia_tf.attacks import ATTACKS, AttackInputs
from qmia_tf.auditing import audit
from qmia_tf.statistics import held_out_thresholds, paired_differences


class PairsTest(parameterized.TestCase, tf.test.TestCase):
    def called(self, outputs, target, seed):
        """Whom the strongest attack calls, of the judged half, by NumPy."""
        outputs = outputs.in_record_order()
        half = held_out_thresholds.calibration_half(outputs.members, seed=seed)
        (attack,) = [x for x in ATTACKS if x.name == target.strongest.attack]
        scores = attack.scores(AttackInputs(outputs, half, seed=seed))
        called = scores >= target.strongest.point.threshold
        return [
            called[kind & ~half] for kind in (outputs.members, ~outputs.members)
        ]

    @parameterized.parameters(0, 7)
    def test_is_paired_on_the_judged_half(self, seed):
        first = synthetic_outputs.outputs(113, 90, gain=(4.0, 2.5))
        other = synthetic_outputs.outputs(113, 90, gain=(3.0, 2.5))
        hard = synthetic_outputs.hard_labels(
            members=113, nonmembers=90, gain=(3.2, 2.0)
        )
        answered = [first, other, hard]
        targets = [audit.audit(outputs, seed=seed) for outputs in answered]
        self.assertEqual(targets[2].strongest.attack, "gap")
        result = synthetic_audits.result(*targets, seed=seed)
        called = [
            self.called(*both, seed)
            for both in zip(answered, targets, strict=True)
        ]
        for one, two in ((0, 1), (1, 0), (0, 2), (2, 1)):
            pair = artefact_pairs.compare(result, targets[one], targets[two])
            self.assertTrue(pair.paired)
            want = paired_differences.balanced_change(
                *zip(called[one], called[two], strict=True)
            )
            self.assertEqual(pair.difference, want)
            rates = [
                targets[n].strongest.point.balanced_accuracy.value
                for n in (one, two)
            ]
            self.assertAllClose(pair.difference.value, rates[0] - rates[1])

    def test_of_other_records(self):
        one = synthetic_audits.target(records=120)
        two = synthetic_audits.target("less", records=110)
        pair = artefact_pairs.compare(
            synthetic_audits.result(one, two), one, two
        )
        self.assertFalse(pair.paired)
        x, y = (
            np.array(dataclasses.astuple(t.strongest.point.balanced_accuracy))
            for t in (one, two)
        )
        arms = np.sqrt(
            [(x[0] - x[1]) ** 2 + (y[2] - y[0]) ** 2]
            + [(x[2] - x[0]) ** 2 + (y[0] - y[1]) ** 2]
        )
        self.assertAllClose(
            dataclasses.astuple(pair.difference),
            x[0] - y[0] + np.array([0, -arms[0], arms[1]]),
        )

    def test_verdicts_of_another_seed_are_not_taken(self):
        # Then the half that the gap attack is cut down to would be wrong.
        outputs = synthetic_outputs.hard_labels(members=150, nonmembers=150)
        target = audit.audit(outputs, seed=3)
        result = synthetic_audits.result(target, target, seed=4)
        self.assertFalse(artefact_pairs.compare(result, target, target).paired)


if __name__ == "__main__":
    tf.test.main()
