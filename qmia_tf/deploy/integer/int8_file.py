"""The integer twin as a .tflite file of int8 kernels, written op by op."""

import keras

from qmia_tf.deploy.integer import compute_ops, movement_ops
from qmia_tf.deploy.integer import integer_network as folding
from qmia_tf.deploy.integer.file_tensors import File
from qmia_tf.errors import InputError
from qmia_tf.layers import DoReFaDepthwiseConv2D, integer_layers

# Which ops a layer of an integer twin becomes: functions that take the
# twin_file.File, the layer and the Tensors that it reads, and return the
# Tensor that the layer's ops end in.
EMIT = {
    keras.layers.InputLayer: File.image,
    integer_layers.ToLevels: compute_ops.to_levels,
    integer_layers.FromLevels: compute_ops.from_levels,
    integer_layers.IntegerConv2D: compute_ops.conv,
    integer_layers.IntegerDepthwiseConv2D: compute_ops.depthwise,
    integer_layers.IntegerDense: compute_ops.dense,
    integer_layers.IntegerAdd: compute_ops.add,
    integer_layers.IntegerSoftmax: compute_ops.softmax,
    keras.layers.Conv2D: compute_ops.conv,
    keras.layers.DepthwiseConv2D: compute_ops.depthwise,
    DoReFaDepthwiseConv2D: compute_ops.depthwise,
    keras.layers.Dense: compute_ops.dense,
    keras.layers.MaxPooling2D: movement_ops.max_pool,
    keras.layers.AveragePooling2D: movement_ops.average_pool,
    keras.layers.Concatenate: movement_ops.concatenate,
    keras.layers.Cropping2D: movement_ops.crop,
    keras.layers.Flatten: movement_ops.reshape,
    keras.layers.GlobalAveragePooling2D: movement_ops.mean,
    keras.layers.GlobalMaxPooling2D: movement_ops.largest,
    keras.layers.Permute: movement_ops.permute,
    keras.layers.Reshape: movement_ops.reshape,
    keras.layers.ZeroPadding2D: movement_ops.pad,
    keras.layers.Activation: compute_ops.softmax,
}


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
