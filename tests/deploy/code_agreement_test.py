"""Numbers of the comparison of a graph's outputs with its file's."""

import numpy as np
from absl.testing import absltest

from qmia_tf.deploy.differentiable.code_agreement import compare


class CompareTest(absltest.TestCase):
    def test_codes(self):
        theirs = np.float32([[0, 1], [0.25, 0.75], [0.5, 0.5], [1, 0]])
        ours = theirs + np.float32([[0, 0], [0, 0.1], [0.1, 0.3], [0, -0.2]])
        agreement = compare(ours, theirs, step=0.1)
        self.assertEqual(agreement.records, 4)
        self.assertEqual(agreement.apart, 0.5)
        self.assertAlmostEqual(agreement.largest, 3, places=5)
        self.assertEqual(
            str(agreement),
            "outputs of 50.00% of 4 records are more than 0.1 from the file's "
            "(at most 0.3)",
        )

    def test_floats_are_compared_in_steps_of_an_int8_softmax(self):
        agreement = compare(
            np.zeros((2, 1)), np.float64([[1 / 256], [3 / 256]])
        )
        self.assertEqual(agreement.step, 1 / 256)
        self.assertEqual((agreement.apart, agreement.largest), (0.5, 3))

    def test_what_is_no_number_agrees_with_nothing(self):
        agreement = compare(np.float32([[np.nan]]), np.zeros((1, 1)), step=1)
        self.assertEqual((agreement.apart, agreement.largest), (1, np.inf))


if __name__ == "__main__":
    absltest.main()
