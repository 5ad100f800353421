"""The interquartile range of losses, against Python's own quartiles."""

import statistics

import numpy as np
from absl.testing import absltest

from qmia_tf.statistics import loss_traces


class LossTracesTest(absltest.TestCase):
    def test_quartiles(self):
        losses = np.random.default_rng(0).exponential(1, (9, 20))
        found = loss_traces.interquartile_range(losses)
        for record, trace in zip(found, losses.T, strict=True):
            first, _, third = statistics.quantiles(trace, method="inclusive")
            self.assertAlmostEqual(record, third - first)

    def test_too_few_epochs(self):
        for shape in ((3, 5), (9,)):
            with self.assertRaisesRegex(ValueError, "4 epochs or more"):
                loss_traces.interquartile_range(np.ones(shape))


if __name__ == "__main__":
    absltest.main()
