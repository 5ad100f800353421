"""Residual branches in int8, and their sum with the shortcut.

A branch is rounded to a grid on which its sum with the shortcut cannot tie
(grids.residual_grid), which is what makes TFLite's integer ADD exact.
"""

import dataclasses
import functools

import tensorflow as tf

from qmia_tf.quantizers.dorefa import clip_round, inside_unit, masked
from qmia_tf.quantizers.grids import INT8_MAX, linear_grid, residual_grid
from qmia_tf.quantizers.quantizer import Quantizer, fused


@dataclasses.dataclass(frozen=True)
class ResidualBranch(Quantizer):
    """Rounds a residual branch, or a linear tensor, to int8 codes.

    value: clip(round(x (1 / scale)), low, 127) scale
    gradient: dy where |x| <= 127 scale

    1 / scale is rounded to float32 first: a product is the same float in
    every runtime, a quotient is what converters like to rewrite.

    Args:
        bits: 1..8, of the activation behind the sum, or of those around a
            linear tensor.
        projection: whether the shortcut is a convolution.
        linear: whether more than a sum and its activation reads the tensor:
            the grid is grids.linear_grid, with codes down to -128, else
            grids.residual_grid.
    """

    projection: bool = False
    linear: bool = False
    name = "residual"

    def __post_init__(self):
        # The grids check the bits, under the name of the layers' argument.
        _ = self.grid

    @functools.cached_property
    def grid(self):
        """The int8 grid."""
        if self.linear:
            return linear_grid(self.bits)
        return residual_grid(self.bits, projection=self.projection)

    def value(self, x):
        """Returns the rounded branch, and where it was not clipped."""
        low = float(self.grid.low)
        return _branch(x, scale=self.grid.scale, low=low)

    def gradient(self, dy, inside):
        """Passes dy where x was not clipped."""
        return masked(dy, inside)


def quantize_sum(
    shortcut, branch, *, scale: float, steps: float | None, projection: bool
) -> tf.Tensor:
    """Adds a shortcut and a rounded branch, clips to [0, 1] and rounds.

    R(x) = clip(round(x (1 / scale)), -127, 127) scale
    t = s + R(branch), s = R(shortcut) for a projection, else the shortcut
    value: round(clip(t, 0, 1) steps) / steps
    gradient: dy where 0 <= t <= 1, and for what R rounded also only where
        its argument is within 127 scale

    The same as ResidualBranch, an addition and DoReFaActivations, in one pass
    over memory instead of three.

    Args:
        shortcut: float tensor, any shape; in [0, 1] unless a projection.
        branch: float tensor of that shape.
        scale: of grids.residual_grid.
        steps: n of the activation grid; None clips without rounding.
        projection: whether the shortcut is rounded as well.
    """
    # A branch past 127 scale > 1 takes the sum past an end of the clip, so
    # beside an identity shortcut the clip's own mask is all there is to keep.
    one_mask = not projection and INT8_MAX * scale > 1.0 + 1e-6

    @tf.custom_gradient
    def add(shortcut, branch):
        value, *inside = _sum(
            shortcut,
            branch,
            scale=scale,
            steps=steps,
            projection=projection,
            one_mask=one_mask,
        )

        def gradient(dy):
            if one_mask:
                dy = masked(dy, inside[0])
                return dy, dy
            return [masked(dy, mask) for mask in inside]

        return value, gradient

    return add(shortcut, branch)


@fused
def _branch(x, *, scale, low):
    return _rounded(x, scale, low), _within(x, scale)


@fused
def _sum(shortcut, branch, *, scale, steps, projection, one_mask):
    kept = _rounded(shortcut, scale) if projection else shortcut
    total = kept + _rounded(branch, scale)
    value = clip_round(total, steps)
    inside = inside_unit(total)
    if one_mask:
        return value, inside
    limits = [_within(shortcut, scale)] if projection else [True]
    limits.append(_within(branch, scale))
    return (value, *(inside & limit for limit in limits))


def _rounded(x, scale, low=-127.0):
    codes = tf.round(x * (1.0 / scale))
    return tf.clip_by_value(codes, low, 127.0) * scale


def _within(x, scale):
    return tf.abs(x) <= INT8_MAX * scale
