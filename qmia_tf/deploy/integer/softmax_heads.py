"""The end of a network: its softmax. See graph_conversion."""

import keras

from qmia_tf.deploy.integer import kernel_conversion
from qmia_tf.deploy.integer.graph_conversion import unknown
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers


def end(conversion, layer, value):
    """A softmax as a layer of its own."""
    if getattr(layer, "activation", None) is keras.activations.linear:
        return value
    if getattr(layer, "activation", None) not in (
        None,
        keras.activations.softmax,
    ):
        raise unknown(layer, "only a softmax at the end is known")
    if len(layer.output.shape) != 2:
        raise unknown(layer, "a softmax over [batch, classes] only")
    return softmax(conversion, layer.name, value)


def softmax(conversion, name, value):
    """Adds the head that ends the network.

    Args:
        conversion: Conversion.
        name: of the softmax layer.
        value: what it reads.
    Returns: Floats or Codes, of probabilities or logits.
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
        return kernel_conversion.Floats(logits)
    last = keras.layers.Activation("softmax", name=name, dtype="float32")
    return kernel_conversion.Floats(last(logits))


def _in_integers(conversion, name, value):
    if not isinstance(value, kernel_conversion.PendingSums) or value.is_float:
        raise InputError(
            f"layer {name!r}: the layer before the softmax has no integer "
            "kernel (first_last_bits=8 gives it one); the scheme int8 "
            "keeps it in float32"
        )
    codes = conversion.put_on_head_grid(value, conversion.logits_grid)
    if conversion.outputs == "logits":
        return codes
    last = integer_layers.IntegerSoftmax(
        conversion.logits_grid.scale, name=name
    )
    return kernel_conversion.Codes(
        last(codes.tensor), integer_layers.SOFTMAX_GRID
    )
