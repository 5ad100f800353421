"""Every flag of every script has a twin: a parameter of a library call."""

import importlib
import inspect

import script_calls
from absl.testing import absltest

from qmia_tf.programs import flag_help
from qmia_tf.training import recipes

# Packages of the checkout beside qmia_tf.
BESIDE = ("paper", "tools")
# Flag -> "module callable parameter", below qmia_tf or of BESIDE.
PLACE = {
    "data_dir": "data.loaders load data_dir",
    "download": "data.loaders load download",
}
DATA = {
    **PLACE,
    "dataset": "data.loaders load name",
    "pool": "experiments.configuration describe pool",
    "split_seed": "experiments.configuration describe split_seed",
    "member_fraction": "experiments.configuration describe member_fraction",
    "label_noise": "data.loaders load label_noise",
    "label_noise_seed": "data.loaders load label_noise_seed",
}
TRAINING = {
    "recipe": "experiments.configuration describe recipe",
    "seed": "experiments.configuration describe seed",
    "tensorboard": "experiments.training_run train_run tensorboard_every",
    "tensorboard_every": "experiments.training_run train_run tensorboard_every",
    **{
        field.name: f"training.recipes Recipe {field.name}"
        for field in recipes.TRAINING_FIELDS
    },
}
AUDIT = {
    "num_threads": "experiments.run attack_run num_threads",
    "file_timeout": "experiments.run attack_run file_timeout",
    "file_memory": "experiments.run attack_run file_memory",
    "audit_seed": "experiments.run attack_run audit_seed",
    "attack_options": "experiments.run attack_run attack_options",
    "label_only_records": "auditing.label_only_queries Settings records",
    "augmentation_shift": "attacks.augmentations Augmentations shift",
    "augmentation_flip": "attacks.augmentations Augmentations flip",
    "augmentation_rotation": "attacks.augmentations Augmentations rotation",
    "tfprivacy": "experiments.run attack_run tfprivacy",
    "tfprivacy_attacks": "attacks.tfprivacy Settings attacks",
    "tfprivacy_records": "attacks.tfprivacy Settings trained_records",
    "pictures": "experiments.run attack_run pictures",
    "inside": "experiments.run attack_run inside",
    "gradients": "experiments.run attack_run gradients",
    "output_forms": "experiments.run attack_run output_forms",
}
ATTACK = {**AUDIT, "kernels": "experiments.run attack_run kernels"}
EXECUTOR = {
    "jobs": "experiments.executors Resources workers",
    "job_threads": "experiments.executors Resources threads",
    "ray_address": "experiments.executors Resources ray_address",
}
GATES = {
    "fail_if_auc_above": "report.gates judge auc_above",
    "fail_if_tpr_above": "report.gates judge tpr_above",
    "fail_if_cannot_detect": "report.gates judge cannot_detect",
}


def alike(place, *names):
    """Flags whose twins have their names, in one call."""
    return {name: f"{place} {name}" for name in names}


TWINS = {
    "attack": {
        **PLACE,
        **ATTACK,
        **GATES,
        **alike(
            "experiments.run attack_run",
            "run_dir",
            "name",
            "references",
            "mismatched_references",
            "parent",
        ),
        "outputs": "experiments.run attack_run device_outputs",
    },
    "audit": {
        **PLACE,
        **AUDIT,
        **GATES,
        **alike(
            "experiments.model_audit audit",
            "members",
            "nonmembers",
            "out",
            "name",
            "input_range",
            "outputs",
            "signature",
            "class_names",
            "first_label",
            "data_format",
            "references",
            "calibration",
            "leave_out_calibration",
            "allow_chance",
            "data_dir",
            "download",
            "num_threads",
            "file_timeout",
            "file_memory",
            "strata",
            "tfprivacy",
            "attack_options",
            "pictures",
            "inside",
            "gradients",
            "output_forms",
        ),
        "model": "experiments.model_audit audit target",
        "audit_seed": "experiments.model_audit audit seed",
    },
    "compare": {
        **PLACE,
        **alike("experiments.run_comparison compare", "full", "quantized"),
        **alike("experiments.run_comparison compare", "every_epoch"),
        "out": "report.matching_tables write out_dir",
    },
    "demo": alike("experiments.model_audit audit", "out"),
    "evaluate_edge": {
        **alike("edge.evaluation evaluate", "model", "data", "threads"),
        **alike("edge.evaluation evaluate", "kernels", "logits"),
        **alike("edge.evaluation evaluate", "batch_size", "seconds"),
        **alike("edge.evaluation evaluate", "signature"),
        "outputs": "edge.evaluation evaluate out",
        "json": "files write_json path",
    },
    "export": {
        **PLACE,
        **alike("experiments.run export_run", "run_dir", "schemes"),
        **alike("deploy.export Settings", "calibration_records"),
        **alike("deploy.export Settings", "calibration_seed", "tfmot_epochs"),
        **alike("deploy.export Settings", "int8_output"),
    },
    "export_data": {
        **PLACE,
        "run_dir": "experiments.training_run open_split run_dir",
        "records": "data.draws draw_exactly count",
        "seed": "data.draws draw_exactly seed",
        "out": "edge.device_data save path",
    },
    "risk": {
        **PLACE,
        **alike("experiments.run_risk of_run", "run_dir", "target"),
        **alike("auditing.record_risk measure", "score", "seed"),
        "baseline": "experiments.run_risk of_run run_dir",
        "baseline_target": "experiments.run_risk of_run target",
        "top": "report.risk_files write_risks top",
        "images": "report.risk_files write_risks pictures",
        "out": "report.risk_files write_risks out_dir",
    },
    "make_tflite_models": {
        "out": "tools.model_build make folder",
        "work": "tools.model_build make work",
        "check": "tools.manifest_check check folder",
        **alike("tools.model_build make", "sets", "data_dir", "download"),
    },
    "parity": {
        **PLACE,
        **alike("experiments.parity_run check_run", "run_dir", "schemes"),
        **alike("experiments.parity_run check_run", "kernels", "threads"),
        **alike("experiments.parity_run check_run", "records", "seed"),
        "json": "files write_json path",
    },
    "quickstart": {
        **DATA,
        **TRAINING,
        **ATTACK,
        "bits": "models.resnet Bits.parse text",
        "schemes": "experiments.run export_run schemes",
        "out": "report make_report out_dir",
    },
    "report": {
        **alike("report make_report", "run_dirs", "name", "max_drop"),
        "out": "report make_report out_dir",
        "format": "report make_report formats",
    },
    "reproduce": {
        **alike("paper.workflow reproduce", "seeds", "regimes"),
        **alike("paper.workflow reproduce", "models", "stem"),
        **alike("paper.workflow reproduce", "quick", "plan"),
        **alike("paper.workflow reproduce", "only_report"),
        **alike("paper.workflow reproduce", "only_trained"),
        **alike("paper.workflow reproduce", "skip_stored"),
        **alike("paper.workflow reproduce", "sweep", "out"),
        **alike("paper.workflow reproduce", "results", "pages"),
        **alike("paper.workflow reproduce", "report", "executor"),
        **EXECUTOR,
        **alike("paper.workflow reproduce", "data_dir", "download"),
        "dataset": "paper.workflow reproduce datasets",
    },
    "sweep": {
        **PLACE,
        **ATTACK,
        **EXECUTOR,
        **alike("experiments.run_grid Grid", "bits", "recipes", "widths"),
        **alike("experiments.run_grid Grid", "stems", "seeds", "pool"),
        **alike("experiments.run_grid Grid", "split_seed", "member_fraction"),
        **alike("experiments.run_grid Grid", "label_noise", "label_noise_seed"),
        **alike(
            "experiments.run_sweep sweep",
            *("out", "until", "schemes", "report", "executor"),
        ),
        **{
            name: twin
            for name, twin in TRAINING.items()
            if " Recipe " in twin and name not in ("width", "stem")
        },
        "dataset": "experiments.run_grid Grid datasets",
        "executor": "experiments.run_sweep sweep executor",
        "dry_run": "experiments.sweep_plan describe planned",
    },
    "train": {
        **DATA,
        **TRAINING,
        **alike("experiments.training_run train_run", "run_dir", "keep_every"),
        "weight_bits": "models.resnet Bits weight",
        "activation_bits": "models.resnet Bits activation",
        "first_last_bits": "models.resnet Bits first_last",
        "residual_bits": "models.resnet Bits residual",
        "gradient_bits": "models.resnet Bits gradient",
        "clip": "models.resnet Bits clip",
    },
    "train_references": {
        **PLACE,
        **alike(
            "experiments.reference_models train", "run_dir", "count", "schemes"
        ),
        **alike(
            "experiments.reference_models train", "num_threads", "executor"
        ),
        "reference_bits": "experiments.reference_models train bits",
        **EXECUTOR,
        "dry_run": "experiments.reference_models describe_missing missing",
    },
}


# Flags of which Python's parameter is made with others, or holds data.
MADE_OF_FLAGS = (
    # The path is the file's, the default a place in the run directory.
    *("parity json", "evaluate_edge json"),
    # A choice between two calls.
    *("make_tflite_models check", "train_references dry_run", "sweep dry_run"),
    # On and how often; Python has 0 for off.
    *("train tensorboard", "train tensorboard_every"),
    *("quickstart tensorboard", "quickstart tensorboard_every"),
    # The images themselves.
    "risk images",
    # Python is given a Recipe, and Bits.
    *("train recipe", "quickstart recipe", "quickstart bits"),
    # The trained ones alone: the others run always.
    *("attack tfprivacy_attacks", "audit tfprivacy_attacks"),
    *("quickstart tfprivacy_attacks", "sweep tfprivacy_attacks"),
    # One file a network.
    "quickstart schemes",
    # A program leaves its page somewhere.
    "demo out",
)
UNSET = (None, (), "auto", ("auto",))


def as_parameter(default):
    """A flag's default as Python writes it: 1 and (1, 2) for texts."""
    if isinstance(default, (list, tuple)):
        return tuple(map(as_parameter, default))
    if isinstance(default, str) and default.isdecimal():
        return int(default)
    return default


def flags_of(script):
    """The flags of a program by name."""
    with script_calls.flags_removed():
        defined = flag_help.define(script_calls.loaded(script))
    return {flag.name: flag for flag in defined}


def parameters(module, path):
    """The parameters of a callable of the library."""
    if module.partition(".")[0] not in BESIDE:
        module = f"qmia_tf.{module}"
    target = importlib.import_module(module)
    for name in path.split("."):
        target = getattr(target, name)
    return inspect.signature(target).parameters


class TwinsTest(absltest.TestCase):
    def test_every_flag_has_one(self):
        scripts = sorted(
            path.stem for path in script_calls.SCRIPTS.glob("*.py")
        )
        self.assertEqual(scripts, sorted(TWINS))
        for script in scripts:
            with self.subTest(script):
                self.assertCountEqual(flags_of(script), TWINS[script])

    def test_defaults_are_the_same(self):
        for script, twins in TWINS.items():
            for name, flag in flags_of(script).items():
                place = twins[name]
                module, path, parameter = place.split()
                default = parameters(module, path)[parameter].default
                wanted, got = as_parameter(default), as_parameter(flag.default)
                given = f"{script} {name}"
                if given in MADE_OF_FLAGS or wanted == got:
                    continue
                with self.subTest(f"{given} {got!r}, {place} {wanted!r}"):
                    # Of a recipe's field, the recipe's own value.
                    needed = default is inspect.Parameter.empty
                    of_recipe = path == "Recipe"
                    self.assertIn(got, UNSET)
                    self.assertTrue(needed or of_recipe or wanted in UNSET)

    def test_every_twin_is_there(self):
        places = {place for twins in TWINS.values() for place in twins.values()}
        for place in sorted(places):
            module, path, parameter = place.split()
            with self.subTest(place):
                self.assertIn(parameter, parameters(module, path))


if __name__ == "__main__":
    absltest.main()
