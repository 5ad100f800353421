"""Runs the layers of a float network, on every processor.

Without oneDNN TensorFlow refuses depthwise convolutions with unequal strides;
those of Keras' own layers are computed here in an equal form.
"""

import keras
from keras import layers

from qmia_tf.layers.portable_convolutions import are_unequal, depthwise_conv2d
from qmia_tf.qat import node_list as networks


def results(model, images):
    """What a network gives for images, in inference.

    Args:
        model: functional or Sequential keras.Model.
        images: float32 [N, ...], as it takes them.
    """
    if not any(map(_is_refused, model._flatten_layers())):
        return model(images, training=False)
    nodes = networks.read(model).nodes
    return run(nodes, images, lambda node, read: result(node.layer, read))


def result(layer, inputs):
    """What a layer gives in inference.

    Args:
        layer: keras.Layer.
        inputs: what it reads.
    """
    if not _is_refused(layer):
        return layer(inputs, training=False)
    return layer.activation(sums(layer, inputs))


def _is_refused(layer):
    """Whether not every processor computes a layer of Keras' own."""
    kinds = (layers.DepthwiseConv2D, layers.SeparableConv2D)
    return type(layer) in kinds and are_unequal(layer.strides)


def sums(layer, inputs):
    """A kernel's sums, without its activation where strides are unequal.

    Args:
        layer: keras.Layer.
        inputs: float tensor as it takes them.
    """
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
    """A depthwise convolution with the strides and padding of a layer.

    Args:
        layer: keras.layers.DepthwiseConv2D or SeparableConv2D.
        kernel: its depthwise kernel.
        inputs: float tensor as it takes them.
    """
    return depthwise_conv2d(
        inputs,
        keras.ops.convert_to_tensor(kernel),
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def run(nodes, images, step):
    """Computes node by node; a result is dropped behind its last reader.

    Args:
        nodes: of network.Network.
        images: float32 [N, ...].
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
