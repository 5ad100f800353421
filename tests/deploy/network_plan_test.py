"""Tests of the description of a network that tf_keras rebuilds."""

import json

import keras
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import layers
from qmia_tf.deploy.tfmot import network_plan
from qmia_tf.errors import InputError
from qmia_tf.models import resnet

SHAPE = (8, 8, 2)


def after(*stack):
    """A model of these layers on an image."""
    pixels = x = keras.Input(SHAPE, name="pixels")
    for layer in stack:
        x = layer(x)
    return keras.Model(pixels, x)


class DescribeTest(parameterized.TestCase, tf.test.TestCase):
    def test_resnet(self):
        model = resnet.resnet18(SHAPE, 10, stem="imagenet", width=2)
        plan = network_plan.describe(model)
        self.assertEqual(
            json.loads(json.dumps(plan)),
            json.loads(json.dumps(network_plan.describe(model))),
        )
        kinds = [entry["kind"] for entry in plan]
        self.assertEqual(
            {kind: kinds.count(kind) for kind in kinds},
            {
                "InputLayer": 1,
                "Conv2D": 20,
                "BatchNormalization": 20,
                "ReLU": 17,
                "MaxPooling2D": 1,
                "Add": 8,
                "GlobalAveragePooling2D": 1,
                "Dense": 1,
                "Activation": 1,
            },
        )
        # Whoever reads a result comes behind the layer that makes it.
        known = set()
        for entry in plan:
            self.assertContainsSubset(entry["inputs"], known)
            known.add(entry["name"])
        stem = next(e for e in plan if e["name"] == "stem")["config"]
        self.assertEqual(tuple(stem["kernel_size"]), (7, 7))
        self.assertEqual(tuple(stem["strides"]), (2, 2))
        self.assertEqual(stem["padding"], "same")
        self.assertFalse(stem["use_bias"])
        self.assertEqual(plan[-1]["config"], {"activation": "softmax"})

    def test_weights(self):
        model = resnet.resnet18(SHAPE, 10, stem="cifar", width=2)
        weights = network_plan.weights_of(model)
        self.assertLen(weights, 20 + 20 * 4 + 2)
        self.assertAllEqual(
            weights["logits/0"], model.get_layer("logits").kernel.numpy()
        )
        self.assertEqual({w.dtype.name for w in weights.values()}, {"float32"})

    def test_activation_inside_a_layer_stands_behind_it(self):
        model = after(
            keras.layers.Conv2D(3, 3, activation="relu", name="conv"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(4, activation="softmax", name="dense"),
        )
        plan = network_plan.describe(model)
        self.assertEqual(
            [(e["name"], e["kind"], e["inputs"]) for e in plan],
            [
                ("pixels", "InputLayer", []),
                ("conv", "Conv2D", ["pixels"]),
                ("conv_relu", "Activation", ["conv"]),
                ("flat", "Flatten", ["conv_relu"]),
                ("dense", "Dense", ["flat"]),
                ("dense_softmax", "Activation", ["dense"]),
            ],
        )
        self.assertEqual(plan[2]["config"], {"activation": "relu"})
        self.assertNotIn("activation", plan[1]["config"])
        json.dumps(plan)

    @parameterized.parameters(
        (lambda: layers.DoReFaActivation(32), {}),
        (lambda: keras.layers.ReLU(), {"max_value": None}),
        (lambda: keras.layers.ReLU(6.0), {"max_value": 6.0}),
    )
    def test_relu(self, make, config):
        entry = network_plan.describe(after(make()))[1]
        self.assertEqual((entry["kind"], entry["config"]), ("ReLU", config))

    @parameterized.parameters(
        (lambda: keras.layers.LeakyReLU(name="odd"), r"'odd' \(LeakyReLU\)"),
        (
            lambda: keras.layers.Conv2D(2, 3, groups=2, name="odd"),
            "'odd' .*groups=2",
        ),
        (
            lambda: keras.layers.Conv2D(2, 3, activation="gelu", name="odd"),
            "'odd' .*activation 'gelu'",
        ),
        (
            lambda: keras.layers.MaxPooling2D(
                2, data_format="channels_first", name="odd"
            ),
            "'odd' .*channels first",
        ),
        (
            lambda: layers.DoReFaActivation(32, clip=True, name="odd"),
            "'odd' .*clips at 1, .*floats",
        ),
        (lambda: keras.layers.ReLU(2.5, name="odd"), "clips at 2.5"),
        (
            lambda: keras.layers.ReLU(negative_slope=0.1, name="odd"),
            "'odd' .*not the plain ReLU",
        ),
        (
            lambda: keras.layers.ReLU(threshold=0.1, name="odd"),
            "'odd' .*not the plain ReLU",
        ),
    )
    def test_layer_that_is_not_known(self, make, message):
        model = after(make())
        self.assertRegex(network_plan.refusal(model), message)
        with self.assertRaisesRegex(InputError, message):
            network_plan.describe(model)

    def test_known_network_is_not_refused(self):
        model = resnet.resnet18(SHAPE, 10, stem="cifar", width=2)
        self.assertIsNone(network_plan.refusal(model))


if __name__ == "__main__":
    tf.test.main()
