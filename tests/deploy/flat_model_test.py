"""Tests of the graphs that integer export takes, and of its refusals."""

import pathlib

import keras
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import layers
from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files
from qmia_tf.models.resnet import resnet18

Dense, Input = keras.layers.Dense, keras.Input


def _reads(model):
    graph = read_flat(model)
    return {call.name: graph.sources(call) for call in graph.calls}


@keras.saving.register_keras_serializable("graph_test")
class Silent(keras.Model):
    """A model of its own whose configuration can be had."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


class Stubborn(Silent):
    """And one whose configuration cannot."""

    def __init__(self, function):
        super().__init__()
        self.function = function


class FlatModelTest(parameterized.TestCase, tf.test.TestCase):
    def test_a_chain(self):
        inputs = Input((4,), name="in")
        x = Dense(3, name="one")(inputs)
        model = keras.Model(inputs, Dense(2, name="two")(x))
        calls = read_flat(model).calls
        self.assertEqual(
            list(_reads(model).items()),
            [("in", ()), ("one", ("in",)), ("two", ("one",))],
        )
        self.assertEqual(
            [call.kind for call in calls], ["InputLayer", "Dense", "Dense"]
        )
        for call in calls:
            self.assertIs(call.layer, model.get_layer(call.name))

    def test_each_call_comes_after_what_it_reads(self):
        model = resnet18(
            (8, 8, 3), 5, width=4, weight_bits=4, activation_bits=4
        )
        seen = set()
        for name, sources in _reads(model).items():
            self.assertContainsSubset(sources, seen)
            seen.add(name)
        self.assertEqual(name, "softmax")
        self.assertLen(seen, len(model.layers))

    def test_sequential(self):
        model = keras.Sequential([Input((4,), name="in"), Dense(2, name="one")])
        self.assertEqual(_reads(model), {"in": (), "one": ("in",)})
        later = keras.Sequential([Dense(2, name="one")])
        later.build((None, 4))
        _, dense = read_flat(later).calls
        self.assertEqual(dense.kind, "Dense")

    def test_loaded(self):
        inputs = Input((6, 6, 1), name="in")
        x = layers.DoReFaConv2D(2, 3, weight_bits=3, name="conv")(inputs)
        model = keras.Model(inputs, layers.DoReFaActivation(2, name="act")(x))
        path = pathlib.Path(self.create_tempdir().full_path) / "x.keras"
        model.save(path)
        self.assertEqual(_reads(keras_files.load(path)), _reads(model))


class RefusalTest(parameterized.TestCase, tf.test.TestCase):
    def assertRefused(self, pattern, model):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            read_flat(model)
        self.assertNotIn("\n", str(caught.exception))

    def test_nested_model(self):
        inner = keras.Sequential([Input((4,)), Dense(4)], name="inner")
        outer = keras.Sequential([Input((4,)), inner, Dense(2)])
        self.assertRefused("^layer 'inner' is a model inside the model", outer)
        inputs = Input((4,))
        outer = keras.Model(
            inputs, keras.Model(inner.input, inner.output)(inputs)
        )
        self.assertRefused("^layer '.*' is a model inside the model", outer)

    def test_shared_layer(self):
        inputs = Input((4,))
        dense = Dense(4, name="shared")
        model = keras.Model(inputs, dense(dense(inputs)))
        self.assertRefused("^layer 'shared' is used 2 times", model)

    @parameterized.parameters(
        Silent, lambda **kwargs: Stubborn(lambda x: x, **kwargs)
    )
    def test_subclassed(self, make):
        model = make()
        model.build((None, 4))
        self.assertRefused(
            "^model '(silent|stubborn).*' is a subclassed model.*rebuild it as",
            model,
        )

    def test_sequential_without_input(self):
        model = keras.Sequential([Dense(2)], name="early")
        self.assertRefused(
            "^model 'early' has no input yet.*keras.Input", model
        )

    def test_operation_without_layer(self):
        inputs = Input((4,))
        model = keras.Model(inputs, Dense(2)(inputs * 2.0 + 1.0))
        self.assertRefused(
            r"^'multiply.*' \(Multiply\) is an operation on tensors, not a "
            "layer",
            model,
        )

    def test_two_inputs(self):
        inputs = [Input((4,)), Input((4,))]
        model = keras.Model(inputs, keras.layers.Add()(inputs), name="pair")
        self.assertRefused("^model 'pair' has 2 inputs", model)

    def test_two_outputs(self):
        inputs = Input((4,))
        outputs = [Dense(2)(inputs), Dense(3)(inputs)]
        model = keras.Model(inputs, outputs, name="pair")
        self.assertRefused("^model 'pair' has 2 outputs", model)


if __name__ == "__main__":
    tf.test.main()
