"""A Keras model as a flat list of nodes, models inside it taken apart."""

import dataclasses
import functools
import sys

import keras

from qmia_tf.errors import InputError
from qmia_tf.models import graph as graphs
from qmia_tf.qat.operation_layers import as_layers
from qmia_tf.qat.operations import Operation

TAKER = "quantize_model"
SUBCLASSED = "or holds a layer without get_config"


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One use of one layer.

    Attributes:
        name: the layer's; behind a model inside the model, MODEL_LAYER where
            the layer's own name is taken.
        layer: an operations.Operation where there is no layer.
        inputs: names of the nodes whose results it reads, in order.
        listed: whether it takes its inputs as one list.
    """

    name: str
    layer: keras.layers.Layer
    inputs: tuple
    listed: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """The nodes in an order in which they can be computed.

    Attributes:
        name: of the model.
        nodes: the first is the input.
        output: name of the node whose result is the model's.
    """

    name: str
    nodes: list[Node]
    output: str

    @property
    def names(self) -> list[str]:
        """The names of the nodes."""
        return list(self.by_name)

    @functools.cached_property
    def by_name(self) -> dict[str, Node]:
        """Name -> node."""
        return {node.name: node for node in self.nodes}

    @functools.cached_property
    def readers(self) -> dict[str, list[Node]]:
        """Name -> the nodes that read it, once for each time."""
        readers = {name: [] for name in self.by_name}
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node)
        return readers


def read(model: keras.Model) -> Network:
    """Lists what a model computes.

    Raises: InputError that names the layer, if the model is subclassed,
        shares layers, holds a Lambda layer, or has several inputs or outputs.
    """
    if not isinstance(model, keras.Model):
        raise InputError(
            f"quantize_model takes a keras.Model, got {_described(model)}"
        )
    reader = _Reader()
    graphs.check_ends(model, TAKER)
    outputs = reader.model(model, None, "")
    return Network(model.name, as_layers(reader.nodes), outputs[0])


def _described(model):
    """Names what was given; of a model of Keras 2, how to bring it over."""
    kind = type(model)
    old = getattr(sys.modules.get("tf_keras"), "Model", None)
    if old is None or not isinstance(model, old):
        return kind.__name__
    return (
        f"a {kind.__name__} of tf_keras (Keras 2): save it with "
        "model.save('NAME.h5') and load that with "
        "keras.saving.load_model('NAME.h5'), or build the network again with "
        "keras.layers and give it model.get_weights()"
    )


class _Reader:
    def __init__(self):
        self.nodes = []
        self.taken = set()

    def model(self, model, sources, prefix):
        """Lists a model's nodes; gives the names of its results."""
        graph = _checked(model)
        known = {}
        if sources is not None:
            known = dict(zip(map(id, graph.inputs), sources, strict=True))
        for call in _by_depth(graph):
            if id(call.outputs[0]) in known:
                continue
            read = tuple(known[id(tensor)] for tensor in call.inputs)
            if isinstance(call.layer, keras.Model):
                name = self._inlined(call, read)
            else:
                name = self._node(call, read, prefix)
            known.update((id(tensor), name) for tensor in call.outputs)
        return [known[id(tensor)] for tensor in graph.outputs]

    def _inlined(self, call, read):
        ends = self.model(call.layer, read, f"{call.name}_")
        if len(ends) != 1:
            raise InputError(
                f"layer {call.name!r} is a model with {len(ends)} outputs: "
                f"{TAKER} takes models with one"
            )
        return ends[0]

    def _node(self, call, read, prefix):
        name, layer = self._free(call.name, prefix), call.layer
        listed = bool(call.args) and isinstance(call.args[0], (list, tuple))
        if not isinstance(layer, keras.layers.Layer):
            layer = Operation(layer, call.args, call.kwargs)
            listed = len(read) != 1
        self.nodes.append(Node(name, layer, read, listed))
        return name

    def _free(self, name, prefix):
        free, count = name, 0
        while free in self.taken:
            free = f"{prefix}{name}" + (f"_{count}" if count else "")
            count += 1
        self.taken.add(free)
        return free


def _checked(model):
    """Reads the graph of a model that can be taken apart."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Lambda):
            raise InputError(
                f"layer {layer.name!r} (Lambda) holds code that cannot be "
                "looked into or loaded in safe mode: put a layer in its place"
            )
    graph = graphs.read_subclassed(model, reason=SUBCLASSED)
    for call in graph.calls:
        _check_config(model, call)
        uses = graph.uses(call.layer)
        if uses > 1:
            raise InputError(
                f"layer {call.name!r} ({call.kind}) is used {uses} times: "
                f"{TAKER} takes models in which each layer is used once"
            )
    for call in graph.calls:
        for tensor in call.inputs:
            source = graph.maker(tensor)
            index = [id(one) for one in source.outputs].index(id(tensor))
            if index > 0:
                raise InputError(
                    f"layer {call.name!r} reads result {index} of "
                    f"{source.name!r}: {TAKER} takes layers with one result"
                )
    return graph


def _check_config(model, call):
    """Layers are copied by their configuration."""
    try:
        call.layer.get_config()
    except NotImplementedError:
        raise graphs.subclassed_error(model, SUBCLASSED) from None


def _by_depth(graph):
    """Orders calls by their distance from the inputs."""
    depths = {}
    for call in graph.calls:
        read = [depths[id(tensor)] for tensor in call.inputs]
        depth = 1 + max(read, default=-1)
        depths.update((id(tensor), depth) for tensor in call.outputs)
    return sorted(graph.calls, key=lambda call: depths[id(call.outputs[0])])
