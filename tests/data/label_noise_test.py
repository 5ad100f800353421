"""Tests of labels that are replaced at random."""

import numpy as np
import scipy.stats
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.data import label_noise, loaders, split
from qmia_tf.data.dataset import LabelNoise
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration
from qmia_tf.models.resnet import Bits
from qmia_tf.run_dir import RunDir
from qmia_tf.training import recipes


def a_dataset(count=3000, classes=6):
    labels = np.arange(count) % classes
    images = np.zeros((count, 1, 1, 1), np.uint8)
    names = tuple(map(str, range(classes)))
    return loaders.Dataset("made", images, labels, names, np.zeros(count))


class LabelNoiseTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(0.1, 0.25, 0.999)
    def test_so_many_labels_are_others(self, share):
        clean = a_dataset()
        noisy = label_noise.apply(clean, LabelNoise(share))
        wrong = noisy.labels != clean.labels
        self.assertEqual(wrong.sum(), round(3000 * share))
        self.assertBetween(noisy.labels.min(), 0, 5)
        self.assertBetween(noisy.labels.max(), 0, 5)
        self.assertIs(noisy.images, clean.images)
        self.assertNotEqual(noisy.fingerprint(), clean.fingerprint())
        self.assertEqual(noisy.label_noise, LabelNoise(share, 0))

    def test_no_noise_is_the_data_set_itself(self):
        clean = a_dataset()
        self.assertIs(label_noise.apply(clean, LabelNoise()), clean)

    def test_each_other_class_is_as_likely(self):
        clean = a_dataset()
        noisy = label_noise.apply(clean, LabelNoise(0.9))
        steps = (noisy.labels - clean.labels) % 6
        counts = np.bincount(steps, minlength=6)[1:]
        self.assertGreater(scipy.stats.chisquare(counts).pvalue, 0.001)

    def test_the_seed_decides(self):
        labels = [
            label_noise.apply(a_dataset(), LabelNoise(0.2, seed)).labels
            for seed in (3, 3, 4)
        ]
        self.assertAllEqual(labels[0], labels[1])
        self.assertNotAllEqual(labels[0], labels[2])

    def test_wrong_labels_do_not_tell_who_is_a_member(self):
        clean = a_dataset(600)
        z_values = []
        for seed in range(200):
            # The same seed for both: they must not share random numbers.
            noisy = label_noise.apply(clean, LabelNoise(0.2, seed))
            halves = split.make_split(
                noisy.labels,
                seed=seed,
                pool="all",
                fingerprint="",
                member_fraction=0.25,
            )
            wrong = noisy.labels != clean.labels
            among_members = scipy.stats.hypergeom(
                600, int(wrong.sum()), len(halves.members)
            )
            count = wrong[halves.members].sum()
            z_values.append(
                (count - among_members.mean()) / among_members.std()
            )
        self.assertGreater(scipy.stats.kstest(z_values, "norm").pvalue, 0.001)
        self.assertLess(abs(np.mean(z_values)), 3.3 / np.sqrt(200))

    @parameterized.parameters(
        ({"share": 1.0}, r"label_noise must lie in \[0, 1\), got 1.0"),
        ({"share": -0.1}, r"label_noise must lie in \[0, 1\), got -0.1"),
        ({"share": np.nan}, r"label_noise must lie in \[0, 1\), got nan"),
        ({"seed": -1}, "label_noise_seed must be 0 or more, got -1"),
    )
    def test_bad_options(self, options, message):
        with self.assertRaisesRegex(InputError, message):
            LabelNoise(**options)

    def test_one_class_has_no_other(self):
        with self.assertRaisesRegex(InputError, "made has one class"):
            label_noise.apply(a_dataset(classes=1), LabelNoise(0.5))


class RunTest(tf.test.TestCase):
    """A run keeps the noise, and whatever reads the run gets its labels."""

    def test_config_gives_the_labels_again(self):
        noisy = loaders.load("digits", label_noise=0.2, label_noise_seed=7)
        run_dir = RunDir(self.create_tempdir().full_path)
        run_dir.open(self.describe(noisy))
        config = configuration.read(run_dir)
        self.assertEqual(
            config["dataset"]["label_noise"], {"share": 0.2, "seed": 7}
        )
        again = configuration.load_data(config)
        self.assertAllEqual(again.labels, noisy.labels)
        self.assertNotAllEqual(again.labels, loaders.load("digits").labels)

    def test_config_of_clean_labels_does_not_name_it(self):
        clean = loaders.load("digits")
        config = self.describe(clean)
        self.assertNotIn("label_noise", config["dataset"])
        again = configuration.load_data(config)
        self.assertEqual(again.fingerprint(), clean.fingerprint())

    def test_damaged_noise_is_named(self):
        run_dir = RunDir(self.create_tempdir().full_path)
        config = self.describe(loaders.load("digits", label_noise=0.2))
        run_dir.open(config)
        config["dataset"]["label_noise"]["share"] = 2
        files.write_json(run_dir.config, config)
        with self.assertRaisesRegex(InputError, "label_noise.share"):
            configuration.read(run_dir)

    def describe(self, dataset):
        return configuration.describe(
            dataset, recipe=recipes.get("digits"), bits=Bits()
        )


if __name__ == "__main__":
    tf.test.main()
