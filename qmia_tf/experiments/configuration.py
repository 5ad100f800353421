"""config.json: everything that a run follows from."""

import dataclasses

from qmia_tf import files, quantizers, run_config
from qmia_tf.data import loaders
from qmia_tf.data import split as splits
from qmia_tf.data.dataset import Dataset
from qmia_tf.errors import InputError
from qmia_tf.models.network_bits import Bits
from qmia_tf.run_dir import QUANTIZERS, RunDir
from qmia_tf.training import recipes

SCHEMA_VERSION = 1


def check_options(
    *, pool: str, split_seed: int, member_fraction: float, seed: int
) -> None:
    """Checks what `describe` takes besides the data, before that is loaded.

    Raises: InputError if one is out of range.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"seed must be in 0..{2**32 - 1}, got {seed}")
    splits.check_draw(
        seed=split_seed, pool=pool, member_fraction=member_fraction
    )


def describe(
    dataset: Dataset,
    *,
    recipe: recipes.Recipe,
    bits,
    pool: str = "all",
    split_seed: int = 0,
    member_fraction: float = 0.5,
    seed: int = 0,
) -> dict:
    """Gives the content of config.json.

    Args:
        bits: resnet.Bits.
        pool: "train", "test" or "all".
        split_seed: draws the members.
        seed: in 0..2**32-1, of the weights and batches.
    Raises: InputError if the seed is out of range or no split can be drawn,
        before anything is written.
    """
    check_options(
        pool=pool,
        split_seed=split_seed,
        member_fraction=member_fraction,
        seed=seed,
    )
    splits.make_split(
        dataset.labels,
        seed=split_seed,
        pool=pool,
        fingerprint=dataset.fingerprint(),
        member_fraction=member_fraction,
    )
    about_data = {
        "name": dataset.name,
        "pool": pool,
        "fingerprint": dataset.fingerprint(),
        "classes": dataset.classes,
        "image_shape": list(dataset.image_shape),
    }
    if dataset.label_noise.share:
        about_data["label_noise"] = dataclasses.asdict(dataset.label_noise)
    return {
        "schema_version": SCHEMA_VERSION,
        "dataset": about_data,
        "split": {"seed": split_seed, "member_fraction": member_fraction},
        "model": {
            "stem": recipe.stem,
            "width": recipe.width,
            **describe_bits(bits),
        },
        "recipe": _plain(recipe),
        "seed": seed,
        QUANTIZERS: quantizer_versions(bits),
    }


def quantizer_versions(bits) -> dict[str, int]:
    """Gives the versions of the quantizers that a network is trained with.

    Args:
        bits: resnet.Bits.
    """
    return {name: quantizers.VERSIONS[name] for name in bits.quantizers}


def describe_bits(bits: Bits) -> dict:
    """Gives what config.json says of the bits of a model."""
    return {
        "weight_bits": bits.weight,
        "activation_bits": bits.activation,
        "first_last_bits": bits.first_last,
        "residual_bits": bits.residual,
        "gradient_bits": bits.gradient,
        "clip": bits.clip,
    }


def read(run_dir):
    """Reads config.json of a run.

    Raises: InputError if the directory is not a run, or one of another
        version.
    """
    path = RunDir(run_dir).config
    if not path.exists():
        raise InputError(
            f"{run_dir} is not a run directory (no {path.name}): make one "
            "with qmia train"
        )
    config = files.read_json(path)
    version = config.get("schema_version") if isinstance(config, dict) else None
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema_version {str(version)[:60]}, not "
            f"{SCHEMA_VERSION}: it was made by another version of qmia_tf, or "
            "is no configuration"
        )
    run_config.read(run_dir, run_config.RunConfig)
    return config


def load_data(config, *, data_dir=None, download=False) -> Dataset:
    """Loads the data set of a run, with the labels that it trained on.

    Args:
        config: what `read` gives.
        data_dir: as of loaders.load.
        download: as of loaders.load.
    Raises: InputError as loaders.load.
    """
    about_data = config["dataset"]
    noise = about_data.get("label_noise", {"share": 0.0, "seed": 0})
    return loaders.load(
        about_data["name"],
        pool=about_data["pool"],
        data_dir=data_dir,
        download=download,
        label_noise=noise["share"],
        label_noise_seed=noise["seed"],
    )


def recipe_of(config):
    """Gives the Recipe of a configuration.

    Raises: InputError that names the field that is missing or damaged.
    """
    fields = dict(config["recipe"])
    name = fields.pop("name")
    try:
        for field in recipes.TRAINING_FIELDS:
            if field.name not in (*fields, "stem", "width"):
                raise InputError(f"{field.name} is missing")
        return recipes.get(name, **fields)
    except InputError as error:
        raise InputError(
            f"config.json: recipe: {error}; {run_config.REMEDY}"
        ) from error


def _plain(recipe):
    """The recipe without what the rest of the configuration says."""
    fields = recipe.as_dict()
    return {
        key: value
        for key, value in fields.items()
        if key not in ("dataset", "stem", "width")
    }
