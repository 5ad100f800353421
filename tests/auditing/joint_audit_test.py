"""The joint attack audited, against scikit-learn's areas."""

import numpy as np
import synthetic_outputs
import tensorflow as tf
from sklearn import metrics

from qmia_tf.attacks import joint
from qmia_tf.auditing.auxiliary import make_attack_inputs, with_other_outputs
from qmia_tf.auditing.joint_audit import run_joint_attack
from qmia_tf.outputs import Outputs
from qmia_tf.statistics import delong


def attack_inputs(records, *, gain, seed=0):
    """A target, and a partner that looks at the same records anew.

    Args:
        gain: how much surer the partner is of members.
    """
    first = synthetic_outputs.outputs(records, records, seed=seed)
    size = first.labels.size
    logits = np.random.default_rng(seed + 1).normal(size=(size, 5))
    logits[np.arange(size), first.labels] += 2 + gain * first.members
    second = Outputs.from_logits(
        logits.astype(np.float32),
        labels=first.labels,
        members=first.members,
        record_ids=first.record_ids,
        info={"target": "other"},
    )
    return with_other_outputs(make_attack_inputs(first), second)


class RunJointAttackTest(tf.test.TestCase):
    def test_areas_are_those_of_the_judged_half(self):
        given = attack_inputs(300, gain=1.5)
        pair = run_joint_attack(given, "int8")
        self.assertEqual((pair.first, pair.second), ("keras", "int8"))
        judged = ~given.calibration
        members = given.outputs.members[judged]
        for scores, got in (
            (joint.single_scores(given), pair.single_auc),
            (joint.scores(given), pair.joint_auc),
        ):
            want = metrics.roc_auc_score(members, scores[judged])
            self.assertAlmostEqual(got.value, want)
        self.assertAlmostEqual(
            pair.gain.value, pair.joint_auc.value - pair.single_auc.value
        )
        self.assertEqual(
            (pair.members, pair.nonmembers),
            (members.sum(), (~members).sum()),
        )
        contrast = delong.paired(
            joint.scores(given)[judged],
            joint.single_scores(given)[judged],
            members,
        )
        self.assertEqual(pair.gain, contrast.difference)
        self.assertEqual(pair.p_value, contrast.p_value)
        # An independent look at the same members tells more.
        self.assertGreater(pair.gain.low, 0.0)
        self.assertLess(pair.p_value, 0.01)

    def test_the_same_artefact_twice_tells_nothing_more(self):
        outputs = synthetic_outputs.outputs(300, 300)
        given = with_other_outputs(make_attack_inputs(outputs), outputs)
        pair = run_joint_attack(given, "keras")
        self.assertLessEqual(pair.gain.low, 0.0)
        self.assertLess(abs(pair.gain.value), 0.02)

    def test_too_few_records_to_learn_from(self):
        outputs = synthetic_outputs.outputs(2, 40)
        self.assertIsNone(
            run_joint_attack(
                with_other_outputs(make_attack_inputs(outputs), outputs), "x"
            )
        )


if __name__ == "__main__":
    tf.test.main()
