"""The parts of benchmarks/attacks.py that can be wrong without being slow."""

import collections
import pathlib
import sys
from unittest import mock

import numpy as np
import tensorflow as tf

from qmia_tf.errors import InputError

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
with mock.patch.object(sys, "path", [str(BENCHMARKS), *sys.path]):
    import attacks_environment
    import attacks_simulated

Version = collections.namedtuple("Version", "major minor micro")


class BenchmarkTest(tf.test.TestCase):
    def test_exponent_of_powers(self):
        sizes = [10, 100, 1000]
        for power in (0.5, 1.0, 2.0):
            seconds = 3 * np.power(sizes, power)
            exponent = attacks_simulated.exponent(sizes, seconds)
            self.assertAllClose(exponent, power, atol=1e-12)

    def test_population(self):
        inputs = attacks_simulated.attack_inputs(100, 3, population=40)
        members = inputs.outputs.members
        self.assertEqual(np.sum(inputs.calibration & ~members), 40)
        self.assertAllEqual(inputs.references.margins.shape, [3, 100])
        self.assertAllEqual(
            inputs.references.inside, ~inputs.references.outside
        )

    def test_another_python_is_refused_before_anything_is_made(self):
        folder = pathlib.Path(self.create_tempdir().full_path, "peer")
        with mock.patch.object(sys, "version_info", Version(3, 13, 0)):
            with self.assertRaisesRegex(InputError, "needs Python 3.11 .*nop"):
                attacks_environment.environment(folder)
        self.assertFalse(folder.exists())


if __name__ == "__main__":
    tf.test.main()
