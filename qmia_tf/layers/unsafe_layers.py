"""Layers whose training may damage memory under oneDNN's kernels.

This project's own layers go round those kernels, see
layers/portable_convolutions.py; Keras' layers in a network of somebody
else's do not.
"""

import warnings

import keras

from qmia_tf import onednn
from qmia_tf.layers import portable_convolutions
from qmia_tf.layers.dorefa_layers import DoReFaConv2D, DoReFaDepthwiseConv2D

KINDS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
)
GUARDED = (DoReFaConv2D, DoReFaDepthwiseConv2D)


def unsafe_layers(model) -> list[str]:
    """Names the layers whose gradients oneDNN's kernels compute unsafely.

    Args:
        model: built keras.Model; models inside it are looked into.
    """
    return [
        layer.name
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, KINDS)
        and not isinstance(layer, GUARDED)
        and layer.built
        and layer.trainable
        and portable_convolutions.is_unsafe(layer.kernel.shape, layer.strides)
        and not (_is_depthwise(layer) and layer.kernel.shape[2] > 1)
    ]


def _is_depthwise(layer):
    """One of a single channel is computed as a plain convolution."""
    return isinstance(layer, keras.layers.DepthwiseConv2D)


def warn(model):
    """Warns of a model that is going to be trained, where oneDNN is on.

    Args:
        model: keras.Model.
    Warns: UserWarning that names the layers.
    """
    names = unsafe_layers(model) if onednn.is_on() else []
    if names:
        warnings.warn(
            f"layers {', '.join(names)}: TensorFlow's oneDNN kernels may "
            "damage memory in the gradient of a 1x1 convolution with strides "
            "that reads less than 8 channels: the process may die, or end "
            "with other weights each time. Set TF_ENABLE_ONEDNN_OPTS=0 before "
            "TensorFlow is imported, or take qmia_tf.layers.DoReFaConv2D with "
            "weight_bits=32 in their place",
            stacklevel=3,
        )
