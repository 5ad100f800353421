"""A full-precision Keras 3 network as plain data, to be built in tf_keras.

tensorflow-model-optimization takes tf_keras models only, in a process that
does not import Keras 3. So the network crosses over as a list of layers and
an array a weight.
"""

import keras
import numpy as np

from qmia_tf import layers as ours
from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.errors import InputError

_POOL = ("pool_size", "strides", "padding")
_CONV = ("kernel_size", "strides", "padding", "dilation_rate", "use_bias")
# tf_keras class -> the Keras 3 classes that become it, and the arguments that
# it keeps.
KINDS = {
    "InputLayer": ((keras.layers.InputLayer,), ()),
    "Conv2D": ((keras.layers.Conv2D, ours.DoReFaConv2D), ("filters", *_CONV)),
    "DepthwiseConv2D": (
        (keras.layers.DepthwiseConv2D, ours.DoReFaDepthwiseConv2D),
        ("depth_multiplier", *_CONV),
    ),
    "Dense": ((keras.layers.Dense, ours.DoReFaDense), ("units", "use_bias")),
    "BatchNormalization": (
        (keras.layers.BatchNormalization,),
        ("axis", "momentum", "epsilon", "center", "scale"),
    ),
    "MaxPooling2D": ((keras.layers.MaxPooling2D,), _POOL),
    "AveragePooling2D": ((keras.layers.AveragePooling2D,), _POOL),
    "GlobalAveragePooling2D": (
        (keras.layers.GlobalAveragePooling2D,),
        ("keepdims",),
    ),
    "Add": ((keras.layers.Add,), ()),
    "Flatten": ((keras.layers.Flatten,), ()),
    "ReLU": ((keras.layers.ReLU,), ("max_value",)),
    "Activation": ((keras.layers.Activation,), ("activation",)),
    "Softmax": ((keras.layers.Softmax,), ("axis",)),
}
KNOWN = {
    layer_class: (kind, kept)
    for kind, (layer_classes, kept) in KINDS.items()
    for layer_class in layer_classes
} | {ours.DoReFaActivation: ("ReLU", ())}
ACTIVATIONS = ("linear", "relu", "softmax")


def refusal(model: keras.Model) -> str | None:
    """Says why tfmot's baseline cannot be made of a model."""
    try:
        describe(model)
    except InputError as error:
        return str(error)
    return None


def describe(model: keras.Model) -> list[dict]:
    """Describes the layers of a full-precision network.

    An activation inside a layer becomes a layer of its own behind it.

    Returns: a dict a layer: name, kind (tf_keras class), config (its
        arguments), inputs (names of the layers it reads).
    Raises: InputError if a layer is not known here; it is named.
    """
    plan, results = [], {}
    graph = read_flat(model)
    for call in graph.calls:
        config, inner = _config(call.layer)
        plan.append(
            {
                "name": call.name,
                "kind": KNOWN[type(call.layer)][0],
                "config": config,
                "inputs": [results[name] for name in graph.sources(call)],
            }
        )
        if inner != "linear":
            plan.append(
                {
                    "name": f"{call.name}_{inner}",
                    "kind": "Activation",
                    "config": {"activation": inner},
                    "inputs": [call.name],
                }
            )
        results[call.name] = plan[-1]["name"]
    return plan


def weights_of(model: keras.Model) -> dict[str, np.ndarray]:
    """Gives every weight of a network, under "LAYER/NUMBER"."""
    return {
        f"{layer.name}/{number}": value
        for layer in model.layers
        for number, value in enumerate(layer.get_weights())
    }


def _refused(layer, why):
    return InputError(f"layer {layer.name!r} ({type(layer).__name__}) {why}")


def _config(layer):
    """The arguments of the tf_keras layer, and the activation behind it."""
    if type(layer) not in KNOWN:
        raise _refused(layer, "is none that tfmot's baseline knows")
    if isinstance(layer, keras.layers.InputLayer):
        return {"shape": list(layer.batch_shape[1:])}, "linear"
    if isinstance(layer, ours.DoReFaActivation):
        _check_ends(layer, 1.0 if layer.clip else None)
        return {}, "linear"
    if getattr(layer, "data_format", None) == "channels_first":
        raise _refused(layer, "has its channels first")
    if getattr(layer, "groups", 1) != 1:
        raise _refused(layer, f"has groups={layer.groups}")
    stored = layer.get_config()
    if isinstance(layer, keras.layers.ReLU):
        _check_ends(layer, layer.max_value)
        if layer.negative_slope or layer.threshold:
            raise _refused(layer, "is not the plain ReLU")
    config = {name: stored[name] for name in KNOWN[type(layer)][1]}
    activation = stored.get("activation", "linear")
    if activation not in ACTIVATIONS:
        raise _refused(
            layer,
            f"has the activation {activation!r}; tfmot's baseline knows "
            f"{', '.join(ACTIVATIONS)}",
        )
    return config, "linear" if "activation" in config else activation


def _check_ends(layer, high):
    # Seen in the converted file: MINIMUM behind a convolution in floats.
    if high not in (None, 6.0):
        raise _refused(
            layer,
            f"clips at {high:g}, which tfmot's quantizers leave in floats",
        )
