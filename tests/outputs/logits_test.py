"""Tests of logits: the softmax, and what is taken for one."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from qmia_tf.errors import InputError
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


class CheckKindTest(parameterized.TestCase):
    @parameterized.parameters(
        ([[0.25, 0.75], [1.0, 0.0]], 0.0, "probabilities"),
        # Rounded to 1/256: 255/256 is the largest int8 softmax.
        ([[255 / 256, 0.0]], STEP, "probabilities"),
        ([[0.332, 0.336, 0.336]], STEP, "probabilities"),
        ([[0.5, 0.49], [0.9, 0.1]], 1 / 64, "probabilities logits"),
        ([[0.5, 0.5], [0.2, 0.6]], 0.0, "logits"),
        ([[0.5, 0.492], [0.9, 0.1]], 0.0, "logits"),
        ([[255 / 256, 0.0]], 0.0, "logits"),
        ([[1.2, -0.2]], 0.0, "logits"),
        ([[1.2, -0.2]], STEP, "logits"),
        ([[0.5, 0.48]], STEP, "logits"),
        ([[3.0, -1.0]], 0.0, "logits"),
        ([[0.2, 0.6]], 0.0, "logits"),
        # So coarse a step is none of a softmax: codes 0 and 10.
        ([[0.0, 1.0]], 0.1, "probabilities logits"),
        # Left to outputs.validate, which names the row.
        ([[np.nan, 0.5]], 0.0, "probabilities logits"),
        ([[np.inf, 0.5]], 0.0, "probabilities logits"),
    )
    def test_probabilities_or_logits(self, rows, step, kinds):
        rows = np.array(rows, np.float32)
        about = {"name": "x", "step": step}
        for kind, pattern in (
            ("probabilities", "target 'x' does not output probabilities: "),
            ("logits", "target 'x' outputs probabilities, not logits: "),
        ):
            as_logits = kind == "logits"
            if kind in kinds:
                check_kind(rows, as_logits=as_logits, **about)
                if np.isfinite(rows).all():
                    require_kind(rows, outputs=kind, **about)
                continue
            with self.assertRaisesRegex(InputError, pattern):
                check_kind(rows, as_logits=as_logits, **about)
            with self.assertRaisesRegex(InputError, pattern):
                require_kind(rows, outputs=kind, **about)

    @parameterized.parameters(
        ([[0.5, 0.492]], "probabilities", "record 0 sum to 0.992"),
        ([[1.5, -0.5]], "probabilities", "one number a record, -0.5 to -0.5"),
        ([[3, 1, -2.0]], "probabilities", "if .* logits, give outputs=.log"),
        (np.random.default_rng(0).gamma(2, 3, (40, 3)), "probabilities",
         r"unusual of logits: .* \(give outputs=.logits.\)"),
        ([[0.5, 0.5]], "logits", "sum to 1: give outputs=.probabilities"),
        ([[0.5, 0.5], [0.5, np.nan]], "logits", "outputs .* for record 1: num"),
    )  # fmt: skip
    def test_says_what_to_do(self, rows, outputs, pattern):
        rows = np.array(rows, np.float32)
        with self.assertRaisesRegex(InputError, pattern):
            require_kind(rows, name="m", outputs=outputs, step=0.0)


if __name__ == "__main__":
    absltest.main()
