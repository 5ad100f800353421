"""Networks that have learnt the digits, and their files: the same."""

import pathlib

import integer_runs
import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy import export
from qmia_tf.deploy.integer import integer_network
from qmia_tf.deploy.parity import code_parity
from qmia_tf.deploy.parity.observed_networks import Network
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.models import keras_files
from qmia_tf.run_dir import RunDir
from qmia_tf.targets.tflite_target import TFLiteTarget

FAST = ((4, 4), (16, 4))
SLOW = ((1, 1), (2, 2), (8, 8), (16, 16), (32, 32))
# Largest share of codes that differ between trained network and twin. Not
# every threshold can be kept between the same two sums; the more levels there
# are the less room is between them, and a code that differs goes on into all
# layers behind. Measured: 0.53 %, 0.0003 %, 0, 0.1 %, 5.2 %.
SHARES = {
    (4, 4): 0.02,
    (1, 1): 0.001,
    (2, 2): 0.001,
    (3, 5): 0.01,
    (7, 8): 0.15,
}
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
        for size in SIZES if bits == FAST[0] else SIZES[1:]:
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


class IntegerParityTest(parameterized.TestCase, tf.test.TestCase):
    """Networks that have learnt the digits, in every way."""

    def check(self, bits, **options):
        model = integer_runs.trained(*bits)
        images = integer_runs.digits().images[:500]
        folder = self.create_tempdir().full_path
        path = RunDir(folder).model
        keras_files.save(model, path)
        if options.get("head") == "integer":
            options["logits_range"] = integer_network.calibrate(
                integer_network.fold(model), images
            )
        twin, file = integer_runs.write(folder, model, **options)
        return code_parity.check(
            twin,
            file,
            images,
            model=path,
            logits=options.get("outputs") == "logits",
        )

    def check_kept(self, bits, check):
        trained, *files = check.comparisons
        by_kernels = {name: [] for name in KERNELS}
        for entry in files:
            by_kernels[entry.kernels].append(entry)
            # Every int8 tensor of 20 convolutions, 8 sums and the image.
            self.assertGreaterEqual(len(entry.stages), 29)
            self.assertGreater(entry.codes, 6_000 * entry.records)
        for entry in by_kernels["default"]:
            self.assertEqual(
                entry.mismatches, 0, f"of {entry.codes} codes of {bits}"
            )
            self.assertEqual(entry.labels_differ, 0)
            self.assertLess(entry.largest_probability, 1e-5)
        self.assertEqual(
            integer_runs.ways(check),
            [
                ("default", 1, 64, 500),
                ("default", 2, 64, 500),
                ("builtin", 1, 64, 500),
                ("reference", 1, 64, 500),
                ("default", 1, 1, 50),
                ("default", 2, 1, 50),
                ("builtin", 1, 1, 50),
                ("reference", 1, 1, 50),
            ],
        )
        self.assertIs(check.kept, True)
        # They round twice: nothing is promised, but it is not the same.
        for name in ("builtin", "reference"):
            for entry in by_kernels[name]:
                self.assertGreater(entry.mismatches, 0, name)
        return trained

    def check_trained(self, bits, trained, *, labels):
        """Thresholds that no multiplier could keep, and what follows."""
        self.assertGreaterEqual(len(trained.stages), 17)
        share = trained.mismatches / trained.codes
        self.assertLess(share, SHARES[bits], f"codes of {bits}")
        # Where the network hardly decides, a code or int8's coarse logits do.
        self.assertLessEqual(trained.labels_differ, labels)
        first = trained.stages[0]
        self.assertLess(first.mismatches / first.codes, 1e-3)
        self.assertLessEqual(first.largest, 1)

    def test_both_heads(self):
        self.both_heads((4, 4))

    @parameterized.parameters(*(bits for bits in SHARES if bits != (4, 4)))
    @slow_tests.slow
    def test_more_bit_widths(self, *bits):
        self.both_heads(bits)

    def both_heads(self, bits):
        check = self.check(bits)
        self.assertEqual(check.float_layers, ["logits"])
        trained = self.check_kept(bits, check)
        self.check_trained(bits, trained, labels=5)
        check = self.check(bits, head="integer")
        self.assertEqual(check.float_layers, [])
        trained = self.check_kept(bits, check)
        self.check_trained(bits, trained, labels=15)

    def test_int8_logits(self):
        check = self.check((4, 4), head="integer", outputs="logits")
        trained = self.check_kept((4, 4), check)
        self.check_trained((4, 4), trained, labels=15)


if __name__ == "__main__":
    tf.test.main()
