"""Layers of Keras' own that oneDNN may not train safely."""

import warnings
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.layers import DoReFaConv2D, unsafe_layers
from qmia_tf.qat import quantize_model
from qmia_tf.training import resumable_loop, tensorboard_callback


class UnsafeLayersTest(parameterized.TestCase, tf.test.TestCase):
    def network(self, channels=4, kind=keras.layers.Conv2D, **options):
        pixels = keras.Input((8, 8, channels))
        options = {"kernel_size": 1, "strides": 2, **options}
        x = kind(8, name="shortcut", **options)(pixels)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(pixels, keras.layers.Dense(3)(x))

    @parameterized.parameters(
        ({}, True),
        ({"channels": 7}, True),
        ({"channels": 8}, False),
        ({"kernel_size": 3}, False),
        ({"strides": 1}, False),
        ({"strides": (1, 2)}, True),
        ({"trainable": False}, False),
        ({"kind": DoReFaConv2D}, False),
    )
    def test_which(self, options, is_unsafe):
        names = unsafe_layers.unsafe_layers(self.network(**options))
        self.assertEqual(names, ["shortcut"] if is_unsafe else [])

    def test_inside_another_model(self):
        inner = self.network()
        pixels = keras.Input((8, 8, 4))
        outer = keras.Model(pixels, keras.layers.Dense(2)(inner(pixels)))
        self.assertEqual(unsafe_layers.unsafe_layers(outer), ["shortcut"])

    def warns(self):
        return self.assertWarnsRegex(
            UserWarning, "^layers shortcut: .*TF_ENABLE_ONEDNN_OPTS=0"
        )

    @mock.patch.object(unsafe_layers.onednn, "is_on", return_value=True)
    def test_warns_where_onednn_is_on(self, is_on):
        with self.warns():
            unsafe_layers.warn(self.network())
        is_on.return_value = False
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            unsafe_layers.warn(self.network())

    @mock.patch.object(unsafe_layers.onednn, "is_on", return_value=True)
    def test_warns_where_networks_are_trained(self, _):
        model = self.network()
        with (
            mock.patch.object(resumable_loop, "Trainer", side_effect=OSError),
            self.warns(),
            self.assertRaises(OSError),
        ):
            resumable_loop.train(
                model, (), recipe=None, seed=0, run_dir=self.create_tempdir()
            )
        pair = np.zeros((2, 8, 8, 4), np.float32), np.array([0, 1])
        log = tensorboard_callback.MembershipLog(
            self.create_tempdir(), pair, pair
        )
        with self.warns():
            log.set_model(model)
        widths = {"weight_bits": 4, "activation_bits": 4}
        with self.warns():
            quantize_model(model, overrides={"shortcut": None}, **widths)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "layers .*oneDNN")
            quantize_model(model, **widths)


if __name__ == "__main__":
    tf.test.main()
