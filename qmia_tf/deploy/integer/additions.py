"""Sums of two quantized tensors. See graph_conversion."""

from qmia_tf.deploy.integer import kernel_conversion
from qmia_tf.deploy.integer.code_grids import branch_grid, sum_grid, sum_units
from qmia_tf.deploy.integer.graph_conversion import unknown
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers


def add(conversion, layer, first, second, *more):
    """An Add whose grid is that of the activation behind it."""
    del conversion
    if (
        isinstance(first, kernel_conversion.Codes)
        and isinstance(second, kernel_conversion.Codes)
        and not more
    ):
        return kernel_conversion.PendingAddition(first, second, layer.name)
    raise unknown(
        layer,
        "a sum needs two quantized inputs (residual_bits=8 gives them)",
    )


def quantized_sum(conversion, layer, shortcut, branch):
    """A DoReFaAdd: rounded branch, sum, activation."""
    bits = layer.activation_bits if layer.rounded else None
    if layer.projection:
        shortcut = _branch(conversion, layer, shortcut)
    elif not isinstance(shortcut, kernel_conversion.Codes):
        raise unknown(layer, "its shortcut is not quantized")
    grid = branch_grid(layer.activation_bits, projection=layer.projection)
    every = 1
    if bits is not None and not layer.projection:
        # The shortcut is whole steps of the sum: of the branch only its
        # nearest whole step gets through.
        units, _ = sum_grid(shortcut.grid.scale, grid.scale, bits)
        every = units[2] if units[0] == units[2] else 1
    branch = _branch(conversion, layer, branch, every=every)
    return close(
        layer,
        kernel_conversion.PendingAddition(shortcut, branch, layer.name),
        bits,
    )


def _branch(conversion, layer, value, *, every=1):
    grid = branch_grid(layer.activation_bits, projection=layer.projection)
    if not isinstance(value, kernel_conversion.PendingSums):
        raise unknown(layer, "its branch is not a convolution")
    return conversion.put_on_grid(value, grid, value.name, every=every)


def close(layer, total, bits):
    """Clips a sum to [0, 1] and rounds it, or leaves it on its grid.

    Args:
        layer: the trained layer that does so.
        total: PendingAddition.
        bits: int in 1..8; None clips without rounding.
    Returns: Codes.
    Raises: InputError if int8 cannot hold the sum exactly.
    """
    scales = total.first.grid.scale, total.second.grid.scale
    return _added(layer, total, lambda: sum_grid(*scales, bits))


def close_on(layer, total, grid):
    """Rounds a sum to a grid of either sign.

    Args:
        layer: the trained layer that does so.
        total: PendingAddition.
        grid: grids.Grid.
    Returns: Codes.
    Raises: InputError if int8 cannot hold the sum exactly.
    """
    scales = total.first.grid.scale, total.second.grid.scale
    return _added(layer, total, lambda: (sum_units(*scales, grid.scale), grid))


def _added(layer, total, find):
    try:
        units, grid = find()
    except InputError as error:
        raise unknown(layer, str(error)) from error
    scales = total.first.grid.scale, total.second.grid.scale
    tensors = [total.first.tensor, total.second.tensor]
    integer_add = integer_layers.IntegerAdd(
        scales, units, grid, name=layer.name
    )
    return kernel_conversion.Codes(integer_add(tensors), grid)
