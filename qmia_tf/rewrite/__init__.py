"""The DoReFa version of a Keras model: `quantize_model`.

The docs are docs/quantize.md. `plan` says what would be done to each layer.
"""

import keras
from keras import layers

from qmia_tf.errors import InputError
from qmia_tf.grids import FLOAT_BITS
from qmia_tf.layers import unsafe_layers
from qmia_tf.resnet import Bits
from qmia_tf.rewrite import calibration as calibrating
from qmia_tf.rewrite import joins, kernels, passing, plans
from qmia_tf.rewrite.network import read
from qmia_tf.rewrite.plans import Entry, describe
from qmia_tf.rewrite.values import QUANTIZED, is_mover, is_relu
from qmia_tf.rewrite.walk import Settings, Walk
from qmia_tf.rewrite.widths import Widths, resolve

__all__ = ["Entry", "describe", "plan", "quantize_model"]

HANDLERS = {
    layers.Conv2D: kernels.kernel,
    layers.DepthwiseConv2D: kernels.kernel,
    layers.Dense: kernels.kernel,
    layers.SeparableConv2D: kernels.separable,
    layers.BatchNormalization: kernels.norm,
    layers.Add: joins.add,
    layers.Concatenate: joins.concatenate,
    layers.AveragePooling2D: passing.average,
    layers.GlobalAveragePooling2D: passing.average,
    layers.Rescaling: passing.rescaling,
}
# Of pixels, whose statistics it holds.
ENTRANCE = (layers.Normalization,)


def quantize_model(
    model,
    *,
    weight_bits,
    activation_bits,
    first_last_bits=None,
    residual_bits=None,
    gradient_bits=FLOAT_BITS,
    overrides=None,
    calibration=None,
    percentile=99.9,
    insert_batch_norm=False,
    input_steps=255,
    unit_pixels=False,
    seed=0,
    progress=None,
) -> keras.Model:
    """Makes the DoReFa version of a model, with the model's weights.

    Args:
        model: functional or Sequential keras.Model, one input, one output;
            it is not changed.
        weight_bits: int in 1..32, of every kernel but the first and last.
        activation_bits: int in 1..32; below 32, ReLU and ReLU6 become a clip
            to [0, 1] that is rounded.
        first_last_bits: int in 2..32, symmetric per channel, of kernels that
            read pixels or that no kernel follows; None takes 8 where
            weight_bits <= 8 and 32 above.
        residual_bits: 8 or 32, of linear results (a convolution and its
            batch norm without an activation, and their sums); None takes 8
            where activation_bits <= 8, and 32, floats, above.
        gradient_bits: int in 1..32, DoReFa's gradient quantizer.
        overrides: dict of layer name or fnmatch pattern -> dict with
            weight_bits, activation_bits or both, or None to leave the layer
            alone; of two that match, the later one counts.
        calibration: images [N, ...], uint8 pixels or floats as the new model
            takes them; a few hundred, all at once in memory. Batch norms
            are rescaled and their statistics measured again on them.
        percentile: in (0, 100], of an activation's values on the calibration
            images; it is put at the upper end of the clip.
        insert_batch_norm: puts a batch norm between a kernel and the clip
            where there is none.
        input_steps: n if the model takes i/n, 255 for pixels / 255; None for
            any floats. A Rescaling at the entrance takes its place: with one,
            the model is taken to be fed with whole pixels, 0 to 255.
        unit_pixels: makes the new model take pixels / 255 where a Rescaling
            at the entrance made the model take 0 to 255, as the project's
            pipelines and its int8 files need it.
        seed: int, of the gradient quantizer's noise.
        progress: callable(str), gets a line a layer.
    Returns: keras.Model, not compiled. At 32 bits throughout it computes what
        the model does.
    Raises: InputError if an argument is outside its range, or that names the
        layer if the model holds what is not known here (see `plan`).
    Warns: UserWarning that names the layers that DoReFa does badly on, or
        that were left alone and cannot be trained safely (unsafe_layers).
    """
    bits = Bits(
        weight_bits,
        activation_bits,
        first_last_bits,
        residual_bits,
        gradient_bits,
    )
    settings = _settings(
        calibration is not None,
        insert_batch_norm,
        input_steps,
        unit_pixels,
        seed,
    )
    network = read(model)
    widths = resolve(bits, overrides, [node.name for node in network.nodes])
    if calibration is not None:
        calibrating.check(model, calibration, percentile)
    written = _write(network, widths, settings, model.name)
    if calibration is not None and not widths.nothing:
        calibrating.calibrate(
            _write(network, _nothing(), settings, model.name).model,
            written,
            calibration,
            percentile,
        )
    for entry in written.entries if progress else ():
        progress(str(entry))
    plans.warn(written.entries)
    unsafe_layers.warn(written.model)
    return written.model


def plan(
    model,
    *,
    weight_bits,
    activation_bits,
    first_last_bits=None,
    residual_bits=None,
    overrides=None,
    insert_batch_norm=False,
    unit_pixels=False,
) -> list[Entry]:
    """Says what quantize_model would do to each layer; `describe` prints it.

    The arguments are those of quantize_model.

    Returns: list of Entry, in the order of the layers.
    Raises: InputError as quantize_model does.
    """
    bits = Bits(weight_bits, activation_bits, first_last_bits, residual_bits)
    settings = _settings(False, insert_batch_norm, 255, unit_pixels, 0)
    network = read(model)
    widths = resolve(bits, overrides, [node.name for node in network.nodes])
    return _write(network, widths, settings, model.name).entries


def _settings(calibrated, insert_norms, input_steps, unit_pixels, seed):
    if input_steps is not None and (
        isinstance(input_steps, bool)
        or not isinstance(input_steps, int)
        or input_steps < 1
    ):
        raise InputError(
            f"input_steps must be None or an integer >= 1, got {input_steps!r}"
        )
    return Settings(input_steps, unit_pixels, insert_norms, calibrated, seed)


def _nothing():
    return Widths(Bits(), {})


def _write(network, widths, settings, name):
    """Writes the network that these widths give."""
    walk = Walk(network, widths, settings)
    results = {}
    for node in network.nodes:
        read = [results[source] for source in node.inputs]
        results[node.name] = _step(walk, node, read)
    inputs = results[network.nodes[0].name].tensor
    output = results[network.output].tensor
    walk.written.model = keras.Model(inputs, output, name=name)
    for layer, weights in walk.weights:
        layer.set_weights(weights)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return walk.written


def _step(walk, node, read):
    layer = node.layer
    if isinstance(layer, layers.InputLayer):
        return passing.pixels(walk, node)
    _check(node)
    if node.name in walk.closed:
        walk.log(node, walk.closed[node.name])
        return read[0]
    handler = HANDLERS.get(type(layer))
    if walk.widths.alone(node.name):
        return walk.alone(node, read, "left alone, as asked")
    if walk.widths.nothing and handler is not passing.rescaling:
        return walk.alone(node, read, "left alone: nothing is quantized")
    if is_mover(layer):
        return passing.moved(walk, node, *read)
    if is_relu(layer):
        return passing.relu(walk, node, *read)
    if handler is not None:
        return handler(walk, node, *read)
    return walk.alone(node, read, "left alone, its results are floats")


def _check(node):
    layer, kind = node.layer, type(node.layer)
    if isinstance(layer, QUANTIZED):
        raise InputError(
            f"layer {node.name!r} ({kind.__name__}) is quantized already: give "
            "quantize_model the full-precision network"
        )
    if layer.weights and kind not in HANDLERS and kind not in ENTRANCE:
        raise InputError(
            f"layer {node.name!r} ({kind.__name__}) has weights that "
            "quantize_model does not know how to quantize: docs/quantize.md "
            "lists the layers it knows"
        )
