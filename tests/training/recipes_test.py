"""Tests of the training recipes."""

import dataclasses
import json
import math
import subprocess
import sys

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.training import recipes


class RecipesTest(parameterized.TestCase, tf.test.TestCase):
    def test_names(self):
        self.assertEqual(
            recipes.RECIPES.names(),
            ["paper_cifar10", "paper_fashion_mnist", "digits", "modern"],
        )
        for name, recipe in recipes.RECIPES.items():
            self.assertEqual(recipes.get(name), recipe)
            self.assertEqual(recipe.name, name)

    def test_what_the_paper_states_for_cifar10(self):
        recipe = recipes.get("paper_cifar10")
        self.assertEqual(
            {field: getattr(recipe, field) for field in recipe.stated},
            {
                "dataset": "cifar10",
                "epochs": 30,
                "learning_rate": 0.01,
                "schedule": "steps",
                "milestones": (20,),
                "decay": 0.1,
            },
        )
        self.assertGreater(recipe.crop_padding, 0)
        self.assertTrue(recipe.flip)

    def test_what_the_paper_states_for_fashion_mnist(self):
        recipe = recipes.get("paper_fashion_mnist")
        self.assertEqual(
            {field: getattr(recipe, field) for field in recipe.stated},
            {"dataset": "fashion_mnist", "epochs": 10, "learning_rate": 0.001},
        )
        self.assertGreater(recipe.crop_padding, 0)

    def test_only_the_papers_recipes_state_anything(self):
        for name, recipe in recipes.RECIPES.items():
            self.assertEqual(bool(recipe.stated), name.startswith("paper_"))
            self.assertNotEmpty(recipe.notes)

    def test_digits_are_not_mirrored(self):
        self.assertFalse(recipes.get("digits").flip)

    def test_as_dict_is_json_without_prose(self):
        recipe = recipes.get("paper_cifar10")
        fields = recipe.as_dict()
        self.assertEqual(json.loads(json.dumps(fields)), fields)
        self.assertEqual(
            fields.keys(),
            {field.name for field in dataclasses.fields(recipe)}
            - {"stated", "notes"},
        )
        self.assertEqual(fields["milestones"], [20])


class OverridesTest(parameterized.TestCase, tf.test.TestCase):
    def test_override(self):
        recipe = recipes.get("paper_cifar10", epochs=3, learning_rate=1)
        self.assertEqual((recipe.epochs, recipe.learning_rate), (3, 1.0))
        self.assertIsInstance(recipe.learning_rate, float)
        self.assertEqual(recipe.optimizer, "sgd")

    def test_changed_field_is_no_longer_stated(self):
        recipe = recipes.get("paper_cifar10", epochs=3, decay=0.1)
        self.assertEqual(
            set(recipes.get("paper_cifar10").stated) - set(recipe.stated),
            {"epochs"},
        )

    def test_none_keeps_the_recipes_own(self):
        self.assertEqual(
            recipes.get("modern", epochs=None, flip=None),
            recipes.get("modern"),
        )

    def test_unknown_recipe_lists_the_known(self):
        with self.assertRaisesRegex(
            InputError, "'papr'.*paper_cifar10.*modern"
        ):
            recipes.get("papr")

    def test_unknown_field(self):
        with self.assertRaisesRegex(
            InputError, "no field 'lr', only.*learning"
        ):
            recipes.get("digits", lr=0.1)

    @parameterized.parameters(
        ("epochs", 0),
        ("epochs", 2.5),
        ("epochs", True),
        ("batch_size", -1),
        ("optimizer", "lion"),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("learning_rate", "0.1"),
        ("momentum", 1.0),
        ("nesterov", 1),
        ("weight_decay", -1e-4),
        ("schedule", "linear"),
        ("milestones", (20, 10)),
        ("milestones", (0,)),
        ("milestones", (1.5,)),
        ("milestones", ["20", "x"]),
        ("milestones", 20),
        ("decay", 0.0),
        ("decay", 1.5),
        ("warmup_epochs", -1),
        ("crop_padding", -4),
        ("flip", "yes"),
        ("label_smoothing", 1.0),
        ("stem", "resnet"),
        ("width", 0),
    )
    def test_bad_value_is_named(self, field, value):
        with self.assertRaisesRegex(
            InputError, rf"recipe modern: {field} must be: .*; got"
        ):
            recipes.get("modern", **{field: value})

    def test_fields_that_contradict_each_other(self):
        with self.assertRaisesRegex(InputError, "warmup_epochs 5 must be less"):
            recipes.get("modern", epochs=5)
        with self.assertRaisesRegex(InputError, "steps needs milestones"):
            recipes.get("modern", schedule="steps")


class LearningRateTest(parameterized.TestCase, tf.test.TestCase):
    def test_paper_cifar10_falls_after_epoch_20(self):
        recipe = recipes.get("paper_cifar10")
        rates = [recipes.learning_rate_at(recipe, s, 7) for s in range(30 * 7)]
        self.assertAllClose(rates, [0.01] * 140 + [0.001] * 70, atol=1e-12)

    def test_constant(self):
        recipe = recipes.get("paper_fashion_mnist")
        for step in (0, 1, 10**6):
            self.assertEqual(recipes.learning_rate_at(recipe, step, 3), 0.001)

    def test_each_milestone_multiplies(self):
        recipe = recipes.get(
            "paper_cifar10", milestones=(1, 2, 4), decay=0.5, epochs=6
        )
        rates = [recipes.learning_rate_at(recipe, s, 1) for s in range(6)]
        self.assertAllClose(
            rates, [0.01, 0.005, 0.0025, 0.0025, 0.00125, 0.00125], atol=1e-12
        )

    def test_cosine_with_warm_up(self):
        recipe = recipes.get(
            "modern", epochs=12, warmup_epochs=2, learning_rate=0.4
        )
        rates = [recipes.learning_rate_at(recipe, s, 2) for s in range(24)]
        self.assertAllClose(rates[:4], [0.1, 0.2, 0.3, 0.4], atol=1e-12)
        # 5, 10 and 15 of 20 steps: cosine of 45, 90 and 135 degrees.
        root = math.sqrt(0.5)
        self.assertAllClose(
            [rates[4], rates[9], rates[14], rates[19]],
            [0.4, 0.2 * (1 + root), 0.2, 0.2 * (1 - root)],
            atol=1e-12,
        )
        self.assertEqual(rates[4:], sorted(rates[4:], reverse=True))
        self.assertGreater(rates[-1], 0)

    def test_cosine_stays_at_zero_after_the_end(self):
        recipe = recipes.get("modern")
        for step in (60, 61, 1000):
            self.assertEqual(recipes.learning_rate_at(recipe, step, 1), 0.0)


class ImportTest(tf.test.TestCase):
    def test_imports_nothing_heavy(self):
        code = (
            "import sys; import qmia_tf.training.recipes; "
            "sys.exit(bool({'tensorflow', 'keras', 'absl', 'numpy'}"
            " & set(sys.modules)))"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    tf.test.main()
