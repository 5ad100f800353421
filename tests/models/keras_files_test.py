"""Tests of loading, saving and freezing, with files that others made."""

import os
import pathlib
import subprocess
import sys
import zipfile
from unittest import mock

import keras
import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from keras import layers
from keras2_nets import rewrite

from qmia_tf.errors import InputError
from qmia_tf.layers import (
    DoReFaActivation,
    DoReFaAdd,
    DoReFaConv2D,
    DoReFaDense,
    DoReFaDepthwiseConv2D,
    ResidualQuantizer,
)
from qmia_tf.models import keras_files

SHAPE = (6, 6, 2)


def _pixels():
    codes = np.random.default_rng(0).integers(0, 256, (3, *SHAPE))
    return (codes / 255).astype(np.float32)


def _quantized():
    """A model with each of the project's layers and foreign ones between."""
    inputs = keras.Input(SHAPE)
    x = DoReFaConv2D(2, 3, padding="same", weight_bits=4, input_steps=255)(
        inputs
    )
    x = DoReFaActivation(4)(layers.BatchNormalization()(x))
    y = DoReFaDepthwiseConv2D(3, padding="same", weight_bits=2, input_steps=15)(
        x
    )
    x = DoReFaAdd(4)([x, ResidualQuantizer(4)(y)])
    x = layers.Conv2D(2, 3)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, DoReFaDense(3, weight_bits=8)(x))


def _stock():
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(2, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def _foreign():
    class Foreign(layers.Layer):
        def call(self, inputs):
            return inputs * 2

    return keras.Sequential([keras.Input(SHAPE), Foreign()])


def _with_lambda():
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Lambda(lambda x: x * 2)]
    )


class KerasFilesTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "a.keras")

    def _refuses(self, message):
        with self.assertRaises(InputError) as caught:
            keras_files.load(self.path)
        self.assertIn(str(self.path), str(caught.exception))
        self.assertRegex(str(caught.exception), message)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(_quantized, _stock)
    def test_saves_and_loads(self, build):
        model = build()
        keras_files.save(model, self.path)
        self.assertEqual(os.listdir(self.path.parent), ["a.keras"])
        for path in (self.path, str(self.path)):
            again = keras_files.load(path)
            self.assertAllEqual(again(_pixels()), model(_pixels()))

    @parameterized.parameters(1970, 1979, 2108)
    def test_clock_that_a_zip_cannot_hold(self, year):
        now = mock.Mock(tm_year=year)
        with mock.patch.object(keras_files.time, "localtime", lambda: now):
            with self.assertRaisesRegex(InputError, f"the year {year}.*clock"):
                keras_files.save(_stock(), self.path)
        self.assertEmpty(os.listdir(self.path.parent))

    def test_saving_replaces_the_file(self):
        self.path.write_text("old")
        keras_files.save(_stock(), self.path)
        keras_files.load(self.path)

    def test_missing(self):
        self._refuses("^there is no model file .*a.keras: train it first")

    def test_a_folder(self):
        self.path.mkdir()
        self._refuses("there is no model file")

    @parameterized.parameters(b"", b"not a model\n", b"\x89HDF\r\n\x1a\n" * 99)
    def test_no_zip_file(self, content):
        self.path.write_bytes(content)
        self._refuses(
            r"is not a \.keras file \(or was cut off\): save it again"
        )

    @parameterized.parameters(0.1, 0.5, 0.99)
    def test_cut_off(self, share):
        keras_files.save(_stock(), self.path)
        whole = self.path.read_bytes()
        self.path.write_bytes(whole[: int(share * len(whole))])
        self._refuses("was cut off")

    def test_damaged_inside(self):
        keras_files.save(_stock(), self.path)

        def halve(members):
            weights = members["model.weights.h5"]
            members["model.weights.h5"] = weights[: len(weights) // 2]

        rewrite(self.path, halve)
        self._refuses("cannot be loaded as a Keras model: .")

    def test_flipped_bytes(self):
        keras_files.save(_stock(), self.path)
        content = bytearray(self.path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 64] = bytes(
            255 - byte for byte in content[middle : middle + 64]
        )
        self.path.write_bytes(content)
        self._refuses("cannot be loaded as a Keras model: .")

    @parameterized.parameters("notes.txt", "config.json", "metadata.json")
    def test_a_zip_file_of_something_else(self, name):
        with zipfile.ZipFile(self.path, "w") as archive:
            archive.writestr(name, "{}")
        self._refuses("cannot be loaded as a Keras model: .")

    def test_a_layer_that_nobody_knows(self):
        _foreign().save(self.path)
        self._refuses("cannot be loaded as a Keras model: .*Foreign")

    def test_a_wrapper_of_pruning(self):
        keras_files.save(_stock(), self.path)

        def wrap(members):
            dense, wrapper = (
                f'"class_name": "{name}"'.encode()
                for name in ("Dense", "PruneLowMagnitude")
            )
            config = members["config.json"]
            self.assertIn(dense, config)
            members["config.json"] = config.replace(dense, wrapper)

        rewrite(self.path, wrap)
        self._refuses("with a wrapper of .*PruneLowMagnitude.*strip_pruning")

    def test_a_layer_that_runs_code(self):
        _with_lambda().save(self.path)
        self._refuses("has a Lambda layer, .*safe mode")

    def test_a_place_that_is_none(self):
        self.path.write_text("a file, not a folder")
        with self.assertRaisesRegex(InputError, "a.keras"):
            keras_files.save(_stock(), self.path / "model.keras")

    @slow_tests.slow
    def test_a_fresh_process_knows_the_layers(self):
        model = _quantized()
        keras_files.save(model, self.path)
        np.save(self.path.parent / "pixels.npy", _pixels())
        code = (
            "import sys, numpy as np; from qmia_tf.models import keras_files; "
            "model = keras_files.load(sys.argv[1]); "
            "np.save(sys.argv[3], model(np.load(sys.argv[2])))"
        )
        files = [self.path, *map(self.path.with_name, ("pixels.npy", "y.npy"))]
        subprocess.run(
            [sys.executable, "-c", code, *map(str, files)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
        self.assertAllEqual(np.load(files[2]), model(_pixels()))


class FreezeTest(parameterized.TestCase, tf.test.TestCase):
    def _double(self, layer):
        layer.set_weights([2 * w + 1 for w in layer.get_weights()])

    def test_answers_stay_and_no_longer_follow_the_kernels(self):
        model = _quantized()
        before = model(_pixels()).numpy()
        # In a graph the foreign layers may sum in another order.
        self.assertAllClose(
            model.predict(_pixels(), verbose=0), before, rtol=0, atol=1e-5
        )
        keras_files.freeze(model)
        self.assertAllEqual(model(_pixels()), before)
        ours = [
            layer
            for layer in model.layers
            if isinstance(layer, keras_files.WEIGHT_LAYERS)
        ]
        self.assertLen(ours, 3)
        for layer in ours:
            layer.kernel.assign(2 * layer.kernel + 1)
        self.assertAllEqual(model(_pixels()), before)
        self.assertAllClose(
            model.predict(_pixels(), verbose=0), before, rtol=0, atol=1e-5
        )

    def test_foreign_layers_are_left_alone(self):
        model = _stock()
        before = model(_pixels()).numpy()
        keras_files.freeze(model)
        self.assertAllEqual(model(_pixels()), before)
        self._double(model.layers[0])
        self.assertNotAllClose(model(_pixels()), before)

    def test_layers_of_a_model_inside_are_frozen(self):
        inner = keras.Sequential(
            [keras.Input(SHAPE), DoReFaConv2D(2, 3, weight_bits=4)]
        )
        inputs = keras.Input(SHAPE)
        model = keras.Model(inputs, layers.Flatten()(inner(inputs)))
        before = model(_pixels()).numpy()
        keras_files.freeze(model)
        inner.layers[0].kernel.assign(1 - inner.layers[0].kernel)
        self.assertAllEqual(model(_pixels()), before)


if __name__ == "__main__":
    tf.test.main()
