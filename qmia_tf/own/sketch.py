"""The graph of a tf_keras model, drawn with Keras 3's layers, to be read.

What a model says of itself is read off the layers of Keras 3. A sketch has a
layer for each of a tf_keras model's, of the same name and in the same order:
those that say something with their settings, all others as stand-ins that
know their shapes and activations. It computes nothing. Models inside the
model are taken apart, and tfmot's wrappers are taken off.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
import tf_keras

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


@dataclasses.dataclass
class Sketch:
    """As much of a functional keras.Model as readers of one need.

    Attributes:
        inputs: list of KerasTensor.
        outputs: list of KerasTensor.
        operations: list of Keras 3 layers, a use of a layer each.
        name: the model's.
    """

    inputs: list
    outputs: list
    operations: list
    name: str

    @property
    def output_shape(self):
        """Of the first output."""
        return tuple(self.outputs[0].shape)


class StandIn(keras.layers.Layer):
    """A layer that is drawn by its name and shapes alone.

    Args:
        made: list of KerasTensor, what it gives.
        activation: one of keras.activations, None if it has none.
        name: of the layer.
    """

    def __init__(self, made, activation, name):
        super().__init__(name=name)
        self.activation = activation
        self._made = made
        self.built = True

    def compute_output_spec(self, *args):
        """Returns what was drawn, whatever goes in."""
        return self._made


def draw(model) -> Sketch:
    """Draws a tf_keras model.

    Args:
        model: functional or Sequential tf_keras.Model.
    """
    operations = []
    entries = [
        keras.Input(batch_shape=tuple(each.shape), dtype=each.dtype.name)
        for each in model.inputs
    ]
    outputs = _drawn(model, entries, operations)
    return Sketch(entries, outputs, operations, model.name)


def _drawn(model, entries, operations):
    """Draws what a model makes of its inputs; lists the layers."""
    known = {
        id(own): drawn for own, drawn in zip(model.inputs, entries, strict=True)
    }
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            read = [known[id(tensor)] for tensor in node.keras_inputs]
            made = tf.nest.flatten(node.outputs)
            if isinstance(node.layer, tf_keras.Model) and node.layer.inputs:
                drawn = _drawn(node.layer, read, operations)
            else:
                layer = _layer(node.layer, made)
                operations.append(layer)
                drawn = layer(read[0] if len(read) == 1 else read)
                drawn = drawn if isinstance(drawn, list) else [drawn]
            known.update(zip(map(id, made), drawn, strict=True))
    return [known[id(tensor)] for tensor in model.outputs]


def _layer(layer, made):
    """Draws one layer."""
    kind, name = type(layer).__name__, layer.name
    while kind in WRAPPERS:
        layer = layer.layer
        kind, name = type(layer).__name__, layer.name
    made = [keras.KerasTensor(_shape(t), t.dtype.name) for t in made]
    activation = _activation(getattr(layer, "activation", None))
    common = {"name": name, "dtype": made[0].dtype}
    if kind in ALIKE and isinstance(layer, getattr(tf_keras.layers, kind)):
        settings = {key: getattr(layer, key) for key in ALIKE[kind]}
        return getattr(keras.layers, kind)(**settings, **common)
    if isinstance(layer, tf_keras.layers.Normalization):
        mean, variance = np.asarray(layer.mean), np.asarray(layer.variance)
        sizes = [mean.shape[axis] for axis in layer.axis]
        return keras.layers.Normalization(
            tuple(layer.axis),
            mean=mean.reshape(sizes),
            variance=variance.reshape(sizes),
            **common,
        )
    if isinstance(layer, tf_keras.layers.Activation) and activation:
        return keras.layers.Activation(activation, **common)
    drawn = type(PASSES.get(kind, kind), (StandIn,), {})
    return drawn(made if len(made) > 1 else made[0], activation, name)


def _shape(tensor):
    """Of a tensor; one open axis where not even their number is known."""
    return (None,) if tensor.shape.rank is None else tuple(tensor.shape)


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
