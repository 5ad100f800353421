"""The one reader of Keras graphs: which layer is called with which results.

Reads functional and Sequential models of Keras 3 and of tf_keras; importing
it imports neither.
"""

import dataclasses

from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One use of one layer.

    A model inside the model is one call, whose layer has a graph of its own
    (`has_graph`). A layer that is used twice has two calls.

    Attributes:
        layer: the layer; the operation on tensors where there is no layer.
        inputs: the symbolic tensors that it reads, in order; empty for an
            input of the model.
        outputs: the symbolic tensors that it gives.
        args, kwargs: what it is called with, tensors among it; empty for
            tf_keras.
    """

    layer: object
    inputs: tuple
    outputs: tuple
    args: tuple = ()
    kwargs: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """What a model computes: calls, each after those that it reads."""

    name: str
    inputs: tuple
    outputs: tuple
    calls: tuple[Call, ...]

    def maker(self, tensor) -> Call:
        """Returns the call that gives a tensor."""
        return next(call for call in self.calls if _holds(call.outputs, tensor))

    def readers(self, tensor) -> list[Call]:
        """Returns the calls that read a tensor."""
        return [call for call in self.calls if _holds(call.inputs, tensor)]

    def uses(self, layer) -> int:
        """Returns how many times a layer is called."""
        return sum(call.layer is layer for call in self.calls)

    def sources(self, call) -> tuple[str, ...]:
        """Returns the names of the layers whose results a call reads."""
        return tuple(self.maker(tensor).name for tensor in call.inputs)


def has_graph(model) -> bool:
    """Whether a model, or a layer, has a graph that `read` can read."""
    return bool(getattr(model, "inputs", None)) and hasattr(
        _functional(model), "_nodes_by_depth"
    )


def read(model) -> Graph:
    """Reads the graph of a model.

    Calls come in the order in which Keras computes them: by their distance
    from the outputs, then as Keras lists their layers.
    """
    graph = _functional(model)
    layers = getattr(graph, "operations", ())
    places = {id(layer): place for place, layer in enumerate(layers)}
    calls = []
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        at_depth = map(_call, graph._nodes_by_depth[depth])
        calls += sorted(at_depth, key=lambda x: places.get(id(x.layer), 0))
    return Graph(
        model.name, tuple(graph.inputs), tuple(graph.outputs), tuple(calls)
    )


def read_subclassed(model, *, reason: str) -> Graph:
    """Reads the graph of a Keras 3 model that computes nothing but its graph.

    Args:
        reason: what else a subclassed model may be, for the message.
    Raises: InputError if the model has no input yet, or is a class with a
        call of its own.
    """
    import keras

    if isinstance(model, keras.Sequential):
        if not model.built or not has_graph(model):
            raise InputError(
                f"model {model.name!r} has no input yet: begin it with "
                "keras.Input(shape)"
            )
        return read(model)
    # A class that builds its graph in its constructor, as KerasHub's do, has
    # Functional's call.
    if not has_graph(model) or (
        type(model).call
        is not type(keras.Model(model.inputs, model.outputs)).call
    ):
        raise subclassed_error(model, reason)
    return read(model)


def subclassed_error(model, reason: str) -> InputError:
    """Returns the InputError for a subclassed model."""
    return InputError(
        f"model {model.name!r} is a subclassed model, {reason}: rebuild it as "
        "a functional or Sequential model"
    )


def check_ends(model, taker: str):
    """Raises InputError if a model has several inputs or outputs.

    Args:
        model: of Keras; one without a graph passes.
        taker: who takes one of each, for the message.
    """
    for ends in ("inputs", "outputs"):
        count = len(getattr(model, ends, None) or ())
        if count > 1:
            raise InputError(
                f"model {model.name!r} has {count} {ends}; {taker} takes image "
                "classifiers with one"
            )


def _functional(model):
    """A Sequential of Keras 3 keeps a functional model inside."""
    return getattr(model, "_functional", None) or model


def _call(node):
    if hasattr(node, "operation"):
        return Call(
            node.operation,
            tuple(node.input_tensors),
            tuple(node.output_tensors),
            node.arguments.args,
            node.arguments.kwargs,
        )
    from tensorflow import nest

    return Call(
        node.layer,
        tuple(node.keras_inputs),
        tuple(nest.flatten(node.outputs)),
    )


def _holds(tensors, tensor):
    return any(one is tensor for one in tensors)
