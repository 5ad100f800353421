"""Kernels and sums of the trained graph, and the layers that end them.

Each function is a handler, see graph_conversion.Conversion.
"""

import keras

from qmia_tf.deploy.integer.averages import PendingMeans
from qmia_tf.deploy.integer.code_grids import branch_grid, sum_grid, sum_units
from qmia_tf.deploy.integer.graph_conversion import Conversion
from qmia_tf.deploy.integer.kernel_conversion import PendingSums
from qmia_tf.deploy.integer.network_ends import softmax
from qmia_tf.deploy.integer.pending_values import (
    Codes,
    PendingAddition,
    refused,
)
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers
from qmia_tf.quantizers.grids import FLOAT_BITS, activation_grid, linear_grid


def kernel(conversion: Conversion, layer, value):
    """A convolution or dense layer: sums that still have no grid."""
    sums = PendingSums(layer, conversion.read(value))
    if layer.activation is keras.activations.linear:
        return sums
    if layer.activation is keras.activations.softmax:
        return softmax(conversion, f"{layer.name}_softmax", sums)
    raise refused(layer, "its own activation: use DoReFaActivation")


def norm(conversion: Conversion, layer, value):
    """A batch norm, folded into the sums, or of codes."""
    del conversion
    if isinstance(value, Codes) and len(value.tensor.shape) == 4:
        value = PendingMeans(layer, value, window=(1, 1))
    if isinstance(value, PendingSums):
        return value.normed(layer)
    raise refused(layer, "batch norm must follow a convolution")


def activation(conversion: Conversion, layer, value):
    """A clip to [0, 1]; up to 8 bits it rounds."""
    is_sum = isinstance(value, PendingAddition)
    is_clip = is_sum and layer.bits == FLOAT_BITS
    if layer.bits > 8 and not is_clip:
        raise refused(
            layer, f"{layer.bits}-bit activations; int8 kernels carry 1 to 8"
        )
    if is_clip and not layer.clip:
        raise refused(layer, "ReLU on a sum, with no upper end")
    if is_sum:
        return _clipped_sum(layer, value, None if is_clip else layer.bits)
    return _rounded(conversion, layer, value, activation_grid(layer.bits))


def residual(conversion: Conversion, layer, value):
    """A residual branch or a linear tensor, rounded to its grid."""
    if not layer.linear:
        grid = branch_grid(layer.activation_bits, projection=layer.projection)
        return _rounded(conversion, layer, value, grid)
    grid = linear_grid(layer.activation_bits)
    if not isinstance(value, PendingAddition):
        return _rounded(conversion, layer, value, grid)
    return _added(
        layer, value, lambda: (sum_units(*value.scales, grid.scale), grid)
    )


def _rounded(conversion, layer, value, grid):
    if isinstance(value, Codes):
        if value.grid == grid:
            return value
        if len(value.tensor.shape) != 4:
            raise refused(layer, "its input is on another grid already")
        # From grid to grid: an average over windows of 1x1.
        value = PendingMeans(layer, value, window=(1, 1))
    if not isinstance(value, PendingSums):
        raise refused(layer, "it must follow a convolution or dense layer")
    return conversion.put_on_grid(value, grid, layer.name)


def add(conversion: Conversion, layer, *values):
    """An Add whose grid is that of the activation behind it."""
    del conversion
    if len(values) == 2 and all(isinstance(value, Codes) for value in values):
        return PendingAddition(*values, layer.name)
    raise refused(
        layer, "a sum needs two quantized inputs (residual_bits=8 gives them)"
    )


def quantized_add(conversion: Conversion, layer, shortcut, branch):
    """A DoReFaAdd: rounded branch, sum, activation."""
    bits = layer.activation_bits if layer.rounded else None
    if layer.projection:
        shortcut = _branch(conversion, layer, shortcut)
    elif not isinstance(shortcut, Codes):
        raise refused(layer, "its shortcut is not quantized")
    every = 1
    if bits is not None and not layer.projection:
        # The shortcut is whole steps of the sum: of the branch only its
        # nearest whole step gets through.
        grid = branch_grid(layer.activation_bits, projection=False)
        units, _ = sum_grid(shortcut.grid.scale, grid.scale, bits)
        every = units[2] if units[0] == units[2] else 1
    branch = _branch(conversion, layer, branch, every=every)
    return _clipped_sum(
        layer, PendingAddition(shortcut, branch, layer.name), bits
    )


def _branch(conversion, layer, value, *, every=1):
    grid = branch_grid(layer.activation_bits, projection=layer.projection)
    if not isinstance(value, PendingSums):
        raise refused(layer, "its branch is not a convolution")
    return conversion.put_on_grid(value, grid, value.name, every=every)


def _clipped_sum(layer, total, bits):
    """Clips a sum to [0, 1] and rounds it; without bits it stays on its grid.

    The layer is the trained one that does so.
    """
    return _added(layer, total, lambda: sum_grid(*total.scales, bits))


def _added(layer, total, find_grid):
    try:
        units, grid = find_grid()
    except InputError as error:
        raise refused(layer, str(error)) from error
    integer_add = integer_layers.IntegerAdd(
        total.scales, units, grid, name=layer.name
    )
    return Codes(integer_add([total.first.tensor, total.second.tensor]), grid)
