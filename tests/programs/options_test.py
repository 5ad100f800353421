"""Tests of the flags that scripts share, in a process without TensorFlow."""

import dataclasses
import inspect
import json
import subprocess
import sys

from absl.testing import absltest, parameterized

from qmia_tf.attacks import tfprivacy
from qmia_tf.auditing import label_only_queries
from qmia_tf.experiments import configuration, run

PROGRAM = """
import dataclasses, json, sys
from absl import flags
from qmia_tf.programs import options
from qmia_tf.errors import InputError
flags.DEFINE_string("run_dir", None, "")
for define in {defines}:
    getattr(options, "define_" + define)()
flags.FLAGS(["program", *{arguments}])
try:
    print(json.dumps({expression}, default=dataclasses.asdict))
except InputError as error:
    print(json.dumps(str(error)))
loaded = {{"tensorflow", "keras"}} & set(sys.modules)
if loaded:
    sys.exit(f"imported {{loaded}}")
"""


def result(expression, *arguments, defines=("data", "training", "attack")):
    """Evaluates an expression in a program with these flags."""
    code = PROGRAM.format(
        defines=defines, arguments=arguments, expression=expression
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


class OptionsTest(parameterized.TestCase):
    def test_defaults_are_the_librarys(self):
        given = result(
            "[options.split_and_seed(), options.attack()]",
            "--notfprivacy",
            "--label_only_records=0",
        )
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
            for name in ("device_outputs", "references", "parent"):
                defaults.pop(name, None)
            self.assertEqual(values, json.loads(json.dumps(defaults)))

    def test_tensorflow_privacy_is_on_with_its_own_defaults(self):
        settings = result("options.attack()['tfprivacy']")
        wanted = dataclasses.asdict(
            tfprivacy.Settings(attacks=tfprivacy.ATTACKS, trained_records=4000)
        )
        self.assertEqual(settings, json.loads(json.dumps(wanted)))

    def test_label_only_attacks_are_on_with_their_own_defaults(self):
        settings = result("options.attack()['label_only']")
        wanted = dataclasses.asdict(label_only_queries.Settings())
        self.assertEqual(settings, json.loads(json.dumps(wanted)))

    def test_flags_of_label_only_attacks_arrive(self):
        settings = result(
            "options.attack()['label_only']",
            "--label_only_records=300",
            "--copy_shift=2",
            "--nocopy_flip",
            "--copy_rotation=3",
            "--audit_seed=4",
        )
        self.assertEqual(settings["records"], 300)
        self.assertEqual(
            settings["augmentations"],
            {"shift": 2, "flip": False, "rotation": 3},
        )
        self.assertEqual(settings["seed"], 4)

    @parameterized.parameters(
        ("--label_only_records=7", "8 records or more, got 7; 0 leaves"),
        ("--label_only_records=-1", "8 records or more, got -1; 0 leaves"),
        ("--copy_shift=9", "shift must be in 0..8, got 9"),
        ("--copy_rotation=-1", "rotation must be in 0..15, got -1"),
    )
    def test_bad_flags_of_label_only_attacks(self, argument, message):
        self.assertIn(message, result("options.attack()", argument))

    def test_flags_arrive(self):
        given = result(
            "{**options.split_and_seed(), **options.attack()}",
            "--pool=test",
            "--split_seed=1",
            "--member_fraction=0.25",
            "--seed=2",
            "--num_threads=3",
            "--kernels=reference,default",
            "--audit_seed=4",
            "--tfprivacy_attacks=lr,knn",
            "--tfprivacy_records=500",
            "--pictures=off",
        )
        given.pop("label_only")
        settings = given.pop("tfprivacy")
        self.assertEqual(settings["attacks"], ["lr", "knn"])
        self.assertEqual(settings["trained_records"], 500)
        self.assertEqual(
            given,
            {
                "pool": "test",
                "split_seed": 1,
                "member_fraction": 0.25,
                "seed": 2,
                "num_threads": 3,
                "kernels": ["reference", "default"],
                "audit_seed": 4,
                "pictures": "off",
            },
        )

    @parameterized.parameters(
        ("--tfprivacy_attacks=svm", "svm"), ("--tfprivacy_records=3", "got 3")
    )
    def test_bad_settings_of_tensorflow_privacy(self, argument, message):
        self.assertIn(message, result("options.attack()", argument))

    def test_recipe_and_its_overrides(self):
        self.assertEqual(
            result(
                "[options.recipe().name, options.recipe().epochs,"
                " options.recipe().flip, options.recipe().learning_rate]",
                "--recipe=paper_cifar10",
                "--epochs=3",
                "--noflip",
            ),
            ["paper_cifar10", 3, False, 0.01],
        )
        self.assertIn(
            "there is no recipe 'papr'",
            result("options.recipe().name", "--recipe=papr"),
        )

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
            result("options.tensorboard_every()", *arguments), expected
        )

    @parameterized.parameters(
        ((), ["digits", 1797]),
        (("--dataset=digits", "--recipe=modern"), ["digits", 1797]),
        (("--pool=train",), ["digits", 1797]),
    )
    def test_data(self, arguments, expected):
        expression = "(lambda d: [d.name, len(d.labels)])(options.load_data())"
        self.assertEqual(result(expression, *arguments), expected)

    def test_data_that_arguments_name(self):
        loaded = result(
            "options.load_data(name='digits', pool='train').name",
            defines=("data_place",),
        )
        self.assertEqual(loaded, "digits")
        self.assertIn(
            "has no test records",
            result("options.load_data(name='digits', pool='test').name"),
        )

    def test_required(self):
        self.assertEqual(
            result("options.required('run_dir')"), "--run_dir is missing"
        )
        self.assertEqual(
            result("options.required('run_dir')", "--run_dir=runs/x"), "runs/x"
        )


if __name__ == "__main__":
    absltest.main()
