"""One run from images to audit: train, export, query, attack.

Each stage reads what the stages before left in the run directory, so that
each can be repeated alone, and one that is done is not done again.
"""

import functools
import pathlib

import numpy as np

from qmia_tf import audit, configuration, outputs, runs, targets
from qmia_tf import split as splits
from qmia_tf.deploy import export as exporting
from qmia_tf.errors import InputError

OUTPUTS = "outputs"
VALIDATION_RECORDS = 5000


def train_run(run_dir, dataset, config, *, keep_every=0):
    """Trains the run's model, or goes on, or finds it finished.

    Args:
        run_dir: the run directory.
        dataset: the Dataset of the configuration.
        config: what `configuration.describe` gives.
        keep_every: keeps the model of every so many epochs; 0 keeps none.
    Returns: True if it trained, False if the run was finished already.
    Raises: InputError if the directory holds another configuration, or as
        training.train.
    """
    run_dir = runs.open_run(run_dir, config)
    split = open_split(run_dir, dataset, config)
    if (run_dir / runs.MODEL).exists():
        return False
    from qmia_tf import resnet, training

    training.make_deterministic(config["seed"])
    recipe = configuration.recipe_of(config)
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
    config = configuration.read(run_dir)
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
    configuration.read(run_dir)
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
    model = run_dir / runs.MODEL
    if not model.exists():
        raise InputError(
            f"{run_dir} has no {runs.MODEL}: train it first, with "
            "scripts/train.py"
        )
    return model
