"""Convolutions in NumPy, to compare with."""

import numpy as np


def windows(x, kernel_size, strides, padding):
    """Every window of x: [N, rows, columns, height, width, channels].

    In NumPy: places are those of TensorFlow's definition of the paddings.
    """
    if padding == "same":
        pads = []
        for size, taps, stride in zip(
            x.shape[1:3], kernel_size, strides, strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + taps - size, 0)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), *pads, (0, 0)])
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, (1, 2))
    seen = seen[:, :: strides[0], :: strides[1]]
    return np.moveaxis(seen, 3, -1)


def depthwise(x, kernel, strides, padding):
    """A depthwise convolution in NumPy."""
    seen = windows(x, kernel.shape[:2], strides, padding)
    sums = np.einsum("nrchwi,hwim->nrcim", seen, kernel)
    return sums.reshape(*sums.shape[:3], -1)
