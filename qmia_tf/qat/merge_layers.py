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


def add(conversion, node, *read):
    """Add, with the ReLU behind it if there is one."""
    relu = conversion.coming_relu(node)
    if conversion.is_last(node) and relu is None:
        return conversion.alone(node, read)
    on_grids = all(value.kind in ("unit", "signed", "sums") for value in read)
    if conversion.widths.linear is None or not on_grids:
        read = conversion.in_floats(node, read)
        conversion.log(node, "kept, sums of floats")
        tensor = conversion.copied(node, [value.tensor for value in read])
        return Value(tensor, "sums", node.name, normed=True)
    bits = relu and conversion.widths.activation(relu.name)
    if relu is None or bits > 8:
        conversion.log(node, "kept")
        return conversion.signed(_chain(conversion, node, read), node.name)
    fused = _fused(conversion, node, read, relu, bits)
    if fused is None:
        total = _chain(conversion, node, read)
        fused, _ = conversion.activated(total, bits, relu.name, relu)
        conversion.log(node, f"kept; {relu.name} rounds the sum to {bits} bits")
    conversion.closed[relu.name] = f"{bits}-bit activation, of {node.name}"
    return fused


def _fused(conversion, node, read, relu, bits):
    """DoReFaAdd, where each linear addend is read by this sum alone."""
    if len(read) != 2 or node.inputs[0] == node.inputs[1]:
        return None
    order = sorted(read, key=lambda value: value.kind, reverse=True)
    kinds = [value.kind for value in order]
    if kinds not in (["unit", "sums"], ["sums", "sums"]):
        return None
    for value, source in zip(read, node.inputs, strict=True):
        if value.kind == "sums" and len(conversion.readers[source]) > 1:
            return None
    warning = ""
    tensors = []
    for value in order:
        if value.kind == "sums" and not value.normed:
            value, warning = conversion.normed(
                value, GAMMA, 0.0, NO_NORM_BRANCH
            )
        tensors.append(value.tensor)
    layer = ours.DoReFaAdd(
        bits,
        projection=kinds[0] == "sums",
        name=relu.name,
        dtype=node.layer.dtype_policy,
    )
    conversion.written.limits[relu.name] = 1.0
    what = f"summed, clipped and rounded to {bits} bits by {relu.name}"
    conversion.log(node, what, warning=warning)
    return Value(layer(tensors), "unit", relu.name, 1.0 / steps(bits))


def _chain(conversion, node, read):
    """Sums two by two on the signed grid, the last sum not rounded yet."""
    ready = [
        conversion.signed(value, source)
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
            total = conversion.on_signed_grid(total, f"{name}_signed")
    return total


def concatenate(conversion, node, *read):
    """Concatenate, its inputs on one grid."""
    if conversion.is_last(node):
        return conversion.alone(node, read)
    ready = [
        conversion.signed(value, source)
        for value, source in zip(read, node.inputs, strict=True)
    ]
    kinds = {value.kind for value in ready}
    if kinds == {"unit", "signed"}:
        ready = [
            conversion.on_signed_grid(value, f"{node.name}_{place}_signed")
            if value.kind == "unit"
            else value
            for place, value in enumerate(ready)
        ]
        kinds = {"signed"}
    tensor = conversion.copied(node, [value.tensor for value in ready])
    if len(kinds) > 1 or None in {value.steps for value in ready}:
        conversion.log(node, "kept, of floats")
        return Value(tensor, "float", node.name)
    scales = {value.scale for value in ready}
    warning = ""
    if len(scales) > 1:
        warning = "inputs on different grids: int8 files cannot hold it"
    conversion.log(node, "kept", warning=warning)
    common = 1.0 / math.lcm(*(value.steps for value in ready))
    scale = scales.pop() if len(scales) == 1 else common
    return Value(tensor, kinds.pop(), node.name, scale)
