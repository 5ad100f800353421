"""Models of one's own opened: what is read from them, what is asked for."""

import pathlib
import shutil
import tempfile

import folders
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
PIXELS = tiny_models.images(5, seed=4)
AUTO, UNIT = ModelOptions(), ModelOptions(input_range="0..1")
LOGITS = ModelOptions("0..1", "logits")


class Opened(folders.Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def list(self, source, options=AUTO, *, values=None):
        is_images = values is None
        values = PIXELS if is_images else values
        numbers = RecordNumbers.of(values, is_images=is_images)
        return listing.list_model("m", source, options, numbers=numbers)

    def open(self, source, options=AUTO, *, values=None):
        return self.list(source, options, values=values).open()


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


def rescaling(scale=1 / 255, **options):
    return keras.layers.Rescaling(scale, **options)


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
    front = keras.Sequential([rescaling()])
    pixels = keras.Input(SHAPE)
    x = sequence(ending="linear")(front(pixels))
    return keras.Model(pixels, keras.Sequential([keras.layers.Softmax()])(x))


def followed(layer, *, ending="softmax"):
    """A softmax, and another layer after it."""
    model = sequence(ending=ending)
    model.add(layer)
    return model


def two_inputs():
    one, two = keras.Input((3,)), keras.Input((3,))
    return keras.Model([one, two], keras.layers.Add()([one, two]))


def two_outputs():
    one = keras.Input((3,))
    return keras.Model(one, [one, keras.layers.Softmax()(one)])


class KerasTest(Opened):
    @parameterized.named_parameters(
        ("bytes", lambda: sequence(rescaling()), "0..255"),
        ("unit", lambda: sequence(keras.layers.Rescaling(2.0, -1)), "0..1"),
        ("moments", lambda: sequence(normalization(120.0, 4000.0)), "0..255"),
        ("moments1", lambda: sequence(normalization(0.4, 0.06)), "0..1"),
        ("augmented", augmented, "0..255"),
        ("nested", nested, "0..255"),
        ("reshaped", lambda: sequence(
            keras.layers.Reshape((5, 6, 1)), rescaling()), "0..255"),
        ("dorefa", lambda: tiny_models.quantized(), "0..1"),
    )  # fmt: skip
    def test_range_and_softmax_are_read(self, make, input_range):
        model = make()
        target = self.open(model)
        self.assertEqual(target.info["input_range"], input_range)
        self.assertEqual(target.info["outputs"], "probabilities")
        taken = PIXELS.astype(np.float32)
        if input_range == "0..1":
            taken /= np.float32(255)
        expected = model(taken, training=False).numpy()
        # Two graphs of the same float32 sums.
        self.assertAllClose(target.predict(PIXELS), expected, atol=1e-6)

    def test_what_the_user_says(self):
        self.assertEqual(
            self.open(sequence(), UNIT).info["input_range"], "0..1"
        )
        linear = sequence(rescaling(), ending="linear")
        info = self.open(linear, ModelOptions(outputs="logits")).info
        self.assertEqual(info["outputs"], "logits")

    @parameterized.named_parameters(
        ("linear", lambda: [keras.layers.Activation("linear")], (4,)),
        ("mixed", lambda: [
            keras.layers.Activation("linear", dtype="float32")], (4,)),
        ("flatten", lambda: [keras.layers.Flatten()], (1, 4)),
        ("reshape", lambda: [keras.layers.Reshape((4,))], (2, 2)),
        ("several", lambda: [
            keras.layers.Flatten(), keras.layers.Identity()], (1, 4)),
        ("nested", lambda: [
            keras.Sequential([keras.layers.Reshape((4,))])], (1, 4)),
    )  # fmt: skip
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
        pattern = r"ends in a softmax \(its Softmax layer 'end'\)"
        self.assertRefused(pattern, self.open, model, LOGITS)
        sums = target.predict(PIXELS).sum(axis=1)
        self.assertAllClose(sums, np.ones(5), atol=1e-6)

    def test_operations_after_a_softmax(self):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Dense(4)(keras.layers.Flatten()(pixels))
        x = keras.ops.softmax(keras.ops.expand_dims(x, 1))
        x = keras.ops.cast(keras.ops.squeeze(x, 1), "float32")
        for end in (
            x,
            keras.layers.Dense(4, tf.nn.softmax)(keras.layers.Flatten()(x)),
        ):
            target = self.open(keras.Model(pixels, end), UNIT)
            self.assertEqual(target.info["outputs"], "probabilities")

    @parameterized.parameters("float16", "bfloat16")
    def test_a_softmax_of_16_bits(self, dtype):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Flatten()(pixels)
        x = keras.layers.Dense(100, "softmax", dtype=f"mixed_{dtype}")(x)
        rows = self.open(keras.Model(pixels, x), UNIT).predict(PIXELS)
        self.assertTrue(look_like_probabilities(rows))
        u = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
        off = np.abs(rows.sum(axis=1, dtype=np.float64) - 1).max()
        self.assertBetween(off, 1e-5, 1e-3 + 14 * u)

    def test_one_number_is_two_classes(self):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Flatten()(pixels)
        one = keras.layers.Dense(1, "sigmoid", name="one")(x)
        model = keras.Model(pixels, one)
        rows = self.open(model, UNIT).predict(PIXELS)
        second = model.predict(PIXELS / np.float32(255), verbose=0)[:, 0]
        self.assertAllClose(rows, np.stack([1 - second, second], 1), atol=1e-6)
        model.layers[-1].activation = keras.activations.linear
        logits = self.open(model, LOGITS).predict(PIXELS)
        self.assertAllEqual(logits[:, 0], np.zeros(5))
        self.assertAllClose(
            1 / (1 + np.exp(-logits[:, 1])), rows[:, 1], atol=1e-5
        )

    def test_integer_inputs_get_the_pixels(self):
        pixels = keras.Input(SHAPE, dtype="uint8")
        x = keras.layers.Flatten()(rescaling()(pixels))
        model = keras.Model(pixels, keras.layers.Dense(4, "softmax")(x))
        target = self.open(model)
        self.assertIsNone(target.info["input_range"])
        self.assertEqual(target.predict(PIXELS).shape, (5, 4))

    def test_a_fixed_batch_is_filled_up(self):
        pixels = keras.Input(SHAPE, batch_size=3)
        x = keras.layers.Dense(4, "softmax")(keras.layers.Flatten()(pixels))
        model = keras.Model(pixels, x)
        free = sequence()
        free.set_weights(model.get_weights())
        expected = free.predict(PIXELS / np.float32(255), verbose=0)
        rows = self.open(model, UNIT).predict(PIXELS)
        self.assertAllClose(rows, expected, atol=1e-6)

    def test_other_numbers_go_in_as_they_are(self):
        model = sequence(shape=(7,))
        values = np.random.default_rng(0).normal(0, 9, (5, 7))
        target = self.open(model, values=values)
        expected = model.predict(values.astype(np.float32), verbose=0)
        self.assertAllClose(target.predict(values), expected, atol=1e-6)
        self.assertIsNone(target.info["input_range"])

    def test_outputs_that_are_none(self):
        pixels = keras.Input(SHAPE)
        model = keras.Model(pixels, keras.layers.Softmax()(pixels))
        pattern = r"outputs \[5, 6, 5, 1\] for 5"
        self.assertRefused(pattern, self.open(model, UNIT).predict, PIXELS)
        entry = keras.Input((3,), dtype="int32")
        x = keras.layers.Flatten()(keras.layers.Embedding(9, 2)(entry))
        model = keras.Model(entry, keras.layers.Dense(4, "softmax")(x))
        words = np.full((5, 3), 12, np.int32)
        self.assertRefused(
            r"cannot be computed by TensorFlow: .* 12 is not in",
            self.open(model, values=words).predict,
            words,
        )

    def test_a_file_has_facts(self):
        path = self.folder / "m.keras"
        sequence().save(path)
        model = self.list(path, UNIT)
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

    @parameterized.parameters(
        ("int8", AUTO, 1 / 256),
        ("uint8", AUTO, 1 / 256),
        ("inside", AUTO, 1 / 256),
        ("float", UNIT, 0.0),
    )
    def test_is_read_from_the_file(self, name, options, step):
        target = self.open(self.folder / f"{name}.tflite", options)
        info = target.info
        self.assertEqual(info["input_range"], "0..1")
        self.assertEqual(info["outputs"], "probabilities")
        self.assertAllClose(info["probability_step"], step)
        self.assertEqual(info["kernel_set"], "default")
        expected = self.model.predict(PIXELS / np.float32(255), verbose=0)
        # What post-training quantization of this model costs.
        self.assertAllClose(target.predict(PIXELS), expected, atol=0.05)

    def test_what_is_not_said_or_otherwise(self):
        path = self.folder / "logits.tflite"
        tiny_models.write_tflite(tiny_models.classifier(softmax=False), path)
        target = self.open(path, LOGITS)
        self.assertLess(target.predict(PIXELS).min(), 0)
        tiny_models.write_function(
            lambda a, b: a + b, [(1, 3), (1, 3)], self.folder / "two.tflite"
        )
        for name, options, pattern in (
            ("int8", ModelOptions(input_range="0..255"),
             r"pixels of 0..1 \(its input's scale and zero point\), but"),
            ("float", LOGITS, "in SOFTMAX, so it outputs probabilities, but"),
            ("two", UNIT, "two.tflite has 2 inputs"),
        ):  # fmt: skip
            path = self.folder / f"{name}.tflite"
            self.assertRefused(pattern, self.open, path, options)
        doubt = self.open(self.folder / "float.tflite").choice.doubt
        pattern = "does not say in its quantization which range.*give input_ra"
        self.assertRegex(doubt, pattern)
        target = self.open(self.folder / "logits.tflite", UNIT)
        self.assertIsNone(target.info["outputs"])
        self.assertEqual(target.ending, "ends in FULLY_CONNECTED")

    @parameterized.parameters(
        ("float", {}), ("int8", {"inputs": tf.int8, "outputs": tf.int8})
    )
    def test_sigmoids(self, name, options):
        for classes in (1, 3):
            model = tiny_models.classifier(softmax=False, classes=classes)
            end = keras.layers.Activation("sigmoid")(model.output)
            path = self.folder / f"{name}_{classes}.tflite"
            model = keras.Model(model.input, end)
            tiny_models.write_tflite(model, path, **options)
        rows = self.open(self.folder / f"{name}_1.tflite", UNIT).predict(PIXELS)
        self.assertAllClose(rows.sum(axis=1), np.ones(5))
        pattern = r"ends in 3 sigmoids \(LOGISTIC\): each is a label"
        for said in (UNIT, LOGITS):
            self.assertRefused(pattern, self.open, path, said)

    def test_a_softmax_before_ops_that_pass_it_on(self):
        path = self.folder / "passed.tflite"

        def answer(pixels):
            x = tf.nn.softmax(tf.reshape(pixels, (1, 1, 30)))
            return tf.squeeze(tf.expand_dims(x, 1), (1, 2))

        tiny_models.write_function(answer, [(1, *SHAPE)], path)
        target = self.open(path, UNIT)
        self.assertEqual(target.info["outputs"], "probabilities")
        self.assertAllClose(
            target.predict(PIXELS),
            tf.nn.softmax(PIXELS.reshape(5, 30) / np.float32(255)),
            atol=1e-6,
        )

    def test_other_numbers(self):
        values = PIXELS.astype(np.float64) / 255
        for name in ("float", "int8", "uint8"):
            path = self.folder / f"{name}.tflite"
            rows = self.open(path, values=values).predict(values)
            expected = self.open(path, UNIT).predict(PIXELS)
            self.assertAllClose(rows, expected, atol=1e-6)


class SavedModelTest(Opened):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = cls.folder / "saved"
        tiny_models.classifier().export(cls.path, verbose=False)

    def save(self, name, function, *specs, signature="serving_default"):
        module = tf.Module()
        module.answer = tf.function(function, input_signature=specs)
        path = self.folder / name
        tf.saved_model.save(module, str(path), {signature: module.answer})
        return path

    def test_pixels_as_they_are(self):
        path = self.save(
            "bytes",
            lambda x: tf.nn.softmax(tf.cast(x[:, 0, :4, 0], tf.float32) / 99),
            tf.TensorSpec([None, *SHAPE], tf.uint8, "x"),
        )
        target = self.open(path, ModelOptions(outputs="probabilities"))
        self.assertEqual(target.info["kind"], "savedmodel")
        powers = np.exp(PIXELS[:, 0, :4, 0] / 99)
        expected = powers / powers.sum(axis=1, keepdims=True)
        self.assertAllClose(target.predict(PIXELS), expected, atol=1e-6)

    def test_hash_is_of_every_file(self):
        facts = saved_model.directory_facts(self.path)
        copy = self.folder / "copy"
        shutil.copytree(self.path, copy)
        self.assertEqual(saved_model.directory_facts(copy), facts)
        (copy / "variables" / "variables.index").write_bytes(b"changed")
        changed = saved_model.directory_facts(copy)["sha256"]
        self.assertNotEqual(changed, facts["sha256"])

    def test_what_is_not_said_and_bad_signatures(self):
        target = self.open(self.path)
        pattern = "SavedModel does not say .*input_range"
        self.assertRegex(target.choice.doubt, pattern)
        self.assertIsNone(target.info["outputs"])
        row = tf.TensorSpec([None, 4], tf.float32, "x")
        two = row, tf.TensorSpec([None, 4], tf.float32, "y")
        text = tf.TensorSpec([None], tf.string, "x")
        other = {"signature": "other"}
        for name, pattern, function, specs, options in (
            ("other", "no signature 'serving_default', only other", lambda x: x,
             [row], other),
            ("two", r"has 2 inputs \(x, y\); a classifier", lambda x, y: x + y,
             two, {}),
            ("outs", "has 2 outputs", lambda x: {"a": x, "b": x}, [row], {}),
            ("text", "takes string", tf.strings.length, [text], {}),
        ):  # fmt: skip
            path = self.save(name, function, *specs, **options)
            self.assertRefused(pattern, self.open, path, UNIT)

    def test_no_signatures_and_damaged(self):
        path = self.folder / "none"
        tf.saved_model.save(tf.Module(), str(path))
        pattern = "no signature 'serving_default', nor another: save it with"
        self.assertRefused(pattern, self.open, path, UNIT)
        (path / "saved_model.pb").write_bytes(b"no")
        pattern = "none cannot be loaded as a SavedModel"
        self.assertRefused(pattern, self.open, path, UNIT)


def file(name, content=b"nothing of the kind"):
    """Makes a file of a name in a folder, by the time of the test."""

    def write(folder):
        if content is None:
            (folder / name).mkdir()
        elif isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            content().save(folder / name)
        return folder / name

    return write


SIGMOIDS = (
    r"ends in 4 sigmoids \(its Dense layer 'last'\): each is a label of its "
    r"own \(multi-label\), and only one class"
)
# What is measured: the range, or what comes out.
RANGE_OPEN = (
    sequence,
    lambda: sequence(keras.layers.Conv2D(2, 1), rescaling()),
)
OUTPUTS_OPEN = (
    lambda: sequence(rescaling(), ending="linear"),
    lambda: followed(keras.layers.Activation("relu")),
    lambda: followed(keras.layers.Dense(4)),
    lambda: followed(keras.layers.Dense(4, "softplus")),
)
NOT_OPENED = (
    (lambda _: sequence(rescaling(name="scale")), UNIT,
     r"takes pixels of 0..255 \(its layer 'scale'\), but input_range="),
    (lambda _: sequence(rescaling()), ModelOptions(outputs="logits"),
     r"ends in a softmax \(its Dense layer 'last'\), so it outputs"),
    (lambda _: sequence(ending="sigmoid"), UNIT, SIGMOIDS),
    (lambda _: sequence(ending="sigmoid"), LOGITS, SIGMOIDS),
    (lambda _: sequence(ending="sigmoid"),
     ModelOptions("0..1", "probabilities"), SIGMOIDS),
    (lambda _: followed(keras.layers.Activation("linear"), ending="sigmoid"),
     UNIT, SIGMOIDS),
    (lambda _: two_inputs(), UNIT, "'m' has 2 inputs; a classifier with"),
    (file("two.keras", two_outputs), UNIT, "'m' has 2 outputs"),
    (lambda _: keras.Sequential([keras.layers.Dense(2)]), UNIT,
     "has 0 inputs.*call the model once"),
    (file("l.keras", lambda: sequence(keras.layers.Lambda(lambda x: x / 255))),
     UNIT, "l.keras has a Lambda layer, which is program code .* safe mode "
     "does not run .* qmia_tf.audit"),
    (file("notes.txt"), UNIT, "notes.txt is not a .keras or .h5 file, a Saved"),
    (file("old.h5"), UNIT, "old.h5 is not an HDF5 file .* save the model"),
    (file("folder", None), UNIT, "folder is not a .keras or .h5 file, a Save"),
    (file("bad.keras"), UNIT, "bad.keras is not a .keras file"),
    (file("bad.tflite"), UNIT, "bad.tflite is not a .tflite file"),
    (lambda _: "gone.keras", UNIT, "no model gone.keras: give"),
    (lambda _: 7, UNIT, "a target must be .* got int"),
    (lambda _: sequence(), ModelOptions(signature="x"),
     "'m' has no signatures, only .tflite files and SavedModels have"),
    (lambda _: len, ModelOptions(signature="x"), "'m' has no signatures"),
)  # fmt: skip


class ListedTest(Opened):
    @parameterized.parameters(*NOT_OPENED)
    def test_is_not_opened(self, make, options, pattern):
        self.assertRefused(pattern, self.open, make(self.dir), options)

    @parameterized.parameters(*RANGE_OPEN)
    def test_a_range_that_is_not_said(self, make):
        doubt = self.open(make()).choice.doubt
        self.assertRegex(doubt, "has no Rescaling .* give input_range")

    @parameterized.parameters(*OUTPUTS_OPEN)
    def test_an_ending_that_does_not_say(self, make):
        target = self.open(
            make(), UNIT if make is not OUTPUTS_OPEN[0] else AUTO
        )
        self.assertIsNone(target.info["outputs"])
        self.assertRegex(target.ending, "ends in its .* without a softmax")

    def test_a_function(self):
        seen = []

        def answer(records):
            seen.append(records.copy())
            records[:] = 0
            return [[0.5, 0.5]] * len(records)

        given = PIXELS.copy()
        rows = self.open(answer).predict(given)
        self.assertAllEqual(rows, np.full((5, 2), 0.5))
        # It may write into what it gets.
        self.assertAllEqual(given, PIXELS)
        self.assertAllEqual(seen[0], PIXELS)
        self.assertEqual(seen[0].dtype, np.uint8)
        self.open(answer, ModelOptions(input_range="-1..1")).predict(PIXELS)
        self.assertAllClose(seen[1], PIXELS / 127.5 - 1, atol=1e-6)

    @parameterized.parameters(
        ([[1.0, 0.0]], r"outputs \[1, 2\] for 5 records"),
        ([0.5] * 5, r"outputs \[5\] for 5"),
        ([["a", "b"]] * 5, "outputs <U1, not numbers"),
        (
            {"a": np.eye(5), "b": np.eye(5)},
            r"gives 2 outputs \(a, b\), and one",
        ),
        ([np.eye(5), np.ones(3)], r"gives 2 outputs \(\[5, 5\], \[3\]\)"),
    )
    def test_a_function_that_answers_something_else(self, answer, pattern):
        target = self.open(lambda records: answer)
        self.assertRefused(pattern, target.predict, PIXELS)

    @parameterized.parameters(
        (["a/net.keras", "b/net.tflite", "c/x y.npz"],
         ["net.keras", "net.tflite", "x_y"]),
        ([len, lambda x: x, lambda x: x], ["len", "model", "model.2"]),
        (["a/n.keras", "b/n.keras"], ["n.keras", "n.keras.2"]),
        ({"mine": 1}, ["mine"]),
    )  # fmt: skip
    def test_names(self, given, names):
        self.assertEqual(list(listing.name_targets(given)), names)

    def test_bad_names(self):
        for given, pattern in (
            ({"a b": 1}, "'a b' must be of letters"),
            (["m.keras", "m.keras"], "m.keras is given twice"),
        ):
            self.assertRefused(pattern, listing.name_targets, given)

    @parameterized.parameters(
        ("0..1", "0..1", "0..1"), ((0, 1), "0..1", "0..1"),
        ([0.0, 1.0], "0..1", "0..1"), (np.array([-1, 1]), "-1..1", "-1..1"),
        ([(0, 1), (-1, 1)], "0..1", "-1..1"), (((0, 1), "auto"), "0..1", None),
        (["auto"], None, None), ("auto", None, None), ([], None, None),
    )  # fmt: skip
    def test_options_by_model(self, given, first, second):
        self.assertEqual(
            listing.options_by_model(given, ["logits"], 2),
            [ModelOptions(first, "logits"), ModelOptions(second, "logits")],
        )
        self.assertEqual(listing.is_auto(given), (first, second) == (None,) * 2)

    @parameterized.parameters(
        ((0, 2),), ((1, 0),), ([(0, 1), (0, 2)],), (1,), ("0..",), ("read",)
    )
    def test_a_range_that_is_none(self, wrong):
        with self.assertRaisesRegex(InputError, "or 'auto' where the mod"):
            listing.options_by_model(wrong, None, 2)

    def test_bad_options(self):
        for pattern, *options in (
            ("input_range has 3 values for 2", ["0..1"] * 3, None, 2),
            ("input_range must be one of 0..1", "0..2", None, 1),
            ("outputs must be one of pro", None, "scores", 1),
        ):
            self.assertRefused(pattern, listing.options_by_model, *options)


if __name__ == "__main__":
    tf.test.main()
