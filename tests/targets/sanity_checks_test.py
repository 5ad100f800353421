"""Is a model right on its members more often than chance?"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.targets import sanity_checks


def answered(named, labels, *, classes=None):
    """Outputs of members that are given such classes; one nonmember."""
    named = np.append(named, 0)
    return Outputs(
        probabilities=np.eye(classes or named.max() + 1, dtype=np.float32)[
            named
        ],
        labels=np.append(labels, 0).astype(np.int64),
        members=np.arange(named.size) < named.size - 1,
        record_ids=np.arange(named.size),
        info={"target": "m"},
    )


class ChanceTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_answers_dealt_anew(self, seed):
        rng = np.random.default_rng(seed)
        weights = rng.dirichlet(np.ones(5), size=2)
        labels = rng.choice(5, 80, p=weights[0])
        named = rng.choice(5, 80, p=weights[1])
        dealt = [np.mean(rng.permutation(named) == labels) for _ in range(4000)]
        low, high = sanity_checks.chance(labels, named, 5)
        # The mean of 4,000 draws; their deviation is known to 1 in 90.
        self.assertAllClose((low + high) / 2, np.mean(dealt), atol=0.004)
        self.assertAllClose((high - low) / 2, 1.96 * np.std(dealt), rtol=0.05)

    @parameterized.named_parameters(
        ("good", [0, 1, 2, 3] * 10, [0, 1, 2, 3] * 10, True),
        ("moved", [1, 2, 3, 0] * 10, [0, 1, 2, 3] * 10, False),
        ("constant", [2] * 40, [0, 1, 2, 3] * 10, False),
        ("rare", [0] * 196 + [1] * 4, [0] * 197 + [1] * 3, True),
        ("rare_constant", [0] * 200, [0] * 197 + [1] * 3, False),
        ("one_class", [0] * 40, [0] * 40, True),
        ("one_class_wrong", [0, 1, 2, 3] * 10, [0] * 40, False),
        ("few", [0, 1, 0, 1, 0], [0, 1, 0, 1, 0], True),
        ("too_few", [0, 1, 0], [0, 1, 0], False),
    )
    def test_stops(self, named, labels, passes):
        outputs = answered(named, labels, classes=4)
        if passes:
            sanity_checks.require_above_chance(outputs)
            return
        with self.assertRaisesRegex(InputError, "'m' is right on .* chance is"):
            sanity_checks.require_above_chance(outputs)

    def test_nonmembers_do_not_count(self):
        outputs = answered([1, 0] * 20, [1, 0] * 20)
        wrong = np.append(outputs.labels[:-1], [1])
        object.__setattr__(outputs, "labels", wrong)
        sanity_checks.require_above_chance(outputs)


if __name__ == "__main__":
    tf.test.main()
