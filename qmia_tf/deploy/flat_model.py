"""The graph of a model that integer export can take: flat, one way through."""

import keras

from qmia_tf.errors import InputError
from qmia_tf.models import graph as graphs

TAKER = "integer export"


def read_flat(model: keras.Model) -> graphs.Graph:
    """Reads a model of one input and one output, each layer used once.

    Raises: InputError if the model is something else; it names the layer.
    """
    graph = graphs.read_subclassed(model, reason="without a graph of layers")
    graphs.check_ends(model, TAKER)
    for call in graph.calls:
        if not isinstance(call.layer, keras.layers.Layer):
            raise InputError(
                f"{call.name!r} ({call.kind}) is an operation on tensors, not "
                f"a layer: {TAKER} takes layers only"
            )
        if isinstance(call.layer, keras.Model):
            raise InputError(
                f"layer {call.name!r} is a model inside the model: {TAKER} "
                "takes flat models only"
            )
        uses = graph.uses(call.layer)
        if uses > 1:
            raise InputError(
                f"layer {call.name!r} is used {uses} times: {TAKER} takes "
                "models in which each layer is used once"
            )
    return graph
