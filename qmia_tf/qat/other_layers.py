"""How pixels, activations, pooling and layers that only move are rewritten."""

import dataclasses

import keras
import numpy as np
from keras import layers

from qmia_tf import layers as ours
from qmia_tf.errors import InputError
from qmia_tf.qat.input_grid import grid_of, picks
from qmia_tf.qat.quantized_values import Value, is_mover
from qmia_tf.quantizers.grids import FLOAT_BITS, steps_of_scale

FLOATS = "left alone, its results are floats"
INT8_CANNOT = (
    "left in floats, and so is what reads it: int8 files cannot hold it, "
    "float32 files can"
)
# What needs no batch norm in front, because it is one of its own kind.
NORMS = (layers.LayerNormalization, layers.GroupNormalization)


def input_layer(conversion, node):
    """The input, in the range that the new network takes."""
    layer = node.layer
    tensor = keras.Input(
        batch_shape=layer.batch_shape, dtype=layer.dtype, name=node.name
    )
    pixel_range = conversion.settings.input_range
    value = Value(tensor, "pixels", node.name, pixel_range.grid)
    conversion.inputs = tensor
    if not pixel_range.moved:
        return value
    if pixel_range.low == 0 and _meets_rescaling(conversion, node):
        return dataclasses.replace(value, moved=True)
    scale, offset = pixel_range.high - pixel_range.low, pixel_range.low
    again = layers.Rescaling(scale, offset, name=f"{node.name}_rescaled")
    return dataclasses.replace(
        value,
        tensor=again(tensor),
        maker=again.name,
        scale=grid_of(scale, offset, value.scale),
    )


def _meets_rescaling(conversion, node):
    """Whether all that reads pixels is a Rescaling, moves between."""
    for reader in conversion.readers[node.name]:
        layer = reader.layer
        if is_mover(layer) or picks(layer):
            if not _meets_rescaling(conversion, reader):
                return False
        elif type(layer) is not layers.Rescaling:
            return False
    return bool(conversion.readers[node.name])


def rescaling(conversion, node, value):
    """Rescaling at the input, which sets the range of the pixels."""
    if value.kind != "pixels":
        return floats(conversion, node, [value])
    scale = np.asarray(node.layer.scale, np.float64)
    offset = np.asarray(node.layer.offset, np.float64)
    if not value.moved:
        grid = grid_of(scale, offset, value.scale)
        conversion.log(node, "kept: the model takes what it took", alone=True)
        tensor = conversion.copied(node, value.tensor)
        return Value(tensor, "pixels", node.name, grid)
    by = conversion.settings.input_range.high
    scale = scale * by
    grid = grid_of(scale, offset, value.scale)
    if np.allclose(scale, 1, rtol=1e-6) and not offset.any():
        conversion.log(node, "left out: the model takes pixels / 255")
        return dataclasses.replace(value, scale=grid, moved=False)
    what = f"scale times {by:g}: the model takes pixels / 255"
    conversion.log(node, what, alone=True)
    tensor = conversion.copied(node, value.tensor, scale=scale.tolist())
    return Value(tensor, "pixels", node.name, grid)


def operation(conversion, node, *read):
    """An operation on tensors that no layer stands for."""
    if picks(node.layer) and all(value.kind == "pixels" for value in read):
        tensors = [value.tensor for value in read]
        tensor = conversion.copied(node, tensors if node.listed else tensors[0])
        conversion.log(node, "kept, picks pixels", alone=True)
        return dataclasses.replace(read[0], tensor=tensor, maker=node.name)
    return floats(conversion, node, [*read])


def floats(conversion, node, read):
    """What nothing here quantizes, such as swish or a LayerNormalization."""
    if conversion.is_last(node):
        return conversion.alone(node, read, FLOATS)
    if type(node.layer) not in NORMS:
        read = conversion.in_floats(node, read)
    return conversion.alone(node, read, FLOATS, INT8_CANNOT)


def relu(conversion, node, value):
    """ReLU and ReLU6."""
    bits = conversion.widths.activation(node.name)
    if bits == FLOAT_BITS or conversion.is_last(node):
        tensor = conversion.copied(node, value.tensor)
        conversion.log(node, "kept", alone=True)
        return Value(tensor, "float", node.name)
    value, warning = conversion.activated(value, bits, node.name, node)
    conversion.log(node, f"{bits}-bit activation", warning=warning)
    return value


def moved(conversion, node, value):
    """Layers that pick, place or drop values without computing.

    A ReLU behind them is put in front: it comes to the same, and what moves
    is on a grid then.
    """
    coming = conversion.coming_relu(node) if value.kind == "sums" else None
    if coming is not None:
        bits = conversion.widths.activation(coming.name)
        value, warning = conversion.activated(value, bits, coming.name, coming)
        conversion.log(coming, f"{bits}-bit activation", warning=warning)
        conversion.closed[coming.name] = ""
    elif not conversion.is_last(node):
        value = conversion.signed(value, node.inputs[0])
    tensor = conversion.copied(node, value.tensor)
    conversion.log(node, "kept")
    return dataclasses.replace(value, tensor=tensor, maker=node.name)


def average(conversion, node, value):
    """AveragePooling2D and GlobalAveragePooling2D."""
    if conversion.is_last(node):
        return conversion.alone(node, [value])
    value = conversion.signed(value, node.inputs[0])
    whole = isinstance(node.layer, layers.GlobalAveragePooling2D)
    if value.scale is None or (whole and conversion.is_head(node)):
        tensor = conversion.copied(node, value.tensor)
        conversion.log(node, "kept, in floats")
        return Value(tensor, "float", node.name)
    if conversion.is_head(node) and _covers(
        node.layer, value, conversion, node
    ):
        pool = layers.GlobalAveragePooling2D(
            name=node.name, dtype=node.layer.dtype_policy
        )
        conversion.log(node, "GlobalAveragePooling2D, in floats")
        return Value(pool(value.tensor), "float", node.name)
    tensor = _rounded(node, value, whole)
    steps = steps_of_scale(value.scale)
    conversion.log(node, f"averages rounded to multiples of 1/{steps}")
    return dataclasses.replace(value, tensor=tensor, maker=node.name)


def _covers(layer, value, conversion, node):
    """Whether an average takes in everything, and is flattened next."""
    readers = conversion.readers[node.name]
    return (
        tuple(layer.pool_size) == tuple(value.tensor.shape[1:3])
        and len(readers) == 1
        and type(readers[0].layer) is layers.Flatten
    )


def _rounded(node, value, whole):
    layer = node.layer
    if not whole:
        config = {**layer.get_config(), "scale": value.scale}
        config["name"] = node.name
        return ours.RoundedAveragePooling2D.from_config(config)(value.tensor)
    size = value.tensor.shape[1:3]
    if None in size:
        raise InputError(
            f"layer {node.name!r} averages over a size that is not known: "
            "give the model a fixed input shape"
        )
    pool = ours.RoundedAveragePooling2D(
        size, scale=value.scale, name=node.name, dtype=layer.dtype_policy
    )
    tensor = pool(value.tensor)
    if layer.keepdims:
        return tensor
    return layers.Flatten(name=f"{node.name}_flat")(tensor)
