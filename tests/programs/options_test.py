"""Tests of the flags that scripts share."""

import dataclasses
import inspect
import subprocess
import sys

import script_calls
from absl import flags
from absl.testing import absltest, parameterized

from qmia_tf.attacks import tfprivacy
from qmia_tf.auditing import label_only_queries
from qmia_tf.data.dataset import LabelNoise
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration, run
from qmia_tf.programs import early_checks, flag_values, options
from qmia_tf.training import recipes

READ_ALL = """
import sys
from absl import flags
from qmia_tf.programs import flag_values, gate_options, options
for define in ("data", "training", "attack"):
    getattr(options, f"define_{define}")()
gate_options.define_flags()
flags.FLAGS(["program", "--epochs=3"])
options.recipe(), options.attack(), gate_options.limits()
sys.exit(bool({"tensorflow", "keras"} & set(sys.modules)))
"""


def result(function, *arguments, defines=("data", "training", "attack")):
    """What a function says in a program with these flags.

    An InputError counts as its message.
    """
    with script_calls.flags_removed():
        flags.DEFINE_string("run_dir", None, "")
        for define in defines:
            getattr(options, f"define_{define}")()
        flags.FLAGS(["program", *arguments])
        try:
            return function()
        except InputError as error:
            return str(error)


# Arguments of attack_run that are no flags of all programs.
NOT_SHARED = (
    *("device_outputs", "references", "mismatched_references", "parent"),
    *("progress", "name"),
)


class OptionsTest(parameterized.TestCase):
    def test_defaults_are_the_librarys(self):
        given = result(lambda: (options.split_and_seed(), options.attack()))
        for function, values in (
            (configuration.describe, given[0]),
            (run.attack_run, given[1]),
        ):
            defaults = {
                name: parameter.default
                for name, parameter in inspect.signature(
                    function
                ).parameters.items()
                if parameter.default is not parameter.empty
            }
            # What another script gives is not a flag of all of them.
            for name in NOT_SHARED:
                defaults.pop(name, None)
            defaults["kernels"] = list(defaults.get("kernels", ()))
            self.assertEqual({"kernels": [], **values}, defaults)

    def test_both_families_are_on_with_their_own_defaults(self):
        given = result(options.attack)
        self.assertEqual(given["tfprivacy"], "threshold")
        trained = result(options.attack, "--tfprivacy=trained")
        self.assertEqual(trained["tfprivacy"], tfprivacy.Settings())
        self.assertEqual(given["label_only"], label_only_queries.Settings())

    def test_flags_of_label_only_attacks_arrive(self):
        settings = result(
            options.attack,
            "--label_only_records=300",
            "--augmentation_shift=2",
            "--noaugmentation_flip",
            "--augmentation_rotation=3",
            "--audit_seed=4",
        )["label_only"]
        self.assertEqual((settings.records, settings.seed), (300, 4))
        self.assertEqual(
            dataclasses.asdict(settings.augmentations),
            {"shift": 2, "flip": False, "rotation": 3},
        )

    @parameterized.parameters(
        ("--label_only_records=7", "8 records or more, got 7; 0 leaves"),
        ("--label_only_records=-1", "8 records or more, got -1; 0 leaves"),
        ("--augmentation_shift=9", "shift must be in 0..8, got 9"),
        ("--augmentation_rotation=-1", "rotation must be in 0..15, got -1"),
        ("--tfprivacy_attacks=svm", "any of lr, knn, mlp, rf, got svm"),
        ("--tfprivacy_attacks=lr,threshold", "got lr,threshold"),
        ("--tfprivacy_records=3", "got 3"),
        ("--attack_options=lira.width=2", "no lira option 'width'"),
        ("--attack_options=lira", "ATTACK.OPTION=VALUE, such as"),
    )
    def test_bad_flags_of_attacks(self, argument, message):
        self.assertIn(message, result(options.attack, argument))

    def test_flags_arrive(self):
        given = result(
            lambda: {**options.split_and_seed(), **options.attack()},
            "--pool=test",
            "--split_seed=1",
            "--member_fraction=0.25",
            "--seed=2",
            "--num_threads=3",
            "--file_timeout=90",
            "--kernels=reference,default",
            "--audit_seed=4",
            "--tfprivacy=trained",
            "--tfprivacy_attacks=lr,knn",
            "--tfprivacy_records=500",
            "--pictures=off",
            "--noinside",
            "--gradients",
            "--attack_options=lira.variance=global,rmia.gamma=none",
        )
        given.pop("label_only")
        settings = given.pop("tfprivacy")
        self.assertEqual(
            settings.attacks, ("threshold", "threshold-entropy", "lr", "knn")
        )
        self.assertEqual(settings.trained_records, 500)
        self.assertEqual(
            given,
            {
                "pool": "test",
                "split_seed": 1,
                "member_fraction": 0.25,
                "seed": 2,
                "num_threads": 3,
                "file_timeout": 90.0,
                "file_memory": None,
                "kernels": ["reference", "default"],
                "audit_seed": 4,
                "pictures": "off",
                "inside": False,
                "gradients": True,
                "output_forms": True,
                # What is at its default is left out.
                "attack_options": {"lira": {"variance": "global"}},
            },
        )

    def test_each_field_of_a_recipe_has_a_flag(self):
        for name in recipes.RECIPES.names():
            given = result(options.recipe, f"--recipe={name}")
            self.assertEqual(given, recipes.get(name))
        self.assertStartsWith(
            result(options.recipe, "--recipe=papr"), "no recipe 'papr': choose"
        )

    @parameterized.parameters(
        ("--epochs=60", {"epochs": 60}),
        ("--learning_rate=0.5", {"learning_rate": 0.5}),
        ("--noflip", {"flip": False}),
        ("--optimizer=adamw", {"optimizer": "adamw"}),
        ("--milestones=10,20", {"milestones": (10, 20)}),
        ("--milestones=", {"milestones": ()}),
        ("--stem=imagenet", {"stem": "imagenet"}),
    )
    def test_flag_overrides_its_field(self, argument, fields):
        self.assertEqual(
            result(options.recipe, "--recipe=modern", argument),
            dataclasses.replace(recipes.get("modern"), **fields),
        )

    def test_flag_outside_the_choices(self):
        with self.assertRaisesRegex(flags.IllegalFlagValueError, "optimizer"):
            result(options.recipe, "--optimizer=lion")

    @parameterized.parameters(
        ((), 0),
        (("--tensorboard_every=3",), 0),
        (("--tensorboard",), 1),
        (("--tensorboard", "--tensorboard_every=3"), 3),
        (
            ("--tensorboard", "--tensorboard_every=0"),
            "--tensorboard_every must be >= 1, got 0",
        ),
    )
    def test_tensorboard(self, arguments, expected):
        self.assertEqual(
            result(early_checks.tensorboard_every, *arguments), expected
        )

    @parameterized.parameters(
        (), ("--dataset=digits", "--recipe=modern"), ("--pool=train",)
    )
    def test_data(self, *arguments):
        dataset = result(options.load_data, *arguments)
        self.assertEqual((dataset.name, len(dataset.labels)), ("digits", 1797))

    def test_data_of_a_run(self):
        config = {
            "dataset": {
                "name": "digits",
                "pool": "train",
                "label_noise": {"share": 0.1, "seed": 3},
            }
        }
        data = result(
            lambda: options.load_run_data(config), defines=("data_place",)
        )
        self.assertEqual(data.label_noise, LabelNoise(0.1, 3))
        config["dataset"]["pool"] = "test"
        self.assertIn(
            "has no test records",
            result(lambda: options.load_run_data(config)),
        )

    def test_data_with_label_noise(self):
        data = result(
            options.load_data, "--label_noise=0.2", "--label_noise_seed=5"
        )
        self.assertEqual(data.label_noise, LabelNoise(0.2, 5))
        self.assertIn(
            "label_noise must lie in [0, 1), got 1.0",
            result(options.load_data, "--label_noise=1"),
        )

    @parameterized.parameters("gone/x.npz", "./gone", "/gone/x.npz")
    def test_data_of_a_run_that_has_moved(self, name):
        config = {"dataset": {"name": name, "pool": "all"}}
        said = result(lambda: options.load_run_data(config))
        self.assertIn(name.removeprefix("./"), said)
        self.assertRegex(said, r"config.json of the run names it .* new place")
        self.assertLen(said.splitlines(), 1)
        given = result(options.load_data, f"--dataset={name}")
        self.assertNotIn("config.json", given)

    def test_required(self):
        def run_dir():
            return flag_values.required("run_dir")

        self.assertEqual(result(run_dir), "--run_dir is missing")
        self.assertEqual(result(run_dir, "--run_dir=runs/x"), "runs/x")

    def test_flags_are_read_without_tensorflow(self):
        subprocess.run([sys.executable, "-c", READ_ALL], check=True)


if __name__ == "__main__":
    absltest.main()
