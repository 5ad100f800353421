"""Raise the version of a quantizer in VERSIONS when its numbers here change.

Models that were trained with the old numbers are then no references for new
ones. The numbers are those of version 1, stored once; that they are right is
what the tests beside this one are for.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import quantizers
from qmia_tf.models.network_bits import Bits
from qmia_tf.quantizers import dorefa

# Far from where a rounding turns, so that no processor rounds otherwise.
KERNEL = [[-1.3, 0.21], [0.07, -0.52], [0.88, 0.4]]
KERNEL_DY = [[1.0, -2.0], [0.5, 0.25], [-1.5, 3.0]]
X = [-0.3, 0.02, 0.23, 0.61, 0.97, 1.4]
DY = [1.0, -2.0, 0.5, 0.25, -1.5, 3.0]
E_KERNEL = 0.56333333
DOREFA_GRADIENT = [
    [0.29874226, -2.2215135],
    [0.57739884, 0.22391261],
    [-0.87204051, 2.9788177],
]
# Name, version, options, input, gradient of the value: value and gradient.
GOLDEN = [
    (
        *("dorefa", 1, {"bits": 1}, KERNEL, KERNEL_DY),
        E_KERNEL * np.array([[-1, 1], [1, -1], [1, 1]]),
        KERNEL_DY,
    ),
    (
        *("dorefa", 1, {"bits": 2}, KERNEL, KERNEL_DY),
        np.array([[-3, 1], [1, -1], [3, 1]]) / 3,
        DOREFA_GRADIENT,
    ),
    (
        *("dorefa", 1, {"bits": 4}, KERNEL, KERNEL_DY),
        np.array([[-15, 3], [1, -9], [13, 7]]) / 15,
        DOREFA_GRADIENT,
    ),
    (
        *("dorefa", 1, {"bits": 4, "detach_max": False}, KERNEL, KERNEL_DY),
        np.array([[-15, 3], [1, -9], [13, 7]]) / 15,
        [[-0.14498055, -2.2215135], *DOREFA_GRADIENT[1:]],
    ),
    (
        *("symmetric", 1, {"bits": 4}, KERNEL, KERNEL_DY),
        [[-1.3, 0.22285715], [0.0, -0.52], [0.92857146, 0.37142858]],
        KERNEL_DY,
    ),
    (
        *("symmetric", 1, {"bits": 8}, KERNEL, KERNEL_DY),
        [[-1.3, 0.20881888], [0.071653545, -0.52], [0.88031495, 0.40125981]],
        KERNEL_DY,
    ),
    (
        *("dorefa_activations", 1, {"bits": 1}, X, DY),
        [0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
        [0.0, -2.0, 0.5, 0.25, -1.5, 0.0],
    ),
    (
        *("dorefa_activations", 1, {"bits": 4}, X, DY),
        [0.0, 0.0, 0.2, 0.6, 1.0, 1.0],
        [0.0, -2.0, 0.5, 0.25, -1.5, 0.0],
    ),
    (
        *("dorefa_activations", 1, {"bits": 32}, X, DY),
        [0.0, 0.02, 0.23, 0.61, 0.97, 1.0],
        [0.0, -2.0, 0.5, 0.25, -1.5, 0.0],
    ),
    (
        *("residual", 1, {"bits": 4}, X, DY),
        [-0.3047619, 0.01904762, 0.22857144, 0.60952383, 0.9714286, 1.2095238],
        [1.0, -2.0, 0.5, 0.25, -1.5, 0.0],
    ),
    (
        *("residual", 1, {"bits": 4, "projection": True}, X, DY),
        [-0.29333335, 0.02666667, 0.22666667, 0.61333334, 0.97333336, 1.4],
        DY,
    ),
    (
        *("residual", 1, {"bits": 4, "linear": True}, X, DY),
        [-0.29333335, 0.02666667, 0.22666667, 0.61333334, 0.97333336, 1.4],
        DY,
    ),
]


class VersionsTest(parameterized.TestCase, tf.test.TestCase):
    def test_every_quantizer_of_a_network_has_its_numbers(self):
        bits = Bits(4, 4, gradient=4)
        self.assertEqual(list(quantizers.VERSIONS), list(bits.quantizers))
        self.assertEqual(
            list(dict.fromkeys(x[0] for x in GOLDEN)), [*bits.quantizers]
        )

    @parameterized.parameters(*GOLDEN)
    def test_numbers(self, name, version, options, x, dy, value, gradient):
        quantizer = quantizers.get(name, **options)
        self.assertEqual(quantizer.version, version)
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            got = quantizer(x)
        message = f"raise VERSIONS[{name!r}] in qmia_tf/quantizers/__init__.py"
        flowing = tape.gradient(got, x, tf.constant(dy))
        # A few of float32's last bits.
        self.assertAllClose(got, value, rtol=0, atol=1e-6, msg=message)
        self.assertAllClose(flowing, gradient, rtol=0, atol=1e-6, msg=message)

    def test_numbers_of_gradients_which_count_as_dorefa(self):
        x = tf.constant([X])
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = dorefa.quantize_gradients(x, tf.constant([1, 2]), bits=3)
        flowing = tape.gradient(value, x, tf.constant([DY]))
        self.assertEqual(quantizers.VERSIONS["dorefa"], 1)
        want = [[3.0, -15.0, 9.0, -3.0, -15.0, 21.0]]
        self.assertAllClose(
            flowing,
            np.array(want) / 7,
            atol=1e-6,
            msg="raise VERSIONS['dorefa'] in qmia_tf/quantizers/__init__.py",
        )

    @parameterized.parameters(
        (Bits(), []),
        (Bits(clip=True), ["dorefa_activations"]),
        (Bits(16, 32), ["dorefa"]),
        (Bits(8, 32), ["dorefa", "symmetric"]),
        (Bits(32, 4), ["dorefa_activations", "residual"]),
        (Bits(gradient=6), ["dorefa"]),
    )
    def test_which_change_a_network(self, bits, names):
        self.assertEqual(list(bits.quantizers), names)


if __name__ == "__main__":
    tf.test.main()
