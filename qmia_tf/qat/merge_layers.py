"""How sums and concatenations are rewritten."""

import math

from keras import layers

from qmia_tf import layers as ours
from qmia_tf.models.resnet import GAMMA
from qmia_tf.qat.quantized_values import Value
from qmia_tf.quantizers.grids import steps

NO_NORM_BRANCH = (
    "a branch without a batch norm is rounded and clipped, which DoReFa needs "
    "one for: put a BatchNormalization in front of the sum, or use "
    "insert_batch_norm=True"
)


def add(walk, node, *read):
    """Add, with the ReLU behind it if there is one."""
    relu = walk.coming_relu(node)
    if walk.is_last(node) and relu is None:
        return walk.alone(node, read)
    on_grids = all(value.kind in ("unit", "signed", "sums") for value in read)
    if walk.widths.linear is None or not on_grids:
        read = walk.in_floats(node, read)
        walk.log(node, "kept, sums of floats")
        tensor = walk.copied(node, [value.tensor for value in read])
        return Value(tensor, "sums", node.name, normed=True)
    bits = relu and walk.widths.activation(relu.name)
    if relu is None or bits > 8:
        walk.log(node, "kept")
        return walk.signed(_chain(walk, node, read), node.name)
    fused = _fused(walk, node, read, relu, bits)
    if fused is None:
        total = _chain(walk, node, read)
        fused, _ = walk.activated(total, bits, relu.name, relu)
        walk.log(node, f"kept; {relu.name} rounds the sum to {bits} bits")
    walk.closed[relu.name] = f"{bits}-bit activation, of {node.name}"
    return fused


def _fused(walk, node, read, relu, bits):
    """DoReFaAdd, where each linear addend is read by this sum alone."""
    if len(read) != 2 or node.inputs[0] == node.inputs[1]:
        return None
    order = sorted(read, key=lambda value: value.kind, reverse=True)
    kinds = [value.kind for value in order]
    if kinds not in (["unit", "sums"], ["sums", "sums"]):
        return None
    for value, source in zip(read, node.inputs, strict=True):
        if value.kind == "sums" and len(walk.readers[source]) > 1:
            return None
    warning = ""
    tensors = []
    for value in order:
        if value.kind == "sums" and not value.normed:
            value, warning = walk.normed(value, GAMMA, 0.0, NO_NORM_BRANCH)
        tensors.append(value.tensor)
    layer = ours.DoReFaAdd(
        bits,
        projection=kinds[0] == "sums",
        name=relu.name,
        dtype=node.layer.dtype_policy,
    )
    walk.written.limits[relu.name] = 1.0
    what = f"summed, clipped and rounded to {bits} bits by {relu.name}"
    walk.log(node, what, warning=warning)
    return Value(layer(tensors), "unit", relu.name, 1.0 / steps(bits))


def _chain(walk, node, read):
    """Sums two by two on the signed grid, the last sum not rounded yet."""
    ready = [
        walk.signed(value, source)
        for value, source in zip(read, node.inputs, strict=True)
    ]
    total, *rest = ready
    for place, value in enumerate(rest, 1):
        final = place == len(rest)
        name = node.name if final else f"{node.name}_{place}"
        layer = layers.Add(name=name, dtype=node.layer.dtype_policy)
        tensor = layer([total.tensor, value.tensor])
        total = Value(tensor, "sums", name, normed=True)
        if not final:
            total = walk.on_signed_grid(total, f"{name}_signed")
    return total


def concatenate(walk, node, *read):
    """Concatenate, its inputs on one grid."""
    if walk.is_last(node):
        return walk.alone(node, read)
    ready = [
        walk.signed(value, source)
        for value, source in zip(read, node.inputs, strict=True)
    ]
    kinds = {value.kind for value in ready}
    if kinds == {"unit", "signed"}:
        ready = [
            walk.on_signed_grid(value, f"{node.name}_{place}_signed")
            if value.kind == "unit"
            else value
            for place, value in enumerate(ready)
        ]
        kinds = {"signed"}
    tensor = walk.copied(node, [value.tensor for value in ready])
    if len(kinds) > 1 or None in {value.steps for value in ready}:
        walk.log(node, "kept, of floats")
        return Value(tensor, "float", node.name)
    scales = {value.scale for value in ready}
    warning = ""
    if len(scales) > 1:
        warning = "inputs on different grids: int8 files cannot hold it"
    walk.log(node, "kept", warning=warning)
    common = 1.0 / math.lcm(*(value.steps for value in ready))
    scale = scales.pop() if len(scales) == 1 else common
    return Value(tensor, kinds.pop(), node.name, scale)
