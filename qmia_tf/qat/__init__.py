"""The DoReFa version of a Keras model: `quantize_model`.

The docs are docs/quantize.md. `plan` says what would be done to each layer.
"""

import keras
import numpy as np
from keras import layers

from qmia_tf.errors import InputError
from qmia_tf.layers import unsafe_layers
from qmia_tf.models.resnet import Bits
from qmia_tf.qat import (
    activation_scaling,
    float_agreement,
    input_grid,
    kernel_layers,
    layer_plan,
    merge_layers,
    other_layers,
)
from qmia_tf.qat.bit_widths import Widths, resolve
from qmia_tf.qat.layer_plan import Entry, describe
from qmia_tf.qat.network_conversion import Conversion, Settings
from qmia_tf.qat.node_list import read
from qmia_tf.qat.operations import Operation
from qmia_tf.qat.quantized_values import QUANTIZED, is_mover, is_relu
from qmia_tf.quantizers.grids import FLOAT_BITS

__all__ = ["Entry", "describe", "plan", "quantize_model"]

HANDLERS = {
    layers.Conv2D: kernel_layers.kernel,
    layers.DepthwiseConv2D: kernel_layers.kernel,
    layers.Dense: kernel_layers.kernel,
    layers.SeparableConv2D: kernel_layers.separable,
    layers.BatchNormalization: kernel_layers.norm,
    layers.Add: merge_layers.add,
    layers.Concatenate: merge_layers.concatenate,
    layers.AveragePooling2D: other_layers.average,
    layers.GlobalAveragePooling2D: other_layers.average,
    layers.Rescaling: other_layers.rescaling,
    Operation: other_layers.operation,
}
# They have weights and stay in floats; so does whatever holds none but
# vectors, one number a channel.
FLOATS = (
    layers.Normalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.PReLU,
)


def quantize_model(
    model: keras.Model,
    *,
    weight_bits: int,
    activation_bits: int,
    first_last_bits: int | None = None,
    residual_bits: int | None = None,
    gradient_bits: int = FLOAT_BITS,
    overrides: dict | None = None,
    calibration: np.ndarray | None = None,
    percentile: float = 99.9,
    insert_batch_norm: bool = False,
    input_range: tuple | str = input_grid.AUTO,
    input_steps: int | None = 255,
    unit_pixels: bool = False,
    seed: int = 0,
    progress=None,
) -> keras.Model:
    """Makes the DoReFa version of a model, with the model's weights.

    Args:
        model: functional or Sequential, one input, one output; it is not
            changed.
        weight_bits: 1..32, of every kernel but the first and last.
        activation_bits: 1..32; below 32, ReLU and ReLU6 become a clip to
            [0, 1] that is rounded.
        first_last_bits: 2..32, symmetric per channel, of kernels that read
            pixels or that no kernel follows; None takes 8 where
            weight_bits <= 8 and 32 above.
        residual_bits: 8 or 32, of linear results (a convolution and its
            batch norm without an activation, and their sums); None takes 8
            where activation_bits <= 8, and 32, floats, above.
        gradient_bits: 1..32, DoReFa's gradient quantizer.
        overrides: layer name or fnmatch pattern -> dict with weight_bits,
            activation_bits or both, or None to leave the layer alone; of two
            that match, the later one counts.
        calibration: images [N, ...], uint8 pixels or floats as the new model
            takes them; a few hundred, all at once in memory. Batch norms
            are rescaled and their statistics measured again on them, and the
            two networks' answers to them are compared.
        percentile: in (0, 100], of an activation's values on the calibration
            images; it is put at the upper end of the clip.
        insert_batch_norm: puts a batch norm between a kernel and the clip
            where there is none.
        input_range: (low, high), what the model takes for pixels of 0 and
            255, such as (0, 255), (-1, 1) or "-1..1"; the new model takes the
            same.
            "auto" is what the model's own layers say (Rescaling,
            Normalization, x / 255), else what its first batch norm has seen,
            as far as calibration images tell, else (0, 1).
        input_steps: n if the numbers that the model takes are
            low + i/n (high - low); None for any floats. A Rescaling from 0
            to 255 takes its place.
        unit_pixels: makes the new model take pixels / 255 where the model
            takes another range, as the project's pipelines and its int8
            files need it.
        seed: of the gradient quantizer's noise.
        progress: callable(str), gets a line a layer.
    Returns: model, not compiled. At 32 bits throughout it computes what the
        old one does.
    Raises: InputError if an argument is outside its range, the images
        cannot be what the model takes, or that names the layer if the model
        holds what is not known here (see `plan`).
    Warns: UserWarning that names the layers that DoReFa does badly on, that
        stay in floats, or that were left alone and cannot be trained safely
        (unsafe_layers), and where the networks' answers differ.
    """
    bits = Bits(
        weight_bits,
        activation_bits,
        first_last_bits,
        residual_bits,
        gradient_bits,
    )
    network = read(model)
    widths = resolve(bits, overrides, network.names)
    if calibration is not None:
        activation_scaling.check(model, calibration, percentile)
    pixel_range = input_grid.find_input_range(
        network,
        input_range=input_range,
        steps=input_steps,
        unit=unit_pixels,
        images=calibration,
    )
    settings = Settings(
        pixel_range, insert_batch_norm, calibration is not None, seed
    )
    written = _write(network, widths, settings)
    lines = [str(entry) for entry in written.entries]
    if calibration is not None and not widths.nothing:
        float_agreement.check_range(model, pixel_range, calibration)
        answers = activation_scaling.calibrate(
            _write(network, Widths(Bits(), {}), settings).model,
            written,
            pixel_range.fed_to_new(calibration),
            percentile,
        )
        line = float_agreement.compare(
            model, pixel_range.fed(calibration), answers
        )
        lines += [line] if line else []
    for line in lines if progress else ():
        progress(line)
    layer_plan.warn(written.entries)
    unsafe_layers.warn(written.model)
    return written.model


def plan(
    model: keras.Model,
    *,
    weight_bits: int,
    activation_bits: int,
    first_last_bits: int | None = None,
    residual_bits: int | None = None,
    overrides: dict | None = None,
    insert_batch_norm: bool = False,
    input_range: tuple | str = input_grid.AUTO,
    unit_pixels: bool = False,
) -> list[Entry]:
    """Says what quantize_model would do to each layer; `describe` prints it.

    The arguments are those of quantize_model, and so are the errors.
    """
    bits = Bits(weight_bits, activation_bits, first_last_bits, residual_bits)
    network = read(model)
    pixel_range = input_grid.find_input_range(
        network,
        input_range=input_range,
        steps=input_grid.PIXEL_STEPS,
        unit=unit_pixels,
    )
    widths = resolve(bits, overrides, network.names)
    settings = Settings(pixel_range, insert_batch_norm, False, 0)
    return _write(network, widths, settings).entries


def _write(network, widths, settings):
    """Writes the network that these widths give."""
    conversion = Conversion(network, widths, settings)
    results = {}
    for node in network.nodes:
        read = [results[source] for source in node.inputs]
        results[node.name] = _step(conversion, node, read)
    output = results[network.output].tensor
    conversion.written.model = keras.Model(
        conversion.inputs, output, name=network.name
    )
    for layer, weights in conversion.weights:
        layer.set_weights(weights)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return conversion.written


def _step(conversion, node, read):
    layer = node.layer
    if isinstance(layer, layers.InputLayer):
        return other_layers.input_layer(conversion, node)
    _check(conversion, node)
    if node.name in conversion.closed:
        conversion.log(node, conversion.closed[node.name])
        return read[0]
    handler = HANDLERS.get(type(layer))
    if all(value.kind == "pixels" for value in read):
        # Their range may have to be changed, whatever is left alone.
        if is_mover(layer):
            return other_layers.moved(conversion, node, *read)
        if handler is other_layers.rescaling or input_grid.picks(layer):
            return handler(conversion, node, *read)
    if conversion.widths.alone(node.name):
        return conversion.alone(node, read, "left alone, as asked")
    if conversion.widths.nothing:
        return conversion.alone(node, read, "left alone: nothing is quantized")
    if is_mover(layer):
        return other_layers.moved(conversion, node, *read)
    if is_relu(layer):
        return other_layers.relu(conversion, node, *read)
    if handler is not None:
        return handler(conversion, node, *read)
    return other_layers.floats(conversion, node, read)


def _check(conversion, node):
    layer, kind = node.layer, type(node.layer)
    if isinstance(layer, QUANTIZED):
        raise InputError(
            f"layer {node.name!r} ({kind.__name__}) is quantized already: give "
            "quantize_model the full-precision network"
        )
    known = kind in HANDLERS or isinstance(layer, FLOATS)
    if known or conversion.widths.alone(node.name):
        return
    if any(len(weight.shape) > 1 for weight in layer.weights):
        raise InputError(
            f"layer {node.name!r} ({kind.__name__}) has weights that "
            "quantize_model does not know how to quantize: docs/quantize.md "
            "lists the layers it knows, and overrides="
            f"{{{node.name!r}: None}} leaves this one in floats"
        )
