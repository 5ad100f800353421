"""Tests of the promise: the twin's codes are XNNPACK's, at every tensor."""

import itertools

import integer_nets
import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert
from integer_nets import EDGE
from slow_tests import SLOW

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network

SIZES = ((64, 1), (64, 2), (1, 1), (1, 2))  # images a batch, threads
NETS = tuple(itertools.product(("cifar", "imagenet"), integer_network.HEADS))
# Every (w, a) that int8 carries; without --slow each width with a few others.
PAIRS = [
    (w, a)
    for w, a in itertools.product(range(1, 8), range(1, 9))
    if SLOW or (w + 2 * a) % 3 == 0
]


class EveryPairTest(integer_nets.PairTest):
    """XNNPACK's codes are the twin's, for every pair of bit widths.

    Random weights, negative and dead channels, odd sizes, strides. A pair has
    one stem and one head, in turn; with --slow every one.
    """

    @parameterized.parameters(*PAIRS)
    def test_no_code_differs(self, weight_bits, activation_bits):
        turn = (weight_bits + activation_bits) % len(NETS)
        for stem, head in NETS if SLOW else [NETS[turn]]:
            says = f"{stem} w{weight_bits}a{activation_bits} {head}"
            model = integer_nets.resnet(
                stem, weight_bits, activation_bits, seed=weight_bits
            )
            pixels = integer_nets.images(64, integer_nets.SHAPES[stem])
            pair = integer_nets.Pair(integer_nets.fold(model, head), pixels)
            self.assertEqualCodes(pair, SIZES, says)
            self.assertAlive(pair, 2 if activation_bits == 1 else 3, says)
            kernels = [
                name
                for name in pair.names
                if hasattr(pair.twin.get_layer(name), "kernel")
            ]
            self.assertLen(kernels, 20 + 2 * (head == "integer"))

    def test_what_the_networks_and_kernels_are(self):
        model = integer_nets.resnet("cifar", 4, 4)
        gammas = integer_nets.gammas(model)
        self.assertGreater((gammas < 0).sum(), 50)
        self.assertGreater((gammas == 0).sum(), 50)
        pixels = integer_nets.images(64, integer_nets.SHAPES["cifar"])
        pair = integer_nets.Pair(integer_nets.fold(model, "float"), pixels)
        # Other kernels round twice, and that is seen.
        for kernels in ("BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"):
            self.assertNotEmpty(pair.mismatches(kernels=kernels), kernels)
        # The default ones are XNNPACK's.
        lite = litert.Interpreter(model_content=pair.content)
        lite.allocate_tensors()
        ops = [op["op_name"] for op in lite._get_ops_details()]
        self.assertIn("DELEGATE", ops)


def conv(x, *arguments, bits=None, **options):
    """Convolution, batch norm, and an activation of so many bits."""
    options = {"padding": "same", "weight_bits": 4, **options}
    x = layers.DoReFaConv2D(*arguments, **options)(x)
    x = keras.layers.BatchNormalization()(x)
    return x if bits is None else layers.DoReFaActivation(bits)(x)


def net(body, shape=(9, 7, 3)):
    """First layer, body, head."""
    pixels = keras.Input(shape, name="pixels")
    x = body(conv(pixels, 12, 3, bits=4, **EDGE))
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.DoReFaDense(9, name="logits", **EDGE)(x)
    x = keras.layers.Activation("softmax", name="softmax")(x)
    return integer_nets.randomize(keras.Model(pixels, x), seed=4)


def window(kernel_size, **options):
    def make():
        keras.utils.set_random_seed(1)
        return net(lambda x: conv(x, 10, kernel_size, bits=5, **options))

    return make


def pooling(*arguments, **options):
    return lambda: net(keras.layers.MaxPooling2D(*arguments, **options))


def sums_by_layers_of_their_own():
    def branch(x, size):
        rounded = layers.ResidualQuantizer(4, projection=True)
        return rounded(conv(x, 12, size))

    def body(x):
        y = layers.ResidualQuantizer(3)(conv(conv(x, 12, 3, bits=2), 12, 3))
        x = layers.DoReFaActivation(3)(keras.layers.Add()([x, y]))
        x = keras.layers.Add()([branch(x, 3), branch(x, 1)])
        return layers.DoReFaActivation(32, clip=True)(x)

    return net(body)


def codes_of_either_sign():
    def body(x):
        x = layers.ResidualQuantizer(4)(conv(x, 12, 3))
        return conv(x, 12, 3, bits=4, weight_bits=7)

    return net(body)


def dense_layer_on_maps():
    def body(x):
        x = layers.DoReFaDense(11, weight_bits=5)(x)
        x = keras.layers.BatchNormalization()(x)
        return layers.DoReFaActivation(6)(x)

    return net(body)


def norms_after_norms_and_biases_by_keyword():
    def body(x):
        options = {"weight_bits": 3, "bias_initializer": "random_normal"}
        x = layers.DoReFaConv2D(11, 3, **options)(inputs=x)
        for _ in range(2):
            x = keras.layers.BatchNormalization()(inputs=x)
        return layers.DoReFaActivation(4)(inputs=x)

    return net(body)


def sequential_without_convolution():
    stack = [
        keras.Input((5, 6, 1)),
        keras.layers.Flatten(),
        layers.DoReFaDense(16, weight_bits=3),
        keras.layers.BatchNormalization(),
        layers.DoReFaActivation(4),
        layers.DoReFaDense(7, activation="softmax", **EDGE),
    ]
    return integer_nets.randomize(keras.Sequential(stack))


class OtherNetsTest(integer_nets.PairTest):
    """Layers, shapes and ways to put them together that ResNet-18 lacks."""

    @parameterized.product(
        make=(
            integer_nets.varied,
            lambda: integer_nets.varied((9, 8, 1), seed=1),
            lambda: integer_nets.varied((17, 6, 4), seed=23),
            window(1, strides=3),
            window((1, 4), strides=(2, 1)),
            window(5, padding="valid"),
            window(2, strides=2),
            window(3, dilation_rate=(3, 2)),
            window(3, dilation_rate=2, padding="valid"),
            window(9, weight_bits=7),
            pooling(3, strides=1, padding="same"),
            pooling((2, 1), strides=3),
            pooling(4, strides=(1, 2), padding="same"),
            pooling(1, strides=2),
            sums_by_layers_of_their_own,
            codes_of_either_sign,
            dense_layer_on_maps,
            norms_after_norms_and_biases_by_keyword,
            sequential_without_convolution,
        ),
        head=integer_network.HEADS,
    )
    def test_no_code_differs(self, make, head):
        model = make()
        pixels = integer_nets.images(64, model.input_shape[1:])
        pair = integer_nets.Pair(integer_nets.fold(model, head), pixels)
        self.assertEqualCodes(pair, SIZES, head)
        self.assertAlive(pair, says=head)

    def test_sizes_that_are_not_known(self):
        model = net(
            lambda x: conv(x, 10, 3, bits=5, strides=2), (None, None, 3)
        )
        twin = integer_network.fold(model)
        for shape in ((9, 7, 3), (16, 5, 3)):
            pair = integer_nets.Pair(twin, integer_nets.images(8, shape))
            self.assertEqualCodes(pair, ((8, 1), (1, 2)))
            self.assertAlive(pair)

    def test_first_and_last_layer_in_floats(self):
        model = integer_nets.resnet("cifar", 4, 4, first_last_bits=32)
        pixels = integer_nets.images(64, integer_nets.SHAPES["cifar"])
        twin = integer_network.fold(model)
        self.assertEqual(int8_file.float_layers(twin), ["stem", "logits"])
        pair = integer_nets.Pair(twin, pixels)
        codes = integer_nets.run(pair.visible, pixels)
        file_levels = {
            name: codes[name].astype(np.float32) - pair.zeros[name]
            for name in pair.names
        }
        # The stem sums floats, TensorFlow and LiteRT in orders of their own:
        # a value that is a tie but for its last bits may go either way.
        apart = np.abs(file_levels["stem_act"] - pair.levels["stem_act"])
        self.assertLessEqual(apart.max(), 1)
        self.assertLess(np.mean(apart > 0), 1e-4)
        # Behind it everything is integers again, and equal.
        behind = pair.names[pair.names.index("stem_act") + 1 :]
        self.assertLen(behind, 27)
        rest = keras.Model(
            twin.get_layer("stem_act").output,
            [twin.get_layer(name).output for name in behind],
        )
        for name, levels in zip(
            behind, rest(file_levels["stem_act"]), strict=True
        ):
            wrong = (levels.numpy() != file_levels[name]).sum()
            self.assertEqual(
                wrong, 0, f"{name}: {wrong} of {file_levels[name].size}"
            )


if __name__ == "__main__":
    tf.test.main()
