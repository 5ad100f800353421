"""Models of tf_keras, and methods of models, as targets of an audit."""

import functools
import json
import os
import subprocess
import sys

import keras
import keras2_nets
import numpy as np
import own_task
import tensorflow as tf
import tf_keras
import tiny_models
from absl.testing import parameterized
from keras2_nets import Opened, bytes_in, sequence
from tf_keras import layers

from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.errors import InputError
from qmia_tf.experiments import model_audit
from qmia_tf.qat import quantize_model
from qmia_tf.targets import listing
from qmia_tf.targets.model_options import ModelOptions

UNIT = ModelOptions(input_range="0..1")
WHOLE = ModelOptions(input_range="0..255")
BESIDE = """
import os, sys
from qmia_tf.models import keras_calls
from qmia_tf.targets import listing
assert not {"keras", "tf_keras", "tensorflow"} & set(sys.modules)
import keras, numpy as np
before = dict(keras.config.__dict__), keras.config.floatx(), dict(os.environ)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
rows = model.predict(np.ones((2, 3)), verbose=0)
import tf_keras, tensorflow as tf
after = dict(keras.config.__dict__), keras.config.floatx(), dict(os.environ)
assert before == after
assert tf.keras.Model is keras.Model is not tf_keras.Model
assert keras_calls.library_of(model) == "keras"
assert (model.predict(np.ones((2, 3)), verbose=0) == rows).all()
keras.utils.set_random_seed(1)
drawn = keras.random.normal((3,)).numpy()
tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
keras.utils.set_random_seed(1)
assert (keras.random.normal((3,)).numpy() == drawn).all()
"""
# tfmot sets a variable of the process: it gets one of its own.
TFMOT = """
import json
import tensorflow_model_optimization as tfmot
import keras2_nets
from qmia_tf.errors import InputError
from qmia_tf.models import model_formats
from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.targets import listing
from qmia_tf.targets.model_options import ModelOptions

made = {
    "pruned": tfmot.sparsity.keras.prune_low_magnitude(keras2_nets.sequence()),
    "quantized": tfmot.quantization.keras.quantize_model(
        keras2_nets.sequence()
    ),
}
images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
found = {}
for name, model in made.items():
    options = ModelOptions(input_range="0..1")
    numbers = RecordNumbers.of(images, is_images=True)
    target = listing.list_model(name, model, options, numbers=numbers).open()
    unit = images / np.float32(255)
    wanted = model.predict(unit, verbose=0)
    found[name] = {
        "outputs": target.info["outputs"],
        "off": float(abs(target.predict(images) - wanted).max()),
    }
    for ending in (".h5", ".keras"):
        path = keras2_nets.save(model, sys.argv[1] + "/" + name + ending)
        try:
            model_formats.load(path)
        except InputError as error:
            found[name][ending] = str(error)
print(json.dumps(found))
"""


def run(program, *arguments):
    """Runs a program in a process of its own; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class ReadTest(Opened):
    @parameterized.named_parameters(
        ("bytes", bytes_in, ModelOptions(), "0..255"),
        (
            "unit",
            lambda: sequence(layers.Rescaling(2.0, -1), ending=tf.nn.softmax),
            ModelOptions(),
            "0..1",
        ),
        (
            "moments",
            lambda: sequence(
                layers.Normalization(mean=[0.4] * 3, variance=[0.06] * 3)
            ),
            ModelOptions(),
            "0..1",
        ),
        ("adapted", keras2_nets.adapted, ModelOptions(), "0..255"),
        (
            "adapted_as_one",
            lambda: keras2_nets.adapted(None),
            ModelOptions(),
            "0..255",
        ),
        ("nested", keras2_nets.nested, ModelOptions(), "0..255"),
        ("shared", keras2_nets.shared, ModelOptions(), "0..255"),
        ("operations", keras2_nets.operations, WHOLE, "0..255"),
        (
            "activation",
            lambda: tf_keras.Sequential(
                [*bytes_in(ending=None).layers, layers.Activation("softmax")]
            ),
            ModelOptions(),
            "0..255",
        ),
        (
            "sigmoid",
            lambda: bytes_in(ending="sigmoid", classes=1),
            ModelOptions(),
            "0..255",
        ),
    )
    def test_object_and_both_files_answer_as_the_model(
        self, make, flags, range
    ):
        model = make()
        fed = self.unit if range == "0..1" else self.floats
        model(fed)
        for source in (
            model,
            keras2_nets.save(model, self.folder / "net.h5"),
            keras2_nets.save(model, self.folder / "net.keras"),
        ):
            info = self.assertAnswers(source, model, flags, fed=fed).info
            self.assertEqual(info["input_range"], range)
            self.assertEqual(info["outputs"], "probabilities")
            library = f"tf_keras {tf_keras.__version__}"
            self.assertEqual(info["library"], library)

    def test_what_is_not_said_is_asked_for(self):
        doubt = self.open(sequence()).choice.doubt
        self.assertRegex(doubt, "has no Rescaling .* give input_range")
        linear = bytes_in(ending=None)
        target = self.open(linear)
        self.assertIsNone(target.info["outputs"])
        self.assertRegex(target.ending, "its Dense layer 'last' without a soft")
        info = self.open(linear, ModelOptions(outputs="logits")).info
        self.assertEqual(info["outputs"], "logits")
        several = bytes_in(ending="sigmoid", classes=3)
        self.assertNotOpened(r"3 sigmoids \(its Dense layer 'last'\)", several)

    def test_a_word_against_what_is_read(self):
        self.assertNotOpened(
            r"pixels of 0..255 \(its layer 'scale'\), but input_range=.0, 1.",
            bytes_in(),
            UNIT,
        )

    def test_a_stateful_model_forgets(self):
        model = tf_keras.Sequential(
            [
                layers.InputLayer((8, 3), batch_size=1),
                layers.LSTM(5, stateful=True),
                layers.Dense(4, "softmax", kernel_initializer="he_normal"),
            ]
        )
        values = np.random.default_rng(0).normal(0, 4, (6, 8, 3))
        values = values.astype(np.float32)
        alone = []
        for row in values:
            model.reset_states()
            alone.append(model(row[None]).numpy()[0])
        target = self.open(model, values=values)
        order = [3, 0, 5, 1, 4, 2]
        answers = target.predict(values[order])
        self.assertAllClose(answers, np.stack(alone)[order], atol=1e-6)

    def test_whole_numbers_in(self):
        model = tf_keras.Sequential(
            [
                layers.InputLayer((6,), dtype="int32"),
                layers.Embedding(9, 4, embeddings_initializer="he_normal"),
                layers.Flatten(),
                layers.Dense(4, "softmax"),
            ]
        )
        tokens = np.random.default_rng(0).integers(0, 9, (5, 6))
        self.assertAnswers(model, model, values=tokens, fed=tokens)
        pixels = tf_keras.Input(keras2_nets.SHAPE, dtype="uint8")
        x = layers.Flatten()(layers.Permute((2, 1, 3))(pixels))
        x = layers.Dense(4, "softmax")(layers.Rescaling(1 / 255)(x))
        model = tf_keras.Model(pixels, x)
        target = self.assertAnswers(model, model, fed=self.pixels)
        self.assertIsNone(target.info["input_range"])

    def test_a_rank_that_is_not_known(self):
        pixels = tf_keras.Input(keras2_nets.SHAPE)
        x = layers.Rescaling(1 / 255)(pixels)
        shape = layers.Lambda(lambda y: tf.shape(y)[:2] * [1, 24])(x)
        x = tf.ensure_shape(tf.reshape(x, shape), (None, 192))
        model = tf_keras.Model(pixels, layers.Dense(4, "softmax")(x))
        self.assertAnswers(model, model)

    def test_several_inputs_or_none(self):
        one, two = tf_keras.Input((3,)), tf_keras.Input((3,))
        both = tf_keras.Model([one, two], layers.Add()([one, two]))
        self.assertNotOpened("'m' has 2 inputs; a classifier with", both)
        outs = tf_keras.Model(one, [one, layers.Softmax()(one)])
        self.assertNotOpened("'m' has 2 outputs", outs)
        bare = tf_keras.Sequential([layers.Dense(2)])
        self.assertNotOpened("has 0 inputs.*call the model once", bare)


class AuditTest(Opened):
    def test_accuracies_are_those_of_the_model(self):
        model = sequence(layers.Conv2D(4, 3, activation="relu"))
        path = keras2_nets.save(model, self.folder / "net.h5")
        pixels = tiny_models.images(110, seed=3, shape=keras2_nets.SHAPE)
        rows = model.predict(pixels / np.float32(255), verbose=0)
        labels = own_task.labelled(rows)
        right = rows.argmax(axis=1) == labels
        wanted = [right[:60].mean(), right[60:].mean()]
        result = model_audit.audit(
            {"file": path, "object": model, "method": model.predict},
            *own_task.split(pixels, labels),
            input_range="0..1",
            label_only=None,
            progress=None,
        )
        for target in result.targets:
            accuracies = [
                target.accuracy_members.value,
                target.accuracy_nonmembers.value,
            ]
            self.assertAllClose(accuracies, wanted, atol=1e-9)


def methods(model):
    """All that stands for the model itself."""
    return (
        model.predict,
        model.predict_on_batch,
        model.__call__,
        model.call,
        functools.partial(model.predict, verbose=0, batch_size=2),
        functools.partial(model, training=False),
        tf.function(model),
        tf.function(model.call),
    )


def keras3(*front):
    """As keras2_nets.sequence."""
    return keras.Sequential(
        [
            keras.Input(keras2_nets.SHAPE),
            *front,
            keras.layers.Flatten(),
            keras.layers.Dense(4, "softmax", name="last"),
        ]
    )


def subclassed(library):
    """A model whose layers stand in a call() of its own."""

    class Own(library.Model):
        def __init__(self):
            super().__init__()
            self.flat = library.layers.Flatten()
            self.last = library.layers.Dense(4, "softmax")

        def call(self, x):
            return self.last(self.flat(x))

    model = Own()
    model(np.zeros((1, *keras2_nets.SHAPE), np.float32))
    return model


class MethodTest(Opened):
    @parameterized.named_parameters(
        ("keras3", lambda: keras3(keras.layers.Rescaling(1 / 255))),
        ("keras2", bytes_in),
    )
    def test_stands_for_its_model(self, make):
        model = make()
        for method in methods(model):
            target = self.assertAnswers(method, model)
            self.assertEqual(target.info["kind"], "keras")
            self.assertEqual(target.info["input_range"], "0..255")
        self.assertEqual(
            list(listing.name_targets(model.predict)), [model.name]
        )

    @parameterized.named_parameters(("keras3", keras3), ("keras2", sequence))
    def test_asks_for_the_range_as_its_model(self, make):
        model = make()
        for method in methods(model):
            choice = self.open(method).choice
            self.assertRegex(choice.doubt, "give input_range=.0, 1.")
            self.assertTrue(choice.is_open)
        self.assertAnswers(model.predict, model, UNIT, fed=self.unit)

    @parameterized.parameters(keras, tf_keras)
    def test_of_a_subclassed_model_hangs_on_the_numbers(self, library):
        """Flat bytes raise the question that images raise."""
        method = subclassed(library).predict
        rng = np.random.default_rng(0)
        choices = []
        for high in (255, 5):
            flat = rng.integers(0, high, (90, 64), np.uint8)
            model = listing.list_model(
                "m",
                method,
                ModelOptions(),
                numbers=RecordNumbers.of(flat, is_images=False),
            )
            choices.append(model.open().choice)
        self.assertRegex(choices[0].doubt, "is a method of a model .*0..25")
        self.assertIsNone(choices[1].doubt)

    def test_a_method_of_ones_own_is_a_function(self):
        class Own(keras.Sequential):
            def predict(self, records):
                return super().predict(records / 255, verbose=0)

        model = Own(keras3().layers)
        target = self.open(model.predict)
        self.assertEqual(target.info["kind"], "callable")
        expected = model.predict(self.pixels)
        self.assertAllClose(target.predict(self.pixels), expected, atol=1e-6)
        for other in (
            functools.partial(model, training=True),
            functools.partial(model, None),
            functools.partial(model, mask=None),
        ):
            self.assertEqual(self.open(other).info["kind"], "callable")

    @parameterized.parameters(keras, tf_keras)
    def test_of_a_subclassed_model(self, library):
        model = subclassed(library)
        self.assertNotOpened(
            r"'m' is a subclassed model \(Own\), .* give a function, such as "
            r"lambda x: model.predict\(x / 255\), or .*model.export\(DIR\)",
            model,
            UNIT,
        )
        doubt = self.open(model.predict).choice.doubt
        self.assertRegex(doubt, "method of a model .* give input_range=.0, 1.")
        self.assertAnswers(model.predict, model, UNIT, fed=self.unit)
        options = {"values": self.unit, "fed": self.unit}
        self.assertAnswers(model.predict, model, **options)

    @parameterized.parameters(keras, tf_keras)
    def test_an_exported_subclassed_model_is_opened(self, library):
        model = subclassed(library)
        model.predict(self.pixels.astype(np.float32), verbose=0)
        path = self.folder / f"exported_{library.__name__}"
        model.export(str(path))
        flags = ModelOptions(input_range="0..1", outputs="probabilities")
        self.assertAnswers(path, model, flags, fed=self.unit)


class ProcessTest(Opened):
    def test_tf_keras_and_tfmot_beside_keras(self):
        """Changes nothing about Keras 3; what tfmot wraps is audited."""
        printed = run(BESIDE + TFMOT, str(self.folder))
        report = json.loads(printed.splitlines()[-1])
        for name, wrapper, hint in (
            ("pruned", "PruneLowMagnitude", "save what .*strip_pruning"),
            ("quantized", "QuantizeWrapperV2", "quantize_scope.* .tflite"),
        ):
            self.assertEqual(report[name]["outputs"], "probabilities")
            self.assertLess(report[name]["off"], 1e-6)
            for ending in (".h5", ".keras"):
                self.assertRegex(
                    report[name][ending],
                    rf"{name}\{ending} was saved with a wrapper of "
                    rf"tensorflow-model-opt.* \({wrapper}\) .*{hint}",
                )


class QuantizeTest(Opened):
    def test_says_how_to_bring_the_model_over(self):
        model = sequence(layers.Conv2D(4, 3, activation="relu"))
        with self.assertRaisesRegex(
            InputError,
            r"takes a keras.Model, got a Sequential of tf_keras \(Keras 2\): "
            r"save it with model.save\('NAME.h5'\) and load that with keras",
        ):
            quantize_model(model, weight_bits=8, activation_bits=8)
        path = keras2_nets.save(model, self.folder / "net.h5")
        loaded = keras.saving.load_model(path, compile=False)
        quantized = quantize_model(loaded, weight_bits=32, activation_bits=32)
        self.assertAnswers(quantized, model, UNIT, fed=self.unit)


if __name__ == "__main__":
    tf.test.main()
