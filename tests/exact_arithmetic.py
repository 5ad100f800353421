"""Int8 kernels in int64 NumPy and exact fractions, to compare others with."""

import fractions
import itertools

import numpy as np


def _windows(sizes, strides, padding, dilation, extent):
    """Where each kernel tap reads: padding before, output size, per axis."""
    for size, stride, gap, length in zip(
        sizes, strides, dilation, extent, strict=True
    ):
        span = (size - 1) * gap + 1
        if padding == "valid":
            yield 0, (length - span) // stride + 1
        else:
            count = -(-length // stride)
            yield max(0, (count - 1) * stride + span - length) // 2, count


def exact_convolution(
    inputs,
    kernel,
    *,
    strides=(1, 1),
    padding="same",
    dilation_rate=(1, 1),
    depthwise=False,
):
    """Sums int64 products, one output position after the other."""
    inputs, kernel = inputs.astype(np.int64), kernel.astype(np.int64)
    (top, height), (left, width) = _windows(
        kernel.shape[:2], strides, padding, dilation_rate, inputs.shape[1:3]
    )
    channels = kernel.shape[3] * (kernel.shape[2] if depthwise else 1)
    sums = np.zeros((len(inputs), height, width, channels), np.int64)
    for y, x, i, j in itertools.product(
        range(height), range(width), *map(range, kernel.shape[:2])
    ):
        row = y * strides[0] + i * dilation_rate[0] - top
        column = x * strides[1] + j * dilation_rate[1] - left
        if not (0 <= row < inputs.shape[1] and 0 <= column < inputs.shape[2]):
            continue
        pixel = inputs[:, row, column, :]
        if depthwise:
            product = pixel[:, :, None] * kernel[i, j]
            sums[:, y, x] += product.reshape(len(inputs), -1)
        else:
            sums[:, y, x] += pixel @ kernel[i, j]
    return sums


def nearest_float32(number):
    """The float32 nearest to a fraction, halves to the even one."""
    if number == 0:
        return fractions.Fraction(0)
    size = abs(number)
    power = size.numerator.bit_length() - size.denominator.bit_length()
    power -= size < fractions.Fraction(2) ** power
    step = fractions.Fraction(2) ** (power - 23)
    return round(number / step) * step


def requantize(total, multiplier, grid):
    """round(float32(total) multiplier) in exact fractions, clipped."""
    product = nearest_float32(fractions.Fraction(int(total)))
    product *= fractions.Fraction(float(multiplier))
    level = round(nearest_float32(product))
    low, high = grid.low - grid.zero_point, grid.high - grid.zero_point
    return min(max(level, low), high)


def requantize_all(sums, bias, multipliers, grid):
    """requantize of whole arrays; each different sum is worked out once."""
    total = sums + bias.astype(np.int64)
    out = np.empty(total.shape, np.int64)
    for channel in range(total.shape[-1]):
        values, where = np.unique(total[..., channel], return_inverse=True)
        levels = [requantize(v, multipliers[channel], grid) for v in values]
        out[..., channel] = np.array(levels)[where].reshape(total.shape[:-1])
    return out
