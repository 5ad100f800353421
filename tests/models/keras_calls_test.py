"""Tests of how Keras models are called: nothing random, nothing kept."""

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from absl.testing import parameterized

from qmia_tf.models import keras_calls
from qmia_tf.targets.keras_target import KerasTarget

layers = keras.layers


def recurrent(cell):
    """A model of batches of two that keeps a state."""
    return keras.Sequential(
        [keras.Input(batch_shape=(2, 5, 3)), cell, layers.Dense(4, "softmax")]
    )


def nested():
    inside = keras.Sequential(
        [
            keras.Input(batch_shape=(2, 5, 3)),
            layers.LSTM(4, stateful=True, return_sequences=True),
        ]
    )
    return recurrent(keras.Sequential([inside, layers.Flatten()]))


def keras_2():
    return tf_keras.Sequential(
        [
            tf_keras.Input(batch_shape=(2, 5, 3)),
            tf_keras.layers.Bidirectional(
                tf_keras.layers.LSTM(3, stateful=True)
            ),
        ]
    )


class StateTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.named_parameters(
        ("lstm", lambda: recurrent(layers.LSTM(4, stateful=True))),
        ("gru", lambda: recurrent(layers.GRU(4, stateful=True))),
        ("simple", lambda: recurrent(layers.SimpleRNN(4, stateful=True))),
        (
            "bidirectional",
            lambda: recurrent(
                layers.Bidirectional(layers.LSTM(3, stateful=True))
            ),
        ),
        (
            "cells",
            lambda: recurrent(
                layers.RNN(
                    [layers.LSTMCell(3), layers.SimpleRNNCell(4)], stateful=True
                )
            ),
        ),
        ("nested", nested),
        ("keras_2", keras_2),
    )
    def test_is_reset(self, make):
        model = make()
        keeping = keras_calls.stateful_layers(model)
        values = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("f")
        first = np.asarray(model(values))
        self.assertGreater(
            np.abs(np.asarray(model(values)) - first).max(), 1e-3
        )
        keras_calls.reset(keeping)
        self.assertAllEqual(np.asarray(model(values)), first)

    def test_others_keep_nothing(self):
        model = keras.Sequential(
            [keras.Input((5, 3)), layers.LSTM(4), layers.Dropout(0.5)]
        )
        self.assertEmpty(keras_calls.stateful_layers(model))

    def test_targets_reset_it(self):
        pixels = keras.Input(batch_shape=(2, 6, 5, 1))
        x = layers.Reshape((6, 5))(pixels)
        x = layers.LSTM(4, stateful=True, activation="softmax")(x)
        target = KerasTarget(keras.Model(pixels, x), batch_size=2)
        images = np.random.default_rng(0).integers(
            0, 256, (8, 6, 5, 1), np.uint8
        )
        answers = target.predict(images)
        order = np.array([6, 1, 4, 3, 0, 7, 2, 5])
        self.assertAllEqual(target.predict(images[order]), answers[order])


class OptionsTest(parameterized.TestCase, tf.test.TestCase):
    def model(self, **options):
        inputs = keras.Input((6,))
        x = layers.Dropout(0.5)(inputs, **options)
        return keras.Model(inputs, layers.Dense(3)(x))

    def inside(self, **options):
        inputs = keras.Input((6,))
        return keras.Model(inputs, self.model()(inputs, **options))

    def test_inference(self):
        for model in (
            self.model(),
            self.model(training=False),
            self.inside(),
            keras.Sequential([keras.Input((6,)), layers.Dropout(0.5)]),
            keras.Sequential([keras.Input((6, 6, 1)), layers.RandomFlip()]),
        ):
            self.assertEqual(
                keras_calls.inference_options(model), {"training": False}
            )

    def test_a_layer_that_was_told_to_train(self):
        training_net = self.model(training=True)
        wrapped = keras.Sequential([keras.Input((6,)), training_net])
        path = self.create_tempdir().full_path + "/m.keras"
        training_net.save(path)
        loaded = keras.saving.load_model(path)
        for model in (
            training_net,
            wrapped,
            self.inside(training=True),
            loaded,
        ):
            self.assertEqual(keras_calls.inference_options(model), {})
            values = np.ones((1, 6), np.float32)
            answers = {np.asarray(model(values)).tobytes() for _ in range(9)}
            self.assertGreater(len(answers), 1)


if __name__ == "__main__":
    tf.test.main()
