"""The flags that programs share, and what is made of them.

`define_*` belong in a program's define_flags, the rest in its main.
"""

from absl import flags

from qmia_tf import extras
from qmia_tf.attacks import tfprivacy
from qmia_tf.errors import InputError
from qmia_tf.programs import early_checks, flag_help, flag_values
from qmia_tf.programs.flag_values import value
from qmia_tf.training import recipes


def define_data_place():
    """Flags that say where data sets lie."""
    with flag_help.group("Data sets", is_common=False):
        flags.DEFINE_string(
            "data_dir",
            None,
            "TFDS data folder; default $TFDS_DATA_DIR, then TFDS'",
        )
        flags.DEFINE_boolean(
            "download", False, "let TFDS download and prepare what is missing"
        )


def define_data():
    """Flags that choose the data set and the split."""
    with flag_help.group("Records"):
        flags.DEFINE_string(
            "dataset",
            None,
            "digits, a TFDS name, an .npz file or a folder of class folders; "
            "default: the recipe's",
        )
    define_split(split_seed=0, text="draws the members")


def define_split(*, split_seed, text):
    """Flags that choose the split, and where data sets lie.

    Args:
        split_seed: default of the flag.
        text: its help.
    """
    with flag_help.group("Records"):
        flags.DEFINE_enum(
            "pool", "all", ["train", "test", "all"], "records to split"
        )
        flags.DEFINE_integer("split_seed", split_seed, text)
        flags.DEFINE_float("member_fraction", 0.5, "share of members")
        flags.DEFINE_float(
            "label_noise",
            0.0,
            "share of records, members or not, whose label is replaced by "
            "another class at random: a network can only learn it by heart",
        )
        flags.DEFINE_integer("label_noise_seed", 0, "draws these records")
    define_data_place()


def define_training():
    """Flags that choose the recipe and override its fields."""
    with flag_help.group("Training"):
        flags.DEFINE_string(
            "recipe", "digits", f"one of {', '.join(recipes.RECIPES.names())}"
        )
        flags.DEFINE_integer("seed", 0, "of initial weights and batches")
        flags.DEFINE_boolean(
            "tensorboard",
            False,
            "log the training to RUN_DIR/tensorboard, with what the model "
            "gives away: the accuracy gap and the confidence attack",
        )
    with flag_help.group("Fields of the recipe", is_common=False):
        flags.DEFINE_integer(
            "tensorboard_every", 1, "epochs between two of these attacks"
        )
    define_recipe_fields(recipes.TRAINING_FIELDS)


def define_recipe_fields(fields):
    """Flags that override fields of the recipe.

    Args:
        fields: any of recipes.TRAINING_FIELDS.
    """
    with flag_help.group("Fields of the recipe", is_common=False):
        for field in fields:
            _define_recipe_flag(field)


def _define_recipe_flag(field):
    """Defines the flag of one field of the recipe, named like it."""
    text = f"{field.metadata['text']} (default: the recipe's)"
    choices = field.metadata["choices"]
    if choices:
        flags.DEFINE_enum(field.name, None, choices, text)
    elif field.type is bool:
        flags.DEFINE_boolean(field.name, None, text)
    elif field.type is int:
        flags.DEFINE_integer(field.name, None, text)
    elif field.type is float:
        flags.DEFINE_float(field.name, None, text)
    else:
        flags.DEFINE_list(field.name, None, text)


def define_attack():
    """Flags of querying and attacking."""
    flags.DEFINE_list(
        "kernels",
        ["default"],
        "LiteRT's kernels, any of default, builtin, reference: each .tflite "
        "file is queried under each",
    )
    define_audit()


def define_audit():
    """Flags of an audit, whatever is audited."""
    flags.DEFINE_enum(
        "pictures",
        "auto",
        ["auto", "on", "off"],
        "whether audit.json, and so the report, shows the highest-risk "
        "members, which are training records; auto: of the digits and TFDS "
        "data sets only",
    )
    with flag_help.group("Attacks", is_common=False):
        _define_attacks()
    with flag_help.group("Queries", is_common=False):
        _define_queries()


def _define_attacks():
    flags.DEFINE_enum(
        "tfprivacy",
        tfprivacy.THRESHOLD,
        tfprivacy.KINDS,
        "tensorflow-privacy's attacks: off; threshold, with its slices, which "
        "takes a second or two; trained, its trained attackers too, which "
        "take minutes",
    )
    flags.DEFINE_list(
        "tfprivacy_attacks",
        list(tfprivacy.TRAINED),
        f"of its trained attackers, any of {', '.join(tfprivacy.TRAINED)}; "
        "for 4,000 records rf takes two minutes, the others seconds",
    )
    flags.DEFINE_integer(
        "tfprivacy_records",
        4000,
        "records, members and nonmembers together, given to its trained "
        "attackers (drawn at random)",
    )
    flags.DEFINE_integer(
        "label_only_records",
        2000,
        "records, half of them members, of which each target gets augmented "
        "queries, for the label-only attacks; 0 leaves them out",
    )
    flags.DEFINE_integer(
        "augmentation_shift",
        1,
        "augmented queries: moved by so many pixels d, 4d",
    )
    flags.DEFINE_boolean(
        "augmentation_flip",
        True,
        "augmented queries: one, mirrored left to right",
    )
    flags.DEFINE_integer(
        "augmentation_rotation",
        0,
        "augmented queries: turned by so many degrees r or less, 2r",
    )
    flags.DEFINE_boolean(
        "inside",
        True,
        "attacks of who holds a model too: exact logits and activations are "
        "read inside of Keras models and .tflite files",
    )
    flags.DEFINE_boolean(
        "gradients",
        False,
        "gradients by layer of .tflite files too, for an attack of who holds "
        "them: takes longer",
    )
    flags.DEFINE_list(
        "attack_options",
        [],
        "ATTACK.OPTION=VALUE, such as lira.variance=global,rmia.gamma=2: "
        "options of attacks, see docs/attacks.md",
    )
    flags.DEFINE_boolean(
        "output_forms", True, "attacks on outputs of fewer digits too"
    )
    flags.DEFINE_integer(
        "audit_seed", 0, "of calibration halves, bootstraps", lower_bound=0
    )


def _define_queries():
    flags.DEFINE_integer("num_threads", 2, "threads of LiteRT", lower_bound=1)
    flags.DEFINE_float(
        "file_timeout",
        None,
        "seconds that a .tflite file, which runs in a process of its own, may "
        "take to be opened, and for each batch (default: by the sizes of the "
        "file and the records)",
    )
    flags.DEFINE_float(
        "file_memory",
        None,
        "MB of memory that a .tflite file may take in its process, on Linux "
        "(default: by the sizes of the file and the records)",
    )


def recipe(**defaults) -> recipes.Recipe:
    """Returns the recipe that the flags describe.

    Args:
        **defaults: values of flags that are not given.
    """
    names = [field.name for field in recipes.TRAINING_FIELDS]
    return recipes.get(value("recipe"), **of_names(names, defaults))


def _dataset():
    return value("dataset") or recipes.get(value("recipe")).dataset


def load_data():
    """Loads the data set that the flags name."""
    from qmia_tf.data import loaders

    names = ("pool", "label_noise", "label_noise_seed")
    return loaders.load(_dataset(), **of_names(names, {}), **_place())


def data_cache():
    """Returns what loads data sets from where the flags say."""
    from qmia_tf.data.dataset_cache import DatasetCache

    return DatasetCache(**_place())


def grid_run(bits, **defaults):
    """Returns the run of some bits that the flags describe.

    Args:
        bits: network_bits.Bits.
        **defaults: values of flags that are not given.
    """
    from qmia_tf.experiments.run_grid import Grid, GridRun

    names = ("split_seed", "pool", "member_fraction")
    names += ("label_noise", "label_noise_seed")
    seed = of_names(["seed"], defaults)["seed"]
    grid = Grid(seeds=[seed], **of_names(names, defaults))
    return GridRun(_dataset(), recipe(**defaults), bits, seed, grid)


def load_run_data(config):
    """Loads the data set of a run, from where the flags say.

    Args:
        config: of the run.
    """
    from qmia_tf.experiments import configuration

    with early_checks.named_by_run(config["dataset"]["name"]):
        return configuration.load_data(config, **_place())


def check_data():
    """Checks what flags say of the data set and the split, reading no data.

    Raises: InputError if it is not there, or a value is out of range.
    """
    from qmia_tf.data.dataset import LabelNoise
    from qmia_tf.experiments import configuration

    configuration.check_options(**split_and_seed())
    LabelNoise(value("label_noise"), value("label_noise_seed"))
    early_checks.dataset(_dataset())


def _place():
    return of_names(("data_dir", "download"), {})


def split_and_seed(**defaults):
    """Returns the arguments of configuration.describe that flags give.

    Args:
        **defaults: values of flags that are not given.
    """
    names = ("pool", "split_seed", "member_fraction", "seed")
    return of_names(names, defaults)


def of_names(names, defaults):
    """Returns values of flags; of one that is not given, another default.

    Args:
        names: of the flags.
        defaults: name -> value, for any flags.
    """
    return {
        name: defaults[name]
        if name in defaults and not flags.FLAGS[name].present
        else value(name)
        for name in names
    }


def attack():
    """Returns the arguments of experiment.attack_run that flags give.

    Raises: InputError as audit, or if there is no such kernel set.
    """
    from qmia_tf.deploy.tflite.interpreter import KERNELS

    return {"kernels": flag_values.choices("kernels", KERNELS), **audit()}


def audit():
    """Returns the arguments of experiment.attack_run about the audit.

    Raises: InputError if a value is out of range, or an option of an attack
        is not there.
    """
    from qmia_tf.attacks import changed_options, parse_options
    from qmia_tf.deploy.tflite.isolation import Limits

    # Only to refuse others.
    Limits(value("file_timeout"), value("file_memory"))
    names = (
        *("num_threads", "file_timeout", "file_memory"),
        *("audit_seed", "pictures", "inside", "gradients", "output_forms"),
    )
    attack_options = changed_options(parse_options(value("attack_options")))
    return {
        **{name: value(name) for name in names},
        "tfprivacy": _tfprivacy(),
        "label_only": _label_only(),
        "attack_options": attack_options or None,
    }


def _tfprivacy():
    trained = value("tfprivacy_attacks")
    if not set(trained) <= {*tfprivacy.TRAINED}:
        raise InputError(
            f"--tfprivacy_attacks takes any of {', '.join(tfprivacy.TRAINED)}, "
            f"got {','.join(trained)}"
        )
    settings = tfprivacy.Settings(
        attacks=(*tfprivacy.UNTRAINED, *trained),
        trained_records=value("tfprivacy_records"),
    )
    if value("tfprivacy") != tfprivacy.ALL:
        return value("tfprivacy")
    extras.require("tensorflow_privacy", "--tfprivacy=trained")
    return settings


def _label_only():
    from qmia_tf.attacks.augmentations import Augmentations
    from qmia_tf.auditing import label_only_queries

    names = ("shift", "flip", "rotation")
    augmentations = Augmentations(
        **{name: value(f"augmentation_{name}") for name in names}
    )
    if not value("label_only_records"):
        return None
    return label_only_queries.Settings(
        records=value("label_only_records"),
        augmentations=augmentations,
        seed=value("audit_seed"),
    )
