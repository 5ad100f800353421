"""Networks that have learnt the digits, and their float32 files: the same."""

import pathlib

import integer_runs
import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy import export
from qmia_tf.deploy.parity.observed_networks import Network
from qmia_tf.models import keras_files
from qmia_tf.targets.tflite_target import TFLiteTarget

FAST = ((4, 4), (16, 4))
SLOW = ((1, 1), (2, 2), (8, 8), (16, 16), (32, 32))
DIGITS = 1797
# Records a batch.
SIZES = (1, 7, 300)
# Rounding to codes, and clipping; none of them in a float network.
QUANTIZER_OPS = {"ROUND", "MAXIMUM", "MINIMUM", "MUL", "RELU", "SUB"}
FLOAT_OPS = {
    "ADD": 8,
    "CONV_2D": 20,
    "FULLY_CONNECTED": 1,
    "MEAN": 1,
    "SOFTMAX": 1,
}
# Of a probability. The head sums floats, in an order that TensorFlow's kernels
# choose by the batch: 2.4e-7 was the most on an AMD EPYC without oneDNN.
FLOAT_HEAD = 1e-6


class Float32ParityTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*FAST)
    def test_file_outputs_what_keras_does(self, *bits):
        self.check(bits)

    @parameterized.parameters(*SLOW)
    @slow_tests.slow
    def test_more_bit_widths(self, *bits):
        self.check(bits)

    def check(self, bits):
        folder = pathlib.Path(self.create_tempdir().full_path)
        keras_files.save(integer_runs.trained(*bits), folder / "model.keras")
        (entry,) = export.export(folder / "model.keras", folder)
        self.check_ops(entry, *bits)
        model = keras_files.load(folder / "model.keras")
        keras_files.freeze(model)
        last = model.get_layer("average").input._keras_history.operation.name
        network = Network(model, [last])
        file = TFLiteTarget(folder / "float32.tflite")
        images = integer_runs.digits().images
        inner, ours = self.in_batches(network, last, images, SIZES[-1])
        theirs = file.predict(images)
        self.assertEqual(ours.shape, (DIGITS, 10))
        # It is not one output for everybody.
        self.assertGreaterEqual(len(np.unique(ours.argmax(axis=1))), 5)
        self.assertGreater(len(np.unique(ours, axis=0)), 500)
        off = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
        self.assertEqual(off, 0, f"{off} of {DIGITS} labels differ")
        # The head sums floats; a float network does so in every layer.
        self.assertAllClose(ours, theirs, atol=1e-5, rtol=0)
        if bits[1] > 16:
            return
        # What a record's place and the batch size may change: nothing.
        order = np.random.default_rng(0).permutation(DIGITS)[: SIZES[-1]]
        for size in SIZES:
            some = order[:30] if size == 1 else order
            file.batch_size = size
            self.assertMoved(file.predict(images[some]), theirs[some], 0, size)
            moved = self.in_batches(network, last, images[some], size)
            # What the head reads is integers times a scale.
            self.assertMoved(moved[0], inner[some], 0, size)
            self.assertMoved(moved[1], ours[some], FLOAT_HEAD, size)

    def in_batches(self, network, name, images, size):
        """What a layer gives, and the probabilities."""
        parts = [
            network.run(images[start : start + size], batch_size=size)
            for start in range(0, len(images), size)
        ]
        inner = np.concatenate([layers[name] for layers, _ in parts])
        return inner, np.concatenate([outputs for _, outputs in parts])

    def assertMoved(self, moved, expected, off_by, size):
        apart = np.abs(moved - expected)
        off = int(np.sum(apart > off_by))
        self.assertEqual(
            off,
            0,
            f"{off} of {moved.size} differ in batches of {size}, by at most "
            f"{apart.max()}",
        )

    def check_ops(self, entry, weight_bits, activation_bits):
        self.assertEqual(entry["flex"], [])
        self.assertEqual(
            entry["input"],
            {
                "shape": [-1, 8, 8, 1],
                "dtype": "float32",
                "scale": 0.0,
                "zero_point": 0,
            },
        )
        self.assertEqual(entry["output"]["shape"], [-1, 10])
        ops, layers = entry["ops"], entry["layers"]
        self.assertLen(layers, ops["CONV_2D"] + ops["FULLY_CONNECTED"])
        for layer in layers:
            for side in ("input", "weights", "output"):
                self.assertEqual(layer[side], "float32", layer)
        if activation_bits == 32:
            self.assertEqual(ops, FLOAT_OPS)
            return
        self.assertEqual(ops["FULLY_CONNECTED"], 1)
        if weight_bits <= 8:
            self.assertEqual(ops["CONV_2D"], 20)
        else:
            # Weights that no float32 sum carries exactly come in pieces.
            self.assertGreater(ops["CONV_2D"], 20)
        self.assertGreaterEqual(ops["ROUND"], 17)
        extra = set(ops) - set(FLOAT_OPS) - QUANTIZER_OPS
        self.assertEmpty(extra)


if __name__ == "__main__":
    tf.test.main()
