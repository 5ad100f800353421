"""What a model of Keras 3 or tf_keras says of itself; opens it by that."""

import math
from typing import Any

import keras
import numpy as np

from qmia_tf.data.pixels import PIXEL_STEPS, UNIT
from qmia_tf.errors import InputError
from qmia_tf.models import graph as graphs
from qmia_tf.models import keras_calls
from qmia_tf.targets import input_forms, range_choice
from qmia_tf.targets.keras_inside import (
    SIGMOIDS,
    SOFTMAXES,
    activation_name,
    is_passed,
)
from qmia_tf.targets.keras_target import KerasTarget, require_one_port
from qmia_tf.targets.model_options import (
    LOGITS,
    MULTI_LABEL,
    PROBABILITIES,
    TEXT,
    Opening,
)
from qmia_tf.targets.preprocessing import InputFacts

# What pixels pass through without their range being changed.
PASSED = (
    *("Reshape", "Flatten", "Permute", "Resizing", "CenterCrop"),
    *("ZeroPadding2D", "Dropout", "Identity"),
)
# What looks numbers up, or counts them: then they are no pixels.
INDEXED = (
    *("Embedding", "ReversibleEmbedding", "TokenAndPositionEmbedding"),
    *("IntegerLookup", "StringLookup", "CategoryEncoding", "Hashing"),
)


def open_model(model: Any, opening: Opening) -> KerasTarget:
    """Opens a model of Keras 3 or tf_keras with one input and one output.

    Raises: InputError if the model is of another kind, or does not say what
        has to be known.
    """
    name = opening.name
    require_one_port(model, name)
    library, graph = _read(model)
    entry = graph.inputs[0]
    if entry.dtype == "string":
        raise InputError(
            f"target {name!r} takes text, and records are numbers: {TEXT}"
        )
    facts = _facts(graph, np.dtype(entry.dtype))
    choice = range_choice.choose(facts, opening)
    read, where = _ending(graph)
    outputs = opening.choose_outputs(read, where)
    target = KerasTarget(
        model, name=name, logits=outputs == LOGITS, choice=choice
    )
    target.ending = f"ends in {where}"
    target.info.update(
        library=f"{library.__name__} {library.__version__}",
        outputs=outputs,
    )
    return target


def _read(model):
    """The library of a model, and its graph in Keras 3's terms."""
    if keras_calls.library_of(model) == "keras":
        return keras, graphs.read(model)
    import tf_keras

    from qmia_tf.models import tf_keras_graph

    return tf_keras, tf_keras_graph.draw(model)


def _facts(graph, dtype):
    """What the model says of its input."""
    if dtype.kind != "f":
        return InputFacts(dtype)
    layers = _entered(graph)
    is_indexed = [type(layer).__name__ in INDEXED for layer in layers]
    moments = [
        (layer.mean, layer.variance)
        for layer in layers
        if isinstance(layer, keras.layers.Normalization)
    ]
    read, where = _range(graph)
    return InputFacts(
        dtype,
        read,
        where,
        takes_indices=bool(layers) and all(is_indexed),
        moments=tuple(map(np.asarray, moments[0])) if moments else None,
    )


def _range(graph):
    """Reads the range of pixels off the first layers, and names the layer."""
    for layer in _entered(graph):
        read = None
        if isinstance(layer, keras.layers.Rescaling):
            read = input_forms.range_of_rescaling(layer.scale)
        elif isinstance(layer, keras.layers.Normalization):
            read = input_forms.range_of_moments(layer.mean, layer.variance)
        elif getattr(layer, "input_steps", None) == PIXEL_STEPS:
            read = UNIT
        if read is not None:
            return read, f"its layer {layer.name!r}"
    return None, "has no Rescaling or Normalization layer that says"


def _entered(graph):
    """Lists the layers that pixels enter, behind those that pass them on."""
    return _entered_and_passed(graph)[0]


def _entered_and_passed(graph):
    """The same, and whether the pixels come out of the model."""
    entered, waiting, is_passed = [], [graph.inputs[0]], False
    while waiting:
        tensor = waiting.pop()
        is_passed |= any(tensor is output for output in graph.outputs)
        for call in graph.readers(tensor):
            passes = call.kind.startswith(("Random", *PASSED))
            if graphs.has_graph(call.layer):
                inner, passes = _entered_and_passed(graphs.read(call.layer))
                entered += inner
            elif not passes:
                entered.append(call.layer)
            if passes:
                waiting.append(call.outputs[0])
    return entered, is_passed


def _ending(graph):
    """Reads what a model outputs off its last layers; and what says it."""
    layer, shape = _last(graph), tuple(graph.outputs[0].shape)
    where = f"its {type(layer).__name__} layer {layer.name!r}"
    name = activation_name(layer)
    if name in SOFTMAXES:
        return PROBABILITIES, f"a softmax ({where})"
    if name in SIGMOIDS and None not in shape[1:]:
        units = math.prod(shape[1:])
        if units == 1:
            return PROBABILITIES, f"a sigmoid ({where})"
        return MULTI_LABEL, f"{units} sigmoids ({where})"
    return None, f"{where} without a softmax"


def _last(graph):
    """The layer that makes the output, before those that pass it on."""
    tensor = graph.outputs[0]
    while True:
        call = graph.maker(tensor)
        if graphs.has_graph(call.layer):
            inner = _last(graphs.read(call.layer))
            if not isinstance(inner, keras.layers.InputLayer):
                return inner
        elif not is_passed(call.layer) or len(call.inputs) != 1:
            return call.layer
        tensor = call.inputs[0]
