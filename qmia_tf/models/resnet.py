"""ResNet-18 with DoReFa-quantized weights and activations.

Post-activation blocks; a batch norm stands before every clip and starts at
gamma 0.3, in the full-precision network as in the quantized ones: with gamma
1 most units sit at an end of the [0, 1] clip and four bits hardly learn. Its
beta starts at 0.3 where its output alone, or as the shortcut, meets the clip,
and at 0 in a branch that is added to a shortcut: most units then start inside
the clip and above the first rounding step, without which one and two bits
hardly learn.
"""

import numbers

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
from qmia_tf.models.network_bits import Bits
from qmia_tf.quantizers.grids import FLOAT_BITS

STEMS = ("imagenet", "cifar")
STAGES = ((1, 1), (2, 2), (4, 2), (8, 2))  # width multiple, first stride
BLOCKS = 2
GAMMA = 0.3
BETA = 0.3


def resnet18(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    stem: str = "imagenet",
    width: int = 64,
    weight_bits: int = FLOAT_BITS,
    activation_bits: int = FLOAT_BITS,
    first_last_bits: int | None = None,
    residual_bits: int | None = None,
    gradient_bits: int = FLOAT_BITS,
    clip: bool = False,
    seed: int = 0,
) -> keras.Model:
    """Builds a ResNet-18 that takes pixels / 255 and gives probabilities.

    Args:
        input_shape: (height, width, channels) of an image.
        classes: >= 2.
        stem: "imagenet" (7x7 stride 2 and max pool) or "cifar" (3x3).
        width: channels of the first stage, >= 1; 64 is the published net.
        weight_bits, ..., clip: see Bits.
        seed: the same seed gives the same initial weights at every bit width.
    Returns: model of [batch, *input_shape] in [0, 1] -> [batch, classes].
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
    size, stride = (7, 2) if stem == "imagenet" else (3, 1)
    x = net.conv(x, width, size, stride, "stem", edge=True)
    x = net.activation(net.norm(x, "stem_norm"), "stem_act")
    if stem == "imagenet":
        x = layers.MaxPooling2D(3, 2, padding="same", name="pool")(x)
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

    def _kernel(self, *, edge, steps):
        self.count += 1
        seed = self.seed * 1000 + self.count
        bits = self.bits
        return dict(
            weight_bits=bits.first_last if edge else bits.weight,
            weight_quantizer="symmetric" if edge else "dorefa",
            gradient_bits=FLOAT_BITS if edge else bits.gradient,
            input_steps=steps if bits.activation <= 16 else None,
            seed=seed,
            kernel_initializer=keras.initializers.HeNormal(seed),
        )

    def conv(self, x, filters, size, stride, name, *, edge=False):
        """A convolution fed with activations, the first one with pixels."""
        steps = PIXEL_STEPS if edge else 2**self.bits.activation - 1
        return DoReFaConv2D(
            filters,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            name=name,
            **self._kernel(edge=edge, steps=steps),
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
        kernel = self._kernel(edge=True, steps=None)
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
