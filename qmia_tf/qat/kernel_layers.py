"""How convolutions, dense layers and batch norms are rewritten."""

import keras
import numpy as np
from keras import layers

from qmia_tf import layers as ours
from qmia_tf.errors import InputError
from qmia_tf.qat.network_conversion import LINEAR_GAMMA
from qmia_tf.qat.other_layers import INT8_CANNOT
from qmia_tf.qat.quantized_values import KERNELS, Value, is_rectifier
from qmia_tf.quantizers.grids import FLOAT_BITS

GROUPS = (
    "a convolution in groups, which int8 files cannot hold, float32 files "
    "can; a DepthwiseConv2D has one group a channel"
)
# What the two parts of a separable convolution have from it.
SHARED = ("trainable", "dtype", "data_format")
WINDOWS = ("kernel_size", "strides", "padding", "dilation_rate")


def kernel(conversion, node, value):
    """Conv2D, DepthwiseConv2D or Dense, with the activation it may have."""
    value = conversion.signed(value, node.inputs[0])
    layer = node.layer
    config = {**layer.get_config(), "name": node.name}
    closing, own = _activation(conversion, node)
    config["activation"] = own
    kind, weights = KERNELS[type(layer)], layer.get_weights()
    tensor, what = _quantized(conversion, node, kind, config, value, weights)
    conversion.written.kernels[node.name] = (node.name, node.inputs[0])
    value = _ended(conversion, node, tensor, node.name, closing, own, what)
    if getattr(layer, "groups", 1) != 1:
        conversion.log(node, "", warning=GROUPS)
    return value


def separable(conversion, node, value):
    """SeparableConv2D, as a depthwise convolution and one of 1x1."""
    value = conversion.signed(value, node.inputs[0])
    layer = node.layer
    config = layer.get_config()
    depthwise, pointwise, *bias = layer.get_weights()
    name = f"{node.name}_depthwise"
    first = {
        **_picked(config, *SHARED, *WINDOWS, "depth_multiplier"),
        "use_bias": False,
        "name": name,
    }
    kind = ours.DoReFaDepthwiseConv2D
    tensor, what = _quantized(
        conversion, node, kind, first, value, [depthwise], last=False
    )
    value = _between(conversion, tensor, name)
    closing, own = _activation(conversion, node)
    second = {
        **_picked(config, *SHARED, "filters", "use_bias"),
        "kernel_size": 1,
        "activation": own,
        "name": f"{node.name}_pointwise",
    }
    weights = [pointwise, *bias]
    tensor, also = _quantized(
        conversion, node, ours.DoReFaConv2D, second, value, weights, first=False
    )
    conversion.written.kernels[second["name"]] = (node.name, name)
    what = f"{name}, {what}; {second['name']}, {also}"
    return _ended(conversion, node, tensor, second["name"], closing, own, what)


def norm(conversion, node, value):
    """BatchNormalization, as it is."""
    source = node.inputs[0]
    if value.kind == "sums" and len(conversion.readers[source]) == 1:
        conversion.written.kernels.pop(value.maker, None)
    changes = {}
    if conversion.settings.full_norms:
        changes = {"center": True, "scale": True}
    layer = node.layer
    config = {**layer.get_config(), "name": node.name, **changes}
    copy = layers.BatchNormalization.from_config(config)
    copy.build(value.tensor.shape)
    tensor = conversion.carried(copy, value.tensor, _completed(layer, copy))
    warning = ""
    if value.kind in ("unit", "signed"):
        warning = (
            "batch norm behind an activation or a sum, not behind a "
            "convolution: int8 files may not be able to hold it"
        )
    conversion.written.norms.append(node.name)
    conversion.log(node, "kept", warning=warning)
    return Value(tensor, "sums", node.name, normed=True)


def _completed(layer, copy):
    """A batch norm's weights, those that it lacks as the copy has them."""
    known = {weight.name: weight for weight in layer.weights}
    return [np.asarray(known.get(x.name, x)) for x in copy.weights]


def _activation(conversion, node):
    """Returns the bits that close a kernel's sums, or None, and what it keeps.

    What it keeps is an activation function.
    """
    function = node.layer.activation
    bits = conversion.widths.activation(node.name)
    closes = is_rectifier(function) and bits < FLOAT_BITS
    if closes and not conversion.is_last(node):
        return bits, keras.activations.linear
    return None, function


def _quantized(
    conversion, node, kind, config, value, weights, first=True, last=True
):
    """Calls the quantized layer; gives its result and what it is."""
    bits = conversion.widths.bits
    edge = (first and not conversion.kernel_before[node.name]) or (
        last and conversion.is_last(node)
    )
    width = conversion.widths.weight(node.name)
    if width is None:
        width = bits.first_last if edge else bits.weight
    if edge and width < 2:
        raise InputError(
            f"layer {node.name!r} is the first or the last one: its "
            "weight_bits must be in 2..32, got 1"
        )
    conversion.count += 1
    layer = kind.from_config(
        {
            **config,
            "weight_bits": width,
            "weight_quantizer": "symmetric" if edge else "dorefa",
            "gradient_bits": FLOAT_BITS if edge else bits.gradient,
            "input_steps": value.steps,
            "seed": conversion.settings.seed * 1000 + conversion.count,
        }
    )
    tensor = conversion.carried(layer, value.tensor, weights)
    if width == FLOAT_BITS:
        return tensor, "float weights"
    grid = "symmetric, first or last layer" if edge else "DoReFa"
    return tensor, f"{width}-bit weights ({grid})"


def _ended(conversion, node, tensor, name, closing, own, what):
    """Closes sums by the layer's own activation, if it has one."""
    warning = ""
    kind = "sums" if own is keras.activations.linear else "float"
    if conversion.is_last(node):
        kind = "float"
    value = Value(tensor, kind, name)
    if closing is not None:
        value, warning = conversion.activated(
            value, closing, f"{node.name}_relu", node
        )
        what = f"{what}; {value.maker}, {closing}-bit activation"
    elif kind == "float" and not conversion.is_last(node):
        what = f"{what}; activation {keras.activations.serialize(own)} kept"
        warning = "" if is_rectifier(own) else INT8_CANNOT
    conversion.log(node, what, warning=warning)
    return value


def _picked(config, *keys):
    return {key: config[key] for key in keys}


def _between(conversion, tensor, name):
    """The middle of a separable convolution: normed, on the signed grid."""
    if (
        conversion.widths.linear is None
        and conversion.widths.bits.weight == FLOAT_BITS
    ):
        return Value(tensor, "float", name)
    value, _ = conversion.normed(
        Value(tensor, "sums", name), LINEAR_GAMMA, 0.0, "", always=True
    )
    if conversion.widths.linear is None:
        return value
    rounded = conversion.on_signed_grid(value, f"{name}_signed")
    conversion.written.limits[name] = 127 * rounded.scale
    return rounded
