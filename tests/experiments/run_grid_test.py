"""The runs of a grid: their names, their recipes, what is refused."""

import pathlib
import pickle

import folders
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.errors import InputError
from qmia_tf.experiments.run_grid import Grid
from qmia_tf.models.network_bits import Bits
from qmia_tf.training import recipes


def names(grid):
    return [str(run.folder) for run in grid.runs()]


class GridTest(parameterized.TestCase, tf.test.TestCase):
    def test_every_combination_full_precision_first(self):
        grid = Grid(bits=["w4a4", "w32a32"], widths=[8, 16], seeds=[0, 3])
        self.assertEqual(
            names(grid),
            [
                f"digits/digits-cifar-width{width}-{bits}-seed{seed}"
                for width in (8, 16)
                for bits in ("w32a32", "w4a4")
                for seed in (0, 3)
            ],
        )
        for run in grid.runs():
            self.assertEqual(run.full.bits, Bits())
            self.assertIn(str(run.full.folder), names(grid))
            self.assertEqual(run.full.recipe, run.recipe)

    def test_recipes_are_those_that_are_meant(self):
        grid = Grid(
            datasets=["cifar10", "fashion_mnist", "mnist", "my/x.npz"],
            bits=["w4a4"],
            recipe_fields={"epochs": 3, "batch_size": None, "milestones": [2]},
        )
        self.assertEqual(
            names(grid),
            [
                "cifar10/paper_cifar10-imagenet-width64-w4a4-seed0",
                "fashion_mnist/paper_fashion_mnist-imagenet-width64-w4a4-seed0",
                "mnist/digits-cifar-width16-w4a4-seed0",
                "x/digits-cifar-width16-w4a4-seed0",
            ],
        )
        for run in grid.runs():
            self.assertEqual(run.recipe.epochs, 3)
        of_recipes = Grid(
            recipes=["paper_cifar10", "digits"], bits=["w4a4"], stems=["cifar"]
        )
        self.assertEqual(
            names(of_recipes),
            [
                "cifar10/paper_cifar10-cifar-width64-w4a4-seed0",
                "digits/digits-cifar-width16-w4a4-seed0",
            ],
        )

    @parameterized.parameters(
        ("emnist/letters", "emnist-letters"),
        ("cifar10:3.0.2", "cifar10-3.0.2"),
        ("./mine/", "mine"),
        ("/data/a b.npz", "a-b"),
    )
    def test_folder_of_a_data_set(self, dataset, folder):
        (run,) = Grid(datasets=[dataset], bits=["w4a4"]).runs()
        self.assertEqual(run.folder.parent, pathlib.PurePath(folder))

    @parameterized.parameters(
        ({"seeds": [1, 0, 1]}, "seeds has 1 twice"),
        ({"bits": ["w4a4", "W4A4"]}, "bits has w4a4 twice"),
        ({"widths": [8, 8]}, "widths has 8 twice"),
        ({"datasets": ["digits", "digits"]}, "datasets has digits twice"),
        ({"datasets": ["a/x.npz", "b/x.npz"]}, "would have the same folder, x"),
        ({"bits": ["4x4"]}, "bits are written like w4a4"),
        ({"bits": []}, "nothing to do: name bits and a seed"),
        ({"seeds": []}, "nothing to do: name bits and a seed"),
        ({"seeds": [-1]}, "seed must be in 0"),
        ({"member_fraction": 1}, "member_fraction must lie in"),
        ({"label_noise": 1}, "label_noise must lie in"),
        ({"pool": "some"}, "pool must be one of"),
        ({"stems": ["resnet"]}, "stem must be"),
        ({"widths": [0]}, "width must be"),
        ({"recipes": ["papr"]}, "no recipe 'papr'"),
        ({"recipe_fields": {"epochs": 0}}, "epochs must be"),
    )
    def test_what_cannot_be(self, options, pattern):
        with self.assertRaisesRegex(InputError, pattern):
            Grid(**options).runs()


class ConfigTest(folders.Folder):
    def test_another_seed_has_other_members_unless_told(self):
        data = tiny_models.dataset(40, shape=(8, 8, 1))
        for split_seed, expected in ((None, [0, 5]), (3, [3, 3])):
            grid = Grid(
                bits=["w4a4"],
                seeds=[0, 5],
                split_seed=split_seed,
                member_fraction=0.25,
            )
            configs = [run.config(data) for run in grid.runs()]
            self.assertEqual([x["seed"] for x in configs], [0, 5])
            self.assertEqual([x["split"]["seed"] for x in configs], expected)
            for config in configs:
                self.assertEqual(config["split"]["member_fraction"], 0.25)
                self.assertEqual(config["model"]["weight_bits"], 4)

    def test_label_noise_arrives(self):
        grid = Grid(bits=["w4a4"], label_noise=0.1, label_noise_seed=2)
        (run,) = grid.runs()
        dataset = run.load(DatasetCache())
        self.assertEqual(
            run.config(dataset)["dataset"]["label_noise"],
            {"share": 0.1, "seed": 2},
        )


class CacheTest(tf.test.TestCase):
    def test_the_last_one_is_kept_and_not_pickled(self):
        data = DatasetCache(records=50)
        dataset = data.load("digits")
        self.assertLen(dataset.labels, 50)
        self.assertIs(data.load("digits"), dataset)
        other = data.load("digits", label_noise=0.5)
        self.assertIsNot(other, dataset)
        self.assertIsNot(data.load("digits"), dataset)
        pickled = pickle.dumps(data)
        self.assertLess(len(pickled), 1000)
        again = pickle.loads(pickled).load("digits")
        self.assertEqual(again.fingerprint(), dataset.fingerprint())

    def test_first_records(self):
        dataset = DatasetCache().load("digits")
        cut = dataset.first(50)
        self.assertAllEqual(cut.images, dataset.images[:50])
        self.assertAllEqual(cut.labels, dataset.labels[:50])
        self.assertLen(cut.origin, 50)
        self.assertIs(dataset.first(1797), dataset)
        self.assertIs(dataset.first(None), dataset)


class MeantTest(tf.test.TestCase):
    def test_meant_for(self):
        self.assertEqual(recipes.meant_for("cifar10"), "paper_cifar10")
        self.assertIsNone(recipes.meant_for("mnist"))


if __name__ == "__main__":
    tf.test.main()
