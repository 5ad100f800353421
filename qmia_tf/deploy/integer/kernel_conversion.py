"""A trained convolution or dense layer on its way into the integer twin."""

import dataclasses

import keras
import numpy as np

from qmia_tf import layers as ours
from qmia_tf.deploy.integer.batch_norm_folding import fold_kernel
from qmia_tf.deploy.integer.pending_values import Codes, Floats, copy_of
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers, portable_convolutions
from qmia_tf.quantizers.grids import INT8_MAX, Grid

QUANTIZED = (ours.DoReFaConv2D, ours.DoReFaDepthwiseConv2D, ours.DoReFaDense)
INTEGER_BITS = {"dorefa": 7, "symmetric": 8}
NOT_QUANTIZED = (
    "reads what is not quantized: put a DoReFaActivation of 1 to 8 bits in "
    "front of it"
)


@dataclasses.dataclass(frozen=True, eq=False)
class PendingSums:
    """What a kernel sums up, still without a grid: factor * sums + offset.

    Attributes:
        layer: the trained one.
        source: what it reads.
        factor, offset: float64 [channels]; None where no batch norm followed.
        spread: (means, deviations), float64 [channels], of the result; None
            where no batch norm followed.
        name: of the last trained layer that is in it.
        moves: trained layers behind it that move or pick values: rounding
            never changes an order and keeps 0, so it may come before them.
    """

    layer: keras.layers.Layer
    source: Codes | Floats
    factor: np.ndarray | None = None
    offset: np.ndarray | None = None
    spread: tuple | None = None
    name: str = ""
    moves: tuple = ()

    def __post_init__(self):
        if getattr(self.layer, "groups", 1) != 1:
            raise InputError(
                f"layer {self.layer.name!r} has groups={self.layer.groups}: "
                "integer export knows none; use a depthwise convolution"
            )
        _check_pixels(self.layer, self.source)
        bias = self.layer.bias if self.layer.use_bias else None
        self._start(0.0 if bias is None else bias)

    def _start(self, offset):
        if self.factor is None:
            offset = np.reshape(np.asarray(offset, np.float64), -1)
            zeros = np.zeros(self.channels)
            object.__setattr__(self, "factor", np.ones(self.channels))
            object.__setattr__(self, "offset", zeros + offset)
            object.__setattr__(self, "name", self.layer.name)

    @property
    def times(self) -> float:
        """What the trained layer's input is, of what this one's is."""
        return getattr(self.source, "times", 1.0)

    @property
    def depthwise(self) -> bool:
        """Whether every input channel has kernels of its own."""
        return isinstance(self.layer, keras.layers.DepthwiseConv2D)

    @property
    def channels(self) -> int:
        """Number of output channels."""
        shape = self.layer.kernel.shape
        return shape[-1] * (shape[-2] if self.depthwise else 1)

    @property
    def is_float(self) -> bool:
        """Whether int8 cannot hold the layer's weights, or its input."""
        if not isinstance(self.layer, QUANTIZED):
            return True
        most = INTEGER_BITS.get(self.layer.weight_quantizer.name, 0)
        return self.layer.weight_bits > most or not isinstance(
            self.source, Codes
        )

    @property
    def limit(self) -> int:
        """Largest code that int8 kernels take."""
        return INT8_MAX

    @property
    def between(self) -> tuple:
        """Moves that a batch norm cannot pass."""
        return self.moves

    def normed(self, norm: keras.layers.BatchNormalization) -> "PendingSums":
        """Returns the sums behind a batch norm over the channels, folded in."""
        if norm.axis not in (-1, 3) and norm.axis != [3]:
            raise InputError(f"layer {norm.name!r} does not norm channels")
        if self.between:
            raise InputError(
                f"layer {norm.name!r}: {self.between[-1].name!r} stands "
                f"between it and {self.layer.name!r}, into which it is to be "
                "folded: put it directly behind, or use float32"
            )
        mean = np.asarray(norm.moving_mean, np.float64)
        variance = np.asarray(norm.moving_variance, np.float64)
        gamma, beta = np.ones_like(mean), np.zeros_like(mean)
        if norm.scale:
            gamma = np.asarray(norm.gamma, np.float64)
        if norm.center:
            beta = np.asarray(norm.beta, np.float64)
        factor = gamma / np.sqrt(variance + norm.epsilon)
        return dataclasses.replace(
            self,
            factor=self.factor * factor,
            offset=(self.offset - mean) * factor + beta,
            spread=(beta, np.abs(gamma)),
            name=norm.name,
        )

    def moved(self, layer: keras.layers.Layer) -> "PendingSums":
        """Returns the sums behind a layer that moves or picks them."""
        return dataclasses.replace(self, moves=(*self.moves, layer))

    def why_float(self) -> str:
        """Says why int8 kernels cannot carry the layer."""
        if not isinstance(self.source, Codes) or self.source.is_head:
            return f"layer {self.layer.name!r} {NOT_QUANTIZED}"
        bits = getattr(self.layer, "weight_bits", 32)
        quantizer = getattr(self.layer, "weight_quantizer", None)
        name = quantizer.name if quantizer else "dorefa"
        return (
            f"layer {self.layer.name!r} has {bits}-bit weights; int8 kernels "
            f"carry {name} weights of up to {INTEGER_BITS.get(name, 0)} bits"
        )

    def on(self, grid: Grid, name: str, *, every: int = 1) -> keras.KerasTensor:
        """Ends the sums on a grid, in an integer layer of that name.

        Codes that round to the same multiple of every, which is odd, count as
        equal. Returns the levels.
        """
        codes, scale = self.trained_codes()
        folded = fold_kernel(
            codes.reshape(-1, self.channels),
            scale,
            self.factor,
            self.offset,
            source=self.source.grid,
            target=grid,
            limit=self.limit,
            every=every,
            spread=self.spread,
        )
        own_name = self.name if self.moves else name
        layer = self._integer_class()(
            codes.shape,
            len(folded.bias),
            input_scale=self.source.grid.scale,
            grid=grid,
            wide=folded.wide,
            name=own_name,
            **self._windows(),
        )
        tensor = layer(self.source.tensor)
        layer.set_weights(
            [
                folded.codes.reshape(codes.shape),
                folded.bias,
                folded.weight_scales,
                folded.multipliers,
            ]
        )
        return self._move(tensor, name if name != own_name else f"{name}_flat")

    def trained_codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the trained codes, and their scales [channels] or [1]."""
        pieces, scale = self.layer.exact_kernel().numpy()
        return pieces[0], scale.reshape(-1) * self.times

    def _move(self, tensor, name=None, *, moves=None):
        """Applies the moves; the last one is called name."""
        moves = self.moves if moves is None else moves
        for layer in moves:
            is_last = layer is moves[-1]
            tensor = copy_of(layer, name if is_last else None)(tensor)
        return tensor

    def in_floats(
        self, tensor: keras.KerasTensor, grid: Grid | None = None
    ) -> keras.KerasTensor:
        """Returns the sums in float32, of the floats that are read.

        Where the grid to which they are rounded next starts at zero, so do
        the sums.
        """
        layer = self._plain_layer()
        if grid is not None and grid.low == grid.zero_point:
            layer.activation = keras.activations.relu
        outputs = layer(tensor)
        kernel = self.layer.kernel
        if isinstance(self.layer, QUANTIZED):
            kernel = self.layer.quantized_kernel()
        kernel = np.asarray(kernel, np.float64)
        folded = kernel.reshape(-1, self.channels) * self.factor * self.times
        if not np.isfinite([*folded, self.offset]).all():
            raise InputError(
                f"layer {self.layer.name!r}: a number is not finite; did "
                "training diverge?"
            )
        layer.set_weights([folded.reshape(kernel.shape), self.offset])
        return self._move(outputs)

    def _integer_class(self):
        if isinstance(self.layer, keras.layers.Dense):
            return integer_layers.IntegerDense
        if self.depthwise:
            return integer_layers.IntegerDepthwiseConv2D
        return integer_layers.IntegerConv2D

    def _plain_layer(self):
        layer = self.layer
        options = {"name": layer.name, "dtype": "float32", **self._windows()}
        if isinstance(layer, keras.layers.Dense):
            return keras.layers.Dense(layer.units, **options)
        if self.depthwise:
            options["depth_multiplier"] = layer.depth_multiplier
            return float_depthwise(layer.kernel_size, **options)
        return keras.layers.Conv2D(layer.filters, layer.kernel_size, **options)

    def _windows(self):
        if isinstance(self.layer, keras.layers.Dense):
            return {}
        names = ("strides", "padding", "dilation_rate")
        return {name: getattr(self.layer, name) for name in names}


def float_depthwise(
    kernel_size: tuple[int, int], *, strides: tuple[int, int], **options
) -> keras.layers.DepthwiseConv2D:
    """Makes a DepthwiseConv2D with float weights that runs everywhere.

    The options are those of keras.layers.DepthwiseConv2D.
    """
    kind = keras.layers.DepthwiseConv2D
    if portable_convolutions.are_unequal(strides):
        kind = ours.DoReFaDepthwiseConv2D
    return kind(kernel_size, strides=strides, **options)


def _check_pixels(layer, source):
    """Refuses a layer that was trained on pixels of another range."""
    steps = getattr(layer, "input_steps", None)
    if steps is None or not getattr(source, "is_image", False):
        return
    # Whole pixels are multiples of 1/1.
    if steps == 1 and source.times == 1:
        raise InputError(
            f"layer {layer.name!r} reads whole numbers, such as pixels from 0 "
            "to 255, but an integer file's first layer reads pixels / 255: "
            "quantize_model(..., unit_pixels=True) makes a network of those; "
            "or use float32"
        )
