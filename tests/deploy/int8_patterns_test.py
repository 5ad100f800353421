"""Tests of the patterns of other networks: XNNPACK's codes are the twin's."""

import collections
import pathlib

import integer_nets
import keras
import numpy as np
import pattern_nets
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert
from slow_tests import SLOW

from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.manifest import float_fallbacks
from qmia_tf.deploy.tflite import file_contents

SIZES = ((12, 1), (12, 2), (1, 1))  # images a batch, threads
# A body has every other pair of bits, in turn; with --slow every one.
CASES = [
    (name, bits)
    for turn, name in enumerate(pattern_nets.BODIES)
    for bits in (
        pattern_nets.PAIRS if SLOW else pattern_nets.PAIRS[turn % 2 :: 2]
    )
]
# Keras averages in floats, where a tie may go either way.
LOOSE = {"stock averages": 0.1, "kept axes": 0.1}
DEPTHWISE, CONV, DENSE = "DEPTHWISE_CONV_2D", "CONV_2D", "FULLY_CONNECTED"
OPS = {
    "depthwise": {CONV: 1, DEPTHWISE: 2},
    "separable": {CONV: 2, DEPTHWISE: 1},
    "bottlenecks": {CONV: 7, DEPTHWISE: 1, "ADD": 2},
    "three addends": {CONV: 5, "ADD": 2},
    "unit and signed": {CONV: 3, "ADD": 4},
    "paddings": {CONV: 3, DEPTHWISE: 1, "PAD": 2},
    # One depthwise takes codes from grid to grid.
    "concatenations": {CONV: 6, DEPTHWISE: 1, "CONCATENATION": 3},
    "averages": {CONV: 4, DEPTHWISE: 3},
    "stock averages": {CONV: 1, DEPTHWISE: 3, DENSE: 1, "RESHAPE": 1},
    "kept axes": {CONV: 2, DEPTHWISE: 1, "RESHAPE": 1},
    "hidden dense": {CONV: 1, DEPTHWISE: 1, DENSE: 1, "RESHAPE": 1},
    "cut and turned": {CONV: 3, "SLICE": 1, "TRANSPOSE": 1},
    "norms of codes": {CONV: 2, DEPTHWISE: 5, "CONCATENATION": 1},
    "moves": {CONV: 3, "MAX_POOL_2D": 1, "PAD": 1, "RESHAPE": 2},
    "largest": {CONV: 1, "REDUCE_MAX": 1},
    "plain": {CONV: 3, DENSE: 1, "MAX_POOL_2D": 1, "RESHAPE": 1},
}
# Its average of bits, rounded to one bit, is the same for every image, and so
# is what follows.
CONSTANT = ("kept axes", (1, 1))
# They end in codes without maps: no average behind them.
FLAT = ("stock averages", "kept axes", "hidden dense", "moves", "plain")


class PatternTest(parameterized.TestCase, tf.test.TestCase):
    def pair(self, name, bits, head, shape=pattern_nets.SHAPE, seed=0):
        model = pattern_nets.network(name, *bits, shape=shape, seed=seed)
        pixels = integer_nets.images(12, shape)
        pixels[0], pixels[1] = 0, 255
        twin = integer_nets.fold(model, head)
        return model, integer_nets.Pair(twin, pixels)

    def assertEqualCodes(self, pair, says):
        for batch, threads in SIZES:
            wrong = pair.mismatches(batch=batch, threads=threads)
            self.assertEmpty(wrong, f"{says}, batch {batch}, {threads} threads")
            # The file as it is: XNNPACK may join ops whose codes nobody sees.
            answer = pair.file_answer(batch=batch, threads=threads)
            atol = 1e-6 if says.endswith("float") else 0
            self.assertAllClose(answer, pair.answer[:batch], rtol=0, atol=atol)

    def assertAlive(self, pair, least, says):
        """Equal codes prove little where there are hardly any."""
        kinds = [len(np.unique(levels)) for levels in pair.levels.values()]
        self.assertGreaterEqual(np.median(kinds), least, says)

    @parameterized.parameters(*CASES)
    def test_no_code_differs(self, name, bits):
        turn = (bits[0] + len(name)) % 2
        for head in (
            integer_network.HEADS if SLOW else [integer_network.HEADS[turn]]
        ):
            model, pair = self.pair(name, bits, head)
            self.assertEqualCodes(pair, f"{name} {bits} {head}")
            least = 2 if bits[1] == 1 else 3
            if (name, bits) != CONSTANT:
                self.assertAlive(pair, least, f"{name} {bits} {head}")
        level_pairs = pattern_nets.trained_levels(model, pair.twin, pair.pixels)
        self.assertNotEmpty(level_pairs)
        wrong = sum((one != two).sum() for one, two in level_pairs.values())
        codes = sum(one.size for one, _ in level_pairs.values())
        self.assertLessEqual(wrong, LOOSE.get(name, 0.01) * codes)

    @parameterized.product(
        name=tuple(pattern_nets.BODIES), shape=((8, 8, 1), (7, 10, 4))
    )
    def test_other_sizes(self, name, shape):
        _, pair = self.pair(name, (3, 3), "float", shape, seed=1)
        self.assertEqualCodes(pair, f"{name} {shape} float")

    @parameterized.parameters(*OPS)
    def test_ops(self, name):
        self.assertCountEqual(OPS, pattern_nets.BODIES)
        _, pair = self.pair(name, (4, 4), "integer")
        lite = litert.Interpreter(
            model_content=pair.content,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        )
        lite.allocate_tensors()
        tensors = {t["index"]: t for t in lite.get_tensor_details()}
        expected = collections.Counter(
            {**OPS[name], "QUANTIZE": 1, "SOFTMAX": 1}
        )
        expected[DENSE] += 1
        if name not in FLAT:
            expected.update({DEPTHWISE: 1, "RESHAPE": 1})
        ops = lite._get_ops_details()
        counts = collections.Counter(op["op_name"] for op in ops)
        self.assertEqual(counts, +expected)
        for op in ops:
            if op["op_name"] in (CONV, DEPTHWISE, DENSE):
                ports = [*op["inputs"], *op["outputs"]]
                types = [tensors[index]["dtype"] for index in ports]
                self.assertEqual(types, [np.int8, np.int8, np.int32, np.int8])
        self.assertEmpty(int8_file.float_layers(pair.twin))

    @parameterized.parameters(*integer_network.HEADS)
    def test_norm_of_an_average_in_the_head(self, head):
        pixels = keras.Input(pattern_nets.SHAPE, name="pixels")
        maker = pattern_nets.Maker(4, 4)
        x = maker.act(maker.conv(pixels, 6, 3, **pattern_nets.EDGE))
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
        x = maker.norm(x)
        x = pattern_nets.layers.DoReFaDense(
            3, activation="softmax", name="logits", **pattern_nets.EDGE
        )(x)
        model = integer_nets.randomize(keras.Model(pixels, x))
        images = integer_nets.images(5, pattern_nets.SHAPE)
        pair = integer_nets.Pair(integer_nets.fold(model, head), images)
        self.assertEqualCodes(pair, head)
        expected = model([integer_nets.as_unit(images)], training=False)
        # Averages and probabilities in 256 steps, where there are integers.
        atol = 1e-5 if head == "float" else 0.03
        self.assertAllClose(pair.answer, expected, rtol=0, atol=atol)
        path = pathlib.Path(self.create_tempdir()) / "file.tflite"
        path.write_bytes(pair.content)
        floats = ["average_scaled", "logits"] if head == "float" else []
        self.assertEqual(int8_file.float_layers(pair.twin), floats)
        layers = file_contents.describe(path)["layers"]
        self.assertEqual(float_fallbacks(layers), floats)

    def test_padding_before_a_first_layer_in_floats(self):
        pixels = keras.Input(pattern_nets.SHAPE, name="pixels")
        x = keras.layers.ZeroPadding2D(1, name="pad")(pixels)
        x = pattern_nets.layers.DoReFaConv2D(6, 3, name="stem")(x)
        x = pattern_nets.layers.DoReFaActivation(4)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        x = pattern_nets.layers.DoReFaDense(3, activation="softmax")(x)
        twin = integer_network.fold(keras.Model(pixels, x))
        self.assertEqual(int8_file.float_layers(twin)[0], "stem")
        images = integer_nets.images(5, pattern_nets.SHAPE)
        pair = integer_nets.Pair(twin, images)
        # Sums of floats may tie in one runtime and not in the other.
        self.assertNotIn("pad", pair.mismatches())
        answer = pair.file_answer()
        self.assertAllClose(answer, pair.answer, rtol=0, atol=1e-3)

    def test_networks_have_what_is_hard(self):
        model = pattern_nets.network("bottlenecks", 4, 4)
        gammas = np.concatenate(
            [
                layer.gamma.numpy()
                for layer in model.layers
                if isinstance(layer, keras.layers.BatchNormalization)
            ]
        )
        self.assertGreater((gammas < 0).sum(), 5)
        self.assertGreater((gammas == 0).sum(), 2)

    def test_linear_tensors_at_both_ends_of_int8(self):
        model = pattern_nets.network("three addends", 4, 4)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.gamma.assign(8 * layer.gamma)
        pixels = integer_nets.images(12, pattern_nets.SHAPE)
        pair = integer_nets.Pair(integer_network.fold(model), pixels)
        self.assertEqualCodes(pair, "wide float")
        names = [name for name in pair.names if name.startswith("residual")]
        self.assertLen(names, 5)
        codes = np.concatenate([pair.levels[name].ravel() for name in names])
        self.assertEqual((codes.min(), codes.max()), (-128, 127))


if __name__ == "__main__":
    tf.test.main()
