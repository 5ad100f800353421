"""Operations on tensors, such as x / 127.5 - 1, as the layers they amount to.

What has no layer, such as x[..., ::-1], stays an operation.
"""

import dataclasses
import math

import numpy as np
from keras import layers

from qmia_tf.qat.operations import Operation


def as_layers(nodes):
    """Puts layers in the places of operations that amount to one.

    x + y becomes Add, what adds and multiplies by constants one Rescaling,
    relu6(x + 3) / 6 a hard sigmoid, an average over the picture a
    GlobalAveragePooling2D.

    Args:
        nodes: list of network.Node, in an order to compute them.
    Returns: such a list; the names of results that are read stay.
    """
    from_operations = set()
    written = []
    for node in nodes:
        if isinstance(node.layer, Operation):
            layer = _layer(node.layer, node.name)
            if layer is not None:
                from_operations.add(node.name)
                node = dataclasses.replace(node, layer=layer)
        written.append(node)
    return _hard_sigmoids(_joined(written, from_operations), from_operations)


def _layer(operation, name):
    """The layer that an operation amounts to, or None."""
    kind, tensors = operation.kind, operation.tensors
    if not type(operation.operation).__module__.startswith("keras.src.ops."):
        return None
    # float16 stays float16 beside float32 layers.
    named = {"name": name, "dtype": _float(tensors[0].dtype)}
    if len(tensors) == 1 and (affine := _affine(operation)) is not None:
        scale, offset = (
            part.item() if part.size == 1 else part.tolist() for part in affine
        )
        return layers.Rescaling(scale, offset, **named)
    if operation.kwargs:
        return None
    if kind in JOINS and len({tensor.shape for tensor in tensors}) == 1:
        return JOINS[kind](**named) if len(tensors) == 2 else None
    if kind == "Concatenate" and len(operation.args) == 1:
        return layers.Concatenate(axis=operation.operation.axis, **named)
    if len(operation.args) != 1 or len(tensors) != 1:
        return None
    if kind in ACTIVATIONS:
        return ACTIVATIONS[kind](**named)
    if kind in POOLS and len(tensors[0].shape) == 4:
        pool = operation.operation
        axes = pool.axis if isinstance(pool.axis, (list, tuple)) else ()
        if sorted(axis % 4 for axis in axes) == [1, 2]:
            return POOLS[kind](keepdims=bool(pool.keepdims), **named)
    return None


JOINS = {
    "Add": layers.Add,
    "Subtract": layers.Subtract,
    "Multiply": layers.Multiply,
}
ACTIVATIONS = {
    "Relu": layers.ReLU,
    "Relu6": lambda **named: layers.ReLU(6.0, **named),
    "Sigmoid": lambda **named: layers.Activation("sigmoid", **named),
}
POOLS = {
    "Mean": layers.GlobalAveragePooling2D,
    "Max": layers.GlobalMaxPooling2D,
}


def _float(dtype):
    return dtype if "float" in dtype else None


def _affine(operation):
    """(scale, offset) where it multiplies and adds constants, else None."""
    args, kind = operation.args, operation.kind
    if operation.kwargs or len(args) > 2:
        return None
    one, zero = np.ones(()), np.zeros(())
    if kind == "Negative":
        return -one, zero
    (tensor,) = operation.tensors
    if len(args) != 2 or not any(arg is tensor for arg in args):
        return None
    first = args[0] is tensor
    constant = _constant(args[1] if first else args[0], tensor.shape)
    if constant is None:
        return None
    if kind == "Add":
        return one, constant
    if kind == "Subtract":
        return (one, -constant) if first else (-one, constant)
    if kind == "Multiply":
        return constant, zero
    if kind in ("TrueDivide", "Divide") and first and np.all(constant):
        return 1.0 / constant, zero
    return None


def _constant(value, shape):
    """A number, or one a channel, as float64; None for anything else."""
    try:
        value = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None
    if value.size == 1 and value.ndim <= len(shape):
        return value.reshape(())
    fits = 0 < value.ndim <= len(shape) and value.shape[-1] == shape[-1]
    if not fits or value.size != value.shape[-1]:
        return None
    return value.reshape(-1)


def _joined(nodes, from_operations):
    """Makes one Rescaling of those in a row that were operations."""
    counts = _counts(nodes)
    by_name, gone = {}, set()
    for place, node in enumerate(nodes):
        by_name[node.name] = place
        if (
            node.name not in from_operations
            or type(node.layer) is not layers.Rescaling
        ):
            continue
        source = nodes[by_name[node.inputs[0]]]
        if (
            source.name in from_operations
            and type(source.layer) is layers.Rescaling
            and counts[source.name] == 1
        ):
            layer = _in_one(source.layer, node.layer)
            nodes[place] = dataclasses.replace(
                node, layer=layer, inputs=source.inputs
            )
            gone.add(source.name)
    return [node for node in nodes if node.name not in gone]


def _in_one(first, second):
    scale = np.multiply(first.scale, second.scale)
    offset = np.add(np.multiply(first.offset, second.scale), second.offset)
    return layers.Rescaling(
        scale.tolist(),
        offset.tolist(),
        name=second.name,
        dtype=second.dtype_policy,
    )


def _hard_sigmoids(nodes, from_operations):
    """Finds relu6(x + 3) / 6 where the sum and the quotient were operations.

    As a ReLU6 it would be clipped to [0, 1].
    """
    counts = _counts(nodes)
    by_name = {node.name: node for node in nodes}
    written, gone = [], set()
    for node in nodes:
        ends = _hard_sigmoid(node, by_name, from_operations, counts)
        if ends is not None:
            first, middle = ends
            gone.update((first.name, middle.name))
            layer = layers.Activation(
                "hard_sigmoid", name=node.name, dtype=node.layer.dtype_policy
            )
            node = dataclasses.replace(node, layer=layer, inputs=first.inputs)
        written.append(node)
    return [node for node in written if node.name not in gone]


def _hard_sigmoid(node, by_name, from_operations, counts):
    """The sum and the ReLU6 in front of a quotient by 6, or None."""
    if not _rescales(node, from_operations, 1 / 6, 0.0):
        return None
    middle = by_name[node.inputs[0]]
    is_relu6 = type(middle.layer) is layers.ReLU and (
        middle.layer.max_value == 6
        and not middle.layer.negative_slope
        and not middle.layer.threshold
    )
    if not is_relu6 or counts[middle.name] != 1:
        return None
    first = by_name[middle.inputs[0]]
    if (
        not _rescales(first, from_operations, 1.0, 3.0)
        or counts[first.name] != 1
    ):
        return None
    return first, middle


def _rescales(node, from_operations, scale, offset):
    layer = node.layer
    return (
        node.name in from_operations
        and type(layer) is layers.Rescaling
        and np.ndim(layer.scale) == np.ndim(layer.offset) == 0
        and math.isclose(layer.scale, scale, rel_tol=1e-6)
        and math.isclose(layer.offset, offset, abs_tol=1e-6)
    )


def _counts(nodes):
    """How often each result is read."""
    counts = {node.name: 0 for node in nodes}
    for node in nodes:
        for name in node.inputs:
            counts[name] += 1
    return counts
