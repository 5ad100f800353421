"""Tests of logits: the softmax, and what is taken for one."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from qmia_tf.errors import InputError
from qmia_tf.outputs.kinds import look_like_probabilities
from qmia_tf.outputs.logits import check_kind, log_sums, require_kind, softmax

STEP = 1 / 256


class SoftmaxTest(parameterized.TestCase):
    @parameterized.parameters(1e-3, 1.0, 30.0, 1e4)
    def test_equals_scipy(self, size):
        rng = np.random.default_rng(0)
        logits = (rng.normal(size=(50, 7)) * size).astype(np.float32)
        probabilities = softmax(logits)
        self.assertEqual(probabilities.dtype, np.float32)
        expected = special.softmax(logits.astype(np.float64), axis=1)
        # Two roundings of float64 and one to float32.
        np.testing.assert_allclose(
            probabilities, expected, rtol=1e-7, atol=1e-38
        )
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)

    def test_not_a_number_stays_one(self):
        probabilities = softmax(
            np.array([[np.nan, 1.0], [0.0, 0.0]], np.float32)
        )
        self.assertTrue(np.isnan(probabilities[0]).all())
        self.assertEqual(probabilities[1].tolist(), [0.5, 0.5])


class LogSumsTest(parameterized.TestCase):
    @parameterized.parameters(1e-3, 1.0, 30.0, 1e4)
    def test_equals_scipy(self, size):
        logits = np.random.default_rng(0).normal(size=(50, 7)) * size
        logits[::2, 3] = -np.inf
        expected = special.logsumexp(logits, axis=1)
        np.testing.assert_allclose(log_sums(logits), expected, rtol=1e-14)

    def test_order_of_the_classes_changes_no_bit(self):
        rng = np.random.default_rng(1)
        logits = rng.normal(size=(200, 30)) * 5
        turned = rng.permuted(logits, axis=1)
        off = int(np.sum(log_sums(turned) != log_sums(logits)))
        self.assertEqual(off, 0, f"{off} of 200 differ")


class LookLikeProbabilitiesTest(parameterized.TestCase):
    @parameterized.parameters(
        ([[0.25, 0.75], [1.0, 0.0]], 0.0, True),
        ([[0.25, 0.75], [0.6, 0.3]], 0.0, False),
        ([[0.25, 0.75], [1.1, -0.1]], 0.0, False),
        ([[0.0, 0.997]], STEP, True),
        ([[0.0, 0.997]], 0.0, False),
        ([[0.0, 0.99]], STEP, False),
    )
    def test_every_row_counts(self, rows, step, wanted):
        looks_like = look_like_probabilities(
            np.array(rows, np.float32), step=step
        )
        self.assertIs(looks_like, wanted)


class CheckKindTest(parameterized.TestCase):
    def check(self, rows, *, step=0.0, as_logits=False):
        rows = np.array(rows, np.float32)
        check_kind(rows, name="x", step=step, as_logits=as_logits)

    @parameterized.parameters(
        ([[0.25, 0.75], [1.0, 0.0]], 0.0),
        # Rounded to 1/256: 255/256 is the largest int8 softmax.
        ([[255 / 256, 0.0]], STEP),
        ([[0.332, 0.336, 0.336]], STEP),
        # Left to outputs.validate, which names the row.
        ([[np.nan, 0.5]], 0.0),
        ([[np.inf, 0.5]], 0.0),
    )
    def test_probabilities(self, rows, step):
        self.check(rows, step=step)

    @parameterized.parameters(
        ([[0.5, 0.5], [0.2, 0.6]], 0.0),
        ([[255 / 256, 0.0]], 0.0),
        ([[1.2, -0.2]], 0.0),
        ([[1.2, -0.2]], STEP),
        ([[0.5, 0.48]], STEP),
    )
    def test_no_probabilities(self, rows, step):
        with self.assertRaisesRegex(InputError, "target 'x' does not output"):
            self.check(rows, step=step)

    @parameterized.parameters(
        ([[3.0, -1.0]], 0.0),
        ([[0.2, 0.6]], 0.0),
        # So coarse a step is none of a softmax: codes 0 and 10.
        ([[0.0, 1.0]], 0.1),
        ([[np.nan, 0.5]], 0.0),
    )
    def test_logits(self, rows, step):
        self.check(rows, step=step, as_logits=True)

    @parameterized.parameters(([[0.25, 0.75]], 0.0), ([[255 / 256, 0.0]], STEP))
    def test_no_logits(self, rows, step):
        with self.assertRaisesRegex(InputError, "'x' outputs probabilities"):
            self.check(rows, step=step, as_logits=True)


class RequireKindTest(parameterized.TestCase):
    @parameterized.parameters(
        ([[0.5, 0.5], [0.9, 0.1]], 0.0, True),
        ([[0.5, 0.492], [0.9, 0.1]], 0.0, False),
        ([[0.5, 0.49], [0.9, 0.1]], 1 / 64, True),
        ([[1.5, -0.5], [0.9, 0.1]], 0.0, False),
    )
    def test_probabilities(self, rows, step, good):
        rows = np.array(rows, np.float32)
        about = {"name": "m", "step": step}
        if good:
            require_kind(rows, outputs="probabilities", **about)
        else:
            require_kind(rows, outputs="logits", **about)
            said = "record 0 sum to 0.992|one number a record, -0.5 to 0.1"
            with self.assertRaisesRegex(InputError, said):
                require_kind(rows, outputs="probabilities", **about)


if __name__ == "__main__":
    absltest.main()
