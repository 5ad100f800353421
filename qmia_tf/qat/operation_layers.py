"""Operations on tensors, such as x / 127.5 - 1, as the layers they amount to.

What has no layer, such as x[..., ::-1], stays an operation.
"""

import collections
import dataclasses
import math

import numpy as np
from keras import layers

from qmia_tf.qat.operations import Operation


def as_layers(nodes: list) -> list:
    """Puts layers in the places of operations that amount to one.

    x + y becomes Add, what adds and multiplies by constants one Rescaling,
    relu6(x + 3) / 6 a hard sigmoid, an average over the picture a
    GlobalAveragePooling2D.

    Args:
        nodes: of node_list.Node, in an order to compute them.
    Returns: such a list; the names of results that are read stay.
    """
    network = _Operations()
    for node in nodes:
        network.nodes[node.name] = node
        network.counts.update(node.inputs)
        if isinstance(node.layer, Operation):
            layer = _layer(node.layer, node.name)
            if layer is not None:
                network.made.add(node.name)
                network.replace(node, layer)
    # First all sums and products in a row: only then is it known whether a
    # quotient by 6 is one.
    for join in (_join_rescalings, _find_hard_sigmoid):
        for name in list(network.nodes):
            join(network, network.nodes.get(name))
    return list(network.nodes.values())


@dataclasses.dataclass
class _Operations:
    """The nodes by name; how often each is read; those made of operations."""

    nodes: dict = dataclasses.field(default_factory=dict)
    counts: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    made: set = dataclasses.field(default_factory=set)

    def replace(self, node, layer, *without):
        """Puts a layer in the place of a node and of those in front of it."""
        inputs = without[0].inputs if without else node.inputs
        self.nodes[node.name] = dataclasses.replace(
            node, layer=layer, inputs=inputs
        )
        for gone in without:
            del self.nodes[gone.name]

    def source(self, node):
        """The node that another one reads, alone; else None."""
        name = node.inputs[0]
        return self.nodes[name] if self.counts[name] == 1 else None

    def is_rescaling(self, node):
        """Whether a node is a Rescaling that was an operation."""
        return (
            node is not None
            and node.name in self.made
            and type(node.layer) is layers.Rescaling
        )


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


def _join_rescalings(network, node):
    """Makes one Rescaling of two in a row."""
    if network.is_rescaling(node):
        source = network.source(node)
        if network.is_rescaling(source):
            network.replace(node, _in_one(source.layer, node.layer), source)


def _in_one(first, second):
    scale = np.multiply(first.scale, second.scale)
    offset = np.add(np.multiply(first.offset, second.scale), second.offset)
    return layers.Rescaling(
        scale.tolist(),
        offset.tolist(),
        name=second.name,
        dtype=second.dtype_policy,
    )


def _find_hard_sigmoid(network, node):
    """Finds relu6(x + 3) / 6; as a ReLU6 it would be clipped to [0, 1]."""
    if not _rescales(network, node, 1 / 6, 0.0):
        return
    middle = network.source(node)
    is_relu6 = middle is not None and (
        type(middle.layer) is layers.ReLU
        and middle.layer.max_value == 6
        and not middle.layer.negative_slope
        and not middle.layer.threshold
    )
    if not is_relu6:
        return
    first = network.source(middle)
    if _rescales(network, first, 1.0, 3.0):
        layer = layers.Activation(
            "hard_sigmoid", name=node.name, dtype=node.layer.dtype_policy
        )
        network.replace(node, layer, first, middle)


def _rescales(network, node, scale, offset):
    return (
        network.is_rescaling(node)
        and np.ndim(node.layer.scale) == np.ndim(node.layer.offset) == 0
        and math.isclose(node.layer.scale, scale, rel_tol=1e-6)
        and math.isclose(node.layer.offset, offset, abs_tol=1e-6)
    )
