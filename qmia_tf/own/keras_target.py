"""A Keras model of one's own, as a file or in memory, opened as a target."""

import keras
import numpy as np
import tensorflow as tf

from qmia_tf import keras_files
from qmia_tf.errors import InputError
from qmia_tf.own import entrance, range_choice
from qmia_tf.own.preprocessing import InputFacts
from qmia_tf.own.target import PROBABILITIES, OwnTarget, chosen_outputs
from qmia_tf.targets import PIXEL_STEPS

# What pixels pass through without their range being changed.
PASSED = (
    "Reshape",
    "Flatten",
    "Permute",
    "Resizing",
    "CenterCrop",
    "ZeroPadding2D",
    "Dropout",
    "Identity",
)
# What looks numbers up, or counts them: then they are no pixels.
INDEXED = (
    "Embedding",
    "ReversibleEmbedding",
    "TokenAndPositionEmbedding",
    "IntegerLookup",
    "StringLookup",
    "CategoryEncoding",
    "Hashing",
)
SOFTMAX, SIGMOID = keras.activations.softmax, keras.activations.sigmoid


def load(path) -> keras.Model:
    """Loads a .keras file in safe mode, for inference.

    Raises: InputError if it cannot be loaded; of a Lambda layer it says why.
    """
    try:
        model = keras_files.load(path)
    except InputError as error:
        if "lambda" not in str(error).lower():
            raise
        raise InputError(
            f"{path} has a Lambda layer, which is program code kept in the "
            "file; safe mode does not run code of a file: write the layer "
            "as a class or a Rescaling, or, if you trust the file, load it "
            "yourself and give the model to qmia_tf.audit"
        ) from error
    keras_files.freeze(model)
    return model


def open_model(model, *, name, told, numbers) -> OwnTarget:
    """Opens a Keras model.

    Args:
        model: keras.Model with one input and one output.
        name: the target's.
        told: target.Told.
        numbers: record_numbers.RecordNumbers of the records.
    Raises: InputError if the model is of another kind, or does not say what
        has to be known.
    """
    for what in ("inputs", "outputs"):
        count = len(getattr(model, what, None) or ())
        if count != 1:
            raise InputError(
                f"target {name!r} has {count} {what}; a classifier with one "
                "input and one output is needed"
                + (" (call the model once to build it)" if not count else "")
            )
    entry = model.inputs[0]
    dtype = np.dtype(entry.dtype)
    choice = range_choice.choose(
        numbers, _facts(model, dtype), told.pixels, name=name
    )
    read, where = _ending(model)
    outputs = chosen_outputs(read, told.outputs, name=name, where=where)
    shape = tuple(entry.shape)
    call = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec(shape, entry.dtype)],
    )

    def answer(records):
        values = entrance.fitted(records, shape[1:], name)
        return call(values.astype(dtype, copy=False)).numpy()

    info = {
        "target": name,
        "kind": "keras",
        "kernel_set": "keras",
        "outputs": outputs,
        "probability_step": 0.0,
        "pixels": choice.pixels,
    }
    return OwnTarget(
        info,
        answer,
        choice=choice,
        batch_size=shape[0] or 250,
        is_fixed=shape[0] is not None,
    )


def _facts(model, dtype):
    """What the model says of its input."""
    if dtype.kind != "f":
        return InputFacts(dtype)
    layers = _entered(model)[0]
    is_indexed = [type(layer).__name__ in INDEXED for layer in layers]
    moments = [
        (layer.mean, layer.variance)
        for layer in layers
        if isinstance(layer, keras.layers.Normalization)
    ]
    read, where = _range(model)
    return InputFacts(
        dtype,
        read,
        where,
        takes_indices=bool(layers) and all(is_indexed),
        moments=tuple(map(np.asarray, moments[0])) if moments else None,
    )


def _range(model):
    """Reads the range of pixels off the first layers; and what said it."""
    for layer in _entered(model)[0]:
        read = None
        if isinstance(layer, keras.layers.Rescaling):
            read = entrance.of_rescaling(layer.scale)
        elif isinstance(layer, keras.layers.Normalization):
            read = entrance.of_moments(layer.mean, layer.variance)
        elif getattr(layer, "input_steps", None) == PIXEL_STEPS:
            read = entrance.UNIT
        if read is not None:
            return read, f"its layer {layer.name!r}"
    return None, "has no Rescaling or Normalization layer that says"


def _entered(model):
    """Lists the layers that pixels enter, behind those that pass them on.

    Returns: the layers, and whether the pixels come out of the model.
    """
    graph = _graph(model)
    found, waiting, is_passed = [], [graph.inputs[0]], False
    while waiting:
        tensor = waiting.pop()
        is_passed |= any(tensor is each for each in graph.outputs)
        for layer, made in _readers(graph, tensor):
            passes = type(layer).__name__.startswith(("Random", *PASSED))
            if isinstance(layer, keras.Model) and layer.inputs:
                inner, passes = _entered(layer)
                found += inner
            elif not passes:
                found.append(layer)
            if passes:
                waiting.append(made)
    return found, is_passed


def _readers(graph, tensor):
    """Lists (layer, its output) for the layers that read a tensor."""
    for operation in graph.operations:
        for node in operation._inbound_nodes:
            if any(each is tensor for each in node.input_tensors):
                yield operation, node.output_tensors[0]


def _graph(model):
    """A Sequential keeps a functional model inside."""
    return getattr(model, "_functional", None) or model


def _ending(model):
    """Reads what a model answers off its last layer; and what that is."""
    layer = _graph(model).outputs[0]._keras_history.operation
    if isinstance(layer, keras.Model):
        return _ending(layer)
    where = f"its {type(layer).__name__} layer {layer.name!r}"
    activation = getattr(layer, "activation", None)
    if isinstance(layer, keras.layers.Softmax) or activation is SOFTMAX:
        return PROBABILITIES, f"a softmax ({where})"
    if activation is SIGMOID and model.output_shape[-1] == 1:
        return PROBABILITIES, f"a sigmoid ({where})"
    return None, f"{where} without a softmax"
