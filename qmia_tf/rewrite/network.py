"""A Keras model as a flat list of nodes, models inside it taken apart."""

import dataclasses
import sys

import keras

from qmia_tf.errors import InputError
from qmia_tf.rewrite.operation_layers import as_layers
from qmia_tf.rewrite.operations import Operation


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One use of one layer.

    Attributes:
        name: the layer's name; behind a model inside the model, MODEL_LAYER
            where the layer's own name is taken.
        layer: the Keras layer; an operations.Operation where there is none.
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
        nodes: list of Node; the first is the input.
        output: name of the node whose result is the model's.
        inlined: names of the models that were taken apart.
    """

    nodes: list
    output: str
    inlined: tuple

    def node(self, name):
        """Returns the node of a name."""
        return next(node for node in self.nodes if node.name == name)

    def readers(self):
        """Returns name -> list of the nodes that read it."""
        readers = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node)
        return readers


def read(model) -> Network:
    """Lists what a model computes.

    Args:
        model: functional or Sequential keras.Model, one input, one output.
    Raises: InputError that names the layer, if the model is a class of its
        own, shares layers, holds a Lambda layer, or has several inputs or
        outputs.
    """
    if not isinstance(model, keras.Model):
        raise InputError(
            f"quantize_model takes a keras.Model, got {_told(model)}"
        )
    reader = _Reader()
    _check_ends(model)
    outputs = reader.model(model, None, "")
    nodes = as_layers(reader.nodes)
    return Network(nodes, outputs[0], tuple(reader.inlined))


def _told(given):
    """Says what was given; of a model of Keras 2, how to bring it over."""
    kind = type(given)
    old = getattr(sys.modules.get("tf_keras"), "Model", None)
    if old is None or not isinstance(given, old):
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
        self.inlined = []
        self.taken = set()

    def model(self, model, sources, prefix):
        """Lists a model's nodes; gives the names of its results."""
        model, entries, inputs, outputs = _entries(model)
        by_name = {layer.name: layer for layer in model.operations}
        known = {}
        if sources is not None:
            known = dict(zip(inputs, sources, strict=True))
        for entry in _ordered(entries, set(known)):
            name = entry["name"]
            if name in known:
                continue
            layer = by_name[name]
            read, listed = _read(entry, known)
            if isinstance(layer, keras.Model):
                self.inlined.append(layer.name)
                ends = self.model(layer, read, f"{name}_")
                if len(ends) != 1:
                    raise InputError(
                        f"layer {name!r} is a model with {len(ends)} outputs: "
                        "quantize_model takes models with one"
                    )
                known[name] = ends[0]
                continue
            known[name] = self._free(name, prefix)
            if not isinstance(layer, keras.layers.Layer):
                layer = Operation(layer, entry["inbound_nodes"][0])
                listed = len(read) != 1
            self.nodes.append(Node(known[name], layer, read, listed))
        return [known[name] for name in outputs]

    def _free(self, name, prefix):
        found, count = name, 0
        while found in self.taken:
            found = f"{prefix}{name}" + (f"_{count}" if count else "")
            count += 1
        self.taken.add(found)
        return found


def _check_ends(model):
    for what in ("inputs", "outputs"):
        found = getattr(model, what, None) or []
        if len(found) > 1:
            raise InputError(
                f"model {model.name!r} has {len(found)} {what}; "
                "quantize_model takes image classifiers with one"
            )


def _entries(model):
    """A model's layers as its configuration lists them."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Lambda):
            raise InputError(
                f"layer {layer.name!r} (Lambda) holds code that cannot be "
                "looked into or loaded in safe mode: put a layer in its place"
            )
    model = _plain(model)
    config = model.get_config()
    entries = config["layers"]
    for entry in entries:
        _check_uses(entry)
    ends = (config["input_layers"], config["output_layers"])
    return (
        model,
        entries,
        *([name for name, _, _ in _flat(end)] for end in ends),
    )


def _plain(model):
    """The same graph as a functional model and nothing else.

    A class that builds a functional graph in its constructor, as KerasHub's
    do, lists its own arguments in get_config and not its layers.
    """
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise InputError(
                f"model {model.name!r} has no input yet: begin it with "
                "keras.Input(shape)"
            )
        return keras.Model(model.inputs, model.outputs, name=model.name)
    own = InputError(
        f"model {model.name!r} is a class of its own, or holds a layer "
        "without get_config: rebuild it as a functional or Sequential model"
    )
    if not getattr(model, "inputs", None) or not hasattr(model, "operations"):
        raise own
    plain = keras.Model(model.inputs, model.outputs, name=model.name)
    if type(model).call is not type(plain).call:
        raise own
    try:
        plain.get_config()
    except NotImplementedError:
        raise own from None
    return plain


def _flat(ends):
    """The histories [layer, node, tensor] in what Keras lists as ends."""
    if isinstance(ends, dict):
        ends = list(ends.values())
    if ends and isinstance(ends[0], str):
        return [ends]
    return [item for end in ends for item in _flat(end)]


def _check_uses(entry):
    uses = len(entry["inbound_nodes"])
    if uses > 1:
        raise InputError(
            f"layer {entry['name']!r} ({entry['class_name']}) is used {uses} "
            "times: quantize_model takes models in which each layer is used "
            "once"
        )


def _ordered(entries, known):
    """Yields entries after everything that they read."""
    known, waiting = set(known), list(entries)
    while waiting:
        ready = [
            entry
            for entry in waiting
            if entry["name"] in known or {*_names(entry)} <= known
        ]
        if not ready:
            raise InputError(
                f"layer {waiting[0]['name']!r} reads what no layer gives"
            )
        for entry in ready:
            known.add(entry["name"])
            waiting.remove(entry)
            yield entry


def _read(entry, known):
    """The nodes that an entry reads, and whether as one list."""
    calls = entry["inbound_nodes"]
    listed = bool(calls) and bool(calls[0]["args"])
    listed = listed and isinstance(calls[0]["args"][0], (list, tuple))
    return tuple(known[name] for name in _names(entry)), listed


def _names(entry):
    for call in entry["inbound_nodes"]:
        yield from _tensors([call["args"], *call["kwargs"].values()], entry)


def _tensors(argument, entry):
    if isinstance(argument, (list, tuple)):
        for item in argument:
            yield from _tensors(item, entry)
    elif isinstance(argument, dict):
        if argument.get("class_name") == "__keras_tensor__":
            name, _, index = argument["config"]["keras_history"]
            if index:
                raise InputError(
                    f"layer {entry['name']!r} reads result {index} of "
                    f"{name!r}: quantize_model takes layers with one result"
                )
            yield name
