"""The ends of a network: what multiplies its pixels, and its softmax.

`rescaling` and `end` are handlers, see graph_conversion.Conversion.
"""

import dataclasses

import keras
import numpy as np

from qmia_tf.deploy.integer.graph_conversion import Conversion
from qmia_tf.deploy.integer.kernel_conversion import PendingSums
from qmia_tf.deploy.integer.pending_values import Codes, Floats, refused
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers

# A Rescaling by less is made for pixels from 0 to 255.
SMALLEST = 0.1


def rescaling(conversion: Conversion, layer, value):
    """A Rescaling of pixels / 255 by one positive number; others are refused.

    The file reads uint8 images, whose scale is 1/255; the number goes into
    the first layer's weights. Up to 1/255 the network was made for 0 to 255.
    """
    del conversion
    scale, offset = np.asarray(layer.scale), np.asarray(layer.offset)
    if np.all(scale == 1) and np.all(offset == 0):
        return value
    if not (isinstance(value, Codes) and value.is_image):
        raise refused(layer, "integer export knows it at the input only")
    if scale.ndim == 0 and scale > SMALLEST and np.all(offset == 0):
        return dataclasses.replace(value, times=value.times * float(scale))
    raise refused(
        layer,
        f"it makes scale {layer.scale} and offset {layer.offset} of its "
        "input, but an integer file's first layer reads pixels / 255: "
        "quantize_model(..., unit_pixels=True) takes a Rescaling(1/255) out; "
        "or use float32",
    )


def end(conversion: Conversion, layer, value):
    """A softmax as a layer of its own."""
    activation = getattr(layer, "activation", None)
    if activation is keras.activations.linear:
        return value
    if activation not in (None, keras.activations.softmax):
        raise refused(layer, "only a softmax at the end is known")
    if len(layer.output.shape) != 2:
        raise refused(layer, "a softmax over [batch, classes] only")
    return softmax(conversion, layer.name, value)


def softmax(conversion: Conversion, name: str, value) -> Floats | Codes:
    """Adds the head that ends the network: probabilities or logits.

    Raises: InputError if there was one already, or its logits have no
        integer kernel where the head is to be integer.
    """
    if conversion.model_output is not None:
        raise InputError(f"layer {name!r} is a second softmax")
    make = _in_floats if conversion.head == "float" else _in_integers
    conversion.model_output = make(conversion, name, value)
    return conversion.model_output


def _in_floats(conversion, name, value):
    logits = conversion.floats(value).tensor
    if conversion.outputs == "logits":
        return Floats(logits)
    last = keras.layers.Activation("softmax", name=name, dtype="float32")
    return Floats(last(logits))


def _in_integers(conversion, name, value):
    if not isinstance(value, PendingSums) or value.is_float:
        raise InputError(
            f"layer {name!r}: the layer before the softmax has no integer "
            "kernel (first_last_bits=8 gives it one); the scheme int8 "
            "keeps it in float32"
        )
    codes = conversion.put_on_head_grid(value, conversion.logits_grid)
    if conversion.outputs == "logits":
        return codes
    scale = conversion.logits_grid.scale
    last = integer_layers.IntegerSoftmax(scale, name=name)
    return Codes(last(codes.tensor), integer_layers.SOFTMAX_GRID)
