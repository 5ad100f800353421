"""What a run can be asked, under which names, and what is left out."""

import json
from unittest import mock

import folders
import keras
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import files, onednn, outputs
from qmia_tf.auditing import audit_result
from qmia_tf.deploy.tflite import file_contents
from qmia_tf.deploy.tflite.isolation import IsolatedInterpreter
from qmia_tf.experiments import configuration, run, training_run
from qmia_tf.models.resnet import Bits
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import queries, run_targets
from qmia_tf.training import recipes

RECORDS = 40


def round_file(path):
    """A float file with a ROUND, which the reference kernels do not have."""
    weights = np.random.default_rng(3).normal(size=(30, 4)).astype(np.float32)

    def answer(pixels):
        flat = tf.reshape(tf.round(pixels * 15.0) / 15.0, [1, 30])
        return tf.nn.softmax(flat @ weights)

    return tiny_models.write_function(answer, [[1, 6, 5, 1]], path)


def rounded_classifier():
    """What a twin of an int8 softmax gives: multiples of 1/256, below 1."""
    model = tiny_models.classifier()
    codes = keras.ops.round(model.output * 256.0)
    codes = keras.ops.minimum(codes, 255.0) / 256.0
    return keras.Model(model.input, codes)


class Run(folders.Folder):
    def setUp(self):
        super().setUp()
        self.dir /= "run"
        self.folder = self.dir / "artifacts"
        self.data = tiny_models.dataset(RECORDS)
        config = configuration.describe(
            self.data, recipe=recipes.get("digits"), bits=Bits(4, 4)
        )
        RunDir(self.dir).open(config)
        self.split = training_run.open_split(self.dir, self.data, config)
        tiny_models.classifier().save(self.dir / "model.keras")
        self.folder.mkdir()
        self.manifest = {}

    def add(self, scheme, *, twin=None, **entry):
        """Lists artifacts/SCHEME.tflite, made already, in the manifest."""
        path = self.folder / f"{scheme}.tflite"
        entry = {**file_contents.describe(path), "twin": None, **entry}
        if twin is not None:
            file = self.folder / f"{scheme}_twin.keras"
            twin.save(file)
            entry["twin"] = {"file": file.name, "sha256": files.sha256(file)}
        self.manifest[scheme] = entry
        text = json.dumps(self.manifest)
        (self.folder / "manifest.json").write_text(text)

    def add_float32(self):
        round_file(self.folder / "float32.tflite")
        self.add("float32")

    def add_int8_io(self, **entry):
        tiny_models.write_tflite(
            tiny_models.classifier(),
            self.folder / "int8_io.tflite",
            inputs=tf.uint8,
            outputs=tf.int8,
        )
        self.add("int8_io", **entry)

    def add_logits(self):
        model = tiny_models.classifier(softmax=False)
        path = self.folder / "int8_io.tflite"
        tiny_models.write_tflite(model, path, inputs=tf.uint8, outputs=tf.int8)
        self.add("int8_io", outputs="logits", twin=model)

    def query(self, **options):
        """Returns outputs by name, the LeftOut, and who was really asked."""
        with mock.patch.object(
            queries, "outputs_of", side_effect=queries.outputs_of
        ) as query:
            paths, left_out = run.query_run(self.dir, self.data, **options)
        asked = [call.args[0].info["target"] for call in query.call_args_list]
        answered = {path.stem: outputs.load(path) for path in paths}
        self.assertLen(answered, len(paths))
        return answered, left_out, asked


class RepeatsTest(Run):
    def test_a_file_whose_answers_depend_on_the_batch(self):
        tiny_models.write_batch_dependent(self.folder / "float32.tflite")
        self.add("float32")
        self.assertRefused(
            "'float32' does not answer the same record alike: .* depends on "
            "the other records of its batch",
            self.query,
        )
        self.assertFalse((self.dir / "outputs" / "float32.npz").exists())

    def test_a_model_that_stays_random(self):
        pixels = keras.Input(tiny_models.SHAPE)
        x = keras.layers.Dropout(0.5)(pixels, training=True)
        x = keras.layers.Dense(4, "softmax")(keras.layers.Flatten()(x))
        keras.Model(pixels, x).save(self.dir / "model.keras")
        self.assertRefused(
            "'keras' does not answer .* a layer stays random", self.query
        )


class NamesTest(Run):
    def test_every_file_under_every_kernel_set_and_the_twin(self):
        self.add_float32()
        self.add_int8_io(twin=rounded_classifier())
        answered, left_out, asked = self.query(
            kernels=["default", "reference", "default"], num_threads=1
        )
        names = ["keras", "float32", "int8_io", "int8_io.reference"]
        self.assertEqual(list(answered), [*names, "int8_io_twin"])
        self.assertEqual(asked, list(answered))
        self.assertEqual([x.target for x in left_out], ["float32.reference"])
        facts = {
            name: (answers.info["kind"], answers.info["kernel_set"])
            for name, answers in answered.items()
        }
        self.assertEqual(
            facts,
            {
                "keras": ("keras", "keras"),
                "float32": ("tflite", "default"),
                "int8_io": ("tflite", "default"),
                "int8_io.reference": ("tflite", "reference"),
                "int8_io_twin": ("twin", "twin"),
            },
        )
        # Asked again, everything that was answered stays.
        again, _, asked = self.query(kernels=["default", "reference"])
        self.assertEqual(list(again), list(answered))
        self.assertEqual(asked, [])

    def test_names_of_run(self):
        self.add_float32()
        self.add_int8_io(twin=rounded_classifier())
        kernels = ("", ".builtin", ".reference")
        self.assertEqual(
            run_targets.target_names(self.dir),
            {"keras", "int8_io_twin"}
            | {"float32" + kernel for kernel in kernels}
            | {"int8_io" + kernel for kernel in kernels},
        )

    def test_answers_are_those_of_the_file(self):
        self.add_int8_io(twin=rounded_classifier())
        answered, _, _ = self.query(kernels=["reference"])
        self.assertEqual(
            list(answered), ["keras", "int8_io.reference", "int8_io_twin"]
        )
        pixels = self.data.images / np.float32(255)
        expected = tiny_models.classifier()(pixels).numpy()
        for name in ("int8_io.reference", "int8_io_twin"):
            answers = answered[name].in_record_order()
            self.assertEqual(answers.probability_step, 1 / 256)
            codes = answers.probabilities * 256
            self.assertAllEqual(codes, np.rint(codes))
            # Weights and activations of eight bits.
            self.assertAllClose(answers.probabilities, expected, atol=0.1)


class LatencyTest(Run):
    def test_is_measured_on_one_image(self):
        self.add_int8_io()
        sizes = []

        def measure(interpreter, values):
            sizes.append(values)
            return mock.Mock(median_ms=2.5)

        with mock.patch.object(IsolatedInterpreter, "measure", measure):
            answered, _, _ = self.query(num_threads=3)
        self.assertEqual([images.shape for images in sizes], [(1, 6, 5, 1)])
        info = answered["int8_io"].info
        self.assertEqual(info["latency_ms"], 2.5)
        self.assertEqual(info["latency_threads"], 3)
        self.assertNotIn("onednn", info)
        info = answered["keras"].info
        self.assertEqual(info["latency_threads"], onednn.threads())
        self.assertEqual(info["onednn"], onednn.is_on())

    def test_answers_from_before_stay_without(self):
        self.add_int8_io()
        self.query()
        path = self.dir / "outputs" / "int8_io.npz"
        before = outputs.load(path)
        for key in ("latency_ms", "latency_threads", "outputs"):
            before.info.pop(key)
        before.save(path)
        answered, _, asked = self.query()
        self.assertEqual(asked, [])
        self.assertNotIn("latency_ms", answered["int8_io"].info)

    def test_arrives_in_the_audit(self):
        self.add_float32()
        result = run.attack_run(
            self.dir,
            self.data,
            kernels=["default", "reference"],
            label_only=None,
        )
        self.assertEqual(audit_result.load(self.dir), result)
        for target in result.targets:
            self.assertGreater(target.latency_ms, 0.0)
        self.assertEqual(
            [target.onednn for target in result.targets],
            [onednn.is_on(), None],
        )
        self.assertEqual(result.targets[1].latency_threads, 2)
        self.assertEqual(result.targets[1].outputs, "probabilities")
        self.assertEqual(
            [x.target for x in result.left_out], ["float32.reference"]
        )


class LogitsTest(Run):
    def test_file_and_twin_get_a_softmax(self):
        self.add_logits()
        answered, _, _ = self.query()
        pixels = self.data.images / np.float32(255)
        logits = tiny_models.classifier(softmax=False)(pixels).numpy()
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        for name, atol in (("int8_io", 0.1), ("int8_io_twin", 1e-5)):
            answers = answered[name].in_record_order()
            self.assertEqual(answers.info["outputs"], "logits")
            self.assertEqual(answers.probability_step, 0.0)
            self.assertAllClose(answers.probabilities, expected, atol=atol)

    def test_taken_for_probabilities_before(self):
        self.add_logits()
        self.query()
        path = self.dir / "outputs" / "int8_io.npz"
        before = outputs.load(path)
        before.info["outputs"] = "probabilities"
        before.save(path)
        self.assertEqual(self.query()[2], ["int8_io"])


class LeftOutTest(Run):
    def test_says_why_and_goes_on(self):
        self.add_float32()
        self.add_int8_io()
        lines = []
        answered, left_out, _ = self.query(
            kernels=["reference"], progress=lines.append
        )
        self.assertEqual(list(answered), ["keras", "int8_io.reference"])
        (missing,) = left_out
        self.assertEqual(missing.target, "float32.reference")
        self.assertEqual(missing.kernel_set, "reference")
        self.assertRegex(missing.reason, "^float32.tflite cannot .*'ROUND'")
        self.assertNotIn("\n", missing.reason)
        self.assertEqual(
            lines, [f"float32.reference is left out: {missing.reason}"]
        )
        self.assertFalse(
            (self.dir / "outputs" / "float32.reference.npz").exists()
        )

    def test_file_that_was_changed_stops(self):
        self.add_float32()
        path = self.folder / "float32.tflite"
        path.write_bytes(path.read_bytes()[:500])
        self.assertRefused("float32.tflite cannot", self.query)

    @parameterized.parameters("int8_io.tflite", "int8_io_twin.keras")
    def test_file_that_is_gone_stops(self, name):
        self.add_int8_io(twin=rounded_classifier())
        (self.folder / name).unlink()
        self.assertRefused(f"{name} is gone: export", self.query)

    def test_keras_model_that_cannot_answer_stops(self):
        tiny_models.classifier(softmax=False).save(self.dir / "model.keras")
        self.assertRefused("logits", self.query)


if __name__ == "__main__":
    tf.test.main()
