"""Numbers with intervals in words: no more digits than they bear out."""

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.report import phrases
from qmia_tf.statistics.intervals import Estimate


class FiguresTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        ((0.6234, 0.5812, 0.6653), "0.62 [0.58, 0.67]"),
        ((0.6234, 0.6212, 0.6253), "0.623 [0.621, 0.625]"),
        # What lies above guessing must not read as guessing.
        ((0.5404, 0.5004, 0.5804), "0.5404 [0.5004, 0.5804]"),
        ((0.55, 0.5, 0.6), "0.55 [0.50, 0.60]"),
        ((1.0, 0.9, 1.0), "1.00 [0.90, 1.00]"),
        ((0.5, 0.5, 0.5), "0.50 [0.50, 0.50]"),
        ((0.61, None, None), "0.61"),
    )
    def test_area(self, estimate, want):
        self.assertEqual(phrases.area(Estimate(*estimate)), want)

    def test_advantage(self):
        advantage = Estimate(-0.004, -0.06, 0.05)
        self.assertEqual(phrases.area(advantage, guess=0), "0.00 [-0.06, 0.05]")

    @parameterized.parameters(
        ((0.62, 0.58, 0.66), 50, "62 % [58, 66]"),
        ((0.0123, 0.0051, 0.0254), 1, "1.2 % [0.5, 2.5]"),
        ((0.5349, 0.5049, 0.56), 50, "53.5 % [50.5, 56.0]"),
        ((0.001, 0.0, 0.0011), 0.1, "0.10 % [0.00, 0.11]"),
        ((0.0, 0.0, 0.0), 1, "0 % [0, 0]"),
        ((0.62, None, None), 50, "62 %"),
    )
    def test_percent(self, estimate, guess, want):
        self.assertEqual(
            phrases.percent(Estimate(*estimate), guess=guess), want
        )

    @parameterized.parameters(
        ((0.021, 0.004, 0.038), "+2.1 points [+0.4, +3.8]"),
        ((-0.12, -0.15, -0.09), "-12 points [-15, -9]"),
        ((0.0, -0.003, 0.003), "+0.0 points [-0.3, +0.3]"),
    )
    def test_points(self, estimate, want):
        self.assertEqual(phrases.points(Estimate(*estimate)), want)


class LinesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*range(0, 40, 3))
    def test_a_number_stays_with_its_unit_and_interval(self, length):
        text = f"{'x ' * length}it finds 4.5 % [2.1, 7.0] of +3 points [+1, +5]"
        shown = phrases.as_text([text] * 2)
        for line in shown.splitlines():
            self.assertLessEqual(len(line), 78)
            self.assertNotRegex(line, r"(\d|\d,)$")
            self.assertNotRegex(line, r"^ *(%|points|\[)")
        self.assertEqual(" ".join(shown.split()), f"{text} {text}")

    def test_indents(self):
        shown = phrases.as_text(["word " * 30, "short"], indent=3)
        lines = shown.splitlines()
        self.assertStartsWith(lines[0], "   word")
        self.assertStartsWith(lines[1], "     word")
        self.assertEqual(lines[-1], "   short")


if __name__ == "__main__":
    tf.test.main()
