"""How a Keras model is called: for inference, and with nothing kept.

Works on models of Keras 3 and of tf_keras; imports neither.
"""

import inspect

import numpy as np

from qmia_tf.models import graph as graphs

RESETS = ("reset_state", "reset_states")


def inference_options(model) -> dict:
    """What a call is given besides the records.

    Keras 3 lets `training=False` overrule a layer that was told
    `training=True` when the network was put together. Whoever deploys such a
    model makes it random, or dependent on the batch; so it is called as it was
    put together.

    Args:
        model: a Keras model.
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
    """Whether True is what a layer takes if nobody says anything.

    As RandomFlip and its kind do, whose calls all say True.
    """
    parameters = inspect.signature(operation.call).parameters
    return "training" in parameters and parameters["training"].default is True


def stateful_layers(model) -> list:
    """Lists the layers that keep a state: LSTM(stateful=True) and its kind.

    Args:
        model: a Keras model; those inside it, wrappers and cells count too.
    """
    return [
        layer
        for layer in model._flatten_layers(include_self=False, recursive=True)
        if getattr(layer, "stateful", False)
    ]


def reset(layers):
    """Sets the state of layers back to its start, zeros.

    Args:
        layers: what stateful_layers gives.
    """
    for layer in layers:
        states = _flat(getattr(layer, "states", None))
        for state in states:
            state.assign(np.zeros(state.shape))
        if not states:
            _reset_otherwise(layer)


def _flat(states):
    # Keras' own reset stops at the nested states of several cells.
    if isinstance(states, (list, tuple)):
        return [state for part in states for state in _flat(part)]
    return [] if states is None else [states]


def _reset_otherwise(layer):
    """Resets a layer that has a way of its own, or no state yet."""
    for name in RESETS:
        method = getattr(layer, name, None)
        if callable(method):
            method()
            return
