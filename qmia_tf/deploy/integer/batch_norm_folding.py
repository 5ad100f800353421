"""Batch norm folded into int8 weights, int32 biases and float32 scales.

A convolution's output is factor * scale * input scale * sum + offset, one
factor and offset a channel. The integer kernel computes

    code = round(float32(sum + bias) * multiplier)

so a negative factor goes into the codes, its size into the weight's scale,
and the offset is rounded to the accumulator's grid, input scale * weight
scale. Codes are multiplied by the headroom that int8 leaves, floor(127 / n):
it costs nothing and makes that grid finer. rounding_thresholds.py then chooses
bias and scale so that sums round as in the trained layer. NumPy only.
"""

import dataclasses

import numpy as np

from qmia_tf.deploy.integer import rounding_thresholds
from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import INT8_MAX, Grid

# Sums stay below this, half of what int32 holds.
SUM_LIMIT = 2.0**30
# Integers below this are exact in float32, in any order of summation.
FLOAT32_LIMIT = 2.0**24
# XNNPACK takes multipliers below 256. From 256 on every sum but 0 saturates,
# as it does with this one.
LARGEST_MULTIPLIER = 255.5
# A channel whose sum moves the output by less than this step does nothing.
NEGLIGIBLE = 2.0**-16


@dataclasses.dataclass(frozen=True, eq=False)
class Folded:
    """The numbers of one integer kernel.

    Attributes:
        codes: int8, shaped like the kernel.
        weight_scales: float32 [channels], > 0.
        bias: int32 [channels], on the grid input scale * weight scale.
        multipliers: float32 [channels].
        wide: whether a sum may reach 2**24.
        coarse: channels whose trained codes had to be divided because their
            offset would have overflowed int32.
        dead: channels whose sums do not move the output.
        missed: thresholds between codes, over all channels, that had to move
            past a sum (rounding_thresholds.choose).
    """

    codes: np.ndarray
    weight_scales: np.ndarray
    bias: np.ndarray
    multipliers: np.ndarray
    wide: bool
    coarse: int
    dead: int
    missed: int


def fold_kernel(
    codes: np.ndarray,
    scale: float | np.ndarray,
    factor: np.ndarray,
    offset: np.ndarray,
    *,
    source: Grid,
    target: Grid,
    limit: int = INT8_MAX,
    every: int = 1,
    spread: tuple[np.ndarray, np.ndarray] | None = None,
) -> Folded:
    """Folds factors and offsets into the codes of a kernel.

    Args:
        codes: [..., channels], the trained ones.
        scale: of the codes, or [channels], > 0.
        factor: [channels], any sign, 0 for a dead channel.
        offset: [channels].
        source: of the input.
        target: of the output.
        limit: largest code; 127, or 7 for int4.
        every: odd; output codes that round to the same multiple of it count
            as equal (rounding_thresholds.halves).
        spread: means and deviations [channels] of the values that are
            rounded; None takes every value as equally likely.
    Raises: InputError if a number is not finite or codes exceed the limit.
    """
    codes = np.asarray(codes, np.float64)
    shape, channels = codes.shape, codes.shape[-1]
    codes = codes.reshape(-1, channels)
    factor, offset, scale = (
        np.broadcast_to(np.asarray(part, np.float64), channels)
        for part in (factor, offset, scale)
    )
    _check(codes, scale, factor, offset, limit)
    codes = codes * np.where(factor < 0, -1.0, 1.0)
    steps = max(source.high - source.zero_point, source.zero_point - source.low)
    # Of one step of the sum, and of the offset, in output codes.
    size = np.abs(factor) * scale * source.scale / target.scale
    offset = offset / target.scale

    dead = size * np.abs(codes).sum(axis=0) * steps < NEGLIGIBLE
    codes = np.where(dead, 0.0, codes)
    size = np.where(dead, NEGLIGIBLE, size)
    reach = np.abs(codes).sum(axis=0) * steps

    times, coarse = _headroom(codes, size, offset, reach, limit)
    plain = dead | coarse | (size / times > LARGEST_MULTIPLIER / 2)
    times, bias, multipliers, missed = _rounding(
        size, offset, reach, times, plain, target, every, spread
    )
    codes = np.rint(codes * times)
    scales = multipliers * target.scale / source.scale
    scales = scales.astype(np.float32)
    multipliers = (np.float32(source.scale) * scales) / np.float32(target.scale)
    largest = np.abs(codes).sum(axis=0) * steps + np.abs(bias)
    return Folded(
        codes=codes.reshape(shape).astype(np.int8),
        weight_scales=scales,
        bias=bias.astype(np.int32),
        multipliers=multipliers,
        wide=bool(largest.max(initial=0) >= FLOAT32_LIMIT),
        coarse=int(coarse.sum()),
        dead=int(dead.sum()),
        missed=missed,
    )


def _headroom(codes, size, offset, reach, limit):
    """By what to multiply each channel's codes, and which must be divided."""
    largest = np.abs(codes).max(initial=1.0)
    # A load below 1 is never coarse.
    load = (np.abs(offset) / size + reach).clip(min=1.0)
    room = np.floor(SUM_LIMIT / load)
    coarse = (room < 1) & (reach > 0)
    times = np.where(coarse, SUM_LIMIT / load, room.clip(1, limit // largest))
    return np.where(reach > 0, times, 1.0), coarse


def _rounding(size, offset, reach, times, plain, target, every, spread):
    """Headroom, biases, multipliers; plain where no choice is to be had."""
    multipliers = size / times
    bias = np.rint(offset / multipliers).clip(-SUM_LIMIT, SUM_LIMIT)
    multipliers = multipliers.clip(max=LARGEST_MULTIPLIER)
    if plain.all():
        return times, bias, multipliers, 0
    low = max(target.low - target.zero_point, -INT8_MAX)
    halves = rounding_thresholds.halves(
        low, target.high - target.zero_point, every=every
    )
    shape = (len(size), len(halves))
    weights = np.ones(shape, np.int64)
    if spread is not None:
        mean, deviation = (np.asarray(part) / target.scale for part in spread)
        weights = rounding_thresholds.importance(halves, mean, deviation)
    free = ~plain
    times[free], bias[free], multipliers[free], missed = (
        rounding_thresholds.choose(
            *(part[free] for part in (size, offset, reach, times)),
            halves,
            weights[free],
        )
    )
    return times, bias, multipliers, missed


def _check(codes, scale, factor, offset, limit):
    for name, part in (
        ("codes", codes),
        ("scale", scale),
        ("batch norm", factor),
        ("batch norm", offset),
    ):
        if not np.isfinite(part).all():
            raise InputError(
                f"{name}: a number is not finite; did training diverge?"
            )
    if np.abs(codes).max(initial=0) > limit:
        raise InputError(
            f"codes up to {int(np.abs(codes).max())} do not fit in "
            f"-{limit}..{limit}"
        )
