"""Numbers of the attack on gradients by layer."""

import dataclasses

import numpy as np
import simulated_margins
from absl.testing import absltest, parameterized

from qmia_tf.attacks import all_layers, with_options
from qmia_tf.outputs.layer_gradients import LayerGradients


def inputs_of(norms):
    norms = np.asarray(norms, np.float32)
    count, layers = norms.shape
    inputs = simulated_margins.attack_inputs_of(
        np.zeros(count), np.arange(count) % 2 == 0
    )
    names = tuple(f"layer{index}" for index in range(layers))
    gradients = LayerGradients(norms, np.arange(count), names, {})
    return dataclasses.replace(inputs, gradients=gradients)


class ScoresTest(parameterized.TestCase):
    inputs = inputs_of([[3, 0, 4], [1, 2, 2], [0, 0, 0], [6, 3, 2]])

    def test_the_whole_gradient(self):
        scores = all_layers.scores(self.inputs)
        np.testing.assert_array_equal(scores, [-5, -3, 0, -7])
        self.assertEqual(scores.dtype, np.float64)

    @parameterized.parameters(
        (0, [-3, -1, 0, -6]), (0.4, [0, -2, 0, -3]), (1, [-4, -2, 0, -2])
    )
    def test_one_layer(self, depth, expected):
        attack = with_options({"gradient_norm_all": {"depth": depth}})
        scores = attack["gradient_norm_all"].scores(self.inputs)
        np.testing.assert_array_equal(scores, expected)

    def test_without_gradients(self):
        bare = dataclasses.replace(self.inputs, gradients=None)
        with self.assertRaisesRegex(ValueError, "needs gradients by layer"):
            all_layers.scores(bare)


if __name__ == "__main__":
    absltest.main()
