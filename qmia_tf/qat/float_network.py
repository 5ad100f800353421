"""Runs the layers of a float network, on every processor.

Without oneDNN TensorFlow refuses depthwise convolutions with unequal strides;
those of Keras' own layers are computed here in an equal form.
"""

import keras
import numpy as np
from keras import layers

from qmia_tf.layers.portable_convolutions import are_unequal, depthwise_conv2d
from qmia_tf.qat import node_list


def results(model: keras.Model, images: np.ndarray):
    """Returns what a network gives for images as it takes them, inference."""
    if not any(map(_is_refused, model._flatten_layers())):
        return model(images, training=False)
    nodes = node_list.read(model).nodes
    return run(nodes, images, lambda node, read: result(node.layer, read))


def result(layer, inputs):
    """Returns what a layer gives for what it reads, in inference."""
    if not _is_refused(layer):
        return layer(inputs, training=False)
    return layer.activation(sums(layer, inputs))


def _is_refused(layer):
    """Whether not every processor computes a layer of Keras' own."""
    kinds = (layers.DepthwiseConv2D, layers.SeparableConv2D)
    return type(layer) in kinds and are_unequal(layer.strides)


def sums(layer, inputs):
    """Returns a kernel's sums, without activation where strides are unequal."""
    if not _is_refused(layer):
        return layer(inputs)
    if type(layer) is layers.DepthwiseConv2D:
        convolved = depthwise(layer, layer.kernel, inputs)
    else:
        between = depthwise(layer, layer.depthwise_kernel, inputs)
        convolved = keras.ops.conv(
            between, layer.pointwise_kernel, data_format=layer.data_format
        )
    return convolved + layer.bias if layer.use_bias else convolved


def depthwise(layer, kernel, inputs):
    """Convolves by a depthwise kernel with a layer's strides and padding."""
    return depthwise_conv2d(
        inputs,
        keras.ops.convert_to_tensor(kernel),
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def run(nodes: list, images, step):
    """Computes node by node; a result is dropped behind its last reader.

    Args:
        nodes: of node_list.Node.
        step: callable, (node, what it reads) -> its result.
    Returns: the last node's result.
    """
    last = {name: node for node in nodes for name in node.inputs}
    values = {nodes[0].name: images}
    for node in nodes[1:]:
        read = [values[name] for name in node.inputs]
        read = read if node.listed else read[0]
        values[node.name] = step(node, read)
        for name in node.inputs:
            if last[name] is node:
                values.pop(name, None)
    return values[nodes[-1].name]


def channel_moments(norm, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and variance of each channel that a batch norm norms."""
    axis = norm.axis if isinstance(norm.axis, int) else norm.axis[0]
    other_axes = tuple({*range(values.ndim)} - {axis % values.ndim})
    return values.mean(other_axes), values.var(other_axes)
