"""How records enter a model: numbers x what the model says x the user."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data.pixels import INPUT_RANGES
from qmia_tf.data.value_ranges import CODES, RecordNumbers
from qmia_tf.deploy.tflite import input_clipping
from qmia_tf.errors import InputError
from qmia_tf.targets import input_forms, range_choice
from qmia_tf.targets.model_options import ModelOptions, Opening
from qmia_tf.targets.preprocessing import InputFacts, Preprocessing

UNIT, BYTES, SIGNED = INPUT_RANGES
FLOATS = np.dtype(np.float32)


def numbers(dtype, low, high, shape=(4, 4, 3)):
    """Twenty records from low to high, both of which occur."""
    rng = np.random.default_rng(0)
    drawn = rng.uniform(low, high, (20, *shape))
    if np.dtype(dtype).kind != "f":
        drawn = np.round(drawn)
    drawn.flat[:2] = low, high
    values = drawn.astype(dtype)
    is_images = dtype == np.uint8 and len(shape) == 3 and shape[2] <= 4
    return RecordNumbers.of(values, is_images=is_images)


def layer(said):
    return InputFacts(FLOATS, said, "its layer 'x'")


def grid(dtype, step, zero_point, *, has_codes=True):
    """Facts of an input of a .tflite file."""
    return InputFacts(
        np.dtype(dtype) if has_codes else FLOATS,
        input_forms.range_of_codes(dtype, step, zero_point),
        "its scale",
        limits=input_clipping.limits(dtype, step, zero_point),
        has_codes=has_codes,
    )


IMAGES = numbers(np.uint8, 0, 255)
FLAT = numbers(np.uint8, 0, 255, (48,))
FIRST = numbers(np.uint8, 0, 255, (3, 8, 8))
INTS = numbers(np.int32, 0, 255)
FLOAT_255 = numbers(np.float32, 0, 255)
FLOAT_1 = numbers(np.float32, 0, 1)
FLOAT_SIGNED = numbers(np.float32, -1, 1)
NORMED = numbers(np.float32, -2.1, 2.6)
TABLE = numbers(np.float64, -3, 4, (5,))
COUNTS = numbers(np.uint8, 0, 16, (64,))
BITS = numbers(np.uint8, 0, 1, (64,))
TOKENS = numbers(np.int32, 0, 19999, (30,))
LETTERS = numbers(np.int32, 0, 200, (30,))
TABLE_255 = numbers(np.int32, 0, 255, (48,))
INT8 = numbers(np.int8, -128, 127)
SMALL_INT8 = numbers(np.int8, 0, 10, (5,))
SILENT = InputFacts(FLOATS, None, "has nothing")
FUNCTION = InputFacts(None)
INT8_UNIT = grid(np.int8, 1 / 255, -128)
UINT8_UNIT = grid(np.uint8, 1 / 255, 0)
INT8_WIDE = grid(np.int8, 10 / 255, -128)
INT16 = grid(np.int16, 1 / 32767, 0)
INT8_BYTES = grid(np.int8, 1.0, -128)
INSIDE = grid(np.int8, 1 / 255, -128, has_codes=False)
AS_THEY_ARE = "as they are"


class RangeTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (IMAGES, BYTES),
        (FLAT, BYTES),
        (INTS, BYTES),
        (FLOAT_255, BYTES),
        (FLOAT_1, UNIT),
        (BITS, UNIT),
        (FLOAT_SIGNED, SIGNED),
        (NORMED, None),
        (TABLE, None),
        (COUNTS, None),
        (TOKENS, None),
        (INT8, CODES),
        (SMALL_INT8, None),
        # Dark, but images.
        (numbers(np.uint8, 0, 90), BYTES),
        # Bicubic resizing leaves the range; a table does not say so.
        (numbers(np.float32, -9, 262), BYTES),
        (numbers(np.float32, -0.03, 1.02), UNIT),
        (numbers(np.float32, -9, 262, (5,)), None),
    )
    def test_of_numbers(self, records, expected):
        self.assertEqual(records.range, expected)

    @parameterized.parameters(
        (IMAGES, 2), (FIRST, 0), (FLAT, None), (numbers(np.uint8, 0, 9), 2)
    )
    def test_channels(self, records, axis):
        self.assertEqual(records.channels, axis)

    def test_a_sample_is_of_all_records(self):
        values = np.arange(4000, dtype=np.float32).reshape(1000, 4)
        values = np.repeat(values, 100, axis=1)
        record_numbers = RecordNumbers.of(values, is_images=False)
        self.assertLessEqual(record_numbers.sample.size, 1 << 18)
        self.assertEqual(
            (record_numbers.sample.min(), record_numbers.sample.max()),
            (0, 3999),
        )


class ChooseTest(parameterized.TestCase, tf.test.TestCase):
    def choose(self, records, facts, input_range=None):
        options = ModelOptions(input_range)
        opening = Opening("m", options, records, num_threads=1)
        return range_choice.choose(facts, opening)

    @parameterized.parameters(
        # What was read rightly before, without a question.
        (IMAGES, layer(UNIT), None, UNIT),
        (IMAGES, layer(BYTES), None, BYTES),
        (IMAGES, INT8_UNIT, None, UNIT),
        (IMAGES, UINT8_UNIT, None, UNIT),
        (IMAGES, SILENT, SIGNED, SIGNED),
        (IMAGES, FUNCTION, None, None),
        (IMAGES, FUNCTION, UNIT, UNIT),
        (IMAGES, InputFacts(np.dtype(np.uint8)), None, None),
        (TABLE, SILENT, None, None),
        (TABLE, grid(np.int8, 0.03, -10), None, None),
        (COUNTS, SILENT, None, None),
        (COUNTS, grid(np.uint8, 16 / 255, 0), None, None),
        (BITS, SILENT, None, None),
        (BITS, INT8_UNIT, None, None),
        (TOKENS, SILENT, None, None),
        (TOKENS, InputFacts(np.dtype(np.int32)), None, None),
        (LETTERS, InputFacts(FLOATS, takes_indices=True), None, None),
        (LETTERS, SILENT, None, None),
        (FLOAT_1, SILENT, None, None),
        (FLOAT_1, layer(UNIT), None, None),
        (FLOAT_1, layer(SIGNED), None, None),
        (FLOAT_1, INT8_UNIT, None, None),
        (FLOAT_SIGNED, SILENT, None, None),
        (NORMED, SILENT, None, None),
        (NORMED, grid(np.int8, 0.0187, -14), None, None),
        (FLOAT_255, layer(BYTES), None, BYTES),
        (FLOAT_255, INT8_BYTES, None, BYTES),
        # The numbers, not type and rank.
        (FLAT, INT8_UNIT, None, UNIT),
        (FIRST, layer(UNIT), None, UNIT),
        (INTS, INSIDE, None, UNIT),
        (FLAT, SILENT, UNIT, UNIT),
        (FIRST, SILENT, SIGNED, SIGNED),
        (INTS, SILENT, UNIT, UNIT),
        (FLOAT_255, SILENT, UNIT, UNIT),
        (FLOAT_255, INT8_UNIT, UNIT, UNIT),
        (COUNTS, SILENT, UNIT, UNIT),
        # Symmetric: input_range decides.
        (IMAGES, INT16, UNIT, UNIT),
        (IMAGES, INT16, SIGNED, SIGNED),
        # input_range says what the floats are.
        (FLOAT_1, layer(UNIT), UNIT, None),
        (FLOAT_SIGNED, SILENT, SIGNED, None),
    )
    def test_enters(self, records, facts, input_range, pixels):
        choice = self.choose(records, facts, input_range)
        self.assertEqual(choice.input_range, pixels)
        self.assertIsNone(choice.doubt)
        self.assertFalse(choice.chosen.is_codes)
        self.assertEmpty(choice.notes)
        self.assertEqual(choice.is_from_user, input_range is not None)

    @parameterized.parameters(
        (INT8, INT8_UNIT),
        (INT8, INT8_BYTES),
        (numbers(np.int16, 0, 32767), INT16),
        (numbers(np.int8, -128, 127, (64,)), INT8_WIDE),
    )
    def test_codes(self, records, facts):
        choice = self.choose(records, facts)
        self.assertTrue(choice.chosen.is_codes)
        self.assertStartsWith(
            choice.notes[0], f"target 'm': {records.dtype} records are taken as"
        )
        values = records.sample[:9]
        self.assertIs(choice.chosen.apply(values), values)

    def test_pixels_in_16_bits_are_no_codes(self):
        pixels = numbers(np.int16, 0, 255)
        choice = self.choose(pixels, INT16, UNIT)
        self.assertEqual(choice.input_range, UNIT)
        self.assertFalse(choice.chosen.is_codes)
        self.assertRegex(
            self.choose(pixels, INT16).doubt,
            "give input_range=.0, 1. or .-1, 1., ",
        )
        flat = numbers(np.int16, 0, 255, (48,))
        self.assertTrue(self.choose(flat, INT16).chosen.is_codes)
        self.assertEqual(self.choose(flat, INT16, UNIT).input_range, UNIT)

    def test_codes_where_floats_are_taken(self):
        choice = self.choose(INT8, SILENT)
        self.assertRegex(choice.doubt, "'m' takes floats, .* int8 of -128..127")
        self.assertRegex(choice.doubt, "add 128, give uint8 and input_range")
        table = numbers(np.int8, -128, 127, (64,))
        self.assertIsNone(self.choose(table, SILENT).doubt)
        self.assertIsNone(self.choose(INT8, FUNCTION).doubt)

    def test_a_flag_that_says_nothing_is_mentioned(self):
        (line,) = self.choose(
            IMAGES, InputFacts(np.dtype(np.uint8)), UNIT
        ).notes
        self.assertRegex(
            line, "'m' takes whole .*input_range=.0, 1. is passed over"
        )

    def test_whole_numbers_of_a_table_are_no_codes(self):
        choice = self.choose(SMALL_INT8, INT8_WIDE)
        self.assertFalse(choice.chosen.is_codes)
        # What is left of the type would be taken as codes.
        values = choice.chosen.apply(SMALL_INT8.sample)
        self.assertEqual(values.dtype, np.float32)
        self.assertAllEqual(values, SMALL_INT8.sample)

    @parameterized.parameters(
        (IMAGES, SILENT, None),
        (IMAGES, INT16, "m' takes int16 codes and its scale which range, "),
        (FLAT, SILENT, None),
        (FLAT, INT16, "m' takes int16 codes and its scale which range, "),
        (FIRST, SILENT, None),
        (INTS, SILENT, None),
        (FLOAT_255, SILENT, None),
        (FLOAT_255, layer(UNIT), "give input_range=.0, 1., which turns 0..255"),
        (FLOAT_1, layer(BYTES), r"takes pixels of 0..255 \(its layer 'x'\), "
         "and the records lie in 0..1: multiply the records by 255"),
        (FLOAT_1, INT8_BYTES, "multiply the records by 255"),
        (FLOAT_SIGNED, layer(UNIT), r"give \(x \+ 1\) / 2 of them"),
    )  # fmt: skip
    def test_asks(self, records, facts, pattern):
        """Unless the members say it."""
        try:
            doubt = self.choose(records, facts).doubt
        except InputError as error:
            doubt = str(error)
        pattern = pattern or (
            "takes floats and has nothing which range, and the records lie in "
            r"0..255: give input_range=.0, 1., .0, 255. or .-1, 1., what"
        )
        self.assertRegex(doubt, pattern)

    @parameterized.parameters(
        (FLOAT_255, INT8_UNIT, None,
         "the values other than 0 are above the input's largest, 1 .*"
         "give input_range=.0, 1."),
        (FLOAT_255, INSIDE, None, "above the input's largest, 1 "),
        (TABLE_255, INT16, None, "give input_range=.0, 1., .0, 255. or .-1, 1"),
        (IMAGES, INT16, BYTES, "it was not trained with 0..255"),
        (FLOAT_SIGNED, INT8_UNIT, None,
         "below the input's smallest, 0 .* prepared as in training"),
        (NORMED, INT8_UNIT, None, "cannot hold the records"),
        (INT8, UINT8_UNIT, None, "cannot hold the records"),
        # A word against what is read, or against the numbers.
        (IMAGES, layer(BYTES), UNIT,
         "takes pixels of 0..255 .*, but input_range"),
        (FLAT, INT8_UNIT, BYTES,
         "takes pixels of 0..1 .*, but input_range=.0, 25"),
        (TABLE, SILENT, UNIT, "input_range=.0, 1. is about numbers of 0..255, "
         "and the records lie in -3..4: for target 'm' leave it out"),
        (FLOAT_1, SILENT, BYTES, "multiply the records by 255"),
        (FLOAT_1, SILENT, SIGNED, "give 2 x - 1"),
        (INT8, SILENT, UNIT, "add 128 and give uint8"),
        # Integers without a scale.
        (FLOAT_1, InputFacts(np.dtype(np.uint8)), None,
         "takes whole numbers, and the records lie in 0..1 with fractions"),
        (TOKENS, InputFacts(np.dtype(np.uint8)), None,
         "takes uint8, which holds 0 to 255, and the records lie in 0..19999"),
    )  # fmt: skip
    def test_refuses(self, records, facts, input_range, pattern):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.choose(records, facts, input_range)
        self.assertNotIn("\n", str(caught.exception))

    def test_a_few_outliers_are_no_reason(self):
        values = np.full((1000, 5), 0.5, np.float32)
        values[:40, 0] = 60.0
        records = RecordNumbers.of(values, is_images=False)
        self.assertIsNone(self.choose(records, INT8_UNIT).doubt)

    def test_a_normalization_layer_knows_its_records(self):
        rows = numbers(np.float64, 0, 1, (6,))
        own = InputFacts(FLOATS, BYTES, "its layer", moments=(0.5, 0.08))
        self.assertIsNone(self.choose(rows, own).doubt)
        bright = InputFacts(FLOATS, BYTES, "its layer", moments=(120.0, 4000.0))
        self.assertRegex(self.choose(rows, bright).doubt, "multiply")

    def test_images_of_16_bits(self):
        wide = numbers(np.uint16, 0, 65535)
        (note,) = self.choose(wide, SILENT).notes
        self.assertRegex(note, "uint16 of 0..65535, .* divide .* by 257")
        self.assertEqual(self.choose(wide, FUNCTION).notes, ())
        with self.assertRaisesRegex(InputError, "'m' divide .* by 257"):
            self.choose(wide, SILENT, UNIT)

    def test_small_numbers_where_pixels_are_said(self):
        (line,) = self.choose(NORMED, layer(BYTES)).notes
        self.assertRegex(line, "warning: .* takes pixels of 0..255 .*-2.1..2.6")

    @parameterized.parameters(
        (IMAGES, layer(UNIT), [BYTES, SIGNED], True),
        (numbers(np.uint8, 0, 255, (8, 8, 1)), layer(UNIT),
         [BYTES, SIGNED], False),
        (IMAGES, INT8_UNIT, [], True),
        (IMAGES, grid(np.int8, 2 / 255, 0), [UNIT], True),
        (FLOAT_1, SILENT, [BYTES, SIGNED], True),
        (NORMED, SILENT, [], True),
        (TABLE, SILENT, [], False),
        (IMAGES, InputFacts(np.dtype(np.uint8)), [], True),
        (INT8, SILENT, [UNIT, BYTES, SIGNED], True),
    )  # fmt: skip
    def test_what_else_is_tried(self, records, facts, ends, has_colours):
        choice = self.choose(records, facts)
        plain = [x for x in choice.others if x.reversed_axis is None]
        self.assertCountEqual([x.end for x in plain], ends)
        turned = (len(ends) + 1) if has_colours else 0
        self.assertLen(choice.others, len(ends) + turned)
        self.assertNotIn(choice.chosen, choice.others)


class ApplyTest(parameterized.TestCase, tf.test.TestCase):
    EACH = {UNIT: [0, 0.2, 1], BYTES: [0, 51, 255], SIGNED: [-1, -0.6, 1]}

    @parameterized.product(start=[UNIT, BYTES, SIGNED, CODES],
                           end=[UNIT, BYTES, SIGNED])  # fmt: skip
    def test_every_pair(self, start, end):
        given = np.float32([self.EACH.get(start, [-128, -77, 127])])
        applied = Preprocessing(start, end).apply(given)
        # float32 has 24 bits.
        self.assertAllClose(applied[0], self.EACH[end], rtol=1e-6, atol=1e-5)

    def test_channels_are_reversed(self):
        values = np.arange(12).reshape(1, 2, 2, 3)
        applied = Preprocessing(reversed_axis=2).apply(values)
        self.assertAllEqual(applied[0, 0, 0], [2, 1, 0])
        applied = Preprocessing(reversed_axis=0).apply(
            values.reshape(1, 3, 2, 2)
        )
        self.assertAllEqual(applied[0, :, 0, 0], [8, 4, 0])

    def test_limits_in_the_records_numbers(self):
        way = Preprocessing(BYTES, SIGNED)
        self.assertAllClose(way.limits_in_records((-1, 0)), (0, 127.5))


class ClippingTest(tf.test.TestCase):
    def test_shares(self):
        values = np.array([0, 0, 0.5, 1.05, 1.2, 2, -0.05, -3])
        below, above = input_clipping.shares_outside(values, 0, 1)
        self.assertAllClose((below, above), (1 / 6, 2 / 6))
        self.assertEqual(
            input_clipping.shares_outside(values * 0, 0, 1), (0, 0)
        )

    def test_limits(self):
        limits = input_clipping.limits(np.uint8, 0.5, 3)
        self.assertEqual(limits, (-1.5, 126.0))


if __name__ == "__main__":
    tf.test.main()
