"""Tests of the promise: the twin's codes are XNNPACK's, at every tensor."""

import itertools

import integer_nets
import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert
from slow_tests import SLOW

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.layers import integer_layers as twins

SIZES = ((64, 1), (64, 2), (1, 1), (1, 2))  # images a batch, threads
NETS = tuple(itertools.product(("cifar", "imagenet"), integer_network.HEADS))
EDGE = {"weight_bits": 8, "weight_quantizer": "symmetric"}


class Parity(parameterized.TestCase, tf.test.TestCase):
    def assertEqualCodes(self, pair, sizes=SIZES, says=""):
        for batch, threads in sizes:
            wrong = pair.mismatches(batch=batch, threads=threads)
            self.assertEmpty(wrong, f"{says}, batch {batch}, {threads} threads")
            answer = pair.file_answer(batch=batch, threads=threads)
            expected = pair.answer[:batch]
            if isinstance(pair.twin.layers[-1], twins.FromLevels):
                self.assertAllEqual(answer, expected, says)
            else:
                # The float head sums a mean and a dense layer in float32.
                self.assertAllClose(answer, expected, rtol=0, atol=1e-6)

    def assertAlive(self, pair, least=3, says=""):
        """Equal codes prove little where there are hardly any."""
        for name, levels in pair.levels.items():
            kinds = len(np.unique(levels))
            self.assertGreaterEqual(kinds, least, f"{says}: {name}")

    def check(
        self, model, *, count=64, sizes=SIZES, heads=integer_network.HEADS
    ):
        pixels = integer_nets.images(count, model.input_shape[1:])
        for head in heads:
            pair = integer_nets.Pair(integer_nets.fold(model, head), pixels)
            self.assertEqualCodes(pair, sizes, head)
            self.assertAlive(pair, says=head)


class EveryPairTest(Parity):
    """XNNPACK's codes are the twin's, for every (w, a) that int8 carries.

    Random weights, negative and dead channels, odd sizes, strides. A pair has
    one stem and one head, in turn; with --slow every one.
    """

    @parameterized.product(
        activation_bits=tuple(range(1, 9)), weight_bits=tuple(range(1, 8))
    )
    def test_no_code_differs(self, activation_bits, weight_bits):
        turn = (weight_bits + activation_bits) % len(NETS)
        for stem, head in NETS if SLOW else [NETS[turn]]:
            says = f"{stem} w{weight_bits}a{activation_bits} {head}"
            model = integer_nets.resnet(
                stem, weight_bits, activation_bits, seed=weight_bits
            )
            pixels = integer_nets.images(64, integer_nets.SHAPES[stem])
            pair = integer_nets.Pair(integer_nets.fold(model, head), pixels)
            self.assertEqualCodes(pair, says=says)
            least = 2 if activation_bits == 1 else 3
            self.assertAlive(pair, least, says)
            layers_ = [pair.twin.get_layer(name) for name in pair.names]
            self.assertLen(
                [x for x in layers_ if hasattr(x, "kernel")],
                20 + 2 * (head == "integer"),
            )

    def test_networks_have_what_is_hard(self):
        model = integer_nets.resnet("cifar", 4, 4)
        gammas = np.concatenate(
            [
                layer.gamma.numpy()
                for layer in model.layers
                if isinstance(layer, keras.layers.BatchNormalization)
            ]
        )
        self.assertGreater((gammas < 0).sum(), 50)
        self.assertGreater((gammas == 0).sum(), 50)

    def test_other_kernels_round_twice_and_are_seen(self):
        model = integer_nets.resnet("cifar", 4, 4)
        pixels = integer_nets.images(64, integer_nets.SHAPES["cifar"])
        pair = integer_nets.Pair(integer_nets.fold(model, "float"), pixels)
        for kernels in ("BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"):
            self.assertNotEmpty(pair.mismatches(kernels=kernels), kernels)

    def test_default_kernels_are_xnnpacks(self):
        twin = integer_nets.fold(integer_nets.resnet("cifar", 4, 4), "integer")
        lite = litert.Interpreter(model_content=int8_file.to_tflite(twin))
        lite.allocate_tensors()
        ops = [op["op_name"] for op in lite._get_ops_details()]
        self.assertIn("DELEGATE", ops)


class OtherNetsTest(Parity):
    """Layers, shapes and ways to put them together that ResNet-18 lacks."""

    @parameterized.parameters((8, 9, 3), (9, 8, 1), (17, 6, 4))
    def test_varied(self, *shape):
        self.check(integer_nets.varied(shape))

    @parameterized.parameters(1, 5, 23)
    def test_seeds(self, seed):
        self.check(integer_nets.varied(seed=seed), sizes=SIZES[:1])

    def net(self, body, shape=(9, 7, 3)):
        """First layer, body, head."""
        pixels = keras.Input(shape, name="pixels")
        x = self.conv(pixels, 12, 3, bits=4, **EDGE)
        x = keras.layers.GlobalAveragePooling2D(name="average")(body(x))
        x = layers.DoReFaDense(9, name="logits", **EDGE)(x)
        x = keras.layers.Activation("softmax", name="softmax")(x)
        return integer_nets.randomize(keras.Model(pixels, x), seed=4)

    def conv(self, x, *arguments, bits=None, **options):
        options = {"padding": "same", "weight_bits": 4, **options}
        x = layers.DoReFaConv2D(*arguments, **options)(x)
        x = keras.layers.BatchNormalization()(x)
        return x if bits is None else layers.DoReFaActivation(bits)(x)

    @parameterized.parameters(
        {"kernel_size": 1, "strides": 3},
        {"kernel_size": (1, 4), "strides": (2, 1)},
        {"kernel_size": 5, "padding": "valid"},
        {"kernel_size": 2, "strides": 2},
        {"kernel_size": 3, "dilation_rate": (3, 2)},
        {"kernel_size": 3, "dilation_rate": 2, "padding": "valid"},
        {"kernel_size": 9, "weight_bits": 7},
    )
    def test_windows(self, **options):
        keras.utils.set_random_seed(1)
        size = options.pop("kernel_size")
        self.check(
            self.net(lambda x: self.conv(x, 10, size, bits=5, **options))
        )

    @parameterized.parameters(
        {"pool_size": 3, "strides": 1, "padding": "same"},
        {"pool_size": (2, 1), "strides": 3},
        {"pool_size": 4, "strides": (1, 2), "padding": "same"},
        {"pool_size": 1, "strides": 2},
    )
    def test_pooling(self, **options):
        pool = keras.layers.MaxPooling2D(**options)
        self.check(self.net(pool))

    def test_sums_by_layers_of_their_own(self):
        def body(x):
            y = self.conv(x, 12, 3, bits=2)
            y = layers.ResidualQuantizer(3)(self.conv(y, 12, 3))
            x = keras.layers.Add()([x, y])
            x = layers.DoReFaActivation(3)(x)
            y = layers.ResidualQuantizer(4, projection=True)(
                self.conv(x, 12, 1)
            )
            x = layers.ResidualQuantizer(4, projection=True)(
                self.conv(x, 12, 3)
            )
            x = keras.layers.Add()([x, y])
            return layers.DoReFaActivation(32, clip=True)(x)

        self.check(self.net(body))

    def test_convolution_on_codes_of_either_sign(self):
        def body(x):
            x = layers.ResidualQuantizer(4)(self.conv(x, 12, 3))
            return self.conv(x, 12, 3, bits=4, weight_bits=7)

        self.check(self.net(body))

    def test_dense_layer_on_maps(self):
        def body(x):
            x = layers.DoReFaDense(11, weight_bits=5)(x)
            x = keras.layers.BatchNormalization()(x)
            return layers.DoReFaActivation(6)(x)

        self.check(self.net(body))

    def test_norms_after_norms_and_biases(self):
        def body(x):
            x = layers.DoReFaConv2D(
                11, 3, weight_bits=3, bias_initializer="random_normal"
            )(x)
            for _ in range(2):
                x = keras.layers.BatchNormalization()(x)
            return layers.DoReFaActivation(4)(x)

        self.check(self.net(body))

    def test_layers_called_by_keyword(self):
        def body(x):
            x = layers.DoReFaConv2D(11, 3, weight_bits=3)(inputs=x)
            x = keras.layers.BatchNormalization()(inputs=x)
            return layers.DoReFaActivation(4)(inputs=x)

        self.check(self.net(body))

    def test_sequential_without_convolution(self):
        model = keras.Sequential(
            [
                keras.Input((5, 6, 1)),
                keras.layers.Flatten(),
                layers.DoReFaDense(16, weight_bits=3),
                keras.layers.BatchNormalization(),
                layers.DoReFaActivation(4),
                layers.DoReFaDense(7, activation="softmax", **EDGE),
            ]
        )
        self.check(integer_nets.randomize(model))

    def test_sizes_that_are_not_known(self):
        model = self.net(
            lambda x: self.conv(x, 10, 3, bits=5, strides=2), (None, None, 3)
        )
        twin = integer_network.fold(model)
        for shape in ((9, 7, 3), (16, 5, 3)):
            pixels = integer_nets.images(8, shape)
            pair = integer_nets.Pair(twin, pixels)
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
