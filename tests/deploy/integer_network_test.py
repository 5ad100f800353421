"""Tests of the integer twin: what it computes, and what is refused."""

import pathlib
from unittest import mock

import integer_nets
import integer_runs
import keras
import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from integer_nets import EDGE

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.errors import InputError
from qmia_tf.layers.integer_layers import IntegerConv2D, IntegerDense
from qmia_tf.models import keras_files
from qmia_tf.targets.keras_target import KerasTarget

VARIED = (8, 9, 3)
ROUNDED = (layers.DoReFaActivation, layers.DoReFaAdd)


def outputs_of(model, pixels):
    return model([integer_nets.as_unit(pixels)], training=False).numpy()


class FoldTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters("cifar", "imagenet")
    def test_layers_are_called_as_the_trained_ones(self, stem):
        model = integer_nets.resnet(stem, 3, 4)
        twin = integer_network.fold(model)
        trained = {layer.name for layer in model.layers}
        for layer in twin.layers:
            if hasattr(layer, "grid") and layer.name != "pixels_codes":
                self.assertIn(layer.name, trained)
        for layer in model.layers:
            if isinstance(layer, ROUNDED):
                shape = twin.get_layer(layer.name).output.shape
                self.assertEqual(shape, layer.output.shape, layer.name)
        self.assertEqual(twin.input_shape, model.input_shape)
        self.assertEqual(twin.output_shape, model.output_shape)
        self.assertEmpty(twin.trainable_weights)

    def test_model_itself_stays_as_it_is(self):
        model = integer_nets.varied()
        pixels = integer_nets.images(4, VARIED)
        before, weights = outputs_of(model, pixels), model.get_weights()
        integer_network.fold(model)
        for one, two in zip(weights, model.get_weights(), strict=True):
            self.assertAllEqual(one, two)
        self.assertAllEqual(outputs_of(model, pixels), before)

    def test_heads_share_their_body(self):
        model = integer_nets.resnet("cifar", 4, 4)
        one, two = (integer_nets.fold(model, h) for h in integer_network.HEADS)
        bodies = [
            layer for layer in one.layers if isinstance(layer, IntegerConv2D)
        ]
        self.assertLen(bodies, 20)
        for layer in bodies:
            other = two.get_layer(layer.name)
            self.assertEqual(other.get_config(), layer.get_config())
            for first, second in zip(layer.weights, other.weights, strict=True):
                self.assertAllEqual(first, second)
        self.assertIsInstance(two.get_layer("logits"), IntegerDense)
        self.assertIsInstance(one.get_layer("logits"), keras.layers.Dense)

    def test_logits(self):
        model = integer_nets.varied()
        pixels = integer_nets.images(9, VARIED)
        exact = outputs_of(
            integer_network.fold(model, outputs="logits"), pixels
        )
        probabilities = outputs_of(integer_network.fold(model), pixels)
        self.assertAllClose(
            keras.ops.softmax(exact), probabilities, rtol=0, atol=1e-6
        )
        self.assertGreater(np.abs(exact.sum(axis=1)).max(), 0.1)
        # In integers, on the grid.
        twin = integer_nets.fold(model, "integer", outputs="logits")
        logits = outputs_of(twin, pixels)
        scale = twin.get_layer("logits").grid.scale
        self.assertAllClose(logits / scale, np.rint(logits / scale), atol=1e-4)
        self.assertAllClose(logits, exact, rtol=0, atol=0.51 * scale)
        full = integer_nets.fold(model, "integer")
        levels, outputs = integer_nets.levels(full, ["logits"], pixels)
        self.assertAllEqual(levels["logits"], np.rint(logits / scale))
        powers = np.exp(logits.astype(np.float64))
        expected = powers / powers.sum(axis=1, keepdims=True)
        self.assertAllClose(outputs, expected, rtol=0, atol=0.51 / 256)

    @parameterized.parameters(
        ({"head": "half"}, "^head must be one of .* and outputs one of .*, go"),
        ({"outputs": "scores"}, "^head must be .*, got 'float' and 'scores'"),
        (
            {"head": "integer"},
            "^an integer head needs logits_range: see calibrate$",
        ),
        (
            {"head": "integer", "logits_range": (np.nan, 1.0)},
            "^logits range from nan",
        ),
    )
    def test_options(self, options, message):
        with self.assertRaisesRegex(InputError, message):
            integer_network.fold(integer_nets.varied(), **options)

    @parameterized.parameters("mixed_float16", "mixed_bfloat16")
    def test_network_trained_under_mixed_precision(self, policy):
        twins = []
        self.addCleanup(keras.config.set_dtype_policy, "float32")
        for chosen in ("float32", policy):
            keras.config.set_dtype_policy(chosen)
            twins.append(integer_network.fold(integer_nets.varied()))
        keras.config.set_dtype_policy("float32")
        pixels = integer_nets.images(5, VARIED)
        plain, mixed = (outputs_of(twin, pixels) for twin in twins)
        self.assertEqual(mixed.dtype, np.float32)
        self.assertAllEqual(mixed, plain)


class TrainedTest(parameterized.TestCase, tf.test.TestCase):
    """The trained graph against the twin: folding and rounding of biases."""

    def compare(self, model, pixels, *, most, atol):
        """Returns the share of codes that differ by layer, and outputs."""
        twin = integer_network.fold(model)
        names = [
            layer.name for layer in model.layers if isinstance(layer, ROUNDED)
        ]
        outputs = [model.get_layer(name).output for name in names]
        shown = keras.Model(model.inputs, [*outputs, model.output])
        *values, output = shown([integer_nets.as_unit(pixels)], training=False)
        levels, twin_output = integer_nets.levels(twin, names, pixels)
        shares = {}
        for name, value in zip(names, values, strict=True):
            codes = np.rint(value.numpy() / twin.get_layer(name).grid.scale)
            shares[name] = np.mean(codes != levels[name])
            self.assertGreater(len(np.unique(codes)), 1, name)
        self.assertLess(max(shares.values()), most, shares)
        self.assertAllClose(twin_output, output, rtol=0, atol=atol)
        return shares, output.numpy(), twin_output

    @parameterized.parameters(("cifar", 4, 4), ("imagenet", 2, 3))
    def test_random_networks(self, stem, *bits):
        model = integer_nets.resnet(stem, *bits)
        pixels = integer_nets.images(64, integer_nets.SHAPES[stem])
        shares, trained, twin_output = self.compare(
            model, pixels, most=0.05, atol=0.04
        )
        # On its own a layer differs where no bias meets every threshold; one
        # code that differs then moves sums behind it, layer after layer.
        self.assertLess(shares["stem_act"], 1e-4)
        self.assertLess(shares["stage1_block1_act1"], 1e-3)
        # Random classifiers hardly prefer a class: few labels may change.
        changed = (twin_output.argmax(axis=1) != trained.argmax(axis=1)).sum()
        self.assertLessEqual(changed, 2)

    def test_little_headroom(self):
        model = integer_nets.resnet("cifar", 7, 8)
        pixels = integer_nets.images(64, integer_nets.SHAPES["cifar"])
        shares, *_ = self.compare(model, pixels, most=0.1, atol=0.01)
        self.assertLess(shares["stem_act"], 1e-3)

    def test_other_layers(self):
        pixels = integer_nets.images(64, VARIED)
        self.compare(integer_nets.varied(), pixels, most=0.01, atol=0.02)

    @parameterized.parameters((1, 1), (2, 2), (4, 4), (5, 6), (7, 8))
    @slow_tests.slow
    def test_labels_of_networks_that_have_learnt(self, *bits):
        data = integer_runs.digits()
        # Of fine codes a third may differ by one in the last blocks.
        shares, trained, twin_output = self.compare(
            integer_runs.trained(*bits), data.images, most=0.4, atol=1
        )
        self.assertLess(shares["stem_act"], 1e-3)
        same = np.mean(twin_output.argmax(axis=1) == trained.argmax(axis=1))
        self.assertGreater(same, 0.99)
        accuracy = np.mean(trained.argmax(axis=1) == data.labels)
        self.assertGreater(accuracy, 0.3)


def sequential():
    stack = [
        keras.Input((8, 8, 3)),
        layers.DoReFaConv2D(6, 3, **EDGE),
        keras.layers.BatchNormalization(),
        layers.DoReFaActivation(4),
        keras.layers.Flatten(),
        layers.DoReFaDense(5, activation="softmax", **EDGE),
    ]
    return integer_nets.randomize(keras.Sequential(stack))


class SavedTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        head=integer_network.HEADS, make=(integer_nets.varied, sequential)
    )
    def test_saved_and_loaded_in_safe_mode(self, head, make):
        model = make()
        twin = integer_nets.fold(model, head)
        pixels = integer_nets.images(11, model.input_shape[1:])
        path = pathlib.Path(self.create_tempdir().full_path) / "twin.keras"
        keras_files.save(twin, path)
        expected = outputs_of(twin, pixels)
        self.assertGreater(len(np.unique(expected)), 3)
        self.assertAllEqual(
            outputs_of(keras_files.load(path), pixels), expected
        )
        # Loaded, or folded once more, it is the same file.
        content = int8_file.to_tflite(twin)
        for other in (keras_files.load(path), integer_nets.fold(model, head)):
            self.assertEqual(int8_file.to_tflite(other), content)
        for target in (KerasTarget(path), KerasTarget(twin, batch_size=4)):
            # A mean of floats, in another order in another batch.
            atol = 1e-6 if head == "float" else 0
            predicted = target.predict(pixels)
            self.assertAllClose(predicted, expected, rtol=0, atol=atol)


class CalibrateTest(parameterized.TestCase, tf.test.TestCase):
    def test_range_of_the_logits(self):
        model = integer_nets.varied()
        pixels = integer_nets.images(23, VARIED)
        logits = outputs_of(
            integer_network.fold(model, outputs="logits"), pixels
        )
        twin = integer_network.fold(model)
        for size in (integer_network.BATCH, 8):
            with mock.patch.object(integer_network, "BATCH", size):
                low, high = integer_network.calibrate(twin, pixels)
            self.assertIsInstance(low, float)
            # A mean of floats, in another order in another batch.
            self.assertAllClose(
                (low, high), (logits.min(), logits.max()), rtol=1e-5
            )
        self.assertLess(low, high - 0.1)
        # An integer head spans it.
        twin = integer_network.fold(
            model, head="integer", outputs="logits", logits_range=(low, high)
        )
        grid = twin.get_layer("logits").grid
        self.assertLess(grid.values()[0], low + 0.51 * grid.scale)
        self.assertGreater(grid.values()[-1], high - 0.51 * grid.scale)

    @parameterized.parameters(
        ((0, 8, 9, 3), np.uint8, "^there are no calibration images"),
        ((2, 9, 8, 3), np.uint8, r"\[9, 8, 3\], the model takes \[8, 9, 3\]"),
        ((8, 9, 3), np.uint8, r"the shape \[9, 3\], the model takes"),
        ((2, 8, 9, 3), np.float32, "are float32, not uint8"),
    )
    def test_other_images(self, shape, dtype, message):
        twin = integer_network.fold(integer_nets.varied())
        with self.assertRaisesRegex(InputError, message):
            integer_network.calibrate(twin, np.zeros(shape, dtype))

    @parameterized.parameters(
        {"outputs": "logits"},
        {"head": "integer", "logits_range": (-1.0, 1.0)},
    )
    def test_twin_without_float_softmax(self, **options):
        twin = integer_network.fold(integer_nets.varied(), **options)
        with self.assertRaisesRegex(
            InputError, "does not end in a softmax of floats: .*head='float'"
        ):
            integer_network.calibrate(twin, integer_nets.images(2, VARIED))


if __name__ == "__main__":
    tf.test.main()
