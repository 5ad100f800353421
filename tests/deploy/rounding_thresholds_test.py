"""Tests of the chosen multipliers: every sum is rounded as it was trained."""

import functools
import itertools
from fractions import Fraction
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy.integer import rounding_thresholds
from qmia_tf.deploy.integer.code_grids import branch_grid, sum_grid
from qmia_tf.quantizers.grids import activation_grid, steps

# Lowest and highest code, and what codes are rounded to multiples of.
GRIDS = {
    "one_bit": (0, 1, 1),
    "two_bits": (0, 3, 1),
    "four_bits": (0, 15, 1),
    "eight_bits": (0, 255, 1),
    "branch": (-127, 127, 1),
    "branch_of_three": (-127, 127, 3),
    "branch_of_45": (-127, 127, 45),
}


def trained_codes(size, offset, sums, every):
    """round(sum size + offset) in rationals, then to a multiple of every."""
    size, offset = Fraction(size), Fraction(offset)
    codes = [round(Fraction(int(s)) * size + offset) for s in sums]
    return np.array([round(Fraction(code, every)) for code in codes])


def kernel_codes(times, bias, multiplier, sums, every):
    """The same by the kernel's float32."""
    total = np.int64(times) * np.int64(sums) + np.int64(bias)
    codes = np.rint(total.astype(np.float32) * np.float32(multiplier))
    return np.rint(codes.astype(np.float64) / every)


def unmet(trained, computed, count, low):
    """Tells which of count thresholds lies elsewhere for the kernel.

    Threshold k parts the codes up to low + k from those above.
    """
    ends = low + np.arange(count)[:, None]
    return np.any((trained > ends) != (computed > ends), axis=1)


class Channels:
    """Random channels, and the codes of all sums that they can have."""

    def __init__(self, grid, *, count=10, seed=0, most=250, spread=2.0):
        low, high, self.every = grid
        rng = np.random.default_rng(seed)
        self.halves = rounding_thresholds.halves(low, high, every=self.every)
        self.low = round(Fraction(low, self.every))
        self.reach = rng.integers(most // 4, most, count).astype(float)
        span = rng.uniform(0.2, spread, count) * (high - low)
        self.size = span / (2 * self.reach)
        self.offset = rng.uniform(low, high, count) * 1.2
        self.room = rng.integers(1, 40, count).astype(float)
        self.weights = rounding_thresholds.importance(
            self.halves, self.offset, span / 6
        )

    def choose(self, rows=slice(None), weights=None):
        weights = self.weights if weights is None else weights
        parts = (self.size, self.offset, self.reach, self.room)
        return rounding_thresholds.choose(
            *(part[rows] for part in parts), self.halves, weights[rows]
        )

    def sums(self, n):
        return np.arange(-int(self.reach[n]), int(self.reach[n]) + 1)

    @functools.lru_cache(maxsize=None)  # noqa: B019 - lives for one test
    def trained(self, n):
        return trained_codes(
            self.size[n], self.offset[n], self.sums(n), self.every
        )

    def computed(self, n, times, bias, multiplier):
        return kernel_codes(times, bias, multiplier, self.sums(n), self.every)

    def unmet(self, n, *chosen):
        computed = self.computed(n, *chosen)
        return unmet(self.trained(n), computed, len(self.halves), self.low)


class ChooseTest(parameterized.TestCase, tf.test.TestCase):
    def check(self, channels):
        """Every channel on its own; returns (missed, thresholds unmet)."""
        missed, off = 0, 0
        for n in range(len(channels.size)):
            *chosen, less = channels.choose([n])
            chosen = [float(part[0]) for part in chosen]
            wrong = channels.unmet(n, *chosen)
            self.assertLessEqual(wrong.sum(), less, f"channel {n}")
            if less == 0:
                ends = channels.low, channels.low + len(channels.halves)
                trained = channels.trained(n).clip(*ends)
                differ = trained != channels.computed(n, *chosen).clip(*ends)
                self.assertEqual(
                    differ.sum(), 0, f"of {differ.size} codes of channel {n}"
                )
            missed, off = missed + less, off + wrong.sum()
        return missed, off

    @parameterized.named_parameters(
        (name, grid) for name, grid in GRIDS.items()
    )
    def test_every_sum_gets_the_trained_code(self, grid):
        channels = Channels(grid)
        missed, off = self.check(channels)
        self.assertEqual(missed, off)
        self.assertLess(missed, len(channels.halves) * len(channels.size) / 5)
        *_, together = channels.choose()
        self.assertEqual(together, missed)

    def test_thresholds_that_are_missed_are_counted(self):
        channels = Channels(GRIDS["eight_bits"], most=900, count=6, seed=1)
        channels.room[:] = 1
        missed, off = self.check(channels)
        self.assertEqual(missed, off)
        self.assertGreater(missed, 50)

    def test_nothing_better_is_found_by_trying(self):
        channels = Channels(GRIDS["eight_bits"], count=12, seed=7, most=600)
        channels.room[:] = np.arange(12) % 6 + 1
        times, bias, multipliers, missed = channels.choose()
        self.assertGreater(missed, 0)
        for n, weights in enumerate(channels.weights):
            chosen = channels.unmet(n, times[n], bias[n], multipliers[n])
            best = weights[chosen].sum()
            for less, step in itertools.product(range(3), (-1, 0, 1)):
                tried = channels.room[n] - less
                if 2 * tried <= channels.room[n]:
                    continue
                true = channels.size[n] / tried
                near = np.rint(channels.offset[n] / true) + step
                for factor in np.linspace(0.99, 1.01, 21):
                    wrong = channels.unmet(n, tried, near, true * factor)
                    self.assertGreaterEqual(weights[wrong].sum(), best)

    @parameterized.parameters(
        ("ROOMS", 1),
        ("NEIGHBOURS", (0,)),
        ("NEIGHBOURS", (0, 1)),
        ("NEIGHBOURS", (0, -1)),
    )
    def test_every_try_helps(self, name, few):
        channels = Channels(GRIDS["branch"], count=60, seed=5, most=250)
        channels.room = np.ceil(channels.room / 5)
        channels.weights[:] = 1
        *_, missed = channels.choose()
        with mock.patch.object(rounding_thresholds, name, few):
            *_, more = channels.choose()
        self.assertLess(missed, more)

    @parameterized.parameters(("one_bit", 60), ("branch", 60), ("branch", 900))
    def test_what_the_choice_may_be(self, name, most):
        channels = Channels(GRIDS[name], count=200, seed=3, most=most)
        channels.room = np.ceil(channels.room / 5)
        times, bias, multipliers, _ = channels.choose()
        self.assertAllEqual(times, np.rint(times))
        self.assertAllEqual(bias, np.rint(bias))
        self.assertAllGreater(times / channels.room, 0.5)
        self.assertAllLessEqual(times / channels.room, 1)
        true = channels.size / times
        self.assertAllLessEqual(np.abs(bias - channels.offset / true), 1.5)
        self.assertAllLessEqual(np.abs(multipliers / true - 1), 0.02)

    def test_float32_has_room(self):
        """The multiplier of a file goes through five float32 roundings."""
        rng = np.random.default_rng(4)
        tried = 0
        for _ in range(300):
            # The threshold lies just above this sum, or between it and the
            # next: in float32 they are a few steps apart.
            under = rng.integers(200_000, 2_000_000)
            size = rng.uniform(0.5, 2.0) / under
            offset = 0.5 - (under + rng.uniform(0, 1)) * size
            parts = np.array([[size], [offset], [2.0**21], [1.0]])
            ones = np.ones((1, 1), np.int64)
            *chosen, missed = rounding_thresholds.choose(
                *parts, np.array([0.5]), ones
            )
            times, bias, multiplier = (float(part[0]) for part in chosen)
            if missed:
                continue
            tried += 1
            for away in (-5, 0, 5):
                moved = multiplier * (1 + away * 2.0**-24)
                sums = [under, under + 1]
                computed = kernel_codes(times, bias, moved, sums, 1)
                self.assertAllEqual(computed, [0, 1])
        self.assertBetween(tried, 100, 299)

    def test_weights_say_which_are_met(self):
        channels = Channels(GRIDS["eight_bits"], most=900, count=6, seed=1)
        channels.room[:] = 1
        tried = 0
        for n in range(6):
            *chosen, missed = channels.choose([n])
            chosen = [float(part[0]) for part in chosen]
            wrong = channels.unmet(n, *chosen)
            if not missed:
                continue
            tried += 1
            wanted = np.flatnonzero(wrong)[wrong.sum() // 2]
            weights = channels.weights.copy()
            weights[n, wanted] = 10**12
            *chosen, _ = channels.choose([n], weights)
            chosen = [float(part[0]) for part in chosen]
            self.assertFalse(channels.unmet(n, *chosen)[wanted])
        self.assertGreaterEqual(tried, 3)


class FarAwayTest(parameterized.TestCase, tf.test.TestCase):
    """Sizes and offsets that leave little to choose."""

    @parameterized.named_parameters(
        ("all_codes_alike", 1e-4, 3.2),
        ("between_two_codes", 1e-4, 3.5),
        ("above_the_top", 0.01, 1e4),
        ("below_the_bottom", 0.01, -1e4),
        ("just_reaches_the_first", 0.01, -0.49),
        ("just_misses_the_last", 0.01, 13.4),
        ("all_codes_in_one_step", 300.0, 7.3),
        ("some_codes_in_one_step", 2.7, 7.3),
        ("tiny", 1e-7, 0.49999993),
        ("tiny_and_far", 1e-7, 1e3),
        ("no_offset", 0.31, 0.0),
    )
    def test_where_missed_is_zero_all_codes_are_equal(self, size, offset):
        reach, halves = 120.0, rounding_thresholds.halves(0, 15)
        sums = np.arange(-120, 121)
        trained = trained_codes(size, offset, sums, 1)
        for room in (1.0, 8.0, 127.0):
            *chosen, missed = rounding_thresholds.choose(
                *(np.array([part]) for part in (size, offset, reach, room)),
                halves,
                np.ones((1, 15), np.int64),
            )
            chosen = [float(part[0]) for part in chosen]
            self.assertAllGreater(chosen[2], 0)
            computed = kernel_codes(*chosen, sums, 1)
            off = unmet(trained, computed, 15, 0)
            self.assertLessEqual(off.sum(), missed, f"room {room}")
            if missed == 0:
                differ = trained.clip(0, 15) != computed.clip(0, 15)
                self.assertEqual(differ.sum(), 0, f"room {room}")
        # With all the headroom only a bias of 5e8 is beyond float32.
        self.assertEqual(missed, 1 if size == 1e-7 and offset < 1 else 0)

    def test_the_outermost_sums_count(self):
        """Only one of them is beyond the threshold, with little room."""
        halves = rounding_thresholds.halves(0, 40)
        ones = np.ones((1, 40), np.int64)
        for reach, offset in itertools.product(
            range(20, 50), (-6.4, 0.3, 4.4, 17.8, 25.1, 31.7, 38.2)
        ):
            parts = np.array([[0.7103], [offset], [reach], [1.0]])
            *chosen, missed = rounding_thresholds.choose(*parts, halves, ones)
            chosen = [float(part[0]) for part in chosen]
            sums = np.arange(-reach, reach + 1)
            trained = trained_codes(0.7103, offset, sums, 1)
            computed = kernel_codes(*chosen, sums, 1)
            off = unmet(trained, computed, 40, 0).sum()
            self.assertEqual(off, missed, f"reach {reach}, offset {offset}")

    def test_a_sum_on_a_threshold_goes_up(self):
        *chosen, missed = rounding_thresholds.choose(
            *np.array([[0.5], [0.0], [20.0], [7.0]]),
            rounding_thresholds.halves(0, 7),
            np.ones((1, 7), np.int64),
        )
        self.assertEqual(missed, 0)
        sums = np.arange(-20, 21)
        computed = kernel_codes(*(part[0] for part in chosen), sums, 1)
        expected = np.floor(sums * 0.5 + 0.5).clip(0, 7)
        self.assertAllEqual(computed.clip(0, 7), expected)

    def test_unreachable_thresholds_ask_for_nothing(self):
        """Only sums up to the reach count, on either side."""
        halves = rounding_thresholds.halves(-127, 127)
        size, offset = np.array([0.037, 0.037]), np.array([8.31, -8.31])
        reach, room = np.array([150.0, 150.0]), np.array([1.0, 1.0])
        ones = np.ones((2, 254), np.int64)
        wide = rounding_thresholds.choose(
            size, offset, reach, room, halves, ones
        )
        near = np.abs(halves) < 16
        narrow = rounding_thresholds.choose(
            size, offset, reach, room, halves[near], ones[:, near]
        )
        self.assertEqual(wide[3], narrow[3])

    def test_no_channel(self):
        halves = rounding_thresholds.halves(0, 3)
        chosen = rounding_thresholds.choose(
            *np.empty((4, 0)), halves, np.empty((0, 3))
        )
        self.assertEqual([len(part) for part in chosen[:3]], [0, 0, 0])
        self.assertEqual(chosen[3], 0)


class HalvesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*GRIDS.values(), (-100, 3, 5), (0, 0, 1))
    def test_parts_codes_that_differ(self, low, high, every):
        expected = [
            code + 0.5
            for code in range(low, high)
            if round(Fraction(code, every)) != round(Fraction(code + 1, every))
        ]
        halves = rounding_thresholds.halves(low, high, every=every)
        self.assertAllEqual(halves, np.array(expected, np.float64))

    @parameterized.parameters(*range(1, 9))
    def test_a_shortcut_hides_what_lies_between_multiples(self, bits):
        """i + round(j / c) is round((j + c i) / c): why `every` is right."""
        branch = branch_grid(bits, projection=False)
        units, _ = sum_grid(activation_grid(bits).scale, branch.scale, bits)
        c = units[2]
        self.assertEqual(units[0], c)
        for i in range(int(steps(bits)) + 1):
            for j in range(-128, 128):
                whole = i + round(Fraction(units[1] * j, c))
                self.assertEqual(
                    whole, round(Fraction(units[1] * j + c * i, c))
                )


class ImportanceTest(tf.test.TestCase):
    def test_is_a_normal_density(self):
        halves = rounding_thresholds.halves(0, 15)
        mean, deviation = np.array([3.1, -2.0, 7.5]), np.array([2.0, 5, 0.7])
        weights = rounding_thresholds.importance(halves, mean, deviation)
        self.assertEqual(weights.dtype, np.int64)
        for row, mu, sigma in zip(weights, mean, deviation, strict=True):
            for weight, half in zip(row, halves, strict=True):
                density = 2.718281828459045 ** (
                    -((half - mu) ** 2) / (2 * sigma**2)
                )
                self.assertAlmostEqual(weight, 1 + 1e6 * density, delta=0.6)

    def test_is_never_nothing(self):
        halves = rounding_thresholds.halves(-127, 127)
        weights = rounding_thresholds.importance(
            halves, np.zeros(2), np.array([0.0, 1])
        )
        self.assertAllGreaterEqual(weights, 1)
        self.assertEqual(weights[0, 0], 1)


if __name__ == "__main__":
    tf.test.main()
