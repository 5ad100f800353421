"""Tests of tfmot's baseline, which is made in a process of its own."""

import hashlib
import os
import pathlib
import sys
import threading
import time
from unittest import mock

import flatbuffer_view
import keras
import numpy as np
import psutil
import slow_tests
import tensorflow as tf
import tiny_models
import tqdm
from absl.testing import parameterized

from qmia_tf import files, onednn, terminal
from qmia_tf.data import loaders
from qmia_tf.deploy.tfmot import baseline, fine_tuning
from qmia_tf.errors import InputError
from qmia_tf.models import resnet
from qmia_tf.targets.keras_target import KerasTarget
from qmia_tf.targets.tflite_target import TFLiteTarget
from qmia_tf.training import recipes
from qmia_tf.training.epoch_loop import Trainer


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.work = self.dir / "work"
        self.model = tiny_models.quantized(bits=32, ends=32)
        # Dark ones and bright ones, or the average tells them hardly apart.
        light = np.linspace(0.05, 1, 60).reshape(-1, 1, 1, 1)
        images = (tiny_models.images(60) * light).astype(np.uint8)
        labels = self.model(images / np.float32(255)).numpy().argmax(axis=1)
        self.members = images, labels

    def make(self, model=None, **options):
        return baseline.to_tflite(
            model or self.model, self.members, folder=self.work, **options
        )

    def sha256(self, **options):
        """Makes a file of batches of 16; returns its hash."""
        options = {"recipe": recipes.get("digits", batch_size=16), **options}
        return hashlib.sha256(self.make(**options)).hexdigest()

    def target(self, content):
        path = self.dir / "made.tflite"
        path.write_bytes(content)
        return TFLiteTarget(path)

    def assertInteger(self, content):
        for sides in flatbuffer_view.kernels(content):
            self.assertEqual({side.dtype for side in sides}, {np.int8})
        ops = flatbuffer_view.read(content)
        self.assertNotIn("DEQUANTIZE", [op.name for op in ops])
        (image,), (answer,) = ops[0].inputs, ops[-1].outputs
        self.assertEqual(image.dtype, np.uint8)
        self.assertAllClose(image.scales, [1 / 255])
        self.assertAllEqual(image.zero_points, [0])
        self.assertEqual(answer.dtype, np.int8)


class ProcessTest(Folder):
    def test_ranges_alone(self):
        content = self.make(epochs=0)
        self.assertInteger(content)
        ours = KerasTarget(self.model).predict(self.members[0])
        predicted = self.target(content).predict(self.members[0])
        # The weights are the trained ones, on 8 bits.
        self.assertAllClose(ours, predicted, atol=0.05)
        self.assertGreater(np.ptp(ours, axis=0).max(), 0.4)
        self.assertFalse(self.work.exists())
        # This process still has Keras 3.
        self.assertNotIn("TF_USE_LEGACY_KERAS", os.environ)
        self.assertNotIn("tensorflow_model_optimization", sys.modules)
        self.assertIs(tf.keras.layers.Dense, keras.layers.Dense)


class HalfTrainedTest(parameterized.TestCase, tf.test.TestCase):
    """What the process keeps of an epoch, and when it goes on behind it."""

    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir()) / "epoch.npz"

    def restored(self, **changes):
        """Restores epoch 2 in a process that computes otherwise."""
        record = {**onednn.record(), **changes}
        state = [tf.Variable(0.0), tf.Variable([0.0, 0.0])]
        with mock.patch.object(onednn, "record", return_value=record):
            epochs = fine_tuning._restore(state, self.path)
        return epochs, [variable.numpy().tolist() for variable in state]

    def save(self):
        state = [tf.Variable(3.0), tf.Variable([4.0, 5.0])]
        fine_tuning._save(state, 2, self.path)

    def test_goes_on_where_it_is_computed_alike(self):
        self.assertEqual(self.restored(), (0, [0.0, [0.0, 0.0]]))
        self.save()
        self.assertEqual(self.restored(), (2, [3.0, [4.0, 5.0]]))

    @parameterized.parameters("onednn", "intra_op_threads")
    def test_is_begun_anew_where_it_is_computed_otherwise(self, key):
        self.save()
        value = onednn.record()[key]
        other = not value if key == "onednn" else value + 1
        with mock.patch.object(terminal, "say") as say:
            self.assertEqual(
                self.restored(**{key: other}), (0, [0.0, [0.0, 0.0]])
            )
        (line,) = say.call_args.args
        self.assertIn("begun anew", line)

    def test_an_epoch_from_before_it_was_noted_goes_on(self):
        files.write_npz(self.path, epoch=1, v0=np.float32(6), v1=np.ones(2))
        self.assertEqual(self.restored(), (1, [6.0, [1.0, 1.0]]))


@slow_tests.slow
class TrainingTest(Folder):
    def test_killed_and_started_again(self):
        whole = self.sha256(epochs=3)
        self.assertEqual(self.sha256(epochs=3), whole)
        self.assertNotEqual(self.sha256(epochs=0), whole)
        self.assertNotEqual(self.sha256(epochs=3, seed=1), whole)
        epoch = self.work / fine_tuning.EPOCH
        killed = []

        def kill():
            while not epoch.exists():
                time.sleep(0.01)
            for child in psutil.Process().children():
                if str(self.work) in child.cmdline():
                    killed.append(child.pid)
                    child.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with self.assertRaisesRegex(InputError, "status -9 and no message"):
            self.sha256(epochs=3)
        killer.join()
        self.assertLen(killed, 1)
        self.assertIn(int(files.read_npz(epoch)["epoch"]), (1, 2, 3))
        self.assertEqual(self.sha256(epochs=3), whole)

    def test_work_on_something_else_is_thrown_away(self):
        self.work.mkdir()
        (self.work / fine_tuning.EPOCH).write_bytes(b"of another model")
        files.write_json(self.work / fine_tuning.JOB, {"digest": "other"})
        self.assertInteger(self.make(epochs=1))

    def test_every_layer_that_is_known(self):
        pixels = keras.Input(tiny_models.SHAPE)
        x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(pixels)
        y = keras.layers.DepthwiseConv2D(3, padding="same")(x)
        y = keras.layers.BatchNormalization()(y)
        x = keras.layers.Add()([x, keras.layers.ReLU(6.0)(y)])
        x = keras.layers.MaxPooling2D(2, strides=1)(x)
        x = keras.layers.AveragePooling2D(2, strides=1)(x)
        x = keras.layers.Flatten()(x)
        x = keras.layers.Dense(8, activation="relu")(x)
        x = keras.layers.Dense(4)(x)
        model = keras.Model(pixels, keras.layers.Softmax()(x))
        content = self.make(model, epochs=1)
        self.assertInteger(content)
        self.assertLen(flatbuffer_view.kernels(content), 4)
        self.assertAllClose(
            KerasTarget(model).predict(self.members[0]),
            self.target(content).predict(self.members[0]),
            atol=0.1,
        )

    def test_network_that_answers_otherwise(self):
        run = baseline._run

        def tamper(folder, **options):
            path = folder / fine_tuning.NETWORK
            weights = files.read_npz(path)
            weights["logits/1"] = weights["logits/1"] + np.arange(4.0)
            files.write_npz(path, **weights)
            run(folder, **options)

        with (
            mock.patch.object(baseline, "_run", tamper),
            self.assertRaisesRegex(
                InputError,
                "tfmot's fine-tuning failed: the tf_keras network does not "
                "answer like the Keras 3 model: outputs differ by up to .*"
                "error.json",
            ),
        ):
            self.make(epochs=0)
        story = files.read_json(self.work / fine_tuning.ERROR)
        self.assertIn("check_same", story["traceback"])
        self.assertInteger(self.make(epochs=0))

    @parameterized.parameters("sgd", "adamw")
    def test_optimizers(self, optimizer):
        recipe = recipes.get(
            "modern", optimizer=optimizer, batch_size=32, epochs=9
        )
        trained = self.sha256(epochs=1, recipe=recipe)
        self.assertNotEqual(self.sha256(epochs=0), trained)

    def test_diverging(self):
        recipe = recipes.get("digits", optimizer="sgd", learning_rate=1e38)
        with self.assertRaisesRegex(InputError, "the loss is (nan|inf) in"):
            self.make(epochs=30, recipe=recipe)

    def test_digits(self):
        data = loaders.load("digits")
        recipe = recipes.get("digits", epochs=3, width=8)
        model = resnet.resnet18(
            data.image_shape, data.classes, stem="cifar", width=8
        )
        self.members = data.images[::2], data.labels[::2]
        trainer = Trainer(model, self.members, recipe, 0)
        for _ in range(recipe.epochs):
            trainer.run_epoch(tqdm.tqdm(disable=True))
        content = self.make(model, epochs=2, recipe=recipe)
        self.assertInteger(content)
        others = data.images[1::2], data.labels[1::2]
        predicted = self.target(content).predict(others[0]).argmax(axis=1)
        ours = KerasTarget(model).predict(others[0]).argmax(axis=1)
        right = np.mean(ours == others[1])
        self.assertGreater(right, 0.85)
        # Two more epochs do not make it worse.
        self.assertGreater(np.mean(predicted == others[1]), right - 0.02)


class KernelsTest(parameterized.TestCase, tf.test.TestCase):
    """tf_keras' layers do not go round oneDNN's unsafe gradients."""

    @parameterized.parameters((4, True), (8, False))
    def test_does_without_onednn_where_it_is_unsafe(self, width, is_unsafe):
        model = resnet.resnet18((8, 8, 1), 3, stem="cifar", width=width)
        with (
            mock.patch.object(baseline, "_prepare"),
            mock.patch.object(
                baseline.subprocess, "Popen", side_effect=OSError
            ) as process,
            mock.patch.dict(os.environ, TF_ENABLE_ONEDNN_OPTS="1"),
            self.assertRaises(OSError),
        ):
            baseline.to_tflite(
                model,
                (np.zeros((4, 8, 8, 1), np.uint8), np.zeros(4, np.int64)),
                folder=self.create_tempdir().full_path,
            )
        setting = process.call_args.kwargs["env"]["TF_ENABLE_ONEDNN_OPTS"]
        self.assertEqual(setting, "0" if is_unsafe else "1")


class FailureTest(Folder):
    """What comes back from the other process, with a stand-in for it."""

    def run_instead(self, code):
        self.work.mkdir()
        command = [sys.executable, "-c", code]
        with mock.patch.object(baseline, "_command", return_value=command):
            baseline._run(self.work)

    def test_success(self):
        self.run_instead("pass")

    def test_end_without_a_message(self):
        with self.assertRaisesRegex(
            InputError, "ended with status 7 and no message .*go on"
        ):
            self.run_instead("import sys; sys.exit(7)")

    def test_interrupt(self):
        with self.assertRaises(KeyboardInterrupt):
            self.run_instead("import sys; sys.exit(130)")

    @parameterized.parameters(
        (InputError("no such layer"), "failed: no such layer "),
        (ValueError("two\nlines"), "failed: ValueError: two lines "),
    )
    def test_message(self, error, message):
        self.work.mkdir()
        with mock.patch.object(fine_tuning, "_make", side_effect=error):
            self.assertEqual(fine_tuning.main(self.work), 1)
        story = files.read_json(self.work / fine_tuning.ERROR)
        self.assertIn("Traceback", story["traceback"])
        command = [sys.executable, "-c", "import sys; sys.exit(1)"]
        with (
            mock.patch.object(baseline, "_command", return_value=command),
            self.assertRaisesRegex(InputError, message) as caught,
        ):
            baseline._run(self.work)
        self.assertNotIn("\n", str(caught.exception))

    def test_interrupt_in_the_process(self):
        with mock.patch.object(
            fine_tuning, "_make", side_effect=KeyboardInterrupt
        ):
            self.assertEqual(fine_tuning.main(self.dir), 130)
        self.assertEmpty(list(self.dir.iterdir()))

    def test_the_message_of_a_run_before_is_gone(self):
        with mock.patch.object(
            baseline, "_run", side_effect=InputError("killed")
        ):
            for _ in range(2):
                with self.assertRaisesRegex(InputError, "killed"):
                    self.make()
                error = self.work / fine_tuning.ERROR
                self.assertFalse(error.exists())
                files.write_json(error, {"reason": "old"})

    def test_no_softmax_at_the_end(self):
        pixels = keras.Input(tiny_models.SHAPE)
        x = keras.layers.Dense(4, name="last")(keras.layers.Flatten()(pixels))
        with self.assertRaisesRegex(InputError, "'last' is the last; .*softm"):
            self.make(keras.Model(pixels, x))


if __name__ == "__main__":
    tf.test.main()
