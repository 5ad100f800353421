"""Tests of the one reader of Keras graphs, of Keras 3 and of tf_keras."""

import subprocess
import sys

import keras
import keras2_nets
import tensorflow as tf
import tf_keras
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.models import graph as graphs

Dense, Input = keras.layers.Dense, keras.Input


def _reads(graph):
    return [(call.name, graph.sources(call)) for call in graph.calls]


def _sources(model):
    return dict(_reads(graphs.read(model)))


def _branches():
    """A long and a short way from the input to the sum."""
    inputs = Input((4,), name="in")
    short = Dense(4, name="short")(inputs)
    long = Dense(4, name="second")(Dense(4, name="first")(inputs))
    return keras.Model(inputs, keras.layers.Add(name="sum")([short, long]))


class GraphTest(parameterized.TestCase, tf.test.TestCase):
    def test_calls_come_by_their_distance_from_the_outputs(self):
        self.assertEqual(
            _reads(graphs.read(_branches())),
            [
                ("in", ()),
                ("first", ("in",)),
                ("short", ("in",)),
                ("second", ("first",)),
                ("sum", ("short", "second")),
            ],
        )

    def test_ends(self):
        model = _branches()
        graph = graphs.read(model)
        self.assertEqual(graph.name, model.name)
        self.assertIs(graph.inputs[0], model.inputs[0])
        self.assertIs(graph.outputs[0], model.outputs[0])
        self.assertEqual(graph.maker(graph.outputs[0]).name, "sum")
        readers = [call.name for call in graph.readers(graph.inputs[0])]
        self.assertEqual(readers, ["first", "short"])

    def test_order_of_two_inputs_is_kept(self):
        inputs = Input((4,), name="in")
        first, second = Dense(4, name="z")(inputs), Dense(4, name="a")(inputs)
        for pair in ((first, second), (second, first)):
            out = keras.layers.Subtract(name="end")(list(pair))
            sources = _sources(keras.Model(inputs, out))
            names = tuple(x._keras_history.operation.name for x in pair)
            self.assertEqual(sources["end"], names)

    def test_the_same_input_twice(self):
        inputs = Input((4,), name="in")
        model = keras.Model(inputs, keras.layers.Add(name="x")([inputs] * 2))
        self.assertEqual(_sources(model)["x"], ("in", "in"))

    def test_inputs_by_name(self):
        inputs = Input((4,), name="in")
        x = Dense(3, name="one")(inputs=inputs)
        x = keras.layers.Add(name="two")(inputs=[x, x])
        sources = _sources(keras.Model(inputs, x))
        self.assertEqual(sources["one"], ("in",))
        self.assertEqual(sources["two"], ("one", "one"))

    def test_repeated_use_is_a_call_each(self):
        inputs = Input((4,), name="in")
        dense = Dense(4, name="twice")
        outside = dense(dense(inputs))
        dense(outside)  # no part of the model
        graph = graphs.read(keras.Model(inputs, outside))
        self.assertEqual(
            _reads(graph),
            [("in", ()), ("twice", ("in",)), ("twice", ("twice",))],
        )
        self.assertEqual(graph.uses(dense), 2)
        self.assertEqual(graph.uses(graph.calls[0].layer), 1)

    def test_a_model_inside_is_one_call_with_a_graph(self):
        inner = keras.Sequential(
            [Input((4,), name="begin"), Dense(3, name="end")], name="inner"
        )
        inputs = Input((4,), name="in")
        graph = graphs.read(keras.Model(inputs, inner(inputs)))
        self.assertEqual(_reads(graph), [("in", ()), ("inner", ("in",))])
        self.assertEqual(
            [graphs.has_graph(call.layer) for call in graph.calls],
            [False, True],
        )
        self.assertEqual(
            _reads(graphs.read(graph.calls[1].layer)),
            [("begin", ()), ("end", ("begin",))],
        )

    def test_what_a_call_is_given(self):
        inputs = Input((4, 3), name="in")
        x = keras.layers.Dropout(0.5)(inputs, training=True)
        graph = graphs.read(keras.Model(inputs, x[:, ::-1]))
        _, dropout, picked = graph.calls
        self.assertEqual(dropout.kwargs, {"training": True})
        self.assertEqual(picked.kind, "GetItem")
        self.assertIs(picked.args[0], dropout.outputs[0])
        self.assertEqual(picked.args[1], (slice(None), slice(None, None, -1)))

    def test_tf_keras(self):
        inputs = tf_keras.Input((4,), name="in")
        dense = tf_keras.layers.Dense(4, name="twice")
        inner = tf_keras.Sequential([tf_keras.layers.Dense(2)], name="inner")
        model = tf_keras.Model(inputs, inner(dense(dense(inputs))))
        graph = graphs.read(model)
        self.assertEqual(
            _reads(graph),
            [
                ("in", ()),
                ("twice", ("in",)),
                ("twice", ("twice",)),
                ("inner", ("twice",)),
            ],
        )
        self.assertTrue(graphs.has_graph(graph.calls[-1].layer))
        self.assertTrue(graphs.has_graph(keras2_nets.nested()))

    @parameterized.parameters(keras, tf_keras)
    def test_no_graph(self, library):
        class Own(library.Model):
            """Computes what nobody can read."""

            def call(self, inputs):
                return inputs

        model = Own()
        model(tf.ones((1, 2)))
        self.assertFalse(graphs.has_graph(model))
        self.assertFalse(graphs.has_graph(library.Sequential()))
        self.assertFalse(graphs.has_graph(library.layers.Dense(2)))

    def test_importing_the_reader_imports_no_keras(self):
        code = (
            "import sys, qmia_tf.models.graph;"
            "sys.exit(bool({'keras', 'tf_keras', 'numpy'} & set(sys.modules)))"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class ReadSubclassedTest(parameterized.TestCase, tf.test.TestCase):
    def test_a_class_that_builds_its_graph_in_its_constructor(self):
        class Built(keras.Model):
            """As KerasHub's models are."""

            def __init__(self, units):
                inputs = Input((4,), name="in")
                super().__init__(inputs, Dense(units, name="end")(inputs))

        graph = graphs.read_subclassed(Built(3), reason="")
        self.assertEqual(_reads(graph), [("in", ()), ("end", ("in",))])

        class Other(Built):
            """Computes something else."""

            def call(self, inputs):
                return 2 * super().call(inputs)

        with self.assertRaisesRegex(
            InputError, "a subclassed model, or so: rebuild"
        ):
            graphs.read_subclassed(Other(3), reason="or so")

    def test_one_end_each(self):
        inputs = [Input((4,)), Input((4,))]
        model = keras.Model(inputs, keras.layers.Add()(inputs), name="pair")
        with self.assertRaisesRegex(
            InputError, "^model 'pair' has 2 inputs; it takes image classifiers"
        ):
            graphs.check_ends(model, "it")
        graphs.check_ends(_branches(), "it")


if __name__ == "__main__":
    tf.test.main()
