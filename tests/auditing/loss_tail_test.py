"""LOSS-TNR, counted by hand and on a known distribution."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from qmia_tf.auditing import audit, loss_tail
from qmia_tf.outputs import Outputs


def outputs_of(losses, members):
    """Outputs of two classes with these losses."""
    right = np.exp(-np.asarray(losses, np.float64))
    return Outputs(
        probabilities=np.stack([right, 1 - right], axis=1).astype(np.float32),
        labels=np.zeros(len(right), np.int64),
        members=np.asarray(members),
        record_ids=np.arange(len(right)),
        info={"target": "keras"},
    )


class LossTailTest(parameterized.TestCase):
    def test_counted_by_hand(self):
        # 200 members of losses 0.001 .. 0.2; the largest two are alone.
        inside = np.arange(1, 201) / 1000
        outside = np.array([0.05, 0.1, 0.1975, 0.1985, 0.1995, 0.3, 0.4, 0.5])
        losses = np.concatenate([inside, outside])
        members = np.arange(losses.size) < inside.size
        one, tenth = loss_tail.loss_tnr(outputs_of(losses, members), seed=0)
        # 1 % of 200 are two members: those of 0.199 and 0.2.
        self.assertEqual((one.rate, one.members), (0.01, 200))
        self.assertEqual(one.tnr.value, 5 / 8)
        self.assertEqual(one.attained, 2 / 200)
        self.assertAlmostEqual(one.threshold, 0.1985, places=6)
        # 0.1 % is none: those above every member.
        self.assertEqual((tenth.rate, tenth.expected), (0.001, 0.2))
        self.assertEqual(tenth.tnr.value, 3 / 8)
        self.assertEqual(tenth.attained, 0.0)
        for found in (one, tenth):
            self.assertLess(found.tnr.low, found.tnr.value)
            self.assertGreater(found.tnr.high, found.tnr.value)

    def test_the_interval_covers_the_rate_of_the_population(self):
        # Members exponential of mean 1, nonmembers of mean 3: 1 % of the
        # members are above -log 0.01, and 0.01**(1/3) of the nonmembers.
        rng = np.random.default_rng(0)
        covered = 0
        for _ in range(20):
            losses = rng.exponential(np.repeat([1.0, 3.0], 1000))
            members = np.arange(2000) < 1000
            found = loss_tail.loss_tnr(outputs_of(losses, members), seed=0)[0]
            covered += found.tnr.low <= 0.01 ** (1 / 3) <= found.tnr.high
        # Of 20 at 95 %, fewer than 16 is one in 400 runs.
        self.assertGreaterEqual(covered, 16)

    def test_an_audit_has_it_and_no_attack_more(self):
        rng = np.random.default_rng(0)
        given = outputs_of(rng.exponential(1, 200), np.arange(200) < 100)
        result = audit.audit(given)
        self.assertEqual([x.rate for x in result.loss_tnr], [0.01, 0.001])
        self.assertNotIn("loss_tnr", [x.name for x in result.attacks])
        shuffled = given.take(rng.permutation(200))
        self.assertEqual(
            dataclasses.asdict(audit.audit(shuffled).loss_tnr[0]),
            dataclasses.asdict(result.loss_tnr[0]),
        )


if __name__ == "__main__":
    absltest.main()
