"""Label-only queries of a run: made once, and of which targets."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.attacks.augmentations import Augmentations, Noise
from qmia_tf.auditing import label_only_queries
from qmia_tf.data import split as splits
from qmia_tf.data.loaders import Dataset
from qmia_tf.errors import InputError
from qmia_tf.targets import unopened_model

RECORDS = 60
FEW = label_only_queries.Settings(
    records=20,
    augmentations=Augmentations(shift=0),
    noise=Noise(sigmas=(0.1,), draws=2),
)


class Labelling:
    """A target that names the brightest column of an image, modulo 4."""

    def __init__(self, sha256):
        self.info = {
            "target": "int8",
            "sha256": sha256,
            "kernel_set": "default",
        }
        self.asked = 0

    def take_measured(self, measured):
        pass

    def predict(self, images, *, progress=False):
        del progress
        self.asked += len(images)
        bright = images.sum(axis=(1, 3)).argmax(axis=1) % 4
        return np.eye(4, dtype=np.float32)[bright]


class QueryTargetTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.data = Dataset(
            name="tiny",
            images=tiny_models.images(RECORDS),
            labels=np.arange(RECORDS) % 4,
            class_names=tuple("abcd"),
            origin=np.zeros(RECORDS, np.uint8),
        )
        self.split = splits.make_split(
            self.data.labels,
            seed=0,
            pool="all",
            fingerprint=self.data.fingerprint(),
        )
        self.file = self.dir / "int8.tflite"
        self.file.write_bytes(b"one")

    def ask(self, settings=FEW, *, kernel_set="default"):
        """Returns the answers, and how many copies were asked about."""
        opened = []

        def open_it():
            opened.append(Labelling(files.sha256(self.file)))
            opened[-1].info["kernel_set"] = kernel_set
            return opened[-1]

        query = unopened_model.UnopenedModel(
            "int8", self.file, kernel_set, open_it
        )
        answers = label_only_queries.query_target(
            query,
            self.split.records(self.data),
            settings=settings,
            run_dir=self.dir,
            progress=False,
        )
        self.assertLessEqual(len(opened), 1)
        return answers, sum(target.asked for target in opened)

    def test_answers_are_to_the_copies(self):
        answers, asked = self.ask()
        # Unchanged and mirrored; unchanged and two of noise.
        self.assertEqual(asked, 20 * 2 + 20 * 3)
        self.assertEqual(set(answers), {"augmented_labels", "noisy_labels"})
        copies = answers["augmented_labels"]
        self.assertEqual(copies.queries, ("unchanged", "flip"))
        images = self.data.images[copies.record_ids]
        for column, changed in enumerate((images, images[:, :, ::-1])):
            want = changed.sum(axis=(1, 3)).argmax(axis=1) % 4
            self.assertAllEqual(copies.predicted[:, column], want)
        self.assertAllEqual(
            copies.members, np.isin(copies.record_ids, self.split.members)
        )
        self.assertAllEqual(
            answers["noisy_labels"].record_ids, copies.record_ids
        )
        self.assertEqual(
            sorted(
                path.name for path in (self.dir / "augmented_queries").iterdir()
            ),
            ["int8.noise.npz", "int8.npz"],
        )
        self.assertEqual(copies.info["run"], self.dir.name)

    def test_is_asked_once(self):
        first, _ = self.ask()
        again, asked = self.ask()
        self.assertEqual(asked, 0)
        for name in first:
            self.assertAllEqual(first[name].predicted, again[name].predicted)

    @parameterized.named_parameters(
        ("augmentations", {"augmentations": Augmentations(shift=1)}, 20 * 6),
        ("noise", {"noise": Noise(sigmas=(0.2,), draws=1)}, 20 * 2),
        ("records", {"records": 10}, 10 * (2 + 3)),
        ("seed", {"seed": 1}, 20 * (2 + 3)),
    )
    def test_asked_again_for_what_changed(self, changes, wanted):
        self.ask()
        settings = label_only_queries.Settings(**{**vars(FEW), **changes})
        self.assertEqual(self.ask(settings)[1], wanted)
        self.assertEqual(self.ask(settings)[1], 0)

    def test_asked_again_if_the_file_or_the_kernels_changed(self):
        self.ask()
        self.file.write_bytes(b"another")
        self.assertEqual(self.ask()[1], 100)
        self.assertEqual(self.ask(kernel_set="keras")[1], 100)

    def test_asked_again_about_other_data(self):
        self.ask()
        images = self.data.images + np.uint8(1)
        self.data = dataclasses.replace(self.data, images=images)
        self.split = splits.make_split(
            self.data.labels,
            seed=0,
            pool="all",
            fingerprint=self.data.fingerprint(),
        )
        self.assertEqual(self.ask()[1], 100)

    def test_damaged_answers(self):
        self.ask()
        path = self.dir / "augmented_queries" / "int8.npz"
        path.write_bytes(path.read_bytes()[:50])
        with self.assertRaisesRegex(InputError, "int8.npz is damaged"):
            self.ask()


class SettingsTest(parameterized.TestCase):
    @parameterized.parameters(-1, 0, 7)
    def test_too_few(self, records):
        with self.assertRaisesRegex(
            InputError, f"8 records or more, got {records}; 0 leaves them out"
        ):
            label_only_queries.Settings(records=records)


if __name__ == "__main__":
    tf.test.main()
