"""ResNet-18 with DoReFa-quantized weights and activations.

Post-activation blocks; a batch norm stands before every clip and starts at
gamma 0.3, in the full-precision network as in the quantized ones: with gamma
1 most units sit at an end of the [0, 1] clip and four bits hardly learn. Its
beta starts at 0.3 where its output alone, or as the shortcut, meets the clip,
and at 0 in a branch that is added to a shortcut: most units then start inside
the clip and above the first rounding step, without which one and two bits
hardly learn.
"""

import dataclasses
import numbers
import re

import keras
from keras import layers

from qmia_tf.data.pixels import PIXEL_STEPS
from qmia_tf.errors import InputError
from qmia_tf.layers import (
    DoReFaActivation,
    DoReFaAdd,
    DoReFaConv2D,
    DoReFaDense,
)
from qmia_tf.quantizers.grids import FLOAT_BITS, check_bits

STEMS = ("imagenet", "cifar")
STAGES = ((1, 1), (2, 2), (4, 2), (8, 2))  # width multiple, first stride
BLOCKS = 2
GAMMA = 0.3
BETA = 0.3


@dataclasses.dataclass(frozen=True)
class Bits:
    """The bit widths of a network, defaults resolved.

    Attributes:
        weight: of every convolution but the first, 1..32.
        activation: 1..32; at 32 it is ReLU.
        first_last: 8 (symmetric int8 per channel) or any 2..32; None is 8
            where weight <= 8 and 32 above.
        residual: 8 or 32; None is 8 where activation <= 8 and 32 above.
        gradient: DoReFa's G behind every convolution but the first, 32 is
            off.
        clip: keeps the [0, 1] clip at 32 activation bits.
    """

    weight: int = FLOAT_BITS
    activation: int = FLOAT_BITS
    first_last: int | None = None
    residual: int | None = None
    gradient: int = FLOAT_BITS
    clip: bool = False

    def __post_init__(self):
        check_bits(self.weight, "weight_bits")
        check_bits(self.activation, "activation_bits")
        check_bits(self.gradient, "gradient_bits")
        if self.first_last is None:
            default = 8 if self.weight <= 8 else FLOAT_BITS
            object.__setattr__(self, "first_last", default)
        if self.residual is None:
            default = 8 if self.activation <= 8 else FLOAT_BITS
            object.__setattr__(self, "residual", default)
        check_bits(self.first_last, "first_last_bits")
        if self.first_last < 2:
            raise InputError("first_last_bits must be in 2..32, got 1")
        if self.residual not in (8, FLOAT_BITS):
            raise InputError(
                f"residual_bits must be 8 or 32, got {self.residual}"
            )
        if self.residual == 8 and self.activation > 8:
            raise InputError(
                "residual_bits=8 needs activation_bits in 1..8, got "
                f"{self.activation}; use residual_bits=32"
            )

    @classmethod
    def parse(cls, text):
        """Reads "w4a4" as 4 weight and 4 activation bits.

        Raises: InputError if the text is not like that.
        """
        match = re.fullmatch(r"w(\d+)a(\d+)", text.strip().lower())
        if not match:
            raise InputError(f"bits are written like w4a4, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self):
        """The text that parse reads."""
        return f"w{self.weight}a{self.activation}"


def resnet18(
    input_shape,
    classes,
    *,
    stem="imagenet",
    width=64,
    weight_bits=FLOAT_BITS,
    activation_bits=FLOAT_BITS,
    first_last_bits=None,
    residual_bits=None,
    gradient_bits=FLOAT_BITS,
    clip=False,
    seed=0,
):
    """Builds a ResNet-18 that takes pixels / 255 and gives probabilities.

    Args:
        input_shape: (height, width, channels) of an image.
        classes: int >= 2.
        stem: "imagenet" (7x7 stride 2 and max pool) or "cifar" (3x3).
        width: channels of the first stage, >= 1; 64 is the published net.
        weight_bits: int in 1..32.
        activation_bits: int in 1..32; at 32 activations are ReLU.
        first_last_bits: int in 2..32, symmetric per channel; None takes 8
            where weight_bits <= 8 and 32 above.
        residual_bits: 8 or 32; None takes 8 where activation_bits <= 8.
        gradient_bits: int in 1..32, DoReFa's gradient quantizer.
        clip: keeps the [0, 1] clip at 32 activation bits.
        seed: int; the same seed gives the same initial weights at every
            bit width.
    Returns: keras.Model, [batch, *input_shape] in [0, 1] -> [batch, classes].
    Raises: InputError if an argument is outside its range.
    Source: He et al., arXiv:1512.03385; DoReFa-Net, arXiv:1606.06160.
    """
    bits = Bits(
        weight_bits,
        activation_bits,
        first_last_bits,
        residual_bits,
        gradient_bits,
        clip,
    )
    _check_network(input_shape, classes, stem, width)
    net = _Pieces(bits, seed)
    inputs = x = keras.Input(input_shape, name="pixels")
    if stem == "imagenet":
        x = net.edge_conv(x, width, 7, 2)
        x = net.activation(net.norm(x, "stem_norm"), "stem_act")
        x = layers.MaxPooling2D(3, 2, padding="same", name="pool")(x)
    else:
        x = net.edge_conv(x, width, 3, 1)
        x = net.activation(net.norm(x, "stem_norm"), "stem_act")
    for stage, (multiple, first_stride) in enumerate(STAGES, 1):
        for block, stride in enumerate((first_stride,) + (1,) * (BLOCKS - 1)):
            last = multiple == STAGES[-1][0] and stride == 1
            name = f"stage{stage}_block{block + 1}"
            x = net.block(x, width * multiple, stride, name, last=last)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = net.head(x, classes)
    x = layers.Activation("softmax", dtype="float32", name="softmax")(x)
    name = f"resnet18_{stem}_w{bits.weight}a{bits.activation}"
    return keras.Model(inputs, x, name=name)


class _Pieces:
    """The pieces of the network at given bit widths, seeded one by one."""

    def __init__(self, bits, seed):
        self.bits = bits
        self.seed = seed
        self.count = 0

    def _next_seed(self):
        self.count += 1
        return self.seed * 1000 + self.count

    def _kernel(self, bits, quantizer, steps):
        seed = self._next_seed()
        return dict(
            weight_bits=bits,
            weight_quantizer=quantizer,
            input_steps=steps if self.bits.activation <= 16 else None,
            seed=seed,
            kernel_initializer=keras.initializers.HeNormal(seed),
        )

    def edge_conv(self, x, filters, size, stride):
        """The first convolution: symmetric integers, fed with pixels."""
        kernel = self._kernel(self.bits.first_last, "symmetric", PIXEL_STEPS)
        return DoReFaConv2D(
            filters,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            name="stem",
            **kernel,
        )(x)

    def conv(self, x, filters, size, stride, name):
        """A convolution in DoReFa's weight grid, fed with activations."""
        steps = 2**self.bits.activation - 1
        kernel = self._kernel(self.bits.weight, "dorefa", steps)
        return DoReFaConv2D(
            filters,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            gradient_bits=self.bits.gradient,
            name=name,
            **kernel,
        )(x)

    def norm(self, x, name, beta=BETA):
        """Batch norm that starts inside the clip."""
        return layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            gamma_initializer=keras.initializers.Constant(GAMMA),
            beta_initializer=keras.initializers.Constant(beta),
            name=name,
        )(x)

    def activation(self, x, name):
        """Clip and round, or ReLU at 32 bits."""
        bits, clip = self.bits.activation, self.bits.clip
        return DoReFaActivation(bits, clip=clip, name=name)(x)

    def block(self, x, filters, stride, name, *, last):
        """Two 3x3 convolutions and a shortcut; the last one is not rounded."""
        projection = stride != 1 or x.shape[-1] != filters
        y = self.conv(x, filters, 3, stride, f"{name}_conv1")
        y = self.norm(y, f"{name}_norm1")
        y = self.activation(y, f"{name}_act1")
        y = self.conv(y, filters, 3, 1, f"{name}_conv2")
        y = self.norm(y, f"{name}_norm2", beta=0.0)
        if projection:
            x = self.conv(x, filters, 1, stride, f"{name}_shortcut")
            x = self.norm(x, f"{name}_shortcut_norm")
        bits = self.bits.activation
        if self.bits.residual < FLOAT_BITS:
            return DoReFaAdd(
                bits,
                projection=projection,
                rounded=not last,
                name=f"{name}_sum",
            )([x, y])
        x = layers.Add(name=f"{name}_add")([x, y])
        if last and bits < FLOAT_BITS:
            return DoReFaActivation(FLOAT_BITS, clip=True, name=f"{name}_sum")(
                x
            )
        return self.activation(x, f"{name}_sum")

    def head(self, x, classes):
        """The last layer: symmetric integers, float inputs."""
        kernel = self._kernel(self.bits.first_last, "symmetric", None)
        return DoReFaDense(classes, name="logits", **kernel)(x)


def _check_network(input_shape, classes, stem, width):
    if stem not in STEMS:
        raise InputError(f"stem must be one of {STEMS}, got {stem!r}")
    if len(input_shape) != 3 or any(
        not isinstance(size, int) or size < 1 for size in input_shape
    ):
        raise InputError(
            "input_shape must be (height, width, channels), each 1 or more, "
            f"got {tuple(input_shape)}"
        )
    for name, value, least in (("classes", classes, 2), ("width", width, 1)):
        if not isinstance(value, numbers.Integral) or value < least:
            raise InputError(
                f"{name} must be an integer, {least} or more, got {value!r}"
            )
