"""What an app may give instead of its model's outputs."""

import decimal

import numpy as np
import synthetic_outputs
from absl.testing import absltest, parameterized

from qmia_tf.outputs import Outputs, output_forms

MADE = [
    {"seed": seed, "classes": classes, "step": step}
    for seed, (classes, step) in enumerate(
        [(2, 0.0), (10, 0.0), (3, 1 / 256), (10, 1 / 256), (100, 1 / 256)]
    )
]


def outputs_of(*rows, labels=None):
    p = np.array(rows, np.float32)
    count = len(p)
    return Outputs(
        probabilities=p,
        labels=np.zeros(count, np.int64) if labels is None else labels,
        members=np.arange(count) % 2 == 0,
        record_ids=np.arange(count),
        info={"target": "file", "probability_step": 0.0},
    )


class RulesTest(parameterized.TestCase):
    def test_rounded_by_hand(self):
        """Halves go to the even code; 1/2 and 1/4 are exact in binary."""
        p = np.array([[0.5, 0.25, 0.75, 1.0, 0.04, 0.06]], np.float32)
        cases = {
            (10, None): [5, 2, 8, 10, 0, 1],
            (2, None): [1, 0, 2, 2, 0, 0],
            (4, 3): [2, 1, 3, 3, 0, 0],
        }
        for (levels, largest), codes in cases.items():
            found = output_forms.rounded(p, levels, largest=largest)
            np.testing.assert_array_equal(
                found, np.array([codes], np.float32) / np.float32(levels)
            )

    @parameterized.product(made=MADE, digits=[1, 2])
    def test_digits_are_those_of_decimal_numbers(self, made, digits):
        outputs = synthetic_outputs.outputs(**made)
        form = {1: output_forms.one_digit, 2: output_forms.two_digits}[digits]
        shown = form(outputs)
        unit = decimal.Decimal(1).scaleb(-digits)
        wrong = [
            (given, seen)
            for given, seen in zip(
                outputs.probabilities.ravel().tolist(),
                shown.probabilities.ravel().tolist(),
                strict=True,
            )
            # As printf does: of the exact binary value, halves to even.
            if np.float32(decimal.Decimal(given).quantize(unit))
            != np.float32(seen)
            # p times 10 or 100 is rounded to float32 before.
            and abs((given * 10**digits) % 1 - 0.5) > 1e-5
        ]
        self.assertEmpty(wrong)
        self.assertAlmostEqual(shown.probability_step, float(unit))
        self.assertIsNone(shown.logits)

    @parameterized.product(made=MADE, digits=[1, 2])
    def test_rounding_moves_by_half_a_step_and_keeps_the_order(
        self, made, digits
    ):
        p = synthetic_outputs.outputs(**made).probabilities
        levels = 10**digits
        seen = output_forms.rounded(p, levels)
        self.assertLessEqual(np.abs(seen - p).max(), 0.5 / levels + 1e-6)
        order = np.argsort(p, axis=None)
        self.assertTrue((np.diff(seen.ravel()[order]) >= 0).all())
        # Rounded again it stays.
        np.testing.assert_array_equal(output_forms.rounded(seen, levels), seen)

    def test_top_1_by_hand(self):
        outputs = outputs_of([0.125, 0.625, 0.25], [0.5, 0.5, 0.0])
        shown = output_forms.top_1(outputs)
        np.testing.assert_array_equal(
            shown.probabilities,
            np.array([[0.1875, 0.625, 0.1875], [0.5, 0.25, 0.25]], np.float32),
        )

    @parameterized.parameters(MADE)
    def test_top_1_and_the_label_name_the_same_class(self, **made):
        outputs = synthetic_outputs.outputs(**made)
        for form in (output_forms.top_1, output_forms.label):
            shown = form(outputs)
            np.testing.assert_array_equal(shown.predicted, outputs.predicted)
            self.assertFalse(shown.tied.any())
        np.testing.assert_array_equal(
            output_forms.top_1(outputs).probabilities.max(axis=1),
            outputs.probabilities.max(axis=1),
        )

    def test_top_1_where_all_are_equal(self):
        """Rounded thirds sum to less than 1: what is left is more than p."""
        third = 85 / 256
        shown = output_forms.top_1(outputs_of([third] * 3, [third] * 3))
        self.assertEqual(shown.predicted.tolist(), [0, 0])
        self.assertFalse(shown.tied.any())

    def test_a_form_depends_on_what_it_shows_alone(self):
        """Equal tops, other rests: top-1 and the label cannot tell."""
        one = outputs_of([0.6, 0.3, 0.1], [0.2, 0.7, 0.1])
        other = outputs_of([0.6, 0.1, 0.3], [0.1, 0.7, 0.2])
        for form in (output_forms.top_1, output_forms.label):
            np.testing.assert_array_equal(
                form(one).probabilities, form(other).probabilities
            )

    def test_the_target_is_not_touched(self):
        outputs = synthetic_outputs.outputs(step=1 / 256)
        before = outputs.probabilities.copy()
        for form in output_forms.COARSE.values():
            shown = form(outputs)
            self.assertEqual(shown.target, outputs.target)
            np.testing.assert_array_equal(outputs.probabilities, before)
            self.assertEqual(outputs.probability_step, 1 / 256)


if __name__ == "__main__":
    absltest.main()
