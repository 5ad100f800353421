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
from integer_nets import EDGE
from slow_tests import SLOW

from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.manifest import float_fallbacks
from qmia_tf.deploy.tflite import file_contents

SIZES = ((12, 1), (12, 2), (1, 1))  # images a batch, threads
# A body has every other pair of bits, head and other shape, in turn; with
# --slow every one.
CASES, OTHER_SIZES = [], []
for turn, name in enumerate(pattern_nets.BODIES):
    pairs = pattern_nets.PAIRS if SLOW else pattern_nets.PAIRS[turn % 2 :: 2]
    for bits in pairs:
        head = (bits[0] + len(name)) % 2
        heads = integer_network.HEADS
        CASES += [(name, bits, h) for h in (heads if SLOW else [heads[head]])]
    shapes = ((8, 8, 1), (7, 10, 4))
    OTHER_SIZES += [(name, s) for s in (shapes if SLOW else [shapes[turn % 2]])]
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


class PatternTest(integer_nets.PairTest):
    def pair(self, name, bits, head, shape=pattern_nets.SHAPE, seed=0):
        model = pattern_nets.network(name, *bits, shape=shape, seed=seed)
        pixels = integer_nets.images(12, shape)
        pixels[0], pixels[1] = 0, 255
        twin = integer_nets.fold(model, head)
        return model, integer_nets.Pair(twin, pixels)

    @parameterized.parameters(*CASES)
    def test_no_code_differs(self, name, bits, head):
        says = f"{name} {bits} {head}"
        model, pair = self.pair(name, bits, head)
        self.assertEqualCodes(pair, SIZES, says)
        if (name, bits) != CONSTANT:
            least = 2 if bits[1] == 1 else 3
            self.assertAlive(pair, least, says, np.median)
        level_pairs = pattern_nets.trained_levels(model, pair.twin, pair.pixels)
        self.assertNotEmpty(level_pairs)
        wrong = sum((one != two).sum() for one, two in level_pairs.values())
        codes = sum(one.size for one, _ in level_pairs.values())
        self.assertLessEqual(wrong, LOOSE.get(name, 0.01) * codes)
        if head == "integer":
            self.check_ops(name, pair)

    def check_ops(self, name, pair):
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

    def test_cases(self):
        integers = {name for name, _, head in CASES if head == "integer"}
        self.assertCountEqual(integers, OPS)
        self.assertCountEqual(OPS, pattern_nets.BODIES)
        gammas = integer_nets.gammas(pattern_nets.network("bottlenecks", 4, 4))
        self.assertGreater((gammas < 0).sum(), 5)
        self.assertGreater((gammas == 0).sum(), 2)

    @parameterized.parameters(*OTHER_SIZES)
    def test_other_sizes(self, name, shape):
        _, pair = self.pair(name, (3, 3), "float", shape, seed=1)
        self.assertEqualCodes(pair, SIZES, f"{name} {shape}")

    @parameterized.parameters(*integer_network.HEADS)
    def test_norm_of_an_average_in_the_head(self, head):
        pixels = keras.Input(pattern_nets.SHAPE, name="pixels")
        maker = pattern_nets.Maker(4, 4)
        x = maker.act(maker.conv(pixels, 6, 3, **EDGE))
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
        x = maker.norm(x)
        x = pattern_nets.layers.DoReFaDense(
            3, activation="softmax", name="logits", **EDGE
        )(x)
        model = integer_nets.randomize(keras.Model(pixels, x))
        images = integer_nets.images(5, pattern_nets.SHAPE)
        pair = integer_nets.Pair(integer_nets.fold(model, head), images)
        self.assertEqualCodes(pair, ((5, 1), (1, 2)), head)
        expected = model([integer_nets.as_unit(images)], training=False)
        # Averages and probabilities in 256 steps, where there are integers.
        atol = 1e-5 if head == "float" else 0.03
        self.assertAllClose(pair.outputs, expected, rtol=0, atol=atol)
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
        outputs = pair.file_outputs()
        self.assertAllClose(outputs, pair.outputs, rtol=0, atol=1e-3)

    def test_linear_tensors_at_both_ends_of_int8(self):
        model = pattern_nets.network("three addends", 4, 4)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.gamma.assign(8 * layer.gamma)
        pixels = integer_nets.images(12, pattern_nets.SHAPE)
        pair = integer_nets.Pair(integer_network.fold(model), pixels)
        self.assertEqualCodes(pair, SIZES, "wide")
        names = [name for name in pair.names if name.startswith("residual")]
        self.assertLen(names, 5)
        codes = np.concatenate([pair.levels[name].ravel() for name in names])
        self.assertEqual((codes.min(), codes.max()), (-128, 127))


if __name__ == "__main__":
    tf.test.main()
