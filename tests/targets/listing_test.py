"""Models of one's own opened: what is read from them, what is asked for."""

import pathlib
import shutil
import tempfile

import keras
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.errors import InputError
from qmia_tf.outputs.kinds import look_like_probabilities
from qmia_tf.targets import listing, saved_model
from qmia_tf.targets.model_options import ModelOptions

SHAPE = tiny_models.SHAPE
UNIT = ModelOptions(input_range="0..1")


class Opened(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def setUp(self):
        super().setUp()
        self.pixels = tiny_models.images(5, seed=4)

    def open(self, source, options=ModelOptions(), *, values=None):  # noqa: B008
        is_images = values is None
        values = self.pixels if is_images else values
        numbers = RecordNumbers.of(values, is_images=is_images)
        return listing.list_model("m", source, options, numbers=numbers).open()

    def assertNotOpened(self, pattern, source, options=UNIT, *, values=None):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.open(source, options, values=values)
        self.assertNotIn("\n", str(caught.exception))


def sequence(*layers, shape=SHAPE, ending="softmax"):
    """Layers in front of a dense layer of four classes."""
    return keras.Sequential(
        [
            keras.Input(shape),
            *layers,
            keras.layers.Flatten(),
            keras.layers.Dense(4, ending, name="last"),
        ]
    )


def normalization(mean, variance):
    return keras.layers.Normalization(mean=mean, variance=variance)


def augmented():
    """A Sequential that changes no range inside a functional model."""
    pixels = keras.Input(SHAPE)
    x = keras.Sequential(
        [keras.layers.RandomFlip(), keras.layers.RandomRotation(0.1)]
    )(pixels)
    x = keras.layers.Rescaling(1 / 127.5, -1)(x)
    x = keras.layers.Dense(4, "softmax")(keras.layers.Flatten()(x))
    return keras.Model(pixels, x)


def nested():
    """Rescaling and softmax each inside a model of their own."""
    front = keras.Sequential([keras.layers.Rescaling(1 / 255)])
    pixels = keras.Input(SHAPE)
    x = front(pixels)
    x = sequence(ending="linear")(x)
    return keras.Model(pixels, keras.Sequential([keras.layers.Softmax()])(x))


class KerasTest(Opened):
    @parameterized.named_parameters(
        ("bytes", lambda: sequence(keras.layers.Rescaling(1 / 255)), "0..255"),
        ("unit", lambda: sequence(keras.layers.Rescaling(2.0, -1)), "0..1"),
        ("moments", lambda: sequence(normalization(120.0, 4000.0)), "0..255"),
        ("moments1", lambda: sequence(normalization(0.4, 0.06)), "0..1"),
        ("augmented", augmented, "0..255"),
        ("nested", nested, "0..255"),
        (
            "reshaped",
            lambda: sequence(
                keras.layers.Reshape((5, 6, 1)), keras.layers.Rescaling(1 / 255)
            ),
            "0..255",
        ),
        ("dorefa", lambda: tiny_models.quantized(), "0..1"),
    )
    def test_range_and_softmax_are_read(self, make, pixels):
        model = make()
        target = self.open(model)
        self.assertEqual(target.info["input_range"], pixels)
        self.assertEqual(target.info["outputs"], "probabilities")
        taken = self.pixels.astype(np.float32)
        if pixels == "0..1":
            taken /= np.float32(255)
        expected = model(taken, training=False).numpy()
        # Two graphs of the same float32 sums.
        self.assertAllClose(target.predict(self.pixels), expected, atol=1e-6)

    def test_what_is_not_said_is_asked_for(self):
        model = sequence()
        self.assertNotOpened(
            "has no Rescaling .* give --input_range", model, ModelOptions()
        )
        self.assertEqual(self.open(model, UNIT).info["input_range"], "0..1")
        linear = sequence(keras.layers.Rescaling(1 / 255), ending="linear")
        self.assertNotOpened(
            "ends in its Dense layer 'last' without a softmax, .* "
            "--outputs=logits or",
            linear,
            ModelOptions(),
        )
        info = self.open(linear, ModelOptions(outputs="logits")).info
        self.assertEqual(info["outputs"], "logits")

    def test_a_word_against_what_is_read(self):
        model = sequence(keras.layers.Rescaling(1 / 255, name="scale"))
        self.assertNotOpened(
            r"takes pixels of 0..255 \(its layer 'scale'\), but --input_range=",
            model,
        )
        self.assertNotOpened(
            r"ends in a softmax \(its Dense layer 'last'\), so it outputs",
            model,
            ModelOptions(outputs="logits"),
        )

    @parameterized.named_parameters(
        ("linear", lambda: [keras.layers.Activation("linear")], (4,)),
        (
            "mixed",
            lambda: [keras.layers.Activation("linear", dtype="float32")],
            (4,),
        ),
        ("flatten", lambda: [keras.layers.Flatten()], (1, 4)),
        ("reshape", lambda: [keras.layers.Reshape((4,))], (2, 2)),
        (
            "several",
            lambda: [keras.layers.Flatten(), keras.layers.Identity()],
            (1, 4),
        ),
        (
            "nested",
            lambda: [keras.Sequential([keras.layers.Reshape((4,))])],
            (1, 4),
        ),
    )
    def test_a_softmax_before_layers_that_pass_it_on(self, make, shape):
        model = keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.Flatten(),
                keras.layers.Dense(4),
                keras.layers.Reshape(shape),
                keras.layers.Softmax([-1, -2][: len(shape)], name="end"),
                *make(),
            ]
        )
        target = self.open(model, UNIT)
        self.assertEqual(target.info["outputs"], "probabilities")
        self.assertNotOpened(
            r"ends in a softmax \(its Softmax layer 'end'\)",
            model,
            ModelOptions("0..1", "logits"),
        )
        sums = target.predict(self.pixels).sum(axis=1)
        self.assertAllClose(sums, np.ones(5), atol=1e-6)

    def test_operations_after_a_softmax(self):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Dense(4)(keras.layers.Flatten()(pixels))
        x = keras.ops.softmax(keras.ops.expand_dims(x, 1))
        x = keras.ops.cast(keras.ops.squeeze(x, 1), "float32")
        target = self.open(keras.Model(pixels, x), UNIT)
        self.assertEqual(target.info["outputs"], "probabilities")
        x = keras.layers.Dense(4, tf.nn.softmax)(keras.layers.Flatten()(pixels))
        target = self.open(keras.Model(pixels, x), UNIT)
        self.assertEqual(target.info["outputs"], "probabilities")

    @parameterized.named_parameters(
        ("relu", lambda: keras.layers.Activation("relu")),
        ("dense", lambda: keras.layers.Dense(4)),
        ("softplus", lambda: keras.layers.Dense(4, "softplus")),
    )
    def test_what_changes_a_softmax_is_the_end(self, make):
        model = sequence()
        model.add(make())
        self.assertNotOpened("without a softmax, so whether", model)

    @parameterized.parameters("float16", "bfloat16")
    def test_a_softmax_of_16_bits(self, dtype):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Flatten()(pixels)
        x = keras.layers.Dense(100, "softmax", dtype=f"mixed_{dtype}")(x)
        answers = self.open(keras.Model(pixels, x), UNIT).predict(self.pixels)
        self.assertTrue(look_like_probabilities(answers))
        u = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
        off = np.abs(answers.sum(axis=1, dtype=np.float64) - 1).max()
        self.assertGreater(off, 1e-5)
        self.assertLess(off, 1e-3 + 14 * u)

    @parameterized.named_parameters(
        ("last", lambda: []),
        ("passed", lambda: [keras.layers.Activation("linear")]),
    )
    def test_several_sigmoids_are_named(self, make):
        model = sequence(ending="sigmoid")
        for layer in make():
            model.add(layer)
        for options in (
            UNIT,
            ModelOptions("0..1", "probabilities"),
            ModelOptions("0..1", "logits"),
        ):
            self.assertNotOpened(
                r"ends in 4 sigmoids \(its Dense layer 'last'\): each is a "
                r"label of its own \(multi-label\), and only one class",
                model,
                options,
            )

    def test_rescaling_behind_a_convolution_says_nothing(self):
        model = sequence(
            keras.layers.Conv2D(2, 1), keras.layers.Rescaling(1 / 255)
        )
        self.assertNotOpened("give --input_range", model, ModelOptions())

    def test_one_number_is_two_classes(self):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Flatten()(pixels)
        one = keras.layers.Dense(1, "sigmoid", name="one")(x)
        model = keras.Model(pixels, one)
        answers = self.open(model, UNIT).predict(self.pixels)
        second = model.predict(self.pixels / np.float32(255), verbose=0)[:, 0]
        self.assertAllClose(
            answers, np.stack([1 - second, second], 1), atol=1e-6
        )
        model.layers[-1].activation = keras.activations.linear
        logits = self.open(model, ModelOptions("0..1", "logits")).predict(
            self.pixels
        )
        self.assertAllEqual(logits[:, 0], np.zeros(5))
        self.assertAllClose(
            1 / (1 + np.exp(-logits[:, 1])), answers[:, 1], atol=1e-5
        )

    def test_integer_inputs_get_the_pixels(self):
        pixels = keras.Input(SHAPE, dtype="uint8")
        x = keras.layers.Rescaling(1 / 255)(pixels)
        x = keras.layers.Dense(4, "softmax")(keras.layers.Flatten()(x))
        target = self.open(keras.Model(pixels, x))
        self.assertIsNone(target.info["input_range"])
        self.assertEqual(target.predict(self.pixels).shape, (5, 4))

    def test_a_fixed_batch_is_filled_up(self):
        pixels = keras.Input(SHAPE, batch_size=3)
        x = keras.layers.Dense(4, "softmax")(keras.layers.Flatten()(pixels))
        model = keras.Model(pixels, x)
        answers = self.open(model, UNIT).predict(self.pixels)
        free = sequence()
        free.set_weights(model.get_weights())
        expected = free.predict(self.pixels / np.float32(255), verbose=0)
        self.assertAllClose(answers, expected, atol=1e-6)

    def test_other_numbers_go_in_as_they_are(self):
        model = sequence(shape=(7,))
        values = np.random.default_rng(0).normal(0, 9, (5, 7))
        target = self.open(model, values=values)
        expected = model.predict(values.astype(np.float32), verbose=0)
        self.assertAllClose(target.predict(values), expected, atol=1e-6)
        self.assertIsNone(target.info["input_range"])

    def test_several_inputs_or_outputs(self):
        one, two = keras.Input((3,)), keras.Input((3,))
        both = keras.layers.Add()([one, two])
        model = keras.Model([one, two], both)
        self.assertNotOpened("'m' has 2 inputs; a classifier with", model)
        path = self.folder / "two.keras"
        keras.Model(one, [one, keras.layers.Softmax()(one)]).save(path)
        self.assertNotOpened("'m' has 2 outputs", path)
        bare = keras.Sequential([keras.layers.Dense(2)])
        self.assertNotOpened("has 0 inputs.*call the model once", bare)

    def test_an_answer_that_is_no_row(self):
        pixels = keras.Input(SHAPE)
        model = keras.Model(pixels, keras.layers.Softmax()(pixels))
        with self.assertRaisesRegex(
            InputError, r"outputs \[5, 6, 5, 1\] for 5"
        ):
            self.open(model, UNIT).predict(self.pixels)

    def test_what_tensorflow_cannot_compute(self):
        entry = keras.Input((3,), dtype="int32")
        x = keras.layers.Flatten()(keras.layers.Embedding(9, 2)(entry))
        model = keras.Model(entry, keras.layers.Dense(4, "softmax")(x))
        words = np.full((5, 3), 12, np.int32)
        target = self.open(model, ModelOptions(), values=words)
        with self.assertRaisesRegex(
            InputError, r"cannot be computed by TensorFlow: .* 12 is not in"
        ):
            target.predict(words)

    def test_a_lambda_layer_is_not_run(self):
        path = self.folder / "lambda.keras"
        sequence(keras.layers.Lambda(lambda x: x / 255)).save(path)
        self.assertNotOpened(
            "lambda.keras has a Lambda layer, which is program code .* safe "
            "mode does not run .* qmia_tf.audit",
            path,
        )

    def test_a_file_has_facts(self):
        path = self.folder / "m.keras"
        sequence().save(path)
        numbers = RecordNumbers.of(self.pixels, is_images=True)
        model = listing.list_model("m", path, UNIT, numbers=numbers)
        self.assertEqual(model.source_facts["size_bytes"], path.stat().st_size)
        self.assertLen(model.facts["sha256"], 64)
        info = model.open().info
        self.assertEqual(info["sha256"], model.facts["sha256"])
        self.assertEqual(info["input_range_flag"], "0..1")


class TFLiteTest(Opened):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = tiny_models.classifier()
        for name, options in (
            ("float", {}),
            ("int8", {"inputs": tf.int8, "outputs": tf.int8}),
            ("uint8", {"inputs": tf.uint8, "outputs": tf.float32}),
            ("inside", {"outputs": tf.uint8}),
        ):
            tiny_models.write_tflite(
                cls.model, cls.folder / f"{name}.tflite", **options
            )
        tiny_models.write_tflite(
            tiny_models.classifier(softmax=False), cls.folder / "logits.tflite"
        )

    @parameterized.parameters(
        ("int8", ModelOptions(), 1 / 256),
        ("uint8", ModelOptions(), 1 / 256),
        ("inside", ModelOptions(), 1 / 256),
        ("float", UNIT, 0.0),
    )
    def test_is_read_from_the_file(self, name, options, step):
        target = self.open(self.folder / f"{name}.tflite", options)
        self.assertEqual(target.info["input_range"], "0..1")
        self.assertEqual(target.info["outputs"], "probabilities")
        self.assertAllClose(target.info["probability_step"], step)
        self.assertEqual(target.info["kernel_set"], "default")
        unit = self.pixels / np.float32(255)
        expected = self.model.predict(unit, verbose=0)
        # What post-training quantization of this model costs.
        self.assertAllClose(target.predict(self.pixels), expected, atol=0.05)

    def test_what_is_not_said_is_asked_for(self):
        self.assertNotOpened(
            "does not say in its quantization which pixels: give --input_range",
            self.folder / "float.tflite",
            ModelOptions(),
        )
        path = self.folder / "logits.tflite"
        self.assertNotOpened("ends in FULLY_CONNECTED, so whether", path)
        target = self.open(path, ModelOptions("0..1", "logits"))
        self.assertLess(target.predict(self.pixels).min(), 0)

    def test_a_word_against_what_is_read(self):
        self.assertNotOpened(
            r"pixels of 0..1 \(its input's scale and zero point\), but",
            self.folder / "int8.tflite",
            ModelOptions(input_range="0..255"),
        )
        self.assertNotOpened(
            "ends in SOFTMAX, so it outputs probabilities, but",
            self.folder / "float.tflite",
            ModelOptions("0..1", "logits"),
        )

    @parameterized.parameters(
        ("float", {}), ("int8", {"inputs": tf.int8, "outputs": tf.int8})
    )
    def test_sigmoids(self, name, options):
        for classes in (1, 3):
            model = tiny_models.classifier(softmax=False, classes=classes)
            end = keras.layers.Activation("sigmoid")(model.output)
            model = keras.Model(model.input, end)
            path = self.folder / f"{name}_{classes}.tflite"
            tiny_models.write_tflite(model, path, **options)
            if classes == 1:
                answers = self.open(path, UNIT).predict(self.pixels)
                self.assertAllClose(answers.sum(axis=1), np.ones(5))
                continue
            for options in (UNIT, ModelOptions("0..1", "logits")):
                self.assertNotOpened(
                    r"ends in 3 sigmoids \(LOGISTIC\): each is a label",
                    path,
                    options,
                )

    def test_a_softmax_before_ops_that_pass_it_on(self):
        path = self.folder / "passed.tflite"

        def answer(pixels):
            x = tf.nn.softmax(tf.reshape(pixels, (1, 1, 30)))
            return tf.squeeze(tf.expand_dims(x, 1), (1, 2))

        tiny_models.write_function(answer, [(1, *SHAPE)], path)
        target = self.open(path, UNIT)
        self.assertEqual(target.info["outputs"], "probabilities")
        self.assertAllClose(
            target.predict(self.pixels),
            tf.nn.softmax(self.pixels.reshape(5, 30) / np.float32(255)),
            atol=1e-6,
        )

    def test_other_numbers(self):
        values = self.pixels.astype(np.float64) / 255
        for name in ("float", "int8", "uint8"):
            path = self.folder / f"{name}.tflite"
            answers = self.open(path, values=values).predict(values)
            expected = self.open(path, UNIT).predict(self.pixels)
            self.assertAllClose(answers, expected, atol=1e-6)

    def test_several_inputs(self):
        path = self.folder / "two.tflite"
        tiny_models.write_function(lambda a, b: a + b, [(1, 3), (1, 3)], path)
        self.assertNotOpened("two.tflite has 2 inputs", path)

    def test_images_of_another_shape(self):
        target = self.open(self.folder / "int8.tflite")
        with self.assertRaisesRegex(
            InputError, r"takes records of \[6, 5, 1\], got \[6, 5, 3\]"
        ):
            target.predict(np.zeros((2, 6, 5, 3), np.uint8))


class SavedModelTest(Opened):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = tiny_models.classifier()
        cls.path = cls.folder / "saved"
        cls.model.export(cls.path, verbose=False)

    def save(self, name, function, *specs, signature="serving_default"):
        module = tf.Module()
        module.answer = tf.function(function, input_signature=specs)
        tf.saved_model.save(
            module, str(self.folder / name), {signature: module.answer}
        )
        return self.folder / name

    def test_float_input(self):
        target = self.open(self.path, ModelOptions("0..1", "probabilities"))
        unit = self.pixels / np.float32(255)
        expected = self.model.predict(unit, verbose=0)
        self.assertAllClose(target.predict(self.pixels), expected, atol=1e-6)
        self.assertEqual(target.info["kind"], "savedmodel")

    def test_pixels_as_they_are(self):
        path = self.save(
            "bytes",
            lambda x: tf.nn.softmax(tf.cast(x[:, 0, :4, 0], tf.float32) / 99),
            tf.TensorSpec([None, *SHAPE], tf.uint8, "x"),
        )
        target = self.open(path, ModelOptions(outputs="probabilities"))
        powers = np.exp(self.pixels[:, 0, :4, 0] / 99)
        expected = powers / powers.sum(axis=1, keepdims=True)
        self.assertAllClose(target.predict(self.pixels), expected, atol=1e-6)

    def test_what_is_not_said_is_asked_for(self):
        self.assertNotOpened("SavedModel does not say .*--input_range",
                             self.path, ModelOptions())  # fmt: skip
        self.assertNotOpened("so whether it outputs prob", self.path, UNIT)

    def test_hash_is_of_every_file(self):
        facts = saved_model.directory_facts(self.path)
        copy = self.folder / "copy"
        shutil.copytree(self.path, copy)
        self.assertEqual(saved_model.directory_facts(copy), facts)
        (copy / "variables" / "variables.index").write_bytes(b"changed")
        changed = saved_model.directory_facts(copy)["sha256"]
        self.assertNotEqual(changed, facts["sha256"])

    def test_bad_signatures(self):
        row = tf.TensorSpec([None, 4], tf.float32, "x")
        path = self.save("named", lambda x: x, row, signature="other")
        self.assertNotOpened("no signature 'serving_default', only other", path)
        second = tf.TensorSpec([None, 4], tf.float32, "y")
        path = self.save("two", lambda x, y: x + y, row, second)
        self.assertNotOpened(r"has 2 inputs \(x, y\); a classifier", path)
        path = self.save("outs", lambda x: {"a": x, "b": x}, row)
        self.assertNotOpened("has 2 outputs", path)
        text = tf.TensorSpec([None], tf.string, "x")
        path = self.save("text", lambda x: tf.strings.length(x), text)
        self.assertNotOpened("takes string", path)

    def test_damaged(self):
        path = self.folder / "damaged"
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"no")
        self.assertNotOpened("damaged cannot be loaded as a SavedModel", path)


class ListedTest(Opened):
    @parameterized.parameters(
        ("notes.txt", "notes.txt is not a .keras or .h5 file, a Saved"),
        ("old.h5", "old.h5 is not an HDF5 file .* save the model"),
        ("folder", "folder is not a .keras or .h5 file, a SavedModel"),
    )
    def test_none_of_these_formats(self, name, pattern):
        path = self.folder / name
        if name == "folder":
            path.mkdir()
        else:
            path.write_text("hello")
        self.assertNotOpened(pattern, path)

    def test_not_there_and_not_that(self):
        self.assertNotOpened("no model gone.keras: give", "gone.keras")
        self.assertNotOpened("a target must be .* got int", 7)

    def test_damaged_files(self):
        for name, pattern in (
            ("bad.keras", "bad.keras is not a .keras file"),
            ("bad.tflite", "bad.tflite is not a .tflite file"),
        ):
            (self.folder / name).write_bytes(b"nothing of the kind")
            self.assertNotOpened(pattern, self.folder / name)

    def test_a_function(self):
        seen = []

        def answer(records):
            seen.append(records)
            return [[0.5, 0.5]] * len(records)

        target = self.open(answer)
        self.assertAllEqual(target.predict(self.pixels), np.full((5, 2), 0.5))
        self.assertAllEqual(seen[0], self.pixels)
        self.assertEqual(seen[0].dtype, np.uint8)
        self.open(answer, ModelOptions(input_range="-1..1")).predict(
            self.pixels
        )
        self.assertAllClose(seen[1], self.pixels / 127.5 - 1, atol=1e-6)

    def test_a_function_may_write_into_what_it_gets(self):
        given = self.pixels.copy()

        def answer(records):
            records[:] = 0
            return [[0.5, 0.5]] * len(records)

        self.open(answer).predict(given)
        self.assertAllEqual(given, self.pixels)

    @parameterized.parameters(
        ([[1.0, 0.0]], r"outputs \[1, 2\] for 5 records"),
        ([0.5] * 5, r"outputs \[5\] for 5"),
        ([["a", "b"]] * 5, "outputs <U1, not numbers"),
    )
    def test_a_function_that_answers_something_else(self, answer, pattern):
        target = self.open(lambda records: answer)
        with self.assertRaisesRegex(InputError, pattern):
            target.predict(self.pixels)

    def test_names(self):
        self.assertEqual(
            list(
                listing.name_targets(
                    ["a/net.keras", "b/net.tflite", "c/x y.npz"]
                )
            ),
            ["net.keras", "net.tflite", "x_y"],
        )
        self.assertEqual(
            list(listing.name_targets([lambda x: x, lambda x: x])),
            ["model", "model.2"],
        )
        self.assertEqual(list(listing.name_targets(["a/n.keras", "b/n.keras"])),
                         ["n.keras", "n.keras.2"])  # fmt: skip
        self.assertEqual(listing.name_targets({"mine": 1}), {"mine": 1})
        with self.assertRaisesRegex(InputError, "'a b' must be of letters"):
            listing.name_targets({"a b": 1})
        with self.assertRaisesRegex(InputError, "m.keras is given twice"):
            listing.name_targets(["m.keras", "m.keras"])

    def test_options_by_model(self):
        self.assertEqual(
            listing.options_by_model("0..1", None, 2),
            [ModelOptions("0..1"), ModelOptions("0..1")],
        )
        self.assertEqual(
            listing.options_by_model(["auto", "0..1"], ["logits"], 2),
            [ModelOptions(None, "logits"), ModelOptions("0..1", "logits")],
        )
        self.assertEqual(listing.options_by_model([], [], 1), [ModelOptions()])
        unit, signed = ModelOptions("0..1"), ModelOptions("-1..1")
        for given, expected in (
            ((0, 1), [unit, unit]),
            ([0.0, 1.0], [unit, unit]),
            (np.array([-1, 1]), [signed, signed]),
            ([(0, 1), (-1, 1)], [unit, signed]),
            (((0, 1), "auto"), [unit, ModelOptions()]),
            (["auto"], [ModelOptions()] * 2),
            ("auto", [ModelOptions()] * 2),
        ):
            self.assertEqual(
                listing.options_by_model(given, "auto", 2), expected
            )
            self.assertEqual(
                listing.is_auto(given), expected == [ModelOptions()] * 2
            )
        for wrong in ((0, 2), (1, 0), [(0, 1), (0, 2)], 1, "0..", "read"):
            with self.assertRaisesRegex(InputError, "or 'auto' where the mod"):
                listing.options_by_model(wrong, None, 2)
        with self.assertRaisesRegex(
            InputError, "--input_range has 3 values for 2"
        ):
            listing.options_by_model(["0..1"] * 3, None, 2)
        with self.assertRaisesRegex(
            InputError, "--input_range must be one of 0..1"
        ):
            listing.options_by_model("0..2", None, 1)
        with self.assertRaisesRegex(InputError, "--outputs must be one of pro"):
            listing.options_by_model(None, "scores", 1)


if __name__ == "__main__":
    tf.test.main()
