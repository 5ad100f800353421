"""A full-precision Keras 3 network as plain data, to be built in tf_keras.

tensorflow-model-optimization takes tf_keras models only, in a process that
does not import Keras 3. So the network crosses over as a list of layers and
an array a weight.
"""

import keras

from qmia_tf import layers as ours
from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.errors import InputError

_WINDOW = ("strides", "padding")
# Keras 3 class -> the tf_keras class and the arguments that it keeps.
KNOWN = {
    keras.layers.InputLayer: ("InputLayer", ()),
    keras.layers.Conv2D: (
        "Conv2D",
        ("filters", "kernel_size", *_WINDOW, "dilation_rate", "use_bias"),
    ),
    keras.layers.DepthwiseConv2D: (
        "DepthwiseConv2D",
        (
            "kernel_size",
            *_WINDOW,
            "depth_multiplier",
            "dilation_rate",
            "use_bias",
        ),
    ),
    keras.layers.Dense: ("Dense", ("units", "use_bias")),
    keras.layers.BatchNormalization: (
        "BatchNormalization",
        ("axis", "momentum", "epsilon", "center", "scale"),
    ),
    keras.layers.MaxPooling2D: ("MaxPooling2D", ("pool_size", *_WINDOW)),
    keras.layers.AveragePooling2D: (
        "AveragePooling2D",
        ("pool_size", *_WINDOW),
    ),
    keras.layers.GlobalAveragePooling2D: (
        "GlobalAveragePooling2D",
        ("keepdims",),
    ),
    keras.layers.Add: ("Add", ()),
    keras.layers.Flatten: ("Flatten", ()),
    keras.layers.ReLU: ("ReLU", ("max_value",)),
    keras.layers.Activation: ("Activation", ("activation",)),
    keras.layers.Softmax: ("Softmax", ("axis",)),
    ours.DoReFaActivation: ("ReLU", ()),
}
for _ours, _plain in (
    (ours.DoReFaConv2D, keras.layers.Conv2D),
    (ours.DoReFaDepthwiseConv2D, keras.layers.DepthwiseConv2D),
    (ours.DoReFaDense, keras.layers.Dense),
):
    KNOWN[_ours] = KNOWN[_plain]
ACTIVATIONS = ("linear", "relu", "softmax")
INNER = "inner activation"


def refusal(model):
    """Says why tfmot's baseline cannot be made of a model.

    Args:
        model: keras.Model.
    Returns: str that names the layer, or None if it can.
    """
    try:
        describe(model)
    except InputError as error:
        return str(error)
    return None


def describe(model):
    """Describes a network's layers.

    An activation inside a layer becomes a layer of its own behind it.

    Args:
        model: functional or Sequential keras.Model, full precision.
    Returns: list of dicts: name, kind (tf_keras class), config (its
        arguments), inputs (names of the layers it reads).
    Raises: InputError if a layer is not known here; it is named.
    """
    plan, results = [], {}
    graph = read_flat(model)
    for call in graph.calls:
        config = _config(call.layer)
        inner = config.pop(INNER, "linear")
        kind = KNOWN[type(call.layer)][0]
        inputs = [results[name] for name in graph.sources(call)]
        plan.append(_entry(call.name, kind, config, inputs))
        if inner != "linear":
            name = f"{call.name}_{inner}"
            config = {"activation": inner}
            plan.append(_entry(name, "Activation", config, [call.name]))
        results[call.name] = plan[-1]["name"]
    return plan


def _entry(name, kind, config, inputs):
    return {"name": name, "kind": kind, "config": config, "inputs": inputs}


def weights_of(model):
    """Gives every weight of a network.

    Args:
        model: keras.Model that `describe` knows.
    Returns: dict "LAYER/NUMBER" -> float32 array.
    """
    return {
        f"{layer.name}/{number}": value
        for layer in model.layers
        for number, value in enumerate(layer.get_weights())
    }


def _refused(layer, why):
    return InputError(f"layer {layer.name!r} ({type(layer).__name__}) {why}")


def _config(layer):
    if type(layer) not in KNOWN:
        raise _refused(layer, "is none that tfmot's baseline knows")
    if isinstance(layer, keras.layers.InputLayer):
        return {"shape": list(layer.batch_shape[1:])}
    if isinstance(layer, ours.DoReFaActivation):
        _check_ends(layer, 1.0 if layer.clip else None)
        return {}
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
    if stored.get("activation", "linear") not in ACTIVATIONS:
        raise _refused(
            layer,
            f"has the activation {stored['activation']!r}; tfmot's baseline "
            f"knows {', '.join(ACTIVATIONS)}",
        )
    if "activation" in stored and "activation" not in config:
        config[INNER] = stored["activation"]
    return config


def _check_ends(layer, high):
    # Seen in the converted file: MINIMUM behind a convolution in floats.
    if high not in (None, 6.0):
        raise _refused(
            layer,
            f"clips at {high:g}, which tfmot's quantizers leave in floats",
        )
