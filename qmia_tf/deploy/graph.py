"""A Keras model as a list of steps: which layer reads which results."""

import dataclasses

import keras

from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Step:
    """One layer and what it reads.

    Attributes:
        layer: the Keras layer.
        inputs: names of the layers whose results it reads, in order.
    """

    layer: keras.layers.Layer
    inputs: tuple

    @property
    def name(self) -> str:
        """The layer's name, which is its result's as well."""
        return self.layer.name

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__


def steps_of(model) -> list[Step]:
    """Lists a model's layers in the order in which they can be computed.

    Args:
        model: a Functional or Sequential keras.Model with one input and one
            output, every layer used once.
    Raises: InputError if the model is something else; it names the layer.
    """
    model, entries = _functional(model)
    layers = {layer.name: layer for layer in model.layers}
    steps = []
    for entry in entries:
        layer = layers.get(entry["name"])
        if layer is None:
            raise InputError(
                f"{entry['name']!r} ({entry['class_name']}) is an operation on "
                "tensors, not a layer: integer export takes layers only"
            )
        if isinstance(layer, keras.Model):
            raise InputError(
                f"layer {layer.name!r} is a model inside the model: integer "
                "export takes flat models only"
            )
        calls = entry["inbound_nodes"]
        if len(calls) > 1:
            raise InputError(
                f"layer {layer.name!r} is used {len(calls)} times: integer "
                "export takes models in which each layer is used once"
            )
        read = [(call["args"], [*call["kwargs"].values()]) for call in calls]
        steps.append(Step(layer, tuple(_tensors(read))))
    return steps


def _functional(model):
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise InputError(
                f"model {model.name!r} has no input yet: begin it with "
                "keras.Input(shape)"
            )
        model = keras.Model(model.inputs, model.outputs)
    try:
        entries = model.get_config()["layers"]
    except (KeyError, NotImplementedError):
        raise InputError(
            f"model {model.name!r} is a class of its own, without a graph of "
            "layers: rebuild it as a functional or Sequential model"
        ) from None
    for what, found in (("input", model.inputs), ("output", model.outputs)):
        if len(found) != 1:
            raise InputError(
                f"model {model.name!r} has {len(found)} {what}s; integer "
                "export takes image classifiers with one"
            )
    return model, entries


def _tensors(argument):
    """Yields the names of the layers that made the tensors of an argument."""
    if isinstance(argument, (list, tuple)):
        for item in argument:
            yield from _tensors(item)
    elif isinstance(argument, dict):
        if argument.get("class_name") == "__keras_tensor__":
            yield argument["config"]["keras_history"][0]
