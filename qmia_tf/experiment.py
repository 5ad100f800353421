"""One run from images to audit: train, export, query, attack.

Each stage reads what the stages before left in the run directory, so that
each can be repeated alone, and one that is done is not done again.
"""

import functools
import pathlib

import numpy as np

from qmia_tf import audit, outputs, recipes, runs, targets
from qmia_tf import split as splits
from qmia_tf.deploy import export as exporting
from qmia_tf.errors import InputError

SCHEMA_VERSION = 1
OUTPUTS = "outputs"
MODEL = "model.keras"
VALIDATION_RECORDS = 5000


def configuration(
    dataset,
    *,
    recipe,
    bits,
    pool="all",
    split_seed=0,
    member_fraction=0.5,
    seed=0,
):
    """Gives the content of config.json, from which a run follows.

    Args:
        dataset: datasets.Dataset.
        recipe: recipes.Recipe.
        bits: resnet.Bits.
        pool: "train", "test" or "all".
        split_seed: int >= 0, draws the members.
        member_fraction: share of members, in (0, 1).
        seed: int in 0..2**32-1, of the weights and batches.
    Returns: nested dict of JSON types.
    Raises: InputError if the seed is out of range or no split can be drawn,
        before anything is written.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"seed must be in 0..{2**32 - 1}, got {seed}")
    splits.make_split(
        dataset.labels,
        seed=split_seed,
        pool=pool,
        fingerprint=dataset.fingerprint(),
        member_fraction=member_fraction,
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "dataset": {
            "name": dataset.name,
            "pool": pool,
            "fingerprint": dataset.fingerprint(),
            "classes": dataset.classes,
            "image_shape": list(dataset.image_shape),
        },
        "split": {"seed": split_seed, "member_fraction": member_fraction},
        "model": {
            "stem": recipe.stem,
            "width": recipe.width,
            "weight_bits": bits.weight,
            "activation_bits": bits.activation,
            "first_last_bits": bits.first_last,
            "residual_bits": bits.residual,
            "gradient_bits": bits.gradient,
            "clip": bits.clip,
        },
        "recipe": _plain(recipe),
        "seed": seed,
    }


def train_run(run_dir, dataset, config, *, keep_every=0):
    """Trains the run's model, or goes on, or finds it finished.

    Args:
        run_dir: the run directory.
        dataset: the Dataset of the configuration.
        config: what `configuration` gives.
        keep_every: keeps the model of every so many epochs; 0 keeps none.
    Returns: True if it trained, False if the run was finished already.
    Raises: InputError if the directory holds another configuration, or as
        training.train.
    """
    run_dir = runs.open_run(run_dir, config)
    split = open_split(run_dir, dataset, config)
    if (run_dir / MODEL).exists():
        return False
    from qmia_tf import resnet, training

    training.make_deterministic(config["seed"])
    recipe = _recipe(config)
    model = resnet.resnet18(
        dataset.image_shape,
        dataset.classes,
        seed=config["seed"],
        **config["model"],
    )
    judged = np.random.default_rng(config["seed"]).permutation(
        split.nonmembers
    )[:VALIDATION_RECORDS]
    return training.train(
        model,
        dataset.take(split.members),
        recipe=recipe,
        seed=config["seed"],
        run_dir=run_dir,
        nonmembers=dataset.take(judged),
        keep_every=keep_every,
    )


def open_split(run_dir, dataset, config):
    """Gives the run's split, drawing it the first time.

    Args:
        run_dir: the run directory.
        dataset: Dataset.
        config: the run's configuration.
    Returns: split.Split.
    Raises: InputError if the data is not the run's.
    """
    stored = config["dataset"]["fingerprint"]
    if dataset.fingerprint() != stored:
        raise InputError(
            f"{run_dir} was made from other data: the fingerprint of "
            f"{dataset.name} is {dataset.fingerprint()[:12]}, the run's is "
            f"{stored[:12]}"
        )
    return splits.open_split(
        run_dir,
        dataset,
        seed=config["split"]["seed"],
        pool=config["dataset"]["pool"],
        member_fraction=config["split"]["member_fraction"],
    )


def query_run(run_dir, dataset, *, num_threads=2, kernels="default"):
    """Queries the run's Keras model and every .tflite of its manifest.

    Answers that are there already, of the same file and kernels, stay.

    Args:
        run_dir: the run directory.
        dataset: the run's Dataset.
        num_threads: int >= 1, for LiteRT.
        kernels: LiteRT's kernel set, see targets.TFLiteTarget.
    Returns: list of paths outputs/TARGET.npz, the Keras model's first.
    Raises: InputError if the run is not trained or a target cannot answer.
    """
    run_dir = pathlib.Path(run_dir)
    config = read_config(run_dir)
    split = open_split(run_dir, dataset, config)
    model = _model_of(run_dir)
    ask = functools.partial(_answers, run_dir, dataset, split)
    made = [ask("keras", model, "keras", targets.KerasTarget)]
    make = functools.partial(
        targets.TFLiteTarget, num_threads=num_threads, kernels=kernels
    )
    folder = run_dir / exporting.ARTIFACTS
    for scheme, entry in exporting.read_manifest(folder).items():
        made.append(ask(scheme, folder / entry["file"], kernels, make))
    return made


def export_run(run_dir, *, schemes=exporting.SCHEMES):
    """Writes the run's model as .tflite files into artifacts/.

    Args:
        run_dir: the run directory.
        schemes: any of export.SCHEMES.
    Returns: list of manifest entries.
    Raises: InputError if the run is not trained, or as export.export.
    """
    read_config(run_dir)
    run_dir = pathlib.Path(run_dir)
    return exporting.export(
        _model_of(run_dir), run_dir / exporting.ARTIFACTS, schemes=schemes
    )


def attack_run(
    run_dir,
    dataset,
    *,
    num_threads=2,
    kernels="default",
    audit_seed=0,
    tfprivacy=None,
):
    """Queries every target of the run and audits what they answer.

    Args:
        run_dir: the run directory.
        dataset: the run's Dataset.
        num_threads: int >= 1, for LiteRT.
        kernels: LiteRT's kernel set.
        audit_seed: int, of calibration halves and bootstraps.
        tfprivacy: tfprivacy.Settings of what tensorflow-privacy is to run;
            None leaves it out.
    Returns: findings.AuditResult.
    """
    answers = query_run(
        run_dir, dataset, num_threads=num_threads, kernels=kernels
    )
    return audit.audit_run(
        run_dir,
        answers,
        seed=audit_seed,
        tfprivacy=tfprivacy,
        progress=print,
    )


def read_config(run_dir):
    """Reads config.json of a run.

    Raises: InputError if the directory is not a run, or one of another
        version.
    """
    path = pathlib.Path(run_dir) / runs.CONFIG
    if not path.exists():
        raise InputError(
            f"{run_dir} is not a run directory (no {runs.CONFIG}): make one "
            "with scripts/train.py"
        )
    config = runs.read_json(path)
    version = config.get("schema_version") if isinstance(config, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema_version {version}, not {SCHEMA_VERSION}: it "
            "was made by another version of qmia_tf, or is no configuration"
        )
    return config


def _answers(run_dir, dataset, split, name, file, kernels, make):
    """Returns outputs/NAME.npz, asking the target only if that is needed."""
    path = run_dir / OUTPUTS / f"{name}.npz"
    if not file.is_file():
        raise InputError(f"{file} is gone: export it again")
    wanted = {
        "sha256": runs.sha256(file),
        "kernel_set": kernels,
        "fingerprint": split.fingerprint,
    }
    if path.exists():
        info = outputs.load(path).info
        if all(info.get(key) == value for key, value in wanted.items()):
            return path
    target = make(file, name=name)
    targets.query(target, dataset, split, run=run_dir.name).save(path)
    return path


def _model_of(run_dir):
    model = run_dir / MODEL
    if not model.exists():
        raise InputError(
            f"{run_dir} has no {MODEL}: train it first, with scripts/train.py"
        )
    return model


def _recipe(config):
    fields = dict(config["recipe"])
    name = fields.pop("name")
    fields["milestones"] = tuple(fields["milestones"])
    return recipes.get(name, **fields)


def _plain(recipe):
    """The recipe without what the rest of the configuration says."""
    fields = recipe.as_dict()
    return {
        key: value
        for key, value in fields.items()
        if key not in ("dataset", "stem", "width")
    }
