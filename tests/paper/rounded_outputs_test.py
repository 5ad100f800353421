"""Answers rounded as an int8 softmax rounds them."""

import pathlib

import numpy as np
import synthetic_outputs
import tensorflow as tf

from paper import rounded_outputs
from qmia_tf import outputs


class RoundedTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.answers = synthetic_outputs.outputs(50, 50, seed=3, gain=(6.0, 3))

    def test_probabilities_are_those_of_the_kernel(self):
        # The same in integers: one code is 1/256, and 255 is the largest.
        expected = [
            min(int(256 * float(p) + 0.5), 255) / 256
            for p in self.answers.probabilities.ravel()
        ]
        answers = rounded_outputs.round_probabilities(self.answers)
        np.testing.assert_array_equal(answers.probabilities.ravel(), expected)
        self.assertEqual(answers.probabilities.max(), 255 / 256)
        self.assertEqual(answers.probability_step, 1 / 256)
        np.testing.assert_array_equal(answers.members, self.answers.members)

    def test_written_beside_the_answers_of_the_run(self):
        run_dir = pathlib.Path(self.create_tempdir())
        self.answers.save(run_dir / "outputs" / "keras.npz")
        answers = outputs.load(rounded_outputs.write(run_dir))
        self.assertEqual(answers.target, "keras_rounded")
        self.assertIsNone(answers.info.get("latency_ms"))
        np.testing.assert_array_equal(
            answers.probabilities,
            rounded_outputs.round_probabilities(self.answers).probabilities,
        )


if __name__ == "__main__":
    tf.test.main()
