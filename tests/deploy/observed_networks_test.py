"""Tests of Keras networks that show what they round."""

import functools

import integer_runs
import keras
import numpy as np
import pattern_nets
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy.integer import integer_network
from qmia_tf.deploy.integer.layer_ops import OPS, LayerOp
from qmia_tf.deploy.parity import observed_networks
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers
from qmia_tf.models import keras_files
from qmia_tf.quantizers.grids import activation_grid

IMAGES = integer_runs.digits().images[:7]
UNIT = IMAGES.astype(np.float32) / np.float32(255)
HEADS = {
    "float": {},
    "integer": {"head": "integer", "logits_range": (-40.0, 40.0)},
}
HEADS["logits"] = {**HEADS["integer"], "outputs": "logits"}


@functools.cache
def small():
    return integer_runs.small()


@functools.cache
def folded(head):
    return integer_network.fold(small(), **HEADS[head])


def layer_result(model, name):
    """What a layer gives, by a Keras model of its own."""
    part = keras.Model(model.inputs, model.get_layer(name).output)
    return np.asarray(part([UNIT], training=False))


class TwinTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters("float", "integer")
    def test_shows_every_integer_result(self, head):
        model = folded(head)
        levels, outputs = observed_networks.Twin(model).run(IMAGES)
        self.assertAllClose(outputs, model(UNIT), atol=1e-6)
        expected = ["pixels_codes", "act", "pool", "norm", "sum"]
        if head == "integer":
            expected += ["average", "average_flat", "logits", "softmax"]
        self.assertEqual(list(levels), expected)
        for layer, array in levels.items():
            self.assertEqual(array.dtype, np.int16)
            self.assertAllEqual(array, layer_result(model, layer), layer)
            self.assertGreater(len(np.unique(array)), 5, layer)
        path = self.create_tempdir().full_path + "/twin.keras"
        keras_files.save(model, path)
        again, same = observed_networks.Twin(path).run(IMAGES)
        self.assertAllEqual(outputs, same)
        self.assertAllEqual(levels["sum"], again["sum"])

    def test_filling_up_changes_nothing(self):
        twin = observed_networks.Twin(folded("float"))
        whole, outputs = twin.run(IMAGES)
        call, shapes = twin._network._call, []

        def noted(values):
            shapes.append(values.shape)
            return call(values)

        twin._network._call = noted
        for count in (1, 5, 7):
            levels, some = twin.run(IMAGES[:count], batch_size=16)
            self.assertEqual(some.shape, (count, 10))
            self.assertAllClose(some, outputs[:count], atol=1e-5)
            for name, array in levels.items():
                self.assertAllEqual(array, whole[name][:count], name)
        # XLA compiles once.
        self.assertEqual(shapes, [(16, 8, 8, 1)] * 3)

    def test_layers_that_hand_levels_on(self):
        grid = integer_layers.ToLevels(activation_grid(4), name="codes")
        pixels = keras.Input((8, 8, 1))
        codes = grid(pixels)
        floats = integer_layers.FromLevels(1 / 15)(codes)
        flat = keras.layers.Flatten(name="flat")
        for values, names in ((codes, ["codes", "flat"]), (floats, ["codes"])):
            model = keras.Model(pixels, keras.layers.Softmax()(flat(values)))
            self.assertEqual(observed_networks.Twin(model).names, names)
        twin = integer_network.fold(pattern_nets.network("moves", 4, 3))
        network = observed_networks.Twin(twin)
        carried = [
            name
            for name in network.names
            if OPS.get(type(twin.get_layer(name)), LayerOp()).moves
        ]
        self.assertLen(carried, 4)
        for name in carried:
            self.assertEqual(network.scale(name), 1 / 7)

    def test_logits_go_through_a_softmax(self):
        twin = folded("logits")
        _, outputs = observed_networks.Twin(twin, logits=True).run(IMAGES)
        powers = np.exp(np.asarray(twin(UNIT), np.float64))
        self.assertAllClose(
            outputs, powers / powers.sum(axis=1, keepdims=True), atol=1e-6
        )

    def test_float_layers_that_are_rounded(self):
        twin = observed_networks.Twin(folded("float"))
        self.assertEqual(twin.rounded_layers, [])
        twin = integer_network.fold(integer_runs.small(first=32))
        self.assertEqual(observed_networks.Twin(twin).rounded_layers, ["stem"])

    @parameterized.parameters(
        (IMAGES[:0], "uint8"),
        (UNIT, "float32"),
        (IMAGES[:, :, :7], r"\[7, 8, 7, 1\]"),
        (IMAGES[0], r"\[8, 8, 1\]"),
    )
    def test_images_that_do_not_fit(self, images, got):
        twin = observed_networks.Twin(folded("float"))
        twin.check_images(IMAGES)
        with self.assertRaisesRegex(
            InputError, rf"takes uint8 images of \[8, 8, 1\].* got .*{got}"
        ):
            twin.check_images(images)


class TrainedTest(tf.test.TestCase):
    def test_shows_what_it_rounds_as_levels_of_the_twin(self):
        twin = observed_networks.Twin(folded("float"))
        path = self.create_tempdir().full_path + "/model.keras"
        keras_files.save(small(), path)
        for model in (small(), path):
            trained = observed_networks.Trained(model)
            self.assertEqual(trained.names(twin), ["act", "sum"])
            levels, outputs = trained.run(IMAGES, twin)
            self.assertAllClose(outputs, small()(UNIT), atol=1e-6)
            self.assertEqual(levels["act"].dtype, np.int16)
            # 4 bits: steps of 1 / 15. The sum is not rounded: the grid of
            # the branch is seven times as fine.
            for name, n in (("act", 15), ("sum", 105)):
                values = layer_result(small(), name)
                self.assertAllClose(levels[name] / n, values, atol=1e-6)

    def test_layers_that_the_twin_lacks_are_left_out(self):
        other = observed_networks.Trained(integer_runs.small(prefix="other_"))
        twin = observed_networks.Twin(folded("float"))
        self.assertEqual(other.names(twin), [])
        levels, outputs = other.run(IMAGES, twin)
        self.assertEqual(levels, {})
        self.assertEqual(outputs.shape, (7, 10))


if __name__ == "__main__":
    tf.test.main()
