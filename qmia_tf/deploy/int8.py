"""The integer twin as a .tflite file of int8 kernels, written op by op."""

import keras

from qmia_tf.deploy import integer as folding
from qmia_tf.deploy.emitters import EMIT
from qmia_tf.deploy.twin_file import File
from qmia_tf.errors import InputError


def refusal(model, *, head="float"):
    """Says why int8 kernels cannot carry a model.

    Args:
        model: keras.Model.
        head: "float" for the scheme int8, "integer" for int8_io.
    Returns: str, or None if they can.
    """
    try:
        folding.fold(model, head=head, logits_range=(-1.0, 1.0))
    except InputError as error:
        return str(error)
    return None


def float_layers(twin):
    """Names the convolutions and dense layers that a twin keeps in floats."""
    kinds = (
        keras.layers.Conv2D,
        keras.layers.DepthwiseConv2D,
        keras.layers.Dense,
    )
    return [layer.name for layer in twin.layers if isinstance(layer, kinds)]


def to_tflite(twin):
    """Writes an integer twin as a .tflite file.

    The input is uint8 pixels (scale 1/255, zero point 0). The output is
    float32 probabilities, or int8 codes where the twin's head is integer.

    Args:
        twin: what integer.fold returned, or the same loaded from a file.
    Returns: bytes.
    """
    return File(twin, EMIT).to_bytes()
