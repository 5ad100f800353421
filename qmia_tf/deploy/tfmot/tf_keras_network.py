"""The tf_keras side of tfmot's baseline: the network, its starting ranges.

Runs in a process of its own, without Keras 3: see baseline.py.
"""

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from qmia_tf.errors import InputError

# Two float networks of the same weights; sums in another order.
TOLERANCE = 1e-4
LEAST_RANGE = 1e-3


def build(plan: list[dict], weights: dict[str, np.ndarray]) -> tf_keras.Model:
    """Builds a network that network_plan describes, with its weights.

    Raises: InputError if a layer takes weights of other shapes.
    """
    results = {}
    for entry in plan:
        name, config = entry["name"], entry["config"]
        if entry["kind"] == "InputLayer":
            results[name] = pixels = tf_keras.Input(config["shape"], name=name)
            continue
        layer = getattr(tf_keras.layers, entry["kind"])(name=name, **config)
        read = [results[source] for source in entry["inputs"]]
        results[name] = layer(read if len(read) > 1 else read[0])
        _carry(layer, weights)
    return tf_keras.Model(pixels, results[name], name="tfmot")


def _carry(layer, weights):
    names = (f"{layer.name}/{i}" for i in range(len(layer.get_weights())))
    values = [weights[name] for name in names if name in weights]
    layer_shapes = [value.shape for value in layer.get_weights()]
    value_shapes = [value.shape for value in values]
    if layer_shapes != value_shapes:
        raise InputError(
            f"layer {layer.name!r}: tf_keras takes weights of {layer_shapes}, "
            f"Keras 3 has {value_shapes}"
        )
    layer.set_weights(values)


def check_same(
    network: tf_keras.Model, images: np.ndarray, expected: np.ndarray
) -> None:
    """Checks that the network outputs what the Keras 3 model did.

    The images are pixels / 255.

    Raises: InputError if an output differs by more than TOLERANCE.
    """
    outputs = network.predict(images, verbose=0)
    if outputs.shape != expected.shape:
        raise InputError(
            f"the tf_keras network answers {list(outputs.shape)}, the Keras 3 "
            f"model {list(expected.shape)}"
        )
    off = np.abs(outputs - expected).max()
    if not off <= TOLERANCE:
        raise InputError(
            "the tf_keras network does not answer like the Keras 3 model: "
            f"outputs differ by up to {off:.2g}, more than {TOLERANCE:g}"
        )


def quantize(network: tf_keras.Model, images: np.ndarray) -> tf_keras.Model:
    """Inserts tfmot's default 8-bit quantizers, with measured ranges.

    tfmot lets every range start at +-6 and moves it by a thousandth a step,
    so a short fine-tuning would end near its start; here the ranges start
    at what the trained float network shows on the images (see check_same).
    """
    quantized = tfmot.quantization.keras.quantize_model(network)
    before = [variable.numpy() for variable in quantized.variables]
    # A training pass writes the range of every kernel, and moves the rest.
    quantized(images[:2], training=True)
    for variable, value in zip(quantized.variables, before, strict=True):
        if not _is_kernel_range(variable):
            variable.assign(value)
    ranges = _ranges(network, images)
    for layer in quantized.layers:
        low, high = ranges.get(layer.name.removeprefix("quant_"), (0.0, 1.0))
        for variable in layer.variables:
            if _is_kernel_range(variable):
                continue
            if variable.name.endswith("_min:0"):
                variable.assign(low)
            elif variable.name.endswith("_max:0"):
                variable.assign(high)
    return quantized


def _is_kernel_range(variable):
    return variable.name.endswith(("kernel_min:0", "kernel_max:0"))


def _ranges(network, images):
    """Measures each layer's results; the input's, pixels, are 0 to 1."""
    layers = network.layers[1:]
    every = tf_keras.Model(network.inputs, [layer.output for layer in layers])
    ranges = {}
    for start in range(0, len(images), 100):
        results = every.predict(images[start : start + 100], verbose=0)
        for layer, values in zip(layers, results, strict=True):
            low, high = ranges.get(layer.name, (0.0, LEAST_RANGE))
            ranges[layer.name] = (
                min(low, float(values.min())),
                max(high, float(values.max())),
            )
    return ranges
