"""What every kind of target promises, each kind held to the same tests."""

import pathlib
import tempfile
from unittest import mock

import folders
import numpy as np
import tensorflow as tf
import tf_keras
import tiny_models
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert

from qmia_tf import outputs, terminal
from qmia_tf.data.records import Records
from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.deploy import timing
from qmia_tf.deploy.tflite.isolation import IsolatedInterpreter
from qmia_tf.registry import Registry
from qmia_tf.targets import listing, queries, unopened_model
from qmia_tf.targets.function_target import FunctionTarget
from qmia_tf.targets.keras_target import KerasTarget
from qmia_tf.targets.model_options import ModelOptions
from qmia_tf.targets.tflite_target import TFLiteTarget

COUNT, CLASSES = 23, tiny_models.CLASSES
IMAGES = tiny_models.images(COUNT, seed=4)
# What a user says of a network that does not say it itself.
SAID = ModelOptions(input_range="0..1", outputs="probabilities")
# Of one float32 network: another batch adds in another order.
ATOL = 1e-6


def numbers_of(images):
    return RecordNumbers.of(images, is_images=True)


def write_saved_outputs(folder):
    path = folder / "saved.npz"
    rows = np.random.default_rng(0).dirichlet(np.ones(CLASSES), COUNT)
    outputs.Outputs(
        probabilities=rows.astype(np.float32),
        labels=np.arange(COUNT) % CLASSES,
        members=np.arange(COUNT) < 9,
        record_ids=np.arange(COUNT),
        info={
            "target": "saved",
            "kind": "tflite",
            "kernel_set": "default",
            "probability_step": 0.0,
        },
    ).save(path)
    return path


def keras_2():
    return tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer(tiny_models.SHAPE),
            tf_keras.layers.Flatten(),
            tf_keras.layers.Dense(CLASSES, "softmax"),
        ]
    )


class Files:
    """The sources of targets, each made once."""

    def __init__(self, folder):
        self.folder = folder
        self.model = tiny_models.classifier()
        self.keras = folder / "m.keras"
        self.model.save(self.keras)
        self.float32 = tiny_models.write_tflite(
            self.model, folder / "float32.tflite"
        )
        self.int8 = tiny_models.write_tflite(
            self.model, folder / "int8.tflite", inputs=tf.uint8, outputs=tf.int8
        )
        self.saved_model = folder / "saved_model"
        self.model.export(self.saved_model, verbose=False)
        self.outputs = write_saved_outputs(folder)
        self.keras_2 = keras_2()

    def runner(self):
        interpreter = litert.Interpreter(str(self.float32))
        return interpreter.get_signature_runner()

    def signature(self):
        self.loaded = tf.saved_model.load(str(self.saved_model))
        return self.loaded.signatures["serving_default"]

    def function(self):
        return lambda pixels: self.model(pixels / 255.0, training=False).numpy()


# Sources of a user's targets.
SOURCES = {
    "keras": lambda files: files.model,
    "keras_file": lambda files: files.keras,
    "keras_2": lambda files: files.keras_2,
    "float32": lambda files: files.float32,
    "int8": lambda files: files.int8,
    "saved_model": lambda files: files.saved_model,
    "tf_signature": lambda files: files.signature(),
    "signature": lambda files: files.runner(),
    "function": lambda files: files.function(),
}
# Targets of a run, and what was saved.
OPENERS = {
    "run_keras": lambda files: KerasTarget(files.model),
    "run_keras_file": lambda files: KerasTarget(files.keras),
    "run_float32": lambda files: TFLiteTarget(files.float32),
    "run_int8": lambda files: TFLiteTarget(files.int8),
}
KINDS = (*SOURCES, *OPENERS)


class Contract(folders.Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.files = Files(pathlib.Path(folder))

    def listed(self, kind):
        options = SAID
        if kind in ("function", "int8"):
            options = ModelOptions()
        return listing.list_model(
            "m",
            SOURCES[kind](self.files),
            options,
            numbers=numbers_of(IMAGES),
        )

    def open(self, kind):
        if kind in OPENERS:
            return OPENERS[kind](self.files)
        return self.listed(kind).open()


class TargetTest(Contract):
    @parameterized.parameters(*KINDS)
    def test_the_same_record_gets_the_same_output(self, kind):
        """In any order, alone, and among others."""
        target = self.open(kind)
        rows = target.predict(IMAGES)
        atol = 0 if "int8" in kind else ATOL
        order = np.random.default_rng(1).permutation(COUNT)
        self.assertAllClose(
            target.predict(IMAGES[order]), rows[order], atol=atol, rtol=0
        )
        for size in (1, 7):
            part = target.predict(IMAGES[5 : 5 + size])
            self.assertAllClose(part, rows[5 : 5 + size], atol=atol, rtol=0)
        self.assertGreater(np.ptp(rows, axis=0).max(), 0.01)

    @parameterized.parameters(*KINDS)
    def test_outputs_are_rows_of_float32(self, kind):
        rows = self.open(kind).predict(IMAGES)
        self.assertEqual(rows.shape, (COUNT, CLASSES))
        self.assertEqual(rows.dtype, np.float32)
        self.assertAllClose(rows.sum(axis=1), np.ones(COUNT), atol=0.02)

    @parameterized.parameters(*KINDS)
    def test_records_that_do_not_fit_are_refused(self, kind):
        predict = self.open(kind).predict
        self.assertRefused(r"no records|\[0, 6, 5, 1\]", predict, IMAGES[:0])
        self.assertRefused(
            r"takes (records|images) of \[6, 5, 1\], got \[5, 6, 1\]: is it a "
            "model of this data",
            predict,
            tiny_models.images(3, shape=(5, 6, 1)),
        )

    @parameterized.parameters(*KINDS)
    def test_one_channel_may_be_left_out(self, kind):
        if kind == "function":
            self.skipTest("it gets the records as they are")
        target = self.open(kind)
        self.assertAllEqual(
            target.predict(IMAGES[..., 0]), target.predict(IMAGES)
        )

    @parameterized.parameters(*KINDS)
    def test_info_is_what_outputs_need(self, kind):
        info = self.open(kind).info
        self.assertContainsSubset(
            ("target", "kind", "kernel_set", "probability_step"), info
        )
        # Of what says nothing they are measured.
        known = None if kind == "function" else "probabilities"
        self.assertEqual(info.get("outputs", known), known)
        step = 1 / 256 if "int8" in kind else 0.0
        self.assertEqual(info["probability_step"], step)
        if "file" in kind or kind in ("float32", "int8", "saved_model"):
            self.assertLen(info["sha256"], 64)
            self.assertGreater(info["size_bytes"], 0)
        answered = outputs.Outputs(
            probabilities=self.open(kind).predict(IMAGES),
            labels=np.arange(COUNT) % CLASSES,
            members=np.arange(COUNT) < 9,
            record_ids=np.arange(COUNT),
            info=info,
        )
        answered.validate(kind)

    @parameterized.parameters(*KINDS)
    def test_progress_is_shown_if_wanted(self, kind):
        target = self.open(kind)
        for shown in (True, False):
            with mock.patch.object(
                terminal, "bar", side_effect=terminal.bar
            ) as bar:
                target.predict(IMAGES, progress=shown)
            options = bar.call_args.kwargs
            self.assertEqual(options["total"], COUNT)
            self.assertEqual(options["desc"], target.info["target"])
            self.assertIs(options["shown"], shown)

    @parameterized.parameters(*KINDS)
    def test_records_are_left_as_they_were(self, kind):
        given = IMAGES.copy()
        self.open(kind).predict(given)
        self.assertAllEqual(given, IMAGES)


class ClosingTest(Contract):
    @parameterized.parameters(*SOURCES)
    def test_is_opened_once_and_again_when_closed(self, kind):
        listed = self.listed(kind)
        first = listed.open()
        self.assertIs(listed.open(), first)
        rows = first.predict(IMAGES)
        listed.close()
        again = listed.open()
        self.assertIsNot(again, first)
        self.assertAllEqual(again.predict(IMAGES), rows)


class QueryTest(Contract):
    """Each is queried once; what is in memory, each time."""

    def setUp(self):
        super().setUp()
        self.run_dir = self.dir
        for place in (timing, IsolatedInterpreter):
            timed = mock.Mock(median_ms=2.5)
            self.enter_context(
                mock.patch.object(place, "measure", return_value=timed)
            )
        self.records = Records.numbered(
            "tiny",
            IMAGES,
            np.arange(COUNT) % CLASSES,
            np.arange(COUNT) < 9,
            classes=CLASSES,
        )

    def query(self, kind):
        """Gives the outputs, and whether the target was really queried."""
        with mock.patch.object(
            queries, "outputs_of", side_effect=queries.outputs_of
        ) as asked:
            model_outputs = queries.query(
                self.listed(kind),
                self.records,
                run_dir=self.run_dir,
                allow_chance=True,
            )
        return model_outputs, asked.called

    @parameterized.parameters(*SOURCES)
    def test_outputs_are_kept(self, kind):
        model_outputs, is_queried = self.query(kind)
        self.assertTrue(is_queried)
        self.assertAllClose(
            model_outputs.probabilities,
            self.open(kind).predict(IMAGES),
            atol=ATOL,
        )
        info = model_outputs.info
        self.assertEqual(info["latency_ms"], 2.5)
        self.assertEqual(info["fingerprint"], self.records.fingerprint)
        stored = outputs.load(self.dir / "outputs" / "m.npz")
        self.assertEqual(stored.info, info)
        again, is_queried = self.query(kind)
        self.assertEqual(is_queried, info["sha256"] is None)
        self.assertAllEqual(again.probabilities, model_outputs.probabilities)

    def test_saved_outputs_are_read(self):
        listed = listing.list_model(
            "m", self.files.outputs, SAID, numbers=self.records.numbers
        )
        model_outputs = queries.query(
            listed, self.records, run_dir=self.run_dir, allow_chance=True
        )
        self.assertEqual(model_outputs.target, "m")
        self.assertAllEqual(
            model_outputs.probabilities,
            outputs.load(self.files.outputs).probabilities,
        )


class RegistryTest(Contract):
    def test_one_registration_adds_a_kind(self):
        network = self.files.function()
        network.remote = object()
        kind = unopened_model.TargetKind(
            fits=lambda source: source is network.remote,
            kernel_set="remote",
            open_model=lambda source, opening: FunctionTarget(network, opening),
        )
        registry = Registry("target kind", dict(listing.KINDS.items()))
        self.enter_context(mock.patch.object(listing, "KINDS", registry))
        registry.register("remote", kind)
        target = listing.list_model(
            "m", network.remote, ModelOptions(), numbers=numbers_of(IMAGES)
        ).open()
        self.assertEqual(target.info["kernel_set"], "remote")
        expected = self.open("function").predict(IMAGES)
        self.assertAllEqual(target.predict(IMAGES), expected)


class OneNetworkTest(Contract):
    def test_every_kind_outputs_the_same(self):
        pixels = IMAGES / np.float32(255)
        expected = self.files.model(pixels, training=False).numpy()
        for kind in KINDS:
            if kind == "keras_2":
                continue
            with self.subTest(kind):
                # Eight bits are worth that much here; float sums 1e-6.
                atol = 0.1 if "int8" in kind else ATOL
                rows = self.open(kind).predict(IMAGES)
                self.assertAllClose(rows, expected, atol=atol)


if __name__ == "__main__":
    tf.test.main()
