"""The graph of a tf_keras model, drawn with Keras 3's layers, to be read.

What a model says of itself is read off the layers of Keras 3. A sketch has a
layer for each of a tf_keras model's, of the same name and in the same order:
those that say something with their settings, all others as stand-ins that
know their names and activations. It computes nothing. Models inside the
model are taken apart, and tfmot's wrappers are taken off.
"""

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from qmia_tf.models import graph as graphs

# Layers that a sketch has as they are: the settings they need.
ALIKE = {
    "Flatten": (),
    "Permute": ("dims",),
    "Rescaling": ("scale", "offset"),
    "Reshape": ("target_shape",),
    "Softmax": ("axis",),
}
WRAPPERS = (
    "ClusterWeights",
    "PruneLowMagnitude",
    "QuantizeAnnotate",
    "QuantizeWrapper",
    "QuantizeWrapperV2",
)
# Quantization-aware training's first layer, which rounds the pixels.
PASSES = {"QuantizeLayer": "Identity"}
OF_TENSORFLOW = {
    "softmax": tf.nn.softmax,
    "sigmoid": tf.nn.sigmoid,
    "relu": tf.nn.relu,
}


class StandIn:
    """A layer that is drawn by its name and activation alone."""

    def __init__(self, activation, name):
        self.activation = activation
        self.name = name


def draw(model: tf_keras.Model) -> graphs.Graph:
    """Draws a functional or Sequential model with Keras 3's layers."""
    inputs = [_tensor(tensor) for tensor in model.inputs]
    calls = [
        graphs.Call(keras.layers.InputLayer(input_tensor=tensor), (), (tensor,))
        for tensor in inputs
    ]
    outputs = _drawn(model, inputs, calls)
    return graphs.Graph(model.name, tuple(inputs), tuple(outputs), tuple(calls))


def _drawn(model, inputs, calls):
    """Draws what a model makes of its inputs; lists the calls."""
    graph = graphs.read(model)
    known = dict(zip(map(id, graph.inputs), inputs, strict=True))
    for call in graph.calls:
        if not call.inputs:
            continue
        read = [known[id(tensor)] for tensor in call.inputs]
        if graphs.has_graph(call.layer):
            drawn = _drawn(call.layer, read, calls)
        else:
            drawn = [_tensor(tensor) for tensor in call.outputs]
            layer = _layer(call.layer, read, drawn)
            calls.append(graphs.Call(layer, tuple(read), tuple(drawn)))
        known.update(zip(map(id, call.outputs), drawn, strict=True))
    return [known[id(tensor)] for tensor in graph.outputs]


def _layer(layer, read, drawn):
    """Draws one layer, that makes these tensors of those."""
    while type(layer).__name__ in WRAPPERS:
        layer = layer.layer
    kind, name = type(layer).__name__, layer.name
    activation = _activation(getattr(layer, "activation", None))
    common = {"name": name, "dtype": drawn[0].dtype}
    if kind in ALIKE and isinstance(layer, getattr(tf_keras.layers, kind)):
        settings = {key: getattr(layer, key) for key in ALIKE[kind]}
        return getattr(keras.layers, kind)(**settings, **common)
    if isinstance(layer, tf_keras.layers.Normalization):
        mean, variance = np.asarray(layer.mean), np.asarray(layer.variance)
        sizes = [mean.shape[axis] for axis in layer.axis]
        norm = keras.layers.Normalization(
            tuple(layer.axis),
            mean=mean.reshape(sizes),
            variance=variance.reshape(sizes),
            **common,
        )
        norm.build(read[0].shape)
        return norm
    if isinstance(layer, tf_keras.layers.Activation) and activation:
        return keras.layers.Activation(activation, **common)
    return type(PASSES.get(kind, kind), (StandIn,), {})(activation, name)


def _tensor(tensor):
    """Keras 3's; of one open axis where not even their number is known."""
    is_open = tensor.shape.rank is None
    shape = (None,) if is_open else tuple(tensor.shape)
    return keras.KerasTensor(shape, tensor.dtype.name)


def _activation(function):
    """Keras 3's function of the same name; None if it is not Keras' own."""
    # Of quantization-aware training: the function is inside.
    function = getattr(function, "activation", function)
    name = getattr(function, "__name__", None)
    for known, theirs in OF_TENSORFLOW.items():
        if function is theirs:
            name = known
    stock = getattr(tf_keras.activations, str(name), None)
    if function is not stock and name not in OF_TENSORFLOW:
        return None
    return getattr(keras.activations, str(name), None)
