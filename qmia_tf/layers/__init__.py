"""Keras layers that quantize as DoReFa does.

Importing this package registers them, so that .keras files load without
custom_objects. `integer_layers` holds those of integer twins.
"""

from qmia_tf.layers import integer_layers
from qmia_tf.layers.activations import (
    DoReFaActivation,
    DoReFaAdd,
    Quantize,
    ResidualQuantizer,
)
from qmia_tf.layers.dorefa_layers import (
    DoReFaConv2D,
    DoReFaDense,
    DoReFaDepthwiseConv2D,
)
from qmia_tf.layers.pooling import RoundedAveragePooling2D

__all__ = [
    "DoReFaActivation",
    "DoReFaAdd",
    "DoReFaConv2D",
    "DoReFaDense",
    "DoReFaDepthwiseConv2D",
    "Quantize",
    "ResidualQuantizer",
    "RoundedAveragePooling2D",
    "integer_layers",
]
