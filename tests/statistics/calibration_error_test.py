"""The expected calibration error, against scikit-learn's curve."""

import numpy as np
from absl.testing import absltest, parameterized
from sklearn.calibration import calibration_curve

from qmia_tf.statistics.calibration_error import BINS, calibration_error


def by_scikit_learn(confidences, right, bins):
    """Of its curve: mean accuracy and mean confidence of each bin."""
    accuracy, confidence = calibration_curve(right, confidences, n_bins=bins)
    # It leaves empty bins out; those that are there, in order.
    place = np.floor(confidences * bins).clip(max=bins - 1)
    counts = np.unique(place, return_counts=True)[1]
    return np.sum(counts / counts.sum() * np.abs(accuracy - confidence))


class CalibrationErrorTest(parameterized.TestCase):
    @parameterized.product(seed=[0, 1, 2, 3, 4], bins=[1, 7, BINS])
    def test_is_scikit_learns(self, seed, bins):
        rng = np.random.default_rng(seed)
        # None of them upon the edge of a bin, where the two differ.
        confidences = rng.beta(3, 1, 400)
        right = rng.random(400) < confidences**2
        self.assertAlmostEqual(
            calibration_error(confidences, right, bins=bins),
            by_scikit_learn(confidences, right, bins),
            places=12,
        )

    def test_by_hand(self):
        # Two bins: |0 - .4| of one record, |(1 + 0)/2 - .8| of two.
        found = calibration_error(
            [0.4, 0.7, 0.9], np.array([False, True, False]), bins=2
        )
        self.assertAlmostEqual(found, (0.4 + 2 * 0.3) / 3)

    def test_an_edge_belongs_to_the_bin_below(self):
        # 1/2 goes with 1/4: (|1 - (.25 + .5)/2| 2)/2.
        found = calibration_error([0.25, 0.5], np.array([True] * 2), bins=2)
        self.assertAlmostEqual(found, 0.625)

    def test_of_a_sure_model_it_is_the_share_of_errors(self):
        right = np.array([True, True, False, True])
        self.assertAlmostEqual(calibration_error(np.ones(4), right), 0.25)


if __name__ == "__main__":
    absltest.main()
