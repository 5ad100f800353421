"""The end of a network: its softmax. See graph_conversion."""

import keras

from qmia_tf.deploy.integer import kernel_conversion
from qmia_tf.deploy.integer.graph_conversion import unknown
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers


def end(walk, layer, value):
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
    return softmax(walk, layer.name, value)


def softmax(walk, name, value):
    """Ends the walk.

    Args:
        walk: walk.Walk.
        name: of the softmax layer.
        value: what it reads.
    Returns: kernels.Floats or kernels.Codes, of probabilities or logits.
    Raises: InputError if there was one already, or its logits have no
        integer kernel where the head is to be integer.
    """
    if walk.answer is not None:
        raise InputError(f"layer {name!r} is a second softmax")
    make = _in_floats if walk.head == "float" else _in_integers
    walk.answer = make(walk, name, value)
    return walk.answer


def _in_floats(walk, name, value):
    logits = walk.floats(value).tensor
    if walk.outputs == "logits":
        return kernel_conversion.Floats(logits)
    last = keras.layers.Activation("softmax", name=name, dtype="float32")
    return kernel_conversion.Floats(last(logits))


def _in_integers(walk, name, value):
    if not isinstance(value, kernel_conversion.Sums) or value.is_float:
        raise InputError(
            f"layer {name!r}: the layer before the softmax has no integer "
            "kernel (first_last_bits=8 gives it one); the scheme int8 "
            "keeps it in float32"
        )
    codes = walk.headed(value, walk.logits_grid)
    if walk.outputs == "logits":
        return codes
    last = integer_layers.IntegerSoftmax(walk.logits_grid.scale, name=name)
    return kernel_conversion.Codes(
        last(codes.tensor), integer_layers.SOFTMAX_GRID
    )
