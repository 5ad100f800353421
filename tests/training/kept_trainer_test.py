"""Tests that a Trainer used again trains as a new one would."""

import keras
import numpy as np
import tensorflow as tf
import tqdm

from qmia_tf.models import resnet
from qmia_tf.training import epoch_loop, recipes
from qmia_tf.training.kept_trainer import KeptTrainer

SILENT = tqdm.tqdm(disable=True)
SHAPE, CLASSES = (8, 8, 1), 3


def a_recipe(**fields):
    given = {
        "name": "tests",
        "dataset": "digits",
        "optimizer": "adam",
        "learning_rate": 0.01,
        "batch_size": 8,
        "epochs": 2,
        **fields,
    }
    return recipes.Recipe(**given)


def members(count, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *SHAPE), np.uint8)
    return images, rng.integers(0, CLASSES, count)


def a_model(seed, **options):
    options = {"stem": "cifar", "width": 1, "gradient_bits": 6, **options}
    return resnet.resnet18(SHAPE, CLASSES, seed=seed, **options)


def trained(trainer, model):
    rows = [trainer.run_epoch(SILENT) for _ in range(2)]
    trainer.copy_to(model)
    return [row["loss"] for row in rows]


class KeptTrainerTest(tf.test.TestCase):
    def test_weights_are_those_of_a_trainer_of_its_own(self):
        kept, recipe = KeptTrainer(), a_recipe()
        first = a_model(1)
        trainer = kept.get(first, members(20, seed=1), recipe, 1)
        trained(trainer, first)
        keras.backend.clear_session()
        second, again = a_model(2), a_model(2)
        reused = kept.get(second, members(28, seed=2), recipe, 2)
        self.assertIs(reused, trainer)
        self.assertEqual(reused.epoch, 0)
        losses = trained(reused, second)
        own = epoch_loop.Trainer(again, members(28, seed=2), recipe, 2)
        self.assertEqual(losses, trained(own, again))
        pairs = zip(second.variables, again.variables, strict=True)
        off = {a.path: int((a.numpy() != b.numpy()).sum()) for a, b in pairs}
        self.assertEqual(sum(off.values()), 0, f"mismatches: {off}")

    def test_another_network_or_recipe_gets_its_own(self):
        kept, some = KeptTrainer(), members(20, seed=1)
        trainers = [
            kept.get(a_model(1, **options), some, a_recipe(**fields), 1)
            for options, fields in (
                ({}, {}),
                ({"weight_bits": 4}, {}),
                ({"gradient_bits": 8}, {}),
                ({}, {}),
                ({}, {"learning_rate": 0.02}),
            )
        ]
        self.assertLen({id(trainer) for trainer in trainers}, 5)


if __name__ == "__main__":
    tf.test.main()
