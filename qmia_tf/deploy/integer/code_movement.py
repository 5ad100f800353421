"""Layers that move, pick or average codes.

Each function is a handler, see graph_conversion.Conversion.
"""

import dataclasses
import math

import keras

from qmia_tf.deploy.integer.averages import PendingMeans
from qmia_tf.deploy.integer.graph_conversion import Conversion
from qmia_tf.deploy.integer.kernel_conversion import NOT_QUANTIZED, PendingSums
from qmia_tf.deploy.integer.pending_values import (
    Codes,
    Floats,
    copy_of,
    refused,
)


def same_values(conversion: Conversion, layer, value):
    """A layer that moves or picks values without computing."""
    if isinstance(value, PendingSums):
        return value.moved(layer)
    if isinstance(value, Codes):
        tensor = copy_of(layer)(value.tensor)
        return dataclasses.replace(value, tensor=tensor)
    return _of_floats(conversion, layer, value)


def _of_floats(conversion, layer, value):
    return Floats(copy_of(layer)(conversion.floats(value).tensor))


def passed(conversion: Conversion, layer, value):
    """A layer that does nothing in inference."""
    del conversion, layer
    return value


def concatenated(conversion: Conversion, layer, *values):
    """A Concatenate of codes on one grid."""
    del conversion
    if not all(isinstance(value, Codes) for value in values):
        raise refused(
            layer,
            "it joins what is not quantized: put a DoReFaActivation behind "
            "each of its inputs, or use float32",
        )
    first, *others = values
    for value in others:
        if value.grid != first.grid:
            raise refused(
                layer,
                "its inputs lie on grids of 1/"
                f"{1 / first.grid.scale:.4g} and 1/{1 / value.grid.scale:.4g}: "
                "quantize them alike, or use float32",
            )
    tensor = copy_of(layer)([value.tensor for value in values])
    is_head = any(value.is_head for value in values)
    return Codes(tensor, first.grid, is_head=is_head)


def average(conversion: Conversion, layer, value):
    """An average over all of height and width."""
    if not isinstance(value, Codes):
        return _of_floats(conversion, layer, value)
    means = PendingMeans(layer, value, flat=not layer.keepdims)
    if layer.keepdims:
        return means
    return means.moved(keras.layers.Flatten(name=f"{layer.name}_flat"))


def rounded_average(conversion: Conversion, layer, value):
    """A RoundedAveragePooling2D: averages that stay on their grid."""
    if not isinstance(value, Codes):
        raise refused(layer, f"it {NOT_QUANTIZED}")
    if not math.isclose(layer.scale, value.grid.scale, rel_tol=1e-6):
        raise refused(
            layer,
            f"its scale is {layer.scale:.6g}, that of its input "
            f"{value.grid.scale:.6g}: make them equal, or use float32",
        )
    means = average_pool(conversion, layer, value)
    # In the trained layer halves go up by this much; see its docstring.
    nudge = 0.25 / math.prod(layer.pool_size) * value.grid.scale
    means = dataclasses.replace(means, offset=means.offset + nudge)
    return conversion.put_on_grid(means, value.grid, layer.name)


def average_pool(conversion: Conversion, layer, value):
    """An average over windows."""
    if not isinstance(value, Codes):
        return _of_floats(conversion, layer, value)
    if layer.padding != "valid" and not _fills(layer, value.tensor.shape):
        raise refused(
            layer,
            "padding='same' averages fewer values along the edge, which no "
            "int8 kernel does exactly: use padding='valid', or float32",
        )
    return PendingMeans(
        layer, value, window=layer.pool_size, strides=layer.strides
    )


def _fills(layer, shape):
    """Whether the windows cover the maps without padding."""
    return all(
        extent is not None and size == stride and extent % size == 0
        for extent, size, stride in zip(
            shape[1:3], layer.pool_size, layer.strides, strict=True
        )
    )
