"""What a layer's result is on the way into the quantized network."""

import dataclasses

import keras
from keras import layers

from qmia_tf import layers as ours
from qmia_tf.layers.exact_convolutions import MAX_INPUT_STEPS
from qmia_tf.quantizers.dorefa import DoReFaWeights
from qmia_tf.quantizers.grids import FLOAT_BITS, steps_of_scale

KERNELS = {
    layers.Conv2D: ours.DoReFaConv2D,
    layers.DepthwiseConv2D: ours.DoReFaDepthwiseConv2D,
    layers.Dense: ours.DoReFaDense,
}
POOLS = (layers.AveragePooling2D, layers.GlobalAveragePooling2D)
# They pick or repeat values, or place zeros among them.
MOVERS = (
    layers.MaxPooling2D,
    layers.GlobalMaxPooling2D,
    layers.ZeroPadding2D,
    layers.Cropping2D,
    layers.Flatten,
    layers.Reshape,
    layers.Permute,
)
# They do nothing at inference.
PASSING = (
    layers.Identity,
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.ActivityRegularization,
    layers.RandomFlip,
    layers.RandomTranslation,
    layers.RandomRotation,
    layers.RandomZoom,
    layers.RandomContrast,
    layers.RandomBrightness,
)
QUANTIZED = (
    *KERNELS.values(),
    ours.DoReFaActivation,
    ours.DoReFaAdd,
    ours.Quantize,
    ours.ResidualQuantizer,
    ours.RoundedAveragePooling2D,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
    """A Keras tensor and what is known about its values.

    Attributes:
        kind: "pixels", "unit" (i/n in [0, 1]), "signed" (the grid of linear
            tensors), "sums" (linear, not rounded yet) or "float".
        maker: name of the layer that made it.
        scale: of its grid; None without.
        normed: whether a batch norm set its range.
        moved: whether they are pixels / 255 that a Rescaling behind has to
            bring to the range that the old network takes.
    """

    tensor: keras.KerasTensor
    kind: str
    maker: str
    scale: float | None = None
    normed: bool = False
    moved: bool = False

    @property
    def steps(self) -> int | None:
        """The n of a grid i/n that a kernel may rely on, or None."""
        if self.scale is None:
            return None
        steps = steps_of_scale(self.scale)
        return steps if steps <= MAX_INPUT_STEPS else None


def is_kernel(layer) -> bool:
    """Whether a layer multiplies by weights that can be quantized."""
    return type(layer) in KERNELS or type(layer) is layers.SeparableConv2D


def is_dorefa(layer) -> bool:
    """Whether a layer has DoReFa weights, which have a scale of their own."""
    quantizer = getattr(layer, "weight_quantizer", None)
    return isinstance(quantizer, DoReFaWeights) and quantizer.bits < FLOAT_BITS


def is_rectifier(function) -> bool:
    """Whether an activation function is ReLU or ReLU6."""
    return function in (keras.activations.relu, keras.activations.relu6)


def is_relu(layer) -> bool:
    """Whether a layer is nothing but ReLU, with or without an upper end."""
    if type(layer) is layers.Activation:
        return is_rectifier(layer.activation)
    return (
        type(layer) is layers.ReLU
        and not layer.negative_slope
        and not layer.threshold
    )


def is_mover(layer) -> bool:
    """Whether a layer leaves values as they are."""
    if type(layer) is layers.Activation:
        return layer.activation is keras.activations.linear
    return type(layer) in (*MOVERS, *PASSING)
