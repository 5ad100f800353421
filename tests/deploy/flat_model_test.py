"""Tests of the graphs that integer export takes, and of its refusals."""

import keras
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.errors import InputError
from qmia_tf.models.resnet import resnet18

Dense, Input = keras.layers.Dense, keras.Input


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


def built(model):
    model.build((None, 4))
    return model


def sequential_of(model):
    return keras.Sequential([Input((4,)), model, Dense(2)])


def functional(body, inputs=1):
    images = [Input((4,)) for _ in range(inputs)]
    return keras.Model(images, body(*images), name="pair")


def twice(x):
    dense = Dense(4, name="shared")
    return dense(dense(x))


INNER = keras.Sequential([Input((4,)), Dense(4)], name="inner")
NESTED = "is a model inside the model"


class FlatModelTest(parameterized.TestCase, tf.test.TestCase):
    def test_each_call_comes_after_what_it_reads(self):
        model = resnet18(
            (8, 8, 3), 5, width=4, weight_bits=4, activation_bits=4
        )
        graph, seen = read_flat(model), set()
        for call in graph.calls:
            self.assertIs(call.layer, model.get_layer(call.name))
            self.assertContainsSubset(graph.sources(call), seen)
            seen.add(call.name)
        self.assertEqual(call.name, "softmax")
        self.assertLen(seen, len(model.layers))

    def test_sequential_that_is_built_later(self):
        _, dense = read_flat(built(keras.Sequential([Dense(2)]))).calls
        self.assertEqual(dense.kind, "Dense")

    @parameterized.parameters(
        (lambda: sequential_of(INNER), f"^layer 'inner' {NESTED}"),
        (
            lambda: functional(keras.Model(INNER.input, INNER.output)),
            f"^layer '.*' {NESTED}",
        ),
        (lambda: functional(twice), "^layer 'shared' is used 2 times"),
        (
            lambda: built(Silent()),
            "^model 'silent.*' is a subclassed m",
        ),
        (
            lambda: built(Stubborn(lambda x: x)),
            "^model 'stubborn.*' is a subclassed model.*rebuild it as",
        ),
        (
            lambda: keras.Sequential([Dense(2)], name="early"),
            "^model 'early' has no input yet.*keras.Input",
        ),
        (
            lambda: functional(lambda x: Dense(2)(x * 2.0 + 1.0)),
            r"^'multiply.*' \(Multiply\) is an operation on tensors, not a lay",
        ),
        (
            lambda: functional(lambda a, b: keras.layers.Add()([a, b]), 2),
            "^model 'pair' has 2 inputs",
        ),
        (
            lambda: functional(lambda x: [Dense(2)(x), Dense(3)(x)]),
            "^model 'pair' has 2 outputs",
        ),
    )
    def test_refused(self, make, pattern):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            read_flat(make())
        self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    tf.test.main()
