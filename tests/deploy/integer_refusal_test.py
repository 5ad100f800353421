"""Tests of the models that integer kernels cannot carry, and what is said."""

import integer_nets
import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from integer_nets import EDGE

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.errors import InputError
from qmia_tf.models.resnet import resnet18


def conv(**options):
    options = {"padding": "same", "weight_bits": 4, "name": "conv", **options}
    return layers.DoReFaConv2D(6, 3, **options)


def first(x):
    """A first layer, as codes of 4 bits."""
    x = layers.DoReFaConv2D(6, 3, name="first", **EDGE)(x)
    x = keras.layers.BatchNormalization(name="first_norm")(x)
    return layers.DoReFaActivation(4, name="first_act")(x)


def act(x, bits=4, **options):
    return layers.DoReFaActivation(bits, name="act", **options)(x)


def dense(x, **options):
    return layers.DoReFaDense(5, name="logits", **{**EDGE, **options})(x)


def head(x):
    """Average where there are maps, dense layer, softmax."""
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.layers.Activation("softmax", name="softmax")(dense(x))


def model_of(body, shape=(8, 8, 3)):
    pixels = keras.Input(shape, name="pixels")
    return keras.Model(pixels, body(pixels), name="net")


def after_first(*stack):
    """A model of layers, or functions, behind the first one."""

    def body(x):
        x = first(x)
        for layer in stack:
            x = layer(x)
        return head(x)

    return lambda: model_of(body)


def sum_of(branch, *ends):
    """A model of an Add of the first layer's codes and a branch of them."""

    def add(x):
        x = keras.layers.Add(name="sum")([x, branch(conv()(x))])
        return ends[0](x) if ends else x

    return after_first(add)


def quantized_add(shortcut, branch):
    """A model of a DoReFaAdd."""
    add = layers.DoReFaAdd(4, name="sum")
    return after_first(lambda x: add([shortcut(x), branch(x)]))


def joined(make):
    """A model of a Concatenate of the first layer's codes and others."""
    cat = keras.layers.Concatenate(name="cat")
    return after_first(lambda x: cat([x, make(x)]))


def resnet(weight_bits=32, activation_bits=32, **options):
    bits = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    options = {"stem": "cifar", "width": 4, **bits, **options}
    return lambda: resnet18((8, 8, 3), 4, **options)


def channels_first(kind, *arguments, **options):
    options = {"data_format": "channels_first", "name": "conv", **options}
    return after_first(kind(*arguments, **options))


def two_softmaxes():
    def body(x):
        x = keras.layers.GlobalAveragePooling2D()(first(x))
        x = layers.DoReFaDense(5, **EDGE)(x)
        x = dense(keras.layers.Softmax(name="one")(x))
        return keras.layers.Softmax(name="two")(x)

    return model_of(body)


def branch_of_a_sum():
    def body(x):
        x = layers.ResidualQuantizer(2, linear=True)(conv()(first(x)))
        x = keras.layers.Add(name="sum")([x, x])
        return head(layers.ResidualQuantizer(4, projection=True)(x))

    return model_of(body)


L = keras.layers
FLAT = L.Flatten(name="flat")
RESIDUAL = layers.ResidualQuantizer
UNKNOWN = r"^layer 'odd' \({}\): integer export does not know this layer: use f"
NOT_QUANTIZED = "reads what is not quantized: put a DoReFaActivation of 1 to 8"
CHANNELS = r"^layer 'conv' \(\w+\): TFLite's kernels take channels last$"
RANGE = (
    r"^layer 'range' \(Rescaling\): it makes scale .* of its input, but an "
    "integer file's first layer reads pixels / 255: .*unit_pixels=True"
)
REFUSED = {
    "weights_of_8_bits": (
        resnet(8, 8),
        "^layer 'stage1_block1_conv1' has 8-bit weights; int8 kernels carry "
        "dorefa weights of up to 7 bits$",
    ),
    "weights_of_32_bits": (
        resnet(32, 4, first_last_bits=8),
        "^layer 'stage1_block1_conv1' has 32-bit weights; int8 kernels",
    ),
    "symmetric_weights_of_9_bits": (
        after_first(conv(weight_bits=9, weight_quantizer="symmetric"), act),
        "^layer 'conv' has 9-bit weights; .* symmetric weights of up to 8 bit",
    ),
    **{
        f"activations_of_{bits}_bits": (
            resnet(weights, bits),
            f"^layer 'stem_act' .*: {bits}-bit activations; int8 kernels carry "
            "1 to 8$",
        )
        for weights, bits in ((4, 9), (16, 16), (32, 32))
    },
    "residual_of_32_bits": (
        resnet(4, 4, residual_bits=32),
        "^layer 'stage1_block1_add' .*: a sum needs two quantized inputs "
        r"\(residual_bits=8 gives them\)$",
    ),
    **{
        kind.__name__: (
            after_first(kind(name="odd", **options)),
            UNKNOWN.format(kind.__name__),
        )
        for kind, options in (
            (L.LayerNormalization, {}),
            (L.Conv2DTranspose, {"filters": 3, "kernel_size": 2}),
            (L.ReLU, {}),
            (L.UpSampling2D, {}),
            (L.PReLU, {}),
            (L.SeparableConv2D, {"filters": 3, "kernel_size": 2}),
        )
    },
    "first_unknown_layer": (
        after_first(L.LayerNormalization(name="a"), L.ReLU(name="b")),
        "^layer 'a' ",
    ),
    "activation_of_its_own": (
        after_first(conv(activation="relu"), act),
        r"^layer 'conv' \(DoReFaConv2D\): its own activation: use "
        "DoReFaActivation$",
    ),
    "activation_layer": (
        after_first(L.Activation("tanh", name="tanh")),
        "^layer 'tanh' .*: only a softmax at the end is known$",
    ),
    "groups": (
        after_first(conv(groups=3), act),
        "^layer 'conv' has groups=3: integer export .* a depthwise convolution",
    ),
    "channels_first_kernel": (channels_first(L.Conv2D, 6, 3), CHANNELS),
    "channels_first_pool": (channels_first(L.MaxPooling2D, 2), CHANNELS),
    "channels_first_flatten": (channels_first(L.Flatten), CHANNELS),
    "norm_without_maps": (
        after_first(FLAT, L.BatchNormalization(name="lost")),
        r"^layer 'lost' \(BatchNormalization\): batch norm must follow a conv",
    ),
    "norm_behind_what_stands_between": (
        after_first(
            conv(),
            L.MaxPooling2D(name="pool"),
            L.BatchNormalization(name="late"),
            act,
        ),
        "^layer 'late': 'pool' stands between it and 'conv', into which it is "
        "to be folded: put it directly behind, or use float32$",
    ),
    "norm_of_rows": (
        after_first(conv(), L.BatchNormalization(axis=1, name="rows"), act),
        "^layer 'rows' does not norm channels$",
    ),
    "convolution_on_sums": (
        after_first(conv(), conv(name="late"), act),
        f"^layer 'late' {NOT_QUANTIZED}",
    ),
    "plain_convolution_inside": (
        after_first(L.Conv2D(6, 3, name="late"), act),
        "^layer 'late' has 32-bit weights; int8 kernels",
    ),
    "activation_of_another_grid": (
        after_first(FLAT, lambda x: act(x, 3)),
        "^layer 'act' .*: its input is on another grid already$",
    ),
    "hidden_layer_on_an_average": (
        after_first(
            L.AveragePooling2D(6),
            FLAT,
            layers.DoReFaDense(5, weight_bits=4, name="hidden"),
            act,
        ),
        f"^layer 'hidden' {NOT_QUANTIZED}",
    ),
    "hidden_layer_on_a_global_average": (
        after_first(
            L.GlobalAveragePooling2D(),
            layers.DoReFaDense(5, weight_bits=4, name="hidden"),
            act,
        ),
        f"^layer 'hidden' {NOT_QUANTIZED}",
    ),
    **{
        f"average_of_partial_windows_{size}": (
            after_first(
                L.AveragePooling2D(size, stride, padding="same", name="edges"),
                act,
            ),
            r"^layer 'edges' \(AveragePooling2D\): padding='same' averages "
            "fewer values along the edge, .*: use padding='valid', or float32",
        )
        for size, stride in ((4, None), (2, 1))
    },
    "average_on_another_grid": (
        after_first(
            layers.RoundedAveragePooling2D(2, scale=1 / 7, name="pool")
        ),
        r"^layer 'pool' \(RoundedAveragePooling2D\): its scale is 0.142857, "
        "that of its input 0.0666667: make them equal, or use float32$",
    ),
    "average_of_sums": (
        after_first(
            conv(), layers.RoundedAveragePooling2D(2, scale=1, name="pool")
        ),
        f"^layer 'pool' .*: it {NOT_QUANTIZED}",
    ),
    "joined_grids": (
        joined(lambda x: act(conv()(x), 3)),
        r"^layer 'cat' \(Concatenate\): its inputs lie on grids of 1/15 and "
        "1/7: quantize them alike, or use float32$",
    ),
    "joined_sums": (
        joined(lambda x: conv()(x)),
        "^layer 'cat' .*: it joins what is not quantized: put a DoReFaActivat",
    ),
    **{
        f"rescaling_by_{scale:.3g}": (
            lambda scale=scale, offset=offset: model_of(
                lambda x: head(
                    first(L.Rescaling(scale, offset, name="range")(x))
                )
            ),
            RANGE,
        )
        for scale, offset in ((1 / 255, 0.0), (2.0, -1.0), (1 / 127.5, -1.0))
    },
    "rescaling_inside": (
        after_first(L.Rescaling(2.0, name="range")),
        "^layer 'range' .*: integer export knows it at the input only$",
    ),
    "factor_into_a_norm": (
        lambda: model_of(
            lambda x: head(
                L.BatchNormalization(name="norm")(L.Rescaling(255.0)(x))
            )
        ),
        "^layer 'norm' .*: it reads pixels that a Rescaling multiplies, which "
        "only a convolution or a dense layer takes in: put it behind one",
    ),
    "branch_of_a_sum": (branch_of_a_sum, "must follow a convolution"),
    "sum_of_three": (
        after_first(lambda x: L.Add(name="sum")([x, x, x]), act),
        "^layer 'sum' .*: a sum needs two quantized inputs",
    ),
    **{
        f"sum_of_{bits}_bits": (
            sum_of(RESIDUAL(4), lambda x, bits=bits: act(x, bits)),
            rf"^layer 'act' \(DoReFaActivation\): {bits}-bit activations",
        )
        for bits in (9, 31)
    },
    "sum_without_upper_end": (
        sum_of(RESIDUAL(4), lambda x: act(x, 32)),
        "^layer 'act' .*: ReLU on a sum, with no upper end$",
    ),
    "sum_that_nothing_rounds": (
        sum_of(RESIDUAL(4)),
        "^layer 'sum': a sum of two quantized tensors needs a DoReFaActivation "
        "of 8 bits or fewer behind it, a ResidualQuantizer with linear=True, o",
    ),
    "sum_with_too_many_levels": (
        sum_of(RESIDUAL(5), lambda x: act(x, 32, clip=True)),
        "^layer 'act' .*: the sum has 465 levels, int8 holds 255$",
    ),
    "branch_that_is_no_convolution": (
        quantized_add(lambda x: x, lambda x: x),
        r"^layer 'sum' \(DoReFaAdd\): its branch is not a convolution$",
    ),
    "shortcut_that_is_not_quantized": (
        quantized_add(conv(name="other"), conv()),
        "^layer 'sum' .*: its shortcut is not quantized$",
    ),
    "without_softmax": (
        lambda: model_of(lambda x: dense(FLAT(first(x)))),
        r"^layer 'logits' \(DoReFaDense\): the model must end in a softmax$",
    ),
    "two_softmaxes": (two_softmaxes, "^layer 'two' is a second softmax$"),
    "softmax_over_maps": (
        lambda: model_of(lambda x: L.Softmax(axis=1, name="maps")(conv()(x))),
        r"^layer 'maps' .*: a softmax over \[batch, classes\] only$",
    ),
    "twin": (
        lambda: integer_network.fold(integer_nets.varied()),
        r"^layer 'pixels_codes' \(ToLevels\): ",
    ),
}


class RefusalTest(parameterized.TestCase, tf.test.TestCase):
    """One line that names the layer and the reason, by fold and refusal."""

    def assertRefused(self, pattern, model, heads=integer_network.HEADS):
        for name in heads:
            with self.assertRaisesRegex(InputError, pattern) as caught:
                integer_nets.fold(model, name)
            self.assertNotIn("\n", str(caught.exception))
            self.assertEqual(
                int8_file.refusal(model, head=name), str(caught.exception)
            )

    @parameterized.named_parameters(
        (name, *case) for name, case in REFUSED.items()
    )
    def test_both_heads(self, make, pattern):
        self.assertRefused(pattern, make())

    @parameterized.parameters(("cifar", 1, 1), ("imagenet", 7, 8))
    def test_nothing_to_refuse(self, stem, *bits):
        model = resnet(*bits, stem=stem)()
        for name in integer_network.HEADS:
            self.assertIsNone(int8_file.refusal(model, head=name))

    def test_float_head_in_integers(self):
        model = resnet(4, 4, first_last_bits=32)()
        self.assertIsNone(int8_file.refusal(model))
        self.assertRefused(
            "^layer 'softmax': the layer before the softmax has no integer "
            "kernel .first_last_bits=8 gives it one.; the scheme int8 keeps it "
            "in float32$",
            model,
            ["integer"],
        )

    def test_unknown_size(self):
        model = model_of(lambda x: head(first(x)), (None, None, 3))
        self.assertIsNone(int8_file.refusal(model))
        self.assertRefused(
            "^layer 'mean' averages over a size that is not known: give the "
            "model a fixed input shape$",
            model,
            ["integer"],
        )
        model = model_of(
            lambda x: head(act(L.Cropping2D(1, name="cut")(first(x)))),
            (None, None, 3),
        )
        with self.assertRaisesRegex(
            InputError,
            "^layer 'cut' makes a shape that is not known: give the model a "
            "fixed input shape$",
        ):
            int8_file.to_tflite(integer_network.fold(model))

    @parameterized.parameters("first", "first_norm", "logits")
    def test_weights_that_are_not_finite(self, name):
        model = model_of(lambda x: head(first(x)))
        weight = model.get_layer(name).weights[0]
        value = weight.numpy()
        value[..., 0] = np.nan
        weight.assign(value)
        # The convolution is named, whose batch norm it is.
        at = "logits" if name == "logits" else "first"
        self.assertRefused(
            f"^layer '{at}': (.*: )?a number is not finite; did training div",
            model,
        )


if __name__ == "__main__":
    tf.test.main()
