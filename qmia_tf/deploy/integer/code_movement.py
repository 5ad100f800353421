"""Layers that move, pick or average codes. See graph_conversion."""

import dataclasses
import math

import keras

from qmia_tf.deploy.integer import kernel_conversion
from qmia_tf.deploy.integer.averages import PendingMeans
from qmia_tf.deploy.integer.graph_conversion import unknown


def same_values(conversion, layer, value):
    """A layer that moves or picks values without computing."""
    if isinstance(value, kernel_conversion.PendingSums):
        return value.moved(layer)
    copy = kernel_conversion.copy_of(layer)
    if isinstance(value, kernel_conversion.Codes):
        tensor = copy(value.tensor)
        return dataclasses.replace(value, tensor=tensor)
    return kernel_conversion.Floats(copy(conversion.floats(value).tensor))


def passed(conversion, layer, value):
    """A layer that does nothing in inference."""
    del conversion, layer
    return value


def concatenated(conversion, layer, *values):
    """A Concatenate of codes on one grid."""
    del conversion
    if not all(isinstance(value, kernel_conversion.Codes) for value in values):
        raise unknown(
            layer,
            "it joins what is not quantized: put a DoReFaActivation behind "
            "each of its inputs, or use float32",
        )
    first, *others = values
    for value in others:
        if value.grid != first.grid:
            raise unknown(
                layer,
                "its inputs lie on grids of 1/"
                f"{1 / first.grid.scale:.4g} and 1/{1 / value.grid.scale:.4g}: "
                "quantize them alike, or use float32",
            )
    tensor = kernel_conversion.copy_of(layer)(
        [value.tensor for value in values]
    )
    is_head = any(value.is_head for value in values)
    return kernel_conversion.Codes(tensor, first.grid, is_head=is_head)


def average(conversion, layer, value):
    """An average over all of height and width."""
    if not isinstance(value, kernel_conversion.Codes):
        copy = kernel_conversion.copy_of(layer)
        return kernel_conversion.Floats(copy(conversion.floats(value).tensor))
    means = PendingMeans(layer, value, flat=not layer.keepdims)
    if layer.keepdims:
        return means
    return means.moved(keras.layers.Flatten(name=f"{layer.name}_flat"))


def rounded_average(conversion, layer, value):
    """A RoundedAveragePooling2D: averages that stay on their grid."""
    if not isinstance(value, kernel_conversion.Codes):
        raise unknown(
            layer,
            "it reads what is not quantized: put a DoReFaActivation of 1 to 8 "
            "bits in front of it",
        )
    if not math.isclose(layer.scale, value.grid.scale, rel_tol=1e-6):
        raise unknown(
            layer,
            f"its scale is {layer.scale:.6g}, that of its input "
            f"{value.grid.scale:.6g}: make them equal, or use float32",
        )
    means = average_pool(conversion, layer, value)
    # In the trained layer halves go up by this much; see its docstring.
    nudge = 0.25 / math.prod(layer.pool_size) * value.grid.scale
    means = dataclasses.replace(means, offset=means.offset + nudge)
    return conversion.put_on_grid(means, value.grid, layer.name)


def average_pool(conversion, layer, value):
    """An average over windows."""
    if not isinstance(value, kernel_conversion.Codes):
        copy = kernel_conversion.copy_of(layer)
        return kernel_conversion.Floats(copy(conversion.floats(value).tensor))
    if layer.padding != "valid" and not _fills(layer, value.tensor.shape):
        raise unknown(
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
