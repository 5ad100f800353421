"""Probabilities, logits, and what is neither, told from their values."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from qmia_tf.outputs import kinds, logits

RECORDS = 40


def shares(classes, *, scale=2.0, seed=0, records=RECORDS):
    """What a softmax answers, float64."""
    rng = np.random.default_rng(seed)
    return special.softmax(rng.normal(0, scale, (records, classes)), axis=1)


def bfloat16(rows):
    """Rounds to the nearest number of 8 bits, as float32."""
    bits = rows.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def codes(rows, levels):
    return np.round(rows * levels) / levels


class OfTest(parameterized.TestCase):
    @parameterized.product(
        classes=(2, 10, 100, 1000),
        scale=(0.1, 2.0, 8.0),
        form=(
            "float64",
            "float32",
            "float16",
            "bfloat16",
            "256",
            "255",
            "2",
            "4",
        ),
    )
    def test_every_softmax_is_probabilities(self, classes, scale, form):
        rows, step = shares(classes, scale=scale), 0.0
        if form in ("256", "255"):
            rows, step = codes(rows, int(form)), 1 / int(form)
        elif form in ("2", "4"):
            rows, step = codes(rows, 10 ** int(form)), 10.0 ** -int(form)
        elif form == "bfloat16":
            rows = bfloat16(rows)
        else:
            rows = rows.astype(form)
        kind = kinds.of(rows, step=step)
        self.assertEqual(kind, kinds.PROBABILITIES)
        # What 16 bits were stored as does not matter.
        wide = rows.astype(np.float32)
        kind = kinds.of(wide, step=step)
        self.assertEqual(kind, kinds.PROBABILITIES)
        why = logits.why_not(wide, taken_for="logits", step=step)
        self.assertRegex(why, "no number is negative and all rows sum to 1")

    @parameterized.product(
        classes=(2, 3, 10, 300),
        form=(
            "normal", "small", "large", "centred", "shifted", "log_softmax",
            "int8", "one_decimal", "relu", "one_number",
        ),
    )  # fmt: skip
    def test_no_logits_are_refused(self, classes, form):
        for seed in range(20):
            rng = np.random.default_rng(seed)
            rows = rng.normal(0, 2, (RECORDS, classes))
            rows[np.arange(RECORDS), rng.integers(0, classes, RECORDS)] += 5
            values = {
                "normal": rows,
                "small": rows / 100,
                "large": rows * 50,
                "centred": rows - rows.mean(axis=1, keepdims=True),
                "shifted": rows - rows.mean(axis=1, keepdims=True) - 3,
                "log_softmax": special.log_softmax(rows, axis=1),
                "int8": np.round(rows / 0.1).clip(-128, 127) * 0.1,
                "one_decimal": rows.round(1),
                "relu": np.maximum(rows, 0),
                "one_number": np.stack([0 * rows[:, 0], rows[:, 0]], axis=1),
            }[form].astype(np.float32)
            for step in (0.0, kinds.read_step(values)):
                why = logits.why_not(values, taken_for="logits", step=step)
                self.assertIsNone(why, f"seed {seed}: {why}")

    @parameterized.named_parameters(
        ("percent", 100 * shares(7), "percentages", "all rows sum to 100"),
        ("percent1", (100 * shares(7)).round(1), "percentages", "by 100"),
        ("percent0", (100 * shares(90)).round(), "percentages", "by 100"),
        ("few_percent", 100 * shares(7, records=2), "percentages", "by 100"),
        ("codes", np.round(255 * shares(30)), "shares", "sum to 25[456]:"),
        ("votes", np.round(500 * shares(3)), "shares", "sum to 500: divide"),
        ("double", 2 * shares(4), "shares", "all rows sum to 2: divide"),
        (
            "sigmoids",
            np.random.default_rng(0).random((RECORDS, 3)),
            "sigmoids",
            "as independent sigmoids do .multi-label",
        ),
        (
            "sigmoids2",
            np.random.default_rng(0).random((RECORDS, 3)).round(2),
            "sigmoids",
            "as independent sigmoids do .multi-label",
        ),
        (
            "scores",
            np.random.default_rng(0).gamma(2, 3, (RECORDS, 3)),
            "scores",
            "no number is negative, which is unusual of logits: divide each",
        ),
        (
            "regression",
            shares(5) * 1.5 - 0.1,
            "affine",
            "all rows sum to 1, but the least is -0.0.*: scores of a regress",
        ),
        ("logits", np.log(shares(4)) + 1, "logits", "the least is -"),
        (
            "one_bad",
            np.vstack([shares(3), [[0.5, 0.75, 0.0]]]),
            "broken",
            f"record {RECORDS} sum to 1.25, .*: 1 of {RECORDS + 1} rec",
        ),
    )  # fmt: skip
    def test_what_is_no_probabilities_is_named(self, rows, kind, pattern):
        rows = rows.astype(np.float32)
        self.assertEqual(kinds.of(rows), kind)
        why = logits.why_not(rows, taken_for="probabilities")
        self.assertRegex(why, pattern)
        self.assertNotIn("\n", why)
        as_logits = logits.why_not(rows, taken_for="logits")
        if kind in ("logits", "scores") or len(rows) < kinds.ENOUGH:
            self.assertIsNone(as_logits)
        else:
            self.assertRegex(as_logits, pattern)

    @parameterized.parameters(
        ([[0.2, 0.8]] * 30, "0.8 to 0.8, which is a probability of class 1"),
        ([[0.0, 0.8]] * 30, "0.8 to 0.8, which is a probability of class 1"),
        ([[-79.0, 80.0]] * 30, "80 to 80, where a percentage has to be div"),
        ([[5.0, -4.0], [-1.0, 2.0]] * 9, "-4 to 2, which may be a logit"),
    )
    def test_one_number_a_record(self, rows, pattern):
        rows = np.array(rows, np.float32)
        said = kinds.sentence(rows, kinds.of(rows))
        if kinds.look_like_probabilities(rows):
            self.assertRegex(said, "all rows sum to 1")
        else:
            self.assertRegex(said, pattern)


class StepTest(parameterized.TestCase):
    @parameterized.parameters(
        (1 / 256, 256), (1 / 255, 255), (0.1, 10), (0.01, 100), (1e-4, 10**4)
    )
    def test_is_read_off_both_types(self, step, levels):
        rows = codes(shares(10), levels)
        for dtype in (np.float64, np.float32):
            self.assertAlmostEqual(kinds.read_step(rows.astype(dtype)), step)

    def test_numbers_that_are_not_rounded_have_none(self):
        for dtype in (np.float64, np.float32, np.float16):
            rows = shares(10).astype(dtype)
            self.assertEqual(kinds.read_step(rows), 0.0)
        self.assertEqual(kinds.read_step(np.array([[np.nan]])), 0.0)

    def test_tolerance(self):
        rows = shares(100)
        tolerances = [
            kinds.sum_tolerance(rows.astype(np.float32)),
            kinds.sum_tolerance(rows.astype(np.float16)),
            kinds.sum_tolerance(bfloat16(rows)),
            kinds.sum_tolerance(codes(rows, 100), step=0.01),
            # 8-bit codes are float16 numbers too, and not taken for such.
            kinds.sum_tolerance(codes(rows, 256)),
        ]
        wanted = [1e-3, 1e-3 + 14 / 2048, 1e-3 + 14 / 256, 0.501, 1e-3]
        np.testing.assert_allclose(tolerances, wanted)


if __name__ == "__main__":
    absltest.main()
