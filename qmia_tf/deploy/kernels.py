"""What a trained layer's result becomes on its way into the integer twin."""

import dataclasses

import keras
import numpy as np

from qmia_tf import layers as ours
from qmia_tf.deploy.folding import fold_kernel
from qmia_tf.errors import InputError
from qmia_tf.grids import Grid
from qmia_tf.layers import integer

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
QUANTIZED = (ours.DoReFaConv2D, ours.DoReFaDepthwiseConv2D, ours.DoReFaDense)
PLAIN = (*CONVOLUTIONS, keras.layers.Dense)
INTEGER_BITS = {"dorefa": 7, "symmetric": 8}


def is_kernel(layer):
    """Tells whether a layer is a convolution or dense layer known here."""
    return type(layer) in (*QUANTIZED, *PLAIN)


@dataclasses.dataclass(frozen=True)
class Codes:
    """Levels on a grid: a Keras tensor, and whether it is the image."""

    tensor: keras.KerasTensor
    grid: Grid
    is_image: bool = False


@dataclasses.dataclass(frozen=True)
class Floats:
    """A Keras tensor of floats."""

    tensor: keras.KerasTensor


@dataclasses.dataclass(frozen=True)
class Total:
    """A sum of two Codes that still has no grid."""

    first: Codes
    second: Codes


@dataclasses.dataclass(frozen=True, eq=False)
class Sums:
    """What a kernel sums up, still without a grid: factor * sums + offset.

    Attributes:
        layer: the trained layer.
        source: what it reads, Codes or Floats.
        factor, offset: float64 [channels]; None where no batch norm followed.
        spread: (means, deviations), float64 [channels], of the result; None
            where no batch norm followed.
        name: of the last trained layer that is in it.
    """

    layer: keras.layers.Layer
    source: Codes | Floats
    factor: np.ndarray | None = None
    offset: np.ndarray | None = None
    spread: tuple | None = None
    name: str = ""

    def __post_init__(self):
        if getattr(self.layer, "groups", 1) != 1:
            raise InputError(
                f"layer {self.layer.name!r} has groups={self.layer.groups}: "
                "integer export knows none; use a depthwise convolution"
            )
        if self.factor is None:
            bias = self.layer.bias if self.layer.use_bias else None
            zeros = np.zeros(self.channels)
            offset = zeros if bias is None else np.array(bias, np.float64)
            object.__setattr__(self, "factor", np.ones(self.channels))
            object.__setattr__(self, "offset", offset.reshape(-1))
            object.__setattr__(self, "name", self.layer.name)

    @property
    def depthwise(self):
        """Whether every input channel has kernels of its own."""
        return isinstance(self.layer, keras.layers.DepthwiseConv2D)

    @property
    def channels(self):
        """Number of output channels."""
        shape = self.layer.kernel.shape
        return shape[-1] * (shape[-2] if self.depthwise else 1)

    @property
    def is_float(self):
        """Whether int8 cannot hold the layer's weights, or its input."""
        if not isinstance(self.layer, QUANTIZED):
            return True
        most = INTEGER_BITS[self.layer.weight_quantizer]
        return self.layer.weight_bits > most or not isinstance(
            self.source, Codes
        )

    def normed(self, norm):
        """Returns the sums behind a batch norm, folded in.

        Args:
            norm: keras.layers.BatchNormalization over the channels.
        """
        if norm.axis not in (-1, 3) and norm.axis != [3]:
            raise InputError(f"layer {norm.name!r} does not norm channels")
        mean, variance = (
            np.array(moving, np.float64)
            for moving in (norm.moving_mean, norm.moving_variance)
        )
        gamma = np.ones_like(mean)
        if norm.scale:
            gamma = np.array(norm.gamma, np.float64)
        beta = np.zeros_like(mean)
        if norm.center:
            beta = np.array(norm.beta, np.float64)
        factor = gamma / np.sqrt(variance + norm.epsilon)
        return dataclasses.replace(
            self,
            factor=self.factor * factor,
            offset=(self.offset - mean) * factor + beta,
            spread=(beta, np.abs(gamma)),
            name=norm.name,
        )

    def why_float(self):
        """Says why int8 kernels cannot carry the layer."""
        if not isinstance(self.source, Codes):
            return (
                f"layer {self.layer.name!r} reads what is not quantized: put a "
                "DoReFaActivation of 1 to 8 bits in front of it"
            )
        bits = getattr(self.layer, "weight_bits", 32)
        quantizer = getattr(self.layer, "weight_quantizer", "dorefa")
        return (
            f"layer {self.layer.name!r} has {bits}-bit weights; int8 kernels "
            f"carry {quantizer} weights of up to {INTEGER_BITS[quantizer]} bits"
        )

    def on(self, grid: Grid, name, *, every=1):
        """Ends the sums on a grid, in an integer layer of that name.

        Args:
            grid: grids.Grid.
            name: str.
            every: odd int; codes that round to the same multiple of it
                count as equal.
        Returns: Keras tensor of levels.
        """
        pieces, scale = self.layer.exact_kernel().numpy()
        folded = fold_kernel(
            pieces[0].reshape(-1, self.channels),
            scale.reshape(-1),
            self.factor,
            self.offset,
            source=self.source.grid,
            target=grid,
            every=every,
            spread=self.spread,
        )
        build, windows = self._integer_layer()
        return _build(
            build, folded, pieces[0].shape, self.source, grid, name, windows
        )

    def in_floats(self, tensor, grid=None):
        """Returns the sums in float32, of the floats that are read.

        Args:
            tensor: Keras tensor.
            grid: of the levels that they are rounded to next; where it
                starts at zero, so do the sums.
        """
        layer = self._plain_layer()
        if grid is not None and grid.low == grid.zero_point:
            layer.activation = keras.activations.relu
        outputs = layer(tensor)
        kernel = self.layer.kernel
        if isinstance(self.layer, QUANTIZED):
            kernel = self.layer.quantized_kernel()
        kernel = np.array(kernel, np.float64)
        folded = kernel.reshape(-1, self.channels) * self.factor
        if not np.isfinite([*folded, self.offset]).all():
            raise InputError(
                f"layer {self.layer.name!r}: a number is not finite; did "
                "training diverge?"
            )
        layer.set_weights([folded.reshape(kernel.shape), self.offset])
        return outputs

    def _integer_layer(self):
        if isinstance(self.layer, keras.layers.Dense):
            return integer.IntegerDense, {}
        if self.depthwise:
            return integer.IntegerDepthwiseConv2D, self._windows()
        return integer.IntegerConv2D, self._windows()

    def _plain_layer(self):
        layer = self.layer
        named = {"name": layer.name, "dtype": "float32"}
        if isinstance(layer, keras.layers.Dense):
            return keras.layers.Dense(layer.units, **named)
        shape = {"kernel_size": layer.kernel_size, **named, **self._windows()}
        if self.depthwise:
            shape["depth_multiplier"] = layer.depth_multiplier
            return keras.layers.DepthwiseConv2D(**shape)
        return keras.layers.Conv2D(layer.filters, **shape)

    def _windows(self):
        names = ("strides", "padding", "dilation_rate")
        return {name: getattr(self.layer, name) for name in names}


def average(source, grid, name):
    """Averages levels over height and width, as a depthwise convolution.

    Args:
        source: Codes [batch, height, width, channels].
        grid: grids.Grid of the average.
        name: of the layer.
    Returns: Keras tensor of levels [batch, 1, 1, channels].
    """
    height, width, channels = source.tensor.shape[1:]
    if None in (height, width):
        raise InputError(
            f"layer {name!r} averages over a size that is not known: give the "
            "model a fixed input shape"
        )
    folded = fold_kernel(
        np.ones((height * width, channels)),
        1.0 / (height * width),
        1.0,
        0.0,
        source=source.grid,
        target=grid,
        limit=1,
    )
    shape = (height, width, channels, 1)
    build = integer.IntegerDepthwiseConv2D
    windows = {"padding": "valid"}
    return _build(build, folded, shape, source, grid, name, windows)


def _build(build, folded, shape, source, grid, name, windows):
    layer = build(
        shape,
        len(folded.bias),
        input_scale=source.grid.scale,
        grid=grid,
        wide=folded.wide,
        name=name,
        **windows,
    )
    tensor = layer(source.tensor)
    layer.set_weights(
        [
            folded.codes.reshape(shape),
            folded.bias,
            folded.weight_scales,
            folded.multipliers,
        ]
    )
    return tensor
