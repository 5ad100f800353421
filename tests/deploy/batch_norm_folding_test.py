"""Tests of folding: what the int8 kernel makes of it, in exact fractions."""

import fractions
import itertools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy.integer.batch_norm_folding import fold_kernel
from qmia_tf.deploy.integer.code_grids import (
    UNIT_GRID,
    branch_grid,
    logits_grid,
)
from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import Grid, activation_grid

FREE = Grid(1.0, 0, -(10**6), 10**6)  # a target that never saturates
TOP_OF_INT32 = 2**31 - 1


def fold(codes, *, factor=1.0, offset=0.0, scale=1.0, **options):
    """fold_kernel with plain grids where a test names none."""
    options = {"source": UNIT_GRID, "target": activation_grid(4), **options}
    return fold_kernel(codes, scale, factor, offset, **options)


def kernel_levels(folded, inputs, grid):
    """The kernel's levels: int64 sums, float32 as NumPy has it, half to even.

    Args:
        folded: folding.Folded of codes [inputs, channels].
        inputs: int levels [records, inputs].
        grid: of the output.
    """
    sums = inputs.astype(np.int64) @ folded.codes.astype(np.int64)
    sums += folded.bias.astype(np.int64)
    if np.abs(sums).max() > TOP_OF_INT32:
        raise OverflowError(f"a sum of {np.abs(sums).max()} in int32")
    # Two float32 have 48 bits together, so their product is exact in float64.
    product = sums.astype(np.float32).astype(np.float64)
    product = (product * folded.multipliers).astype(np.float32)
    limits = grid.low - grid.zero_point, grid.high - grid.zero_point
    return np.rint(product).clip(*limits).astype(np.int64)


def trained_levels(codes, factor, offset, scale, inputs, source, target):
    """(levels, ties): exact fractions, rounded half to even, and the ties."""
    exact = fractions.Fraction
    limits = target.low - target.zero_point, target.high - target.zero_point
    sums = inputs.astype(np.int64) @ codes.astype(np.int64)
    levels = np.empty(sums.shape, np.int64)
    ties = np.zeros(sums.shape, bool)
    for channel in range(sums.shape[1]):
        step = exact(1.0)
        for part in (factor[channel], scale[channel], source.scale):
            step *= exact(float(part))
        step /= exact(target.scale)
        start = exact(float(offset[channel])) / exact(target.scale)
        values, where = np.unique(sums[:, channel], return_inverse=True)
        positions = [step * int(value) + start for value in values]
        rounded = [min(max(round(v), limits[0]), limits[1]) for v in positions]
        near = [abs(v % 1 - exact(1, 2)) < 1e-9 for v in positions]
        levels[:, channel] = np.array(rounded)[where]
        ties[:, channel] = np.array(near)[where]
    return levels, ties


def every_input(top, count):
    """All combinations of count levels of 0 to top."""
    return np.array(list(itertools.product(range(top + 1), repeat=count)))


class RoundingTest(parameterized.TestCase, tf.test.TestCase):
    """Kernel against trained layer at every input that there is."""

    def compare(self, codes, factor, offset, scale, inputs, source, target):
        numbers = [
            np.broadcast_to(part, codes.shape[1])
            for part in (factor, offset, scale)
        ]
        folded = fold_kernel(
            codes, numbers[2], *numbers[:2], source=source, target=target
        )
        levels = kernel_levels(folded, inputs, target)
        expected, ties = trained_levels(codes, *numbers, inputs, source, target)
        return folded, levels, expected, (levels != expected) & ~ties

    def numbers(self, weight_bits, channels=40, seed=0):
        rng = np.random.default_rng(seed + weight_bits)
        n = 2**weight_bits - 1
        codes = 2 * rng.integers(0, n + 1, (3, channels)) - n
        factor = rng.normal(0, 1.0, channels)
        offset = rng.normal(0.3, 0.4, channels)
        return codes, factor, offset, np.full(channels, 1.0 / n)

    @parameterized.product(
        weight_bits=(1, 2, 4, 7),
        target=(
            activation_grid(2),
            activation_grid(4),
            branch_grid(4, projection=False),
        ),
    )
    def test_every_sum_rounds_as_in_the_trained_layer(
        self, weight_bits, target
    ):
        folded, levels, expected, wrong = self.compare(
            *self.numbers(weight_bits),
            every_input(15, 3),
            activation_grid(4),
            target,
        )
        # Thresholds cannot all be met where 7 bits leave no headroom, or where
        # the output has hundreds of codes.
        hard = weight_bits == 7 or target.low == -128
        if folded.missed == 0 or not hard:
            self.assertEqual(wrong.sum(), 0, f"{wrong.sum()} of {wrong.size}")
            self.assertEqual(folded.missed, 0)
        self.assertLess(wrong.mean(), 0.01)
        self.assertLess(np.abs(levels - expected).max(), 2)
        self.assertGreater(len(np.unique(expected)), min(3, target.high))

    @parameterized.parameters(2, 4)
    def test_only_every_7th_code_matters(self, weight_bits):
        # As beside a shortcut of 4 bits: the sum rounds the code to sevenths.
        codes, factor, offset, scale = self.numbers(weight_bits)
        source, target = activation_grid(4), branch_grid(4, projection=False)
        options = {"source": source, "target": target}
        folded = fold_kernel(codes, scale, factor, offset, every=7, **options)
        inputs = every_input(15, 3)
        levels = kernel_levels(folded, inputs, target)
        expected, ties = trained_levels(
            codes, factor, offset, scale, inputs, **options
        )
        wrong = (np.rint(levels / 7) != np.rint(expected / 7)) & ~ties
        self.assertLessEqual(wrong.mean(), 1e-3 if folded.missed else 0)
        self.assertLess(folded.missed, 5)
        self.assertGreater(len(np.unique(np.rint(expected / 7))), 10)

    def test_one_scale_a_channel(self):
        codes, factor, offset, _ = self.numbers(4)
        scale = np.random.default_rng(3).uniform(0.001, 0.1, 40)
        target = activation_grid(4)
        *_, expected, wrong = self.compare(
            codes,
            factor / scale / 20,
            offset,
            scale,
            every_input(15, 3),
            activation_grid(4),
            target,
        )
        self.assertLess(wrong.mean(), 1e-3)
        self.assertLen(np.unique(expected), 16)

    @parameterized.parameters(
        (1e-2, 1e-3), (1e-3, 1e-4), (1e-4, 1e-4), (3.0, 0.01), (50.0, 0.05)
    )
    def test_small_and_large_factors(self, size, atmost):
        codes, factor, offset, scale = self.numbers(4)
        _, levels, expected, wrong = self.compare(
            codes,
            factor * size,
            offset,
            scale,
            every_input(15, 3),
            activation_grid(4),
            activation_grid(4),
        )
        self.assertLess(wrong.mean(), atmost)
        self.assertGreater(len(np.unique(expected)), 10)


class NumbersTest(parameterized.TestCase, tf.test.TestCase):
    """What is in the file."""

    def test_multipliers_are_xnnpacks_own(self):
        rng = np.random.default_rng(1)
        source, target = activation_grid(5), branch_grid(3, projection=True)
        folded = fold(
            rng.integers(-7, 8, (20, 50)),
            factor=rng.normal(size=50),
            offset=rng.normal(size=50),
            scale=0.2,
            source=source,
            target=target,
        )
        f32 = np.float32
        for scale, multiplier in zip(
            folded.weight_scales, folded.multipliers, strict=True
        ):
            product = f32(f32(source.scale) * scale)
            self.assertEqual(multiplier, f32(product / f32(target.scale)))
        for part, dtype in (
            (folded.weight_scales, np.float32),
            (folded.multipliers, np.float32),
            (folded.bias, np.int32),
        ):
            self.assertEqual(part.dtype, dtype)
            self.assertEqual(part.shape, (50,))
        self.assertAllGreater(folded.weight_scales, 0)

    def test_no_channel_looks_at_another(self):
        rng = np.random.default_rng(2)
        codes = rng.integers(-7, 8, (9, 12)) * 2 + 1
        codes[0] = 15  # The headroom is the whole kernel's.
        factor, offset = rng.normal(size=(2, 12))
        whole = fold(codes, factor=factor, offset=offset)
        for i in range(12):
            one = fold(codes[:, [i]], factor=factor[i], offset=offset[i])
            self.assertAllEqual(one.codes[:, 0], whole.codes[:, i])
            self.assertEqual(one.bias[0], whole.bias[i])
            self.assertEqual(one.weight_scales[0], whole.weight_scales[i])


class EdgeTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        factor=(0.0, -0.0, 1e-30, -1e-12),
        offset=(0.0, 0.31, -0.31, 0.9, 7.0, -7.0, 1e9, -1e9),
    )
    def test_dead_channel_gives_its_offset(self, factor, offset):
        target = activation_grid(4)
        folded = fold(np.array([[15], [-13]]), factor=factor, offset=offset)
        inputs = every_input(5, 2) * 51
        levels = kernel_levels(folded, inputs, target)
        expected = np.clip(np.rint(offset * 15), 0, 15)
        self.assertAllEqual(levels, np.full(levels.shape, expected))
        self.assertEqual((folded.dead, folded.coarse), (1, 0))
        self.assertAllEqual(folded.codes, [[0], [0]])
        self.assertBetween(folded.multipliers[0], 2.0**-32, 1)

    def test_counts_dead_channels(self):
        codes = np.ones((4, 5))
        folded = fold(codes, factor=np.array([1, 0, -1, 0, 1e-20]))
        self.assertEqual(folded.dead, 3)

    @parameterized.parameters(0.0, 0.2)
    def test_kernel_of_zeros(self, offset):
        # At 1 bit the scale is mean |w|, 0 as well.
        for scale in (0.0, 1.0):
            folded = fold(np.zeros((4, 2)), scale=scale, offset=offset)
            self.assertAllEqual(folded.codes, np.zeros((4, 2)))
            levels = kernel_levels(
                folded, np.full((1, 4), 255), activation_grid(4)
            )
            self.assertAllEqual(levels, [[round(offset * 15)] * 2])

    @parameterized.product(
        factor=(300.0, -1e4, 1e12, 254.0, -256.1),
        target=(
            activation_grid(8),
            branch_grid(4, projection=True),
            logits_grid(-3.0, 9.0),
        ),
    )
    def test_saturating_multiplier_loses_nothing(self, factor, target):
        # factor is in output codes a step of the sum; XNNPACK ends at 256.
        codes = np.array([[127], [-126], [125]])
        source = activation_grid(2)
        folded = fold(
            codes,
            factor=factor * target.scale * 3,
            # To the nearest step of the sum.
            offset=-1.6 * factor * target.scale,
            source=source,
            target=target,
        )
        self.assertLess(folded.multipliers[0], 256)
        inputs = every_input(3, 3)
        levels = kernel_levels(folded, inputs, target)
        true = (inputs @ codes - 2.0) * factor
        limits = target.low - target.zero_point, target.high - target.zero_point
        self.assertAllEqual(levels, np.rint(true).clip(*limits))
        self.assertGreater(len(np.unique(levels)), 1)

    def test_large_offset_takes_headroom_first(self):
        # A quarter of 2**30 in steps of the sum: room for times 3, not 8.
        codes = np.array([[15.0], [-15.0]])
        step = 1e-4
        offset = step * 2**28
        folded = fold(
            codes,
            factor=step * 255,
            offset=offset,
            source=UNIT_GRID,
            target=Grid(offset / 100, 0, -128, 127),
        )
        self.assertEqual(folded.coarse, 0)
        times = folded.codes[0, 0] / 15
        self.assertBetween(times, 1, 3)
        self.assertEqual(times, round(times))
        self.assertLessEqual(abs(int(folded.bias[0])), 2**30)
        self.assertAllEqual(folded.codes[:, 0], [15 * times, -15 * times])

    @parameterized.parameters(2.0**31, 2.0**33, 2.0**36)
    def test_larger_offset_coarsens_codes(self, load):
        rng = np.random.default_rng(0)
        fan_in, target = 500, Grid(1.0, 0, -128, 127)
        codes = 2 * rng.integers(0, 128, (fan_in, 3)) - 127
        # The offset is 100 codes; all the sum's reach, from 1/2 to 15 codes.
        step = 100 / load
        folded = fold(
            codes,
            factor=step * 255,
            offset=np.array([100.0, -100.0, 0.1]),
            target=target,
        )
        self.assertEqual(folded.coarse, 2)
        self.assertAllLessEqual(np.abs(folded.codes.astype(int)), 127)
        self.assertFalse(folded.codes[:, :2].all())
        inputs = rng.integers(0, 256, (200, fan_in))
        inputs[:100] = np.where(codes[:, 0] > 0, 255, 0)
        levels = kernel_levels(folded, inputs, target)
        exact = inputs @ codes * step + [100, -100, 0.1]
        # Half a step a code, all levels at their end, at the worst.
        worst = 0.5 * fan_in * 255 * 2 * 100 / 2**30 + 0.5
        self.assertAllLessEqual(np.abs(levels - exact)[:, :2], worst + 1e-3)

    def test_no_sum_overflows_int32(self):
        rng = np.random.default_rng(4)
        channels = 400
        codes = rng.integers(-127, 128, (3000, channels))
        factor = np.exp(rng.uniform(-40, 20, channels))
        factor *= rng.choice([-1, 1], channels)
        offset = rng.normal(size=channels) * np.exp(
            rng.uniform(-10, 20, channels)
        )
        folded = fold(codes, factor=factor, offset=offset, scale=1 / 127)
        reach = np.abs(folded.codes.astype(np.int64)).sum(axis=0) * 255
        total = reach + np.abs(folded.bias.astype(np.int64))
        self.assertLess(total.max(), 2**31)
        self.assertAllGreater(folded.multipliers, 0)
        self.assertAllLess(folded.multipliers, 256)
        self.assertAllEqual(
            np.isfinite(folded.weight_scales), [True] * channels
        )
        self.assertGreater(folded.coarse, 0)
        self.assertGreater(folded.dead, 0)
        self.assertTrue(folded.wide)

    @parameterized.parameters(
        ("codes", np.nan),
        ("scale", np.inf),
        ("factor", np.nan),
        ("factor", -np.inf),
        ("offset", np.nan),
        ("offset", np.inf),
    )
    def test_number_that_is_not_finite(self, name, value):
        numbers = {
            "codes": np.ones((3, 2)),
            "scale": np.ones(2),
            "factor": np.ones(2),
            "offset": np.ones(2),
        }
        numbers[name][..., 1] = value
        what = {"factor": "batch norm", "offset": "batch norm"}.get(name, name)
        with self.assertRaisesRegex(
            InputError, f"^{what}: a number is not finite; did training diverge"
        ):
            fold(**numbers)


class WideTest(parameterized.TestCase, tf.test.TestCase):
    """Sums that float32 does not hold."""

    @parameterized.parameters(
        (activation_grid(8), 518, False),
        (activation_grid(8), 519, True),
        # Levels from -128 to 127: the lowest reaches further.
        (branch_grid(4, projection=True), 1031, False),
        (branch_grid(4, projection=True), 1033, True),
    )
    def test_begins_where_a_sum_may_reach_2_to_the_24(
        self, source, fan_in, wide
    ):
        codes = np.full((fan_in, 1), 127)
        folded = fold(codes, source=source, target=FREE, scale=1 / 127)
        reach = (
            fan_in
            * 127
            * max(
                source.high - source.zero_point, source.zero_point - source.low
            )
        )
        self.assertEqual(reach >= 2**24, wide)
        self.assertEqual(folded.wide, wide)

    def test_counts_the_bias(self):
        codes = np.full((518, 1), 127)
        options = {"source": activation_grid(8), "target": FREE}
        step = 1 / 255
        self.assertFalse(fold(codes, offset=1500 * step, **options).wide)
        self.assertTrue(fold(codes, offset=3000 * step, **options).wide)

    def test_one_channel_is_enough(self):
        codes = np.ones((600, 3))
        codes[0] = 127
        self.assertFalse(fold(codes).wide)
        codes[:, 1] = -127
        self.assertTrue(fold(codes).wide)

    def test_headroom_counts(self):
        # 15 * 8 makes the sum 8 times larger.
        codes = np.full((4400, 1), 15)
        offset = -0.99 * 4400 * 15
        self.assertTrue(fold(codes, offset=offset, scale=1 / 15).wide)


class LimitTest(parameterized.TestCase, tf.test.TestCase):
    """Codes for int4."""

    @parameterized.parameters((1, 7), (3, 2), (7, 1), (5, 1))
    def test_seven(self, largest, headroom):
        codes = np.array([[largest, -largest], [1, 1]])
        folded = fold(codes, limit=7, scale=1 / largest)
        times = folded.codes / codes
        self.assertAllEqual(times, np.full((2, 2), times[0, 0]))
        self.assertBetween(times[0, 0], 1, headroom)
        self.assertAllInRange(folded.codes, -7, 7)

    def test_one_leaves_no_headroom(self):
        folded = fold(np.ones((4, 3)), limit=1)
        self.assertAllEqual(folded.codes, np.ones((4, 3)))

    @parameterized.parameters((127, 129), (7, 15), (7, 8))
    def test_larger_codes_are_refused(self, limit, largest):
        with self.assertRaisesRegex(
            InputError,
            f"^codes up to {largest} do not fit in -{limit}..{limit}$",
        ):
            fold(np.array([[largest], [1]]), limit=limit)


if __name__ == "__main__":
    tf.test.main()
