"""Kernels of the trained graph, and the layers on whose grid their sums end.

See graph_conversion.
"""

import keras

from qmia_tf.deploy.integer import additions, kernel_conversion, softmax_heads
from qmia_tf.deploy.integer.averages import PendingMeans
from qmia_tf.deploy.integer.code_grids import branch_grid
from qmia_tf.deploy.integer.graph_conversion import unknown
from qmia_tf.quantizers.grids import FLOAT_BITS, activation_grid, linear_grid


def kernel(conversion, layer, value):
    """A convolution or dense layer: sums that still have no grid."""
    sums = kernel_conversion.PendingSums(layer, conversion.read(value))
    if layer.activation is keras.activations.linear:
        return sums
    if layer.activation is keras.activations.softmax:
        return softmax_heads.softmax(conversion, f"{layer.name}_softmax", sums)
    raise unknown(layer, "its own activation: use DoReFaActivation")


def norm(conversion, layer, value):
    """A batch norm, folded into the sums, or of codes."""
    del conversion
    if (
        isinstance(value, kernel_conversion.Codes)
        and len(value.tensor.shape) == 4
    ):
        value = PendingMeans(layer, value, window=(1, 1))
    if isinstance(value, kernel_conversion.PendingSums):
        return value.normed(layer)
    raise unknown(layer, "batch norm must follow a convolution")


def activation(conversion, layer, value):
    """A clip to [0, 1]; up to 8 bits it rounds."""
    is_clip = (
        isinstance(value, kernel_conversion.PendingAddition)
        and layer.bits == FLOAT_BITS
    )
    if layer.bits > 8 and not is_clip:
        raise unknown(
            layer, f"{layer.bits}-bit activations; int8 kernels carry 1 to 8"
        )
    if isinstance(value, kernel_conversion.PendingAddition):
        bits = None if is_clip else layer.bits
        if bits is None and not layer.clip:
            raise unknown(layer, "ReLU on a sum, with no upper end")
        return additions.close(layer, value, bits)
    return _rounded(conversion, layer, value, activation_grid(layer.bits))


def residual(conversion, layer, value):
    """A residual branch or a linear tensor, rounded to its grid."""
    if not layer.linear:
        grid = branch_grid(layer.activation_bits, projection=layer.projection)
        return _rounded(conversion, layer, value, grid)
    grid = linear_grid(layer.activation_bits)
    if isinstance(value, kernel_conversion.PendingAddition):
        return additions.close_on(layer, value, grid)
    return _rounded(conversion, layer, value, grid)


def _rounded(conversion, layer, value, grid):
    if isinstance(value, kernel_conversion.Codes):
        if value.grid == grid:
            return value
        if len(value.tensor.shape) != 4:
            raise unknown(layer, "its input is on another grid already")
        # From grid to grid: an average over windows of 1x1.
        value = PendingMeans(layer, value, window=(1, 1))
    if not isinstance(value, kernel_conversion.PendingSums):
        raise unknown(layer, "it must follow a convolution or dense layer")
    return conversion.put_on_grid(value, grid, layer.name)
