"""Tests of reading inside of targets, once, beside their outputs."""

import pathlib
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import outputs
from qmia_tf.data.records import Records
from qmia_tf.deploy.tflite.isolation import Limits
from qmia_tf.errors import InputError
from qmia_tf.outputs import inside
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import inside_queries, queries, run_targets
from qmia_tf.targets.isolated_tflite import IsolatedTFLiteTarget
from qmia_tf.targets.keras_target import KerasTarget
from qmia_tf.targets.unopened_model import UnopenedModel

SHIPPED = pathlib.Path(__file__).parents[2] / "tflite_models"
RNG = np.random.default_rng(0)
COUNT = 230
IMAGES = RNG.integers(0, 256, (COUNT, 8, 8, 1)).astype(np.uint8)
RECORDS = Records(
    name="noise",
    values=IMAGES,
    labels=RNG.integers(0, 10, COUNT),
    members=np.arange(COUNT) < 100,
    record_ids=np.arange(COUNT),
    fingerprint="noise",
)


def network(end="softmax", *, units=10):
    """Convolution, two dense layers; end says what stands behind them."""
    layers = keras.layers
    activation = end if end in ("softmax", "sigmoid", "relu") else None
    pieces = [
        keras.Input((8, 8, 1)),
        layers.Conv2D(3, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(7, "relu", name="hidden"),
        layers.Dense(units, activation, name="last"),
    ]
    if isinstance(end, keras.layers.Layer):
        pieces.append(end)
    keras.utils.set_random_seed(1)
    return keras.Sequential(pieces)


def exact_of(model):
    """Logits and what enters the last layer, by NumPy, of a network."""
    x = IMAGES.astype(np.float32) / 255
    for layer in model.layers:
        if layer.name == "last":
            break
        x = layer(x)
    h = np.asarray(x, np.float64)
    return h @ layer.kernel.numpy() + layer.bias.numpy(), h


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = RunDir(self.create_tempdir().full_path)

    def listed(self, source, name="t"):
        if isinstance(source, pathlib.Path):
            return UnopenedModel(
                name,
                source,
                "default",
                lambda: IsolatedTFLiteTarget(
                    source, name=name, limits=Limits()
                ),
                outputs="probabilities",
                threads=2,
            )
        path = self.dir.path / f"{name}.keras"
        source.save(path)
        return run_targets.keras_model(path, path_name=name)

    def read(self, source, **options):
        model = self.listed(source)
        self.addCleanup(model.close)
        answered = queries.query(model, RECORDS, run_dir=self.dir)
        return inside_queries.read(
            model, answered, RECORDS, run_dir=self.dir, **options
        )


class KerasTest(Folder):
    @parameterized.named_parameters(
        ("own", "softmax"),
        ("activation", keras.layers.Activation("softmax")),
        ("softmax", keras.layers.Softmax()),
    )
    def test_logits_and_activations(self, end):
        model = network(end)
        read = self.read(model)
        logits, entered = exact_of(model)
        # The network computes them in float32; they are below 3.
        self.assertAllClose(read.logits, logits, atol=2e-6)
        ((_, values),) = read.blocks()
        self.assertAllClose(values, entered, atol=1e-6)
        self.assertAllClose(
            read.squared_norms, np.square(values).sum(axis=1), rtol=1e-12
        )
        self.assertEqual(read.info["op"], "Dense 'last'")
        # The model is left as it was.
        own = model.layers[3].activation
        self.assertEqual(
            own.__name__, "softmax" if end == "softmax" else own.__name__
        )

    def test_one_sigmoid(self):
        model = network("sigmoid", units=1)
        target, seen = KerasTarget(model), []
        observed, layer = target.observed(lambda *rows: seen.append(rows))
        rows = observed.predict(IMAGES)
        self.assertAllEqual(rows, target.predict(IMAGES))
        self.assertTrue(layer["one_unit"])
        logits, _ = exact_of(model)
        self.assertAllClose(seen[0][0], logits, atol=2e-6)

    @parameterized.named_parameters(
        ("activation", "relu", "has the activation relu"),
        (
            "scaling",
            keras.layers.Rescaling(2.0),
            "Rescaling. is not understood: a Dense layer",
        ),
    )
    def test_what_is_not_understood_is_named(self, end, message):
        with self.assertRaisesRegex(InputError, message):
            KerasTarget(network(end)).observed(print)

    def test_several_sigmoids(self):
        with self.assertRaisesRegex(InputError, "ends in 10 sigmoids"):
            KerasTarget(network("sigmoid")).observed(print)


class QueriesTest(Folder):
    FILE = SHIPPED / "digits_w4a4_int8_io.tflite"

    def test_kept_and_not_read_again(self):
        first = self.read(self.FILE)
        self.assertEqual(first.logits.shape, (COUNT, 10))
        self.assertEqual(first.stored.shape, (COUNT, 64))
        self.assertEqual(first.stored.dtype, np.int8)
        with mock.patch.object(
            IsolatedTFLiteTarget, "observed", side_effect=AssertionError
        ):
            again = self.read(self.FILE)
        self.assertAllEqual(again.logits, first.logits)
        softmaxed = np.exp(first.logits)
        softmaxed /= softmaxed.sum(axis=1, keepdims=True)
        stored = outputs.load(self.dir.outputs_of("t"))
        # Int8 logits have a step of .053, int8 probabilities one of 1/256.
        self.assertAllClose(stored.probabilities, softmaxed, atol=0.05)

    def test_read_again_for_activations(self):
        without = self.read(self.FILE, with_activations=False)
        self.assertIsNone(without.stored)
        self.assertIsNotNone(self.read(self.FILE).stored)

    @parameterized.parameters("damaged", "other outputs")
    def test_read_again(self, how):
        first = self.read(self.FILE)
        path = self.dir.inside_of("t")
        if how == "damaged":
            path.write_bytes(b"nothing")
        else:
            stored = inside.load(path)
            stored.info[inside.OUTPUTS] = "another"
            stored.save(path)
        with mock.patch.object(
            IsolatedTFLiteTarget,
            "observed",
            autospec=True,
            side_effect=IsolatedTFLiteTarget.observed,
        ) as observed:
            self.assertAllEqual(self.read(self.FILE).logits, first.logits)
        observed.assert_called_once()

    def test_other_outputs_than_the_files_are_refused(self):
        model = self.listed(self.FILE)
        self.addCleanup(model.close)
        answered = queries.query(model, RECORDS, run_dir=self.dir)
        answered.probabilities[3] = answered.probabilities[3][::-1]
        with self.assertRaisesRegex(InputError, "outputs something else .by"):
            inside_queries.read(model, answered, RECORDS, run_dir=self.dir)
        # And nothing is left behind.
        self.assertEqual(list(self.dir.path.glob("inside/*")), [])

    def test_a_refusal_is_kept(self):
        model = network(keras.layers.Rescaling(2.0))
        model = keras.Sequential(
            [keras.Input((8, 8, 1)), *model.layers, keras.layers.Softmax()]
        )
        for opened in (1, 0):
            with (
                mock.patch.object(
                    KerasTarget,
                    "observed",
                    autospec=True,
                    side_effect=KerasTarget.observed,
                ) as observed,
                self.assertRaisesRegex(InputError, "Rescaling"),
            ):
                if opened:
                    listed = self.listed(model)
                    answered = queries.query(listed, RECORDS, run_dir=self.dir)
                inside_queries.read(listed, answered, RECORDS, run_dir=self.dir)
            self.assertEqual(observed.call_count, opened)

    def test_what_nobody_foresaw_is_one_line(self):
        model = self.listed(self.FILE)
        self.addCleanup(model.close)
        answered = queries.query(model, RECORDS, run_dir=self.dir)
        with (
            mock.patch.object(
                IsolatedTFLiteTarget,
                "observed",
                side_effect=TypeError("two\nlines"),
            ),
            self.assertRaisesRegex(InputError, "^TypeError: two lines$"),
        ):
            inside_queries.read(model, answered, RECORDS, run_dir=self.dir)


if __name__ == "__main__":
    tf.test.main()
