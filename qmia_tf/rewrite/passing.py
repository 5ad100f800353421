"""How pixels, activations, pooling and layers that only move are rewritten."""

import dataclasses
import math
from fractions import Fraction

import keras
import numpy as np
from keras import layers

from qmia_tf import layers as ours
from qmia_tf.errors import InputError
from qmia_tf.grids import FLOAT_BITS, steps_of_scale
from qmia_tf.rewrite.values import MOST_STEPS, Value

UNIT_PIXELS = 255
# A Rescaling by less than this is made for pixels from 0 to 255.
WHOLE_PIXELS = 0.1


def pixels(walk, node):
    """The input."""
    layer = node.layer
    tensor = keras.Input(
        batch_shape=layer.batch_shape, dtype=layer.dtype, name=node.name
    )
    n = walk.settings.input_steps
    return Value(tensor, "pixels", node.name, None if n is None else 1.0 / n)


def rescaling(walk, node, value):
    """Rescaling at the entrance, which sets the range of the pixels."""
    if value.kind != "pixels":
        return walk.alone(node, [value], "left alone, its results are floats")
    scale = np.asarray(node.layer.scale, np.float64)
    offset = np.asarray(node.layer.offset, np.float64)
    whole = bool(np.max(np.abs(scale)) < WHOLE_PIXELS)
    if not (whole and walk.settings.unit_pixels):
        walk.written.whole_pixels |= whole
        grid = _grid(scale, offset, 1.0 if whole else value.scale)
        walk.log(node, "kept: the model takes what it took", alone=True)
        tensor = walk.copied(node, value.tensor)
        return Value(tensor, "pixels", node.name, grid)
    scale = scale * UNIT_PIXELS
    grid = _grid(scale, offset, 1.0 / UNIT_PIXELS)
    if np.allclose(scale, 1, rtol=1e-6) and not offset.any():
        walk.log(node, "left out: the model takes pixels / 255")
        return dataclasses.replace(value, scale=grid)
    walk.log(node, "scale times 255: the model takes pixels / 255", alone=True)
    tensor = walk.copied(node, value.tensor, scale=scale.tolist())
    return Value(tensor, "pixels", node.name, grid)


def _grid(scale, offset, step):
    """The grid of scale * i * step + offset, i whole; None if there is none."""
    if scale.ndim or offset.ndim or step is None:
        return None
    exact = float(scale) * step, float(offset)
    parts = [Fraction(part).limit_denominator(MOST_STEPS) for part in exact]
    if any(
        abs(float(part) - want) > 1e-6 * abs(want)
        for part, want in zip(parts, exact, strict=True)
    ):
        return None
    n = math.lcm(*(part.denominator for part in parts))
    return 1.0 / n if n <= MOST_STEPS else None


def relu(walk, node, value):
    """ReLU and ReLU6."""
    bits = walk.widths.activation(node.name)
    if bits == FLOAT_BITS or walk.is_last(node):
        tensor = walk.copied(node, value.tensor)
        walk.log(node, "kept", alone=True)
        return Value(tensor, "float", node.name)
    value, warning = walk.activated(value, bits, node.name, node)
    walk.log(node, f"{bits}-bit activation", warning=warning)
    return value


def moved(walk, node, value):
    """Layers that pick, place or drop values without computing.

    A ReLU behind them is put in front: it comes to the same, and what moves
    is on a grid then.
    """
    coming = walk.coming_relu(node) if value.kind == "sums" else None
    if coming is not None:
        bits = walk.widths.activation(coming.name)
        value, warning = walk.activated(value, bits, coming.name, coming)
        walk.log(coming, f"{bits}-bit activation", warning=warning)
        walk.closed[coming.name] = ""
    elif not walk.is_last(node):
        value = walk.signed(value, node.inputs[0])
    tensor = walk.copied(node, value.tensor)
    walk.log(node, "kept")
    return dataclasses.replace(value, tensor=tensor, maker=node.name)


def average(walk, node, value):
    """AveragePooling2D and GlobalAveragePooling2D."""
    if walk.is_last(node):
        return walk.alone(node, [value])
    value = walk.signed(value, node.inputs[0])
    whole = isinstance(node.layer, layers.GlobalAveragePooling2D)
    if value.scale is None or (whole and walk.is_head(node)):
        tensor = walk.copied(node, value.tensor)
        walk.log(node, "kept, in floats")
        return Value(tensor, "float", node.name)
    if walk.is_head(node) and _covers(node.layer, value, walk, node):
        pool = layers.GlobalAveragePooling2D(
            name=node.name, dtype=node.layer.dtype_policy
        )
        walk.log(node, "GlobalAveragePooling2D, in floats")
        return Value(pool(value.tensor), "float", node.name)
    tensor = _rounded(node, value, whole)
    steps = steps_of_scale(value.scale)
    walk.log(node, f"averages rounded to multiples of 1/{steps}")
    return dataclasses.replace(value, tensor=tensor, maker=node.name)


def _covers(layer, value, walk, node):
    """Whether an average takes in everything, and is flattened next."""
    readers = walk.readers[node.name]
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
