"""Ops that compute, of integers or floats; see deploy.integer.int8_file."""

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.deploy.integer.movement_ops import PADDINGS, strides

ACTIVATIONS = schema.ActivationFunctionType


def to_levels(file, layer, source):
    """From uint8 codes to int8 codes, or from floats."""
    target = file.output(layer, layer.grid)
    version = 1 if source.grid is None else 2
    return file.add_op(
        "QUANTIZE",
        [source],
        target,
        version=version,
        options="QuantizeOptions",
    )


def from_levels(file, layer, source):
    """int8 codes to floats; at the network's end they stay codes."""
    if layer.name == file.twin.layers[-1].name:
        return source
    target = file.output(layer)
    return file.add_op(
        "DEQUANTIZE",
        [source],
        target,
        version=2,
        options="DequantizeOptions",
    )


def conv(file, layer, source):
    """A convolution, of integers or floats."""
    kernel = np.asarray(layer.kernel).transpose(3, 0, 1, 2)
    return file.add_op(
        "CONV_2D",
        [source, *file.constants(layer, kernel)],
        file.output(layer, getattr(layer, "grid", None)),
        version=3 if kernel.dtype == np.int8 else 1,
        options="Conv2DOptions",
        **_windows(layer),
    )


def depthwise(file, layer, source):
    """A depthwise convolution, of integers or floats."""
    kernel = np.asarray(layer.kernel)
    multiple = kernel.shape[3]
    kernel = kernel.reshape(1, *kernel.shape[:2], -1)
    return file.add_op(
        "DEPTHWISE_CONV_2D",
        [source, *file.constants(layer, kernel, axis=3)],
        file.output(layer, getattr(layer, "grid", None)),
        version=3 if kernel.dtype == np.int8 else 2,
        options="DepthwiseConv2DOptions",
        depthMultiplier=multiple,
        **_windows(layer),
    )


def dense(file, layer, source):
    """A dense layer, of integers or floats."""
    kernel = np.asarray(layer.kernel).T
    return file.add_op(
        "FULLY_CONNECTED",
        [source, *file.constants(layer, kernel)],
        file.output(layer, getattr(layer, "grid", None)),
        # Version 12 is the first with a scale for every channel.
        version=12 if kernel.dtype == np.int8 else 1,
        options="FullyConnectedOptions",
        fusedActivationFunction=_activation(layer),
        keepNumDims=len(source.shape) > 1,
    )


def add(file, layer, first, second):
    """A sum of two int8 tensors."""
    return file.add_op(
        "ADD",
        [first, second],
        file.output(layer, layer.grid),
        version=2,
        options="AddOptions",
        fusedActivationFunction=_activation(layer),
    )


def softmax(file, layer, source):
    """A softmax, of integers or floats."""
    grid = getattr(layer, "grid", None)
    return file.add_op(
        "SOFTMAX",
        [source],
        file.output(layer, grid),
        version=1 if grid is None else 2,
        options="SoftmaxOptions",
        beta=1.0,
    )


def _activation(layer):
    """Fused RELU where the lowest level is zero, as above int8's own end."""
    grid = getattr(layer, "grid", None)
    if grid is None:
        is_relu = getattr(layer, "activation", None) is keras.activations.relu
    else:
        is_relu = grid.low == grid.zero_point
    return ACTIVATIONS.RELU if is_relu else ACTIVATIONS.NONE


def _windows(layer):
    return {
        "padding": PADDINGS[layer.padding],
        "dilationHFactor": layer.dilation_rate[0],
        "dilationWFactor": layer.dilation_rate[1],
        "fusedActivationFunction": _activation(layer),
        **strides(layer),
    }
