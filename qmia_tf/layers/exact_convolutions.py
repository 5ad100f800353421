"""Convolutions on integer-valued float32, which come out the same anywhere.

float32 adds integers without error below 2**24, in any order. With inputs
i/n on a known grid and weights that are codes times a scale, a layer can
therefore be computed as integers and scaled once:

    sum(x w) = round(conv(round(x n), codes)) * (scale (1 / n))

Codes wider than 8 bits, of weights and of inputs, are cut into 8-bit pieces,
code = sum(256**j piece_j), one convolution for each pair. A convolution is
exact without further thought while fan_in * 255 * 255 < 2**24 (or, with 4-bit
inputs, fan_in * 15 * 255); beyond that it is exact as long as its actual
partial sums stay below 2**24, which signed weights see to in practice.

What comes after the convolutions is one XLA kernel: left to itself,
TensorFlow's graph optimizer regroups the multiplications, and a float that
differs in its last bit flips a rounding further on.
"""

import typing

import numpy as np
import tensorflow as tf

from qmia_tf.quantizers.grids import RESOLVED_BITS, resolves
from qmia_tf.quantizers.quantizer import (
    WeightQuantizer,
    codes_and_scale,
    fused,
)

PIECE = 256.0
# Inputs on a finer grid would be cut into more than two pieces.
MAX_INPUT_STEPS = 65535


class ExactKernel(typing.NamedTuple):
    """A kernel as integer-valued pieces, the most significant first.

    Attributes:
        pieces: list of float32 arrays shaped like the kernel.
        scale: float32, [] or [output channels]; value = scale * code.
    """

    pieces: list
    scale: typing.Any

    def numpy(self) -> "ExactKernel":
        """Returns the same kernel as NumPy arrays."""
        return ExactKernel(
            [np.asarray(piece) for piece in self.pieces], np.asarray(self.scale)
        )


def split_kernel(kernel, quantized, quantizer: WeightQuantizer) -> ExactKernel:
    """Cuts a quantized kernel into integer-valued pieces.

    A float kernel (bits > 24) is taken as 24-bit fixed point, which moves a
    weight by at most 1.5 * 2**-24 of the largest one.

    Args:
        kernel: float32 tensor, the layer's variable.
        quantized: float32 tensor, the same kernel as the layer uses it.
    """
    *pieces, scale = _split(kernel, quantized, quantizer=quantizer)
    return ExactKernel(pieces, scale)


def exact_sums(
    operation: typing.Callable, inputs, kernel: ExactKernel, *, input_steps: int
) -> tf.Tensor:
    """Applies a linear operation to inputs on the grid i / input_steps.

    Args:
        operation: (inputs, kernel) -> tensor, linear in both.
        inputs: float32 tensor, values i / input_steps.
        input_steps: 1..65535.
    Returns: what operation(inputs, scale * codes) is in exact arithmetic,
        rounded to float32 once or, for codes in pieces, once a piece.
    """
    columns = _input_pieces(inputs, steps=input_steps)
    sums = [
        [operation(column, piece) for column in columns]
        for piece in kernel.pieces
    ]
    # A product: the graph optimizer would rewrite a quotient.
    factor = kernel.scale * np.float32(1.0 / input_steps)
    return _combine(sums, factor)


@fused
def _split(kernel, quantized, *, quantizer):
    bits = quantizer.bits
    if resolves(bits):
        codes, scale = codes_and_scale(kernel, quantized, quantizer)
    else:
        bits = RESOLVED_BITS
        scale = tf.reduce_max(tf.abs(kernel)) / 2.0 ** (bits - 1)
        codes = tf.round(tf.math.divide_no_nan(quantized, scale))
    scale = tf.reshape(scale, [-1]) if scale.shape.rank else scale
    return (*_pieces(codes, -(-bits // 8)), scale)


def _input_pieces(inputs, *, steps):
    @tf.custom_gradient
    def cut(inputs):
        pieces = _cut_codes(inputs, steps=float(steps))
        return (
            pieces,
            lambda *dys: dys[0] * (float(steps) / PIECE ** (len(pieces) - 1)),
        )

    return cut(inputs)


@fused
def _cut_codes(inputs, *, steps):
    return _pieces(tf.round(inputs * steps), 1 if steps <= 255 else 2)


def _combine(sums, factor):
    rows, columns = len(sums), len(sums[0])
    flat = [part for row in sums for part in row]

    @tf.custom_gradient
    def combine(*flat):
        def gradient(dy):
            return [
                dy * factor * PIECE ** (rows - 1 - i + columns - 1 - j)
                for i in range(rows)
                for j in range(columns)
            ]

        return _weigh(*flat, factor, columns=columns), gradient

    return combine(*flat)


@fused
def _weigh(*parts, columns):
    *parts, factor = [*parts]
    total = None
    for start in range(0, len(parts), columns):
        row = tf.round(parts[start])
        for part in parts[start + 1 : start + columns]:
            row = row * PIECE + tf.round(part)
        total = row if total is None else total * PIECE + row
    return total * factor


def _pieces(codes, count):
    pieces = []
    for _ in range(count - 1):
        high = tf.round(codes / PIECE)
        pieces.insert(0, codes - high * PIECE)
        codes = high
    return [codes] + pieces
