"""The pixels that models take, and how they are read off."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data.batches import reshape_images
from qmia_tf.data.pixels import scale_to_range
from qmia_tf.errors import InputError
from qmia_tf.targets import input_forms
from qmia_tf.targets.model_options import ModelOptions, Opening


class InputFormsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        ("0..1", [0, 0.2, 1]),
        ("0..255", [0, 51, 255]),
        ("-1..1", [-1, -0.6, 1]),
    )
    def test_in_range(self, pixels, expected):
        scaled = scale_to_range(np.array([0, 51, 255], np.uint8), pixels)
        self.assertEqual(scaled.dtype, np.float32)
        # float32 has 24 bits.
        self.assertAllClose(scaled, expected, atol=1e-6)

    @parameterized.parameters(
        (np.uint8, 1 / 255, 0, "0..1"),
        (np.int8, 1 / 255, -128, "0..1"),
        (np.int8, 0.98 / 255, -128, "0..1"),
        (np.int8, 1 / 256, -128, "0..1"),
        (np.int8, 0.9 / 255, -128, None),
        (np.int8, 2 / 255, 0, "-1..1"),
        (np.int8, 2 / 255, -1, "-1..1"),
        (np.uint8, 2 / 255, 127, "-1..1"),
        (np.uint8, 1.0, 0, "0..255"),
        (np.int8, 1.0, -128, "0..255"),
        (np.int8, 0.0187, -14, None),
        (np.int8, 1 / 255, 0, None),
        (np.int8, 1 / 127, 0, None),
        (np.int16, 1 / 32767, 0, None),
        (np.int16, 1 / 65535, -32768, "0..1"),
        (np.int32, 1.0, 0, None),
    )
    def test_of_codes(self, dtype, step, zero_point, expected):
        self.assertEqual(
            input_forms.range_of_codes(dtype, step, zero_point), expected
        )

    @parameterized.parameters(
        (1 / 255, "0..255"),
        (1 / 127.5, "0..255"),
        ([0.0171, 0.0175, 0.0174], "0..255"),
        (1.0, "0..1"),
        (2.0, "0..1"),
        ([4.37, 4.46, 4.44], "0..1"),
        (0.1, None),
        (255.0, None),
        ([1 / 255, 1.0], None),
    )
    def test_of_rescaling(self, scale, expected):
        self.assertEqual(input_forms.range_of_rescaling(scale), expected)

    @parameterized.parameters(
        ([123.7, 116.3, 103.5], [3411, 3261, 3291], "0..255"),
        ([0.485, 0.456, 0.406], [0.052, 0.05, 0.051], "0..1"),
        (33.3, 6172.0, "0..255"),
        (0.13, 0.095, "0..1"),
        (-0.2, 0.25, None),
        (0.5, 40.0, None),
        (0.0, 1.0, None),
        (400.0, 9.0, None),
    )
    def test_of_moments(self, mean, variance, expected):
        self.assertEqual(input_forms.range_of_moments(mean, variance), expected)

    @parameterized.parameters(
        ("0..1", None, "0..1", None),
        ("0..1", "0..1", "0..1", None),
        (None, "-1..1", "-1..1", None),
        (None, None, None, None),
        ("0..1", "0..255", None,
         r"takes pixels of 0..1 \(its layer 'x'\), but input_range"),
    )  # fmt: skip
    def test_chosen(self, read, given, expected, pattern):
        opening = Opening("m", ModelOptions(given), None)
        if pattern is None:
            chosen = opening.choose_range(read, "its layer 'x'")
            self.assertEqual(chosen, expected)
            return
        with self.assertRaisesRegex(InputError, pattern):
            opening.choose_range(read, "its layer 'x'")

    @parameterized.parameters(
        ((6, 5, 1), (6, 5, 1)),
        ((None, -1, 1), (6, 5, 1)),
        ((6, 5), (6, 5)),
    )
    def test_fitted(self, shape, expected):
        values = np.arange(60).reshape(2, 6, 5, 1)
        fitted = reshape_images(values, shape)
        self.assertEqual(fitted.shape, (2, *expected))
        self.assertAllEqual(fitted.reshape(-1), range(60))
        gray = reshape_images(values[..., 0], (6, 5, 1))
        self.assertAllEqual(gray, values)

    @parameterized.parameters((6, 5, 3), (5, 6, 1), (30,), (6, 5, 1, 1, 1))
    def test_of_another_shape(self, *shape):
        self.assertIsNone(reshape_images(np.zeros((2, 6, 5, 1)), shape))


if __name__ == "__main__":
    tf.test.main()
