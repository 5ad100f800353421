"""Audits of models that do not answer alike, or have several ways to answer."""

import json
import pathlib
import shutil
import tempfile
from unittest import mock

import keras
import numpy as np
import stateful_files
import synthetic_audits
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert

import qmia_tf
from qmia_tf import outputs
from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.errors import InputError
from qmia_tf.experiments import audit_pipeline
from qmia_tf.targets import listing, queries
from qmia_tf.targets.model_options import ModelOptions

COUNT = 120
KERNEL = stateful_files.weights(stateful_files.FEATURES, stateful_files.UNITS)


def records(*, steps=()):
    """Both sides; the labels are what softmax(x @ KERNEL) names."""
    values = stateful_files.weights(2 * COUNT, stateful_files.FEATURES, seed=3)
    labels = (values @ KERNEL).argmax(axis=1)
    values = values.reshape(2 * COUNT, *steps, -1)
    return (values[:COUNT], labels[:COUNT]), (values[COUNT:], labels[COUNT:])


def answers(values):
    return stateful_files.expected(values, KERNEL)


def at_random(values):
    noise = np.random.default_rng().normal(0, 0.3, KERNEL.shape)
    return stateful_files.expected(values, KERNEL + noise)


def by_the_batch(values):
    return answers(values - values.mean(axis=0))


def network(middle=None, *, ending=None):
    """softmax(x @ KERNEL) as a Keras model, with something in between."""
    inputs = keras.Input((stateful_files.FEATURES,))
    last = keras.layers.Dense(stateful_files.UNITS, use_bias=False)
    x = last(middle(inputs) if middle else inputs)
    last.set_weights([KERNEL])
    x = keras.layers.Softmax()(x)
    return keras.Model(inputs, ending(x) if ending else x)


class Folder(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def setUp(self):
        super().setUp()
        self.out = pathlib.Path(self.create_tempdir().full_path)
        self.lines = []
        # Attacks are tested elsewhere.
        self.enter_context(
            mock.patch.object(
                audit_pipeline.audits,
                "audit_outputs",
                return_value=synthetic_audits.result(),
            )
        )

    def audit(self, target, sides=None, **options):
        """Returns the outputs of the only target."""
        qmia_tf.audit(
            target,
            *(sides or records()),
            out=self.out,
            progress=self.lines.append,
            **options,
        )
        (path,) = (self.out / "outputs").glob("*.npz")
        return outputs.load(path)

    def assertRefused(self, pattern, target, *arguments, **options):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.audit(target, *arguments, **options)
        self.assertNotIn("\n", str(caught.exception))


class RepeatsTest(Folder):
    @parameterized.named_parameters(
        ("function", lambda: at_random, "a layer stays random"),
        ("function_batch", lambda: by_the_batch, "other records of its batch"),
        (
            "dropout",
            lambda: network(
                lambda x: keras.layers.Dropout(0.3)(x, training=True)
            ),
            "a layer stays random .*Dropout",
        ),
        (
            "batch_norm",
            lambda: network(
                lambda x: keras.layers.BatchNormalization()(x, training=True)
            ),
            "other records of its batch, .* BatchNormalization in training",
        ),
    )
    def test_stops(self, make, cause):
        self.assertRefused(
            r"does not answer the same record alike: .* by up to 0\.\d+; "
            f".*{cause}",
            {"m": make()},
        )
        self.assertEmpty(list(self.out.glob("outputs/*")))

    def test_a_saved_model_that_counts(self):
        path, _ = stateful_files.save(self.folder / "counts", "count")
        self.assertRefused(
            "'counts' does not answer the same record alike",
            path,
            signature="count",
            outputs="probabilities",
        )

    @parameterized.named_parameters(
        ("function", lambda: answers),
        ("keras", network),
        (
            "inference",
            lambda: network(
                lambda x: keras.layers.BatchNormalization(epsilon=0.0)(
                    keras.layers.Dropout(0.3)(x)
                )
            ),
        ),
    )
    def test_goes_on(self, make):
        saved = self.audit({"m": make()})
        values = np.concatenate([side[0] for side in records()])
        self.assertAllClose(saved.probabilities, answers(values), atol=1e-5)
        self.assertLess(saved.info["repeat_difference"], 1e-5)

    def test_answers_that_were_asked_twice_stay(self):
        path = self.folder / "plain.keras"
        network().save(path)
        self.audit(path)
        original = queries.outputs_of
        with mock.patch.object(
            queries, "outputs_of", side_effect=original
        ) as spy:
            saved = self.audit(path)
            spy.assert_not_called()
            # As an older version left them.
            del saved.info["repeat_difference"]
            saved.save(self.out / "outputs" / "plain.npz")
            saved = self.audit(path)
            spy.assert_called_once()
        self.assertIn("repeat_difference", saved.info)


class StateTest(Folder):
    def test_a_stateful_network(self):
        rng = np.random.default_rng(0)
        sides = [
            (rng.normal(size=(20, 5, 3)).astype("f"), rng.integers(0, 4, 20))
            for _ in range(2)
        ]

        def build(batch, **options):
            inputs = keras.Input(batch_shape=(batch, 5, 3))
            x = keras.layers.LSTM(4, **options)(inputs)
            return keras.Model(inputs, keras.layers.Softmax()(x * 9))

        plain, keeping = build(None), build(2, stateful=True)
        keeping.set_weights(plain.get_weights())
        path = self.folder / "stateful.keras"
        keeping.save(path)
        saved = self.audit(path, sides, allow_chance=True)
        values = np.concatenate([side[0] for side in sides])
        expected = plain.predict(values, verbose=0)
        self.assertAllClose(saved.probabilities, expected, atol=1e-5)

    def test_a_file_whose_op_keeps_a_state(self):
        path = self.folder / "svdf.tflite"
        path.write_bytes(stateful_files.recurrent("SVDF"))
        saved = self.audit(path, allow_chance=True)
        values = np.concatenate([side[0] for side in records()])
        self.assertAllEqual(
            saved.probabilities,
            stateful_files.fresh(path.read_bytes(), values),
        )


class SignatureTest(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = cls.folder / "several.tflite"
        cls.saved = cls.folder / "saved"
        content, _ = stateful_files.convert(
            cls.saved, "embed", "classify", "train", "prune"
        )
        cls.path.write_bytes(content)

    @parameterized.parameters("path", "saved")
    def test_has_to_be_chosen(self, kind):
        self.assertRefused(
            r"classify \(x float32 \[-1, 4\] -> probabilities float32 .*train "
            r"\(.*choose one with signature$",
            getattr(self, kind),
            outputs="probabilities",
        )

    @parameterized.parameters("path", "saved")
    def test_is_recorded(self, kind):
        options = {"outputs": "probabilities"} if kind == "saved" else {}
        saved = self.audit(getattr(self, kind), signature="classify", **options)
        values = np.concatenate([side[0] for side in records()])
        self.assertAllClose(saved.probabilities, answers(values), atol=1e-5)
        self.assertEqual(saved.info["signature"], "classify")
        config = json.loads((self.out / "config.json").read_text())
        self.assertEqual(config["models"][0]["signature"], "classify")

    def test_another_one_is_asked_anew(self):
        self.audit(self.path, signature="classify")
        saved = self.audit(self.path, signature="prune")
        self.assertEqual(saved.info["signature"], "prune")
        mask = stateful_files.Several().mask.numpy()
        values = np.concatenate([side[0] for side in records()])
        self.assertAllClose(
            saved.probabilities,
            stateful_files.expected(values, KERNEL * mask),
            atol=1e-5,
        )

    def test_serving_default_needs_no_word(self):
        path = self.folder / "exported"
        network().export(path, verbose=False)
        saved = self.audit(path, outputs="probabilities")
        self.assertEqual(saved.info["signature"], "serving_default")

    def test_of_what_has_none(self):
        self.assertRefused(
            "'m' has no signatures, .* leave out signature=.classify",
            {"m": network()},
            signature="classify",
        )
        said = listing.options_by_model(
            None, None, 2, signature=["auto", "classify"]
        )
        self.assertEqual(
            said, [ModelOptions(), ModelOptions(signature="classify")]
        )

    @parameterized.parameters(litert, tf.lite)
    def test_of_an_interpreter(self, library):
        interpreter = library.Interpreter(model_content=self.path.read_bytes())
        runner = interpreter.get_signature_runner("classify")
        saved = self.audit({"m": runner})
        values = np.concatenate([side[0] for side in records()])
        self.assertAllClose(saved.probabilities, answers(values), atol=1e-5)
        train = interpreter.get_signature_runner("train")
        self.assertRefused(r"'m' has 2 inputs \(x, y\)", {"m": train})

    def test_of_a_loaded_model(self):
        loaded = tf.saved_model.load(str(self.saved))
        options = {"outputs": "probabilities"}
        saved = self.audit({"m": loaded.signatures["classify"]}, **options)
        values = np.concatenate([side[0] for side in records()])
        self.assertAllClose(saved.probabilities, answers(values), atol=1e-5)
        self.assertRefused(
            "target 'm' has 2 inputs",
            {"m": loaded.signatures["train"]},
            **options,
        )

    def test_of_an_interpreter_that_keeps_a_state(self):
        content = stateful_files.recurrent("SVDF", 1)
        runner = litert.Interpreter(model_content=content)
        runner = runner.get_signature_runner()
        values = np.concatenate([side[0] for side in records()])
        # Somebody used it before.
        runner(x=values[:1])
        saved = self.audit({"m": runner}, allow_chance=True)
        self.assertAllEqual(
            saved.probabilities, stateful_files.fresh(content, values)
        )

    def test_a_pruning_wrapper_is_named(self):
        class Module(tf.Module):
            def __init__(self):
                super().__init__()
                self.kernel = tf.Variable(KERNEL, name="prune_low_magnitude")

            @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
            def answer(self, x):
                self.kernel.assign(self.kernel * 1.0)
                with tf.name_scope("prune_low_magnitude_dense"):
                    return tf.nn.softmax(x @ self.kernel)

        module = Module()
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [module.answer.get_concrete_function()], module
        )
        converter.experimental_enable_resource_variables = True
        path = self.folder / "pruned.tflite"
        path.write_bytes(converter.convert())
        saved = self.audit(path)
        values = np.concatenate([side[0] for side in records()])
        self.assertAllClose(saved.probabilities, answers(values), atol=1e-5)
        hints = [line for line in self.lines if "strip_pruning" in line]
        self.assertLen(hints, 1)


class KindsTest(Folder):
    """What ended in a traceback, or in a refusal without need."""

    def assertAnswers(self, target, **options):
        saved = self.audit({"m": target}, **options)
        values = np.concatenate([side[0] for side in records()])
        self.assertAllClose(saved.probabilities, answers(values), atol=1e-5)

    def test_outputs_that_hold_one(self):
        self.assertAnswers(lambda x: {"p": answers(x)})
        self.assertAnswers(lambda x: [answers(x)])
        self.assertAnswers(lambda x: answers(x)[:, None, None])
        self.assertAnswers(network(ending=lambda x: {"p": x}))
        self.assertAnswers(
            network(ending=keras.layers.Reshape((1, 1, 3))),
            outputs="probabilities",
        )

    def test_bfloat16(self):
        inputs = keras.Input((stateful_files.FEATURES,))
        last = keras.layers.Dense(
            3, "softmax", use_bias=False, dtype="mixed_bfloat16"
        )
        model = keras.Model(inputs, last(inputs))
        last.set_weights([KERNEL])
        values = stateful_files.weights(20, stateful_files.FEATURES)
        numbers = RecordNumbers.of(values, is_images=False)
        target = listing.list_model(
            "m", model, ModelOptions(), numbers=numbers
        ).open()
        # bfloat16 has 8 bits.
        self.assertAllClose(target.predict(values), answers(values), atol=0.03)

    def test_outputs_that_hold_several(self):
        self.assertRefused(
            r"'m' gives 2 outputs \(p, q\), and one is needed",
            {"m": lambda x: {"p": answers(x), "q": x}},
        )
        self.assertRefused(
            r"gives 2 outputs \(\[100, 3\], \[100, 4\]\), and one",
            {"m": lambda x: [answers(x), x]},
        )

    def test_ids_of_words(self):
        table = stateful_files.weights(50, 3)
        traced = tf.function(
            lambda ids: tf.nn.softmax(
                tf.reduce_sum(tf.gather(tf.constant(table), ids), axis=1)
            ),
            input_signature=[tf.TensorSpec((None, 4), tf.int32)],
        )
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [traced.get_concrete_function()]
        )
        path = self.folder / "words.tflite"
        path.write_bytes(converter.convert())
        ids = np.random.default_rng(0).integers(0, 50, (60, 4))
        sums = table[ids].sum(axis=1)
        labels = sums.argmax(axis=1)
        sides = (ids[:30], labels[:30]), (ids[30:], labels[30:])
        saved = self.audit(path, sides)
        powers = np.exp(sums)
        expected = powers / powers.sum(axis=1, keepdims=True)
        self.assertAllClose(saved.probabilities, expected, atol=1e-5)

    def test_text(self):
        inputs = keras.Input((1,), dtype="string")
        x = keras.layers.StringLookup(vocabulary=["a", "b"])(inputs)
        model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(x))
        self.assertRefused(
            "'m' takes text, and .* give a function", {"m": model}
        )

    def test_a_subclassed_model(self):
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.last = keras.layers.Dense(3, "softmax")

            def call(self, x):
                return self.last(x)

        model = Own()
        model(np.zeros((1, 4), np.float32))
        self.assertRefused(
            r"is a subclassed model .* give a function, such as lambda x: "
            r"model.predict\(x / 255\), or .* model.export\(DIR\)",
            {"m": model},
        )

    def test_another_ending_of_the_name(self):
        content = stateful_files.recurrent("RNN")
        for name in ("model.lite", "weights"):
            path = self.folder / name
            path.write_bytes(content)
            self.assertEqual(
                self.audit({name: path}, allow_chance=True).info["kind"],
                "tflite",
            )
            shutil.rmtree(self.out / "outputs")


if __name__ == "__main__":
    tf.test.main()
