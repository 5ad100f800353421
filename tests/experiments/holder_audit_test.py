"""An audit from a model to what who holds it gets."""

import pathlib

import keras
import last_layer_files
import numpy as np
import tensorflow as tf

import qmia_tf
from qmia_tf.outputs import inside

SIDE, WIDTH, CLASSES = 60, 6, 4
EXACT = ("exact_margin", "exact_likelihood", "gradient_norm", "white_box")


def sides():
    """Members and nonmembers: rows about means, some labels redrawn."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, 2 * SIDE)
    values = 2 * np.eye(CLASSES, WIDTH)[labels]
    values = (values + rng.normal(0, 0.7, values.shape)).astype(np.float32)
    labels = np.where(rng.random(2 * SIDE) < 0.2, (labels + 1) % 4, labels)
    return (values[:SIDE], labels[:SIDE]), (values[SIDE:], labels[SIDE:])


def train(values, labels, seed):
    """A dense network that learns the labels by heart."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((WIDTH,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dense(CLASSES, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(values, labels, epochs=20, batch_size=8, verbose=0)
    return model


class HolderTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.sides, self.lines = sides(), []

    def audit(self, target, **options):
        options = {"tfprivacy": "off", "label_only": None, **options}
        result = qmia_tf.audit(
            target, *self.sides, progress=self.lines.append, **options
        )
        return result, result.targets[0].holder

    def test_keras_with_references_read_alike(self):
        paths = qmia_tf.references(
            train, *self.sides, out=self.dir / "refs", count=2, progress=None
        )
        exact = inside.load(self.dir / "refs" / "inside" / "r00.npz")
        self.assertEqual(exact.logits.shape, (2 * SIDE, CLASSES))
        result, holder = self.audit(train(*self.sides[0], 5), references=paths)
        names = [attack.name for attack in holder.attacks]
        self.assertContainsSubset([*EXACT, "exact_lira_online"], names)
        left_out = [attack.name for attack in holder.attacks_left_out]
        self.assertEqual(left_out, ["gradient_norm_all"])
        self.assertEqual(holder.activations, 16)
        self.assertIn("for who holds the model and reads inside", str(result))
        # A float softmax hides nothing: the margins are the same.
        self.assertAllClose(
            holder.attacks[names.index("exact_lira_online")].auc.value,
            result.targets[0].attack("lira_online").auc.value,
            atol=0.01,
        )

    def test_references_of_which_only_outputs_are_known(self):
        paths = qmia_tf.references(
            train, *self.sides, out=self.dir / "refs", count=2, progress=None
        )
        (self.dir / "refs" / "inside" / "r01.npz").unlink()
        _, holder = self.audit(train(*self.sides[0], 5), references=paths)
        self.assertEqual([x.name for x in holder.attacks], list(EXACT))
        reasons = {x.name: x.reason for x in holder.attacks_left_out}
        self.assertIn(
            "of r01: only its outputs were kept", reasons["exact_lira_online"]
        )

    def test_what_cannot_be_read_is_said_and_stops_nothing(self):
        path = self.dir / "abs.tflite"
        path.write_bytes(last_layer_files.dense(ops=("ABS",)))
        result, holder = self.audit(path, allow_chance=True)
        self.assertIn("ABS before its SOFTMAX is not understood", holder.reason)
        self.assertEqual((holder.attacks, holder.leak), ([], None))
        self.assertIn("ABS before its SOFTMAX", str(result))
        self.assertNotEmpty(result.targets[0].attacks)

    def test_functions_and_switched_off(self):
        model = train(*self.sides[0], 5)
        _, holder = self.audit(lambda x: model(x).numpy())
        reason = "of a callable only the outputs are seen"
        self.assertEqual(holder.reason, reason)
        result, holder = self.audit(model, inside=False)
        self.assertEqual(holder.reason, "it was switched off")
        self.assertNotIn("holds the model", str(result))


if __name__ == "__main__":
    tf.test.main()
