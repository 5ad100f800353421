"""End to end, slow: four stock networks to audited int8 files."""

import pathlib

import integer_nets
import keras
import numpy as np
import own_nets
import pattern_nets
import slow_tests
import tensorflow as tf
from absl.testing import parameterized

import qmia_tf
from qmia_tf.auditing import audit
from qmia_tf.data import dataset
from qmia_tf.data.split import make_split
from qmia_tf.deploy import export
from qmia_tf.deploy.conversion_job import Members
from qmia_tf.deploy.integer import integer_network
from qmia_tf.deploy.parity import code_parity
from qmia_tf.models import keras_files
from qmia_tf.targets import queries, tflite_target

SCHEMES = ("int8", "int8_io")
# Network -> bits of weights and activations of its whole way.
WAYS = {
    "plain": (2, 2),
    "vgg": (4, 4),
    "resnet20": (7, 8),
    "mobilenet": (4, 4),
}


def _records(shape, count=120, classes=10):
    """Noisy images of as many patterns as classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    images = rng.integers(0, 256, (classes, *shape))[labels]
    images = images + rng.normal(0, 60, images.shape)
    return images.clip(0, 255).astype(np.uint8), labels


@slow_tests.slow
class OwnModelsTest(integer_nets.PairTest):
    def trained(self, name, bits, data, split):
        """The network through quantize_model and a few training steps."""
        keras.utils.set_random_seed(0)
        stock = own_nets.NETWORKS[name](data.images.shape[1:])
        model = qmia_tf.quantize_model(
            stock, weight_bits=bits[0], activation_bits=bits[1]
        )
        images, labels = data.take(split.members)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(
            integer_nets.as_unit(images),
            labels,
            batch_size=20,
            epochs=2,
            verbose=0,
        )
        return model

    @parameterized.parameters(*WAYS.items())
    def test_from_keras_to_an_audit(self, name, bits):
        shape = own_nets.NETWORKS[name]().input_shape[1:]
        images, labels = _records(shape)
        names = tuple(f"class {label}" for label in range(10))
        data = dataset.assemble(
            name, {"train": (images, labels)}, names, pool="train"
        )
        split = make_split(
            data.labels, seed=0, pool="train", fingerprint=data.fingerprint()
        )
        folder = pathlib.Path(self.create_tempdir())
        model = self.trained(name, bits, data, split)
        keras_files.save(model, folder / "model.keras")
        entries = export.export(
            folder / "model.keras",
            folder,
            schemes=SCHEMES,
            members=Members(lambda: data.take(split.members), "tiny"),
        )
        self.assertEqual([entry["scheme"] for entry in entries], [*SCHEMES])
        for entry in entries:
            self.check_codes(folder, entry, data.images[:60])
            self.check_audit(folder / entry["file"], split.records(data))

    def check_codes(self, folder, entry, images):
        check = code_parity.check(
            folder / entry["twin"]["file"],
            folder / entry["file"],
            images,
            model=folder / "model.keras",
            scheme=entry["scheme"],
            kernels=("default",),
        )
        self.assertTrue(check.promised, check.verdict)
        trained, *files = check.comparisons
        self.assertEqual(trained.against, "keras")
        self.assertGreater(trained.codes, 0)
        # Threads 1 and 2, batches of 64 and of 1.
        self.assertLen(files, 4)
        for comparison in files:
            self.assertGreater(comparison.codes, 50000)
            self.assertEqual(comparison.mismatches, 0, check.verdict)
            self.assertEqual(comparison.labels_differ, 0)
        self.assertTrue(check.kept, check.verdict)

    def check_audit(self, path, records):
        target = tflite_target.TFLiteTarget(path)
        answers = queries.outputs_of(target, records, progress=False)
        self.assertLen(answers.labels, 120)
        audited = audit.audit(answers)
        self.assertEqual(audited.target, path.stem)
        self.assertNotEmpty(audited.attacks)

    @parameterized.product(
        name=tuple(own_nets.NETWORKS), bits=pattern_nets.PAIRS
    )
    def test_no_code_differs(self, name, bits):
        keras.utils.set_random_seed(1)
        model = qmia_tf.quantize_model(
            own_nets.NETWORKS[name](),
            weight_bits=bits[0],
            activation_bits=bits[1],
        )
        integer_nets.randomize(model, seed=1)
        pixels = integer_nets.images(16, model.input_shape[1:])
        for head in integer_network.HEADS:
            pair = integer_nets.Pair(integer_nets.fold(model, head), pixels)
            sizes = ((16, 1), (16, 2), (1, 1))
            self.assertEqualCodes(pair, sizes, f"{name} {bits} {head}")


if __name__ == "__main__":
    tf.test.main()
