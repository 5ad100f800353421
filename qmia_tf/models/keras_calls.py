"""Keras models in memory: whose they are, and how they are called.

Works on models of Keras 3 and of tf_keras; imports neither: whoever gives a
model has imported its library.
"""

import functools
import inspect
import sys

import numpy as np

from qmia_tf.models import graph as graphs

LIBRARIES = ("keras", "tf_keras")
# Methods that compute what the model itself does.
METHODS = ("__call__", "call", "predict", "predict_on_batch")
# Options that change nothing about their outputs.
HARMLESS = ("verbose", "batch_size", "training")
RESETS = ("reset_state", "reset_states")


def library_of(given) -> str | None:
    """Names the library of a model: "keras", "tf_keras", or None."""
    for name in LIBRARIES:
        model = getattr(sys.modules.get(name), "Model", None)
        if model is not None and isinstance(given, model):
            return name
    return None


def model_of(given):
    """Finds the model that a target is, or is a method of.

    Args:
        given: a model; a bound method such as model.predict, as the library
            has it; tf.function of either; functools.partial of these, with
            options that do not change the outputs; or anything else.
    Returns: the model, None if there is none.
    """
    if isinstance(given, functools.partial):
        options = given.keywords
        if given.args or set(options) - set(HARMLESS):
            return None
        return None if options.get("training") else model_of(given.func)
    if library_of(given):
        return given
    # What tf.function made.
    if callable(getattr(given, "python_function", None)):
        return model_of(given.python_function)
    model = getattr(given, "__self__", None)
    library = library_of(model)
    if library is None or getattr(given, "__name__", None) not in METHODS:
        return None
    # A method of one's own may prepare the records.
    is_stock = str(given.__func__.__module__).startswith(f"{library}.")
    return model if is_stock else None


def inference_options(model) -> dict:
    """Returns what a call is given besides the records.

    Keras 3 lets `training=False` overrule a layer that was told
    `training=True` when the network was put together. Whoever deploys such a
    model makes it random, or dependent on the batch; so it is called as it was
    put together.

    Returns: {"training": False}, or {} if a layer inside was told True.
    """
    return {} if _trains_inside(model) else {"training": False}


def _trains_inside(model):
    calls = graphs.read(model).calls if graphs.has_graph(model) else ()
    return any(
        _trains_inside(call.layer)
        or call.kwargs.get("training") is True
        and not _trains_by_itself(call.layer)
        for call in calls
    )


def _trains_by_itself(operation):
    # RandomFlip and its kind take True if nobody says anything, and all their
    # calls say True.
    parameters = inspect.signature(operation.call).parameters
    return "training" in parameters and parameters["training"].default is True


def stateful_layers(model) -> list:
    """Lists the layers that keep a state: LSTM(stateful=True) and its kind.

    Models inside the model, wrappers and cells count too.
    """
    return [
        layer
        for layer in model._flatten_layers(include_self=False, recursive=True)
        if getattr(layer, "stateful", False)
    ]


def reset(layers: list):
    """Sets the state of layers back to its start, zeros."""
    for layer in layers:
        states = _flat(getattr(layer, "states", None))
        for state in states:
            state.assign(np.zeros(state.shape))
        # One with a way of its own, or with no state yet.
        for name in () if states else RESETS:
            method = getattr(layer, name, None)
            if callable(method):
                method()
                break


def _flat(states):
    # Keras' own reset stops at the nested states of several cells.
    if isinstance(states, (list, tuple)):
        return [state for part in states for state in _flat(part)]
    return [] if states is None else [states]
