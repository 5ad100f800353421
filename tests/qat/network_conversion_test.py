"""Whole networks at (4, 4): they compute, learn and do not see the batch."""

import float_nets
import keras
import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from float_nets import quantize

from qmia_tf import layers as ours
from qmia_tf.qat.quantized_values import is_kernel

STEPS = 12
# A few last bits of a probability: a softmax's exponentials and their sum may
# be computed otherwise in another batch.
SOFTMAX = 1e-6


def _data(model, count=32):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *model.input_shape[1:]), np.uint8)
    return images, random.integers(0, 10, count)


def _quantized(model, images):
    return quantize(model, 4, images, insert_batch_norm=True)


def _both_ways(output, model, fed):
    """A tensor's values of all images at once, and of one after the other."""
    cut = keras.Model(model.inputs, output)
    alone = [cut(fed[i : i + 1]) for i in range(len(fed))]
    return cut(fed).numpy(), np.concatenate(alone)


def _losses(model, fed, labels):
    """Trains on one batch; gives the losses and the first gradients."""
    optimizer = keras.optimizers.Adam(5e-3)
    loss_of = keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(fed, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        return loss, gradients

    optimizer.build(model.trainable_variables)
    steps = [step() for _ in range(STEPS)]
    return [float(loss) for loss, _ in steps], steps[0][1]


class NetworkTest(parameterized.TestCase, tf.test.TestCase):
    def _check_learning(self, name):
        model = float_nets.NETWORKS[name]()
        images, labels = _data(model)
        float_nets.settle(model, float_nets.fed(images))
        quantized = _quantized(model, images)
        losses, gradients = _losses(quantized, float_nets.fed(images), labels)
        self.assertLess(max(losses[-3:]), 0.95 * losses[0], losses)
        reached = {
            variable.path
            for variable, gradient in zip(
                quantized.trainable_variables, gradients, strict=True
            )
            if np.any(gradient)
        }
        kernels = {
            layer.kernel.path
            for layer in quantized.layers
            if hasattr(layer, "kernel")
        }
        self.assertEqual(kernels - reached, set())

    def _check_whole(self, name):
        model = float_nets.NETWORKS[name]()
        images, _ = _data(model, 6)
        fed = float_nets.fed(images)
        same = quantize(model, 32)
        self.assertAllClose(
            same(fed, training=False), model(fed, training=False), atol=1e-5
        )
        quantized = _quantized(model, images)
        for layer in model.layers:
            kept = quantized.get_layer(layer.name)
            self.assertEqual(
                isinstance(kept, ours.DoReFaConv2D)
                or isinstance(
                    kept, (ours.DoReFaDepthwiseConv2D, ours.DoReFaDense)
                ),
                is_kernel(layer),
            )
        # The head sums floats; everything before it is the same in every bit.
        together, alone = _both_ways(quantized.layers[-1].input, quantized, fed)
        self.assertEqual(np.sum(together != alone), 0)

    def test_plain_learns(self):
        self._check_learning("plain")

    def test_plain_as_a_whole(self):
        model = float_nets.plain()
        images, _ = _data(model, 6)
        quantized = _quantized(model, images)
        fed = float_nets.fed(images)
        together, alone = _both_ways(quantized.layers[-1].input, quantized, fed)
        self.assertEqual(np.sum(together != alone), 0)
        # The last layer sums integers too, but its softmax is one of floats.
        self.assertTrue(quantized.layers[-1].runs_on_integers)
        together, alone = _both_ways(quantized.output, quantized, fed)
        self.assertAllClose(together, alone, rtol=0, atol=SOFTMAX)

    @parameterized.parameters("mobilenet", "vgg", "resnet20")
    @slow_tests.slow
    def test_learns(self, name):
        self._check_learning(name)

    @parameterized.parameters("mobilenet", "vgg")
    @slow_tests.slow
    def test_as_a_whole(self, name):
        self._check_whole(name)

    def test_mobilenet_is_quantized_throughout(self):
        model = float_nets.mobilenet()
        quantized = quantize(model)
        stock = [layer.name for layer in quantized.layers if is_kernel(layer)]
        self.assertEqual(stock, [])
        for layer in quantized.layers[:-1]:
            if hasattr(layer, "kernel"):
                steps = 255 if layer.name == "Conv1" else layer.input_steps
                self.assertIn(steps, (15, 75, 255), layer.name)
        adds = [x for x in quantized.layers if type(x) is keras.layers.Add]
        self.assertLen(adds, 10)
        for add in adds:
            reader = add.output._keras_history.operation
            self.assertIsNotNone(quantized.get_layer(f"{reader.name}_signed"))

    def test_resnet20_sums_are_those_of_the_project(self):
        quantized = quantize(float_nets.resnet20())
        sums = [
            layer.projection
            for layer in quantized.layers
            if isinstance(layer, ours.DoReFaAdd)
        ]
        self.assertEqual(sums, [False] * 3 + ([True] + [False] * 2) * 2)


if __name__ == "__main__":
    tf.test.main()
