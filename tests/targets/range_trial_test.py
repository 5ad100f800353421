"""Which range is clearly better: the tests, and models made for the ranges."""

import contextlib
import functools
import re
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from colour_nets import (
    BYTES,
    SIDE,
    SIGNED,
    SIZE,
    TAKEN,
    UNIT,
    images,
    nearest,
    records,
)
from scipy import stats

from qmia_tf.data.pixels import range_option
from qmia_tf.errors import InputError
from qmia_tf.targets import listing, range_trial
from qmia_tf.targets.model_options import ModelOptions
from qmia_tf.targets.trial_result import (
    LEVEL,
    TrialResult,
    is_clearly_better,
    sign_test,
)


def opened(model, data, input_range):
    return listing.list_model(
        "m", model, ModelOptions(input_range), numbers=data.numbers
    ).open()


class SignTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters((0, 0), (3, 0), (14, 0), (9, 4), (4, 9), (30, 12))
    def test_is_mcnemars(self, more, fewer):
        expected = 1.0
        if more + fewer:
            expected = stats.binomtest(
                more, more + fewer, alternative="greater"
            ).pvalue
        self.assertAllClose(sign_test(more, fewer), expected)

    def answered(self, right, losses):
        right = np.array(right)
        members = np.arange(right.size) < right.size // 2
        labels = np.arange(right.size) % 10
        named = np.where(right, labels, labels + 1)
        losses = np.array(losses, float)
        return TrialResult(named, labels, losses, members, 10)

    def test_equal_accuracy_is_not_better(self):
        rng = np.random.default_rng(0)
        stops = 0
        for _ in range(300):
            one, two = rng.random((2, 200)) < 0.8
            losses = np.where(rng.random((2, 200)) < 0.8, 0.1, 2.0)
            stops += is_clearly_better(
                self.answered(one, losses[0]),
                self.answered(two, losses[1]),
                LEVEL / 10,
            )
        self.assertEqual(stops, 0)

    def test_what_guesses_is_not_better(self):
        labels = np.repeat([0, 1], [60, 40])
        about = {"members": np.ones(100, bool), "outputs": "logits", "step": 0}
        guess = TrialResult.of(np.tile([1.0, 0], (100, 1)), labels, **about)
        wrong = TrialResult.of(np.tile([0, 1.0], (100, 1)), labels, **about)
        right = TrialResult.of(np.eye(2)[labels], labels, **about)
        self.assertEqual((guess.members_right, guess.guessed_right), (60, 60))
        self.assertFalse(is_clearly_better(guess, wrong, 1e-4))
        self.assertTrue(is_clearly_better(right, wrong, 1e-4))

    def test_more_right(self):
        few = self.answered(
            [True] * 60 + [False] * 40 + [True] * 100, [1] * 200
        )
        more = self.answered([True] * 200, [1] * 200)
        self.assertTrue(is_clearly_better(more, few, 1e-4))
        self.assertFalse(is_clearly_better(few, more, 1e-4))

    def test_temperatures_alone_are_not_better(self):
        """A model that is sharper, or duller, with the same classes."""
        right = np.r_[np.ones(98), np.zeros(2), np.ones(70), np.zeros(30)] > 0
        own = self.answered(right, np.where(right, 0.2, 3.0))
        sharper = self.answered(right, np.where(right, 0.0, 27.0))
        duller = self.answered(right, np.where(right, 2.1, 2.4))
        over = self.answered(right, np.where(right, 0.0, 12.0))
        for other in (sharper, duller):
            self.assertFalse(is_clearly_better(other, own, 1e-4))
        self.assertFalse(is_clearly_better(duller, over, 1e-4))
        # 255 times the logits: worse than knowing nothing.
        self.assertTrue(sharper.knows_nothing)
        self.assertTrue(is_clearly_better(own, sharper, 1e-4))

    def test_answers_are_judged(self):
        rows = [[9.0, 1], [np.nan, 1], [0, 3], [2, 2]]
        answered = TrialResult.of(
            rows,
            np.array([0, 1, 1, 1]),
            np.ones(4, bool),
            outputs="logits",
            step=0,
        )
        self.assertAllEqual(answered.right, [True, False, True, False])
        self.assertAllClose(
            answered.losses[[0, 2, 3]], np.log1p(np.exp([-8.0, -3, 0]))
        )
        self.assertGreater(answered.losses[1], 27)


class ModelsTest(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = records(*images())
        cls.nets = {pixels: nearest(pixels) for pixels in TAKEN}

    def setUp(self):
        super().setUp()
        # How many are tried depends on the time, unless there is enough.
        self.enter_context(mock.patch.object(range_trial, "SECONDS", 999))

    def check(self, model, input_range, data=None, query_count=0):
        data = data or self.data
        target = opened(model, data, input_range)
        range_trial.settle(target, data, query_count=query_count)
        return target

    def assertStops(self, pattern, *arguments, **options):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.check(*arguments, **options)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(*TAKEN)
    def test_the_right_range_passes(self, pixels):
        self.check(self.nets[pixels], pixels)

    @parameterized.parameters(
        (UNIT, BYTES), (UNIT, SIGNED), (BYTES, UNIT), (BYTES, SIGNED),
        (SIGNED, UNIT), (SIGNED, BYTES),
    )  # fmt: skip
    def test_a_wrong_input_range_stops(self, right, input_range):
        self.assertStops(
            f"taken as pixels of {input_range}, .* of 100 members .*; taken as "
            f"pixels of {right}, 9. of 100 .*: give "
            f"{re.escape(range_option(right))} ",
            self.nets[right],
            input_range,
        )

    def test_as_often_right_but_never_in_doubt(self):
        """A network without biases: only the probabilities tell."""
        model = keras.Sequential(
            [
                keras.Input(SIZE),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(4, "softmax", use_bias=False),
            ]
        )
        # Reds, greens, blues, and yellow.
        kernel = np.array([[12, -6, -6, 4], [-6, 12, -6, 4], [-6, -6, 12, -8]])
        model.layers[-1].set_weights([kernel.astype(np.float32)])
        self.check(model, UNIT)
        self.assertStops("give input_range=.0, 1. ", model, BYTES)

    def test_a_network_that_does_not_care_is_left_alone(self):
        entry = keras.Input(SIZE)
        x = keras.layers.GlobalAveragePooling2D()(entry)
        x = keras.layers.UnitNormalization()(x)
        x = keras.layers.Dense(4, "softmax", use_bias=False)(x)
        model = keras.Model(entry, x)
        kernel = np.array([[9, -6, -6, 4], [-6, 9, -6, 4], [-6, -6, 9, -6]])
        model.layers[-1].set_weights([kernel.astype(np.float32)])
        self.check(model, UNIT)
        self.check(model, BYTES)

    def test_channels_in_another_order(self):
        values, labels, members = images()
        data = records(values[..., ::-1].copy(), labels, members)
        self.assertStops(
            "channels reversed, 9. of 100 .*: reverse the channels of the rec",
            self.nets[UNIT],
            UNIT,
            data=data,
        )

    def test_a_range_that_was_read_wrongly(self):
        """A Rescaling that stood behind x / 255 in training as well."""
        net = self.nets[UNIT]
        entry = keras.Input(SIZE)
        x = keras.layers.Rescaling(1 / 255)(entry)
        x = keras.layers.Rescaling(255.0)(x)
        model = keras.Model(entry, net(x))
        self.assertStops(
            "if the model was trained with 0..1, give the records as floats",
            model,
            None,
        )
        values, labels, members = images()
        data = records(np.float32(values) / 255, labels, members)
        # As floats it is doubted, and the members say that it is right.
        self.assertIsNotNone(opened(model, data, None).choice.doubt)
        self.check(model, None, data=data)

    @parameterized.parameters(
        (UNIT, BYTES, "multiply the records by 255"),
        (UNIT, SIGNED, "give 2 x - 1 of them"),
        (SIGNED, UNIT, r"give \(x \+ 1\) / 2 of them"),
    )
    def test_floats_in_a_wrong_range(self, given, right, advice):
        values, labels, members = images()
        data = records(np.float32(TAKEN[given](values)), labels, members)
        self.assertStops(advice, self.nets[right], None, data=data)
        self.check(self.nets[given], None, data=data)

    @parameterized.parameters("flat", "first", "ints", "floats")
    def test_numbers_of_0_to_255(self, kind):
        """What nobody says is taken, if it is clearly right."""
        values, labels, members = images()
        shape, change = {
            "flat": ((108,), lambda x: x.reshape(-1, 108)),
            "first": (
                (3, 6, 6),
                lambda x: np.ascontiguousarray(x.transpose(0, 3, 1, 2)),
            ),
            "ints": (SIZE, lambda x: x.astype(np.int32)),
            "floats": (SIZE, lambda x: x.astype(np.float32)),
        }[kind]
        data = records(change(values), labels, members)
        self.assertFalse(data.is_images)
        for pixels in TAKEN:
            model = self.network(pixels, kind, shape)
            expected = opened(self.nets[pixels], self.data, pixels)
            for given in (None, pixels):
                target = self.check(model, given, data=data)
                self.assertEqual(target.info["input_range"], pixels)
                self.assertAllClose(
                    target.predict(data.values),
                    expected.predict(values),
                    atol=1e-5,
                )

    def network(self, pixels, kind, shape):
        net = self.nets[pixels]
        if kind in ("ints", "floats"):
            return net
        entry = x = keras.Input(shape)
        if kind == "first":
            x = keras.layers.Permute((2, 3, 1))(x)
        x = keras.layers.Flatten()(x)
        return keras.Model(entry, net.layers[-1](x))

    def test_a_doubt_that_nothing_settles_is_asked(self):
        values, labels, members = images()
        few = np.r_[:7, SIDE : SIDE + 7]
        data = records(values.reshape(-1, 108)[few], labels[few], members[few])
        model = self.network(BYTES, "flat", (108,))
        self.assertStops(
            "which range, and the records lie in 0..255: give "
            r"input_range=.0, 1., .0, 255. or .-1, 1., what it was trained "
            r"with \(right of 7 members, and mean loss: 0..255 on 6, .*; "
            r"0..1 on \d, .*; -1..1 on \d,",
            model,
            None,
            data=data,
        )
        self.check(model, BYTES, data=data)

    def test_a_function_that_takes_bytes_alone(self):
        net = self.nets[UNIT]

        def answer(values):
            if values.dtype != np.uint8:
                raise TypeError("bytes!")
            return np.tile([0.4, 0.3, 0.2, 0.1], (len(values), 1))

        self.check(answer, None)

        def direct(values):
            return net.predict(np.float32(values), verbose=0)

        target = self.check(direct, None)
        self.assertEqual(target.info["input_range"], UNIT)
        self.assertStops("give input_range=.0, 1. ", direct, BYTES)

    def test_what_a_trial_costs(self):
        asked = []

        def answer(rows, values):
            asked.append(len(values))
            return rows(np.float32(values))

        right = functools.partial(answer, self.nets[UNIT].predict_on_batch)
        self.check(right, UNIT)
        # Nothing can be clearly better than so many right ones.
        self.assertLessEqual(sum(asked), 2 * range_trial.MOST)
        asked.clear()
        # A slow one: 5 % of what the audit asks, in six ways.
        wrong = functools.partial(answer, self.nets[BYTES].predict_on_batch)
        with mock.patch.object(range_trial, "SECONDS", 0):
            with self.assertRaises(InputError):
                self.check(wrong, UNIT, query_count=20_000)
            self.assertBetween(sum(asked), 600, 1000)
            asked.clear()
            with contextlib.suppress(InputError):
                self.check(wrong, UNIT, query_count=1000)
            self.assertLessEqual(sum(asked), 6 * range_trial.PROBE)


if __name__ == "__main__":
    tf.test.main()
