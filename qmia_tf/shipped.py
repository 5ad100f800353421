"""The small models that ship with the project: made, described, checked."""

import pathlib
import shutil

import numpy as np

from qmia_tf import (
    configuration,
    datasets,
    experiment,
    messages,
    recipes,
    run_training,
    runs,
)
from qmia_tf import split as splits
from qmia_tf.deploy import parity
from qmia_tf.deploy.export import ARTIFACTS, MANIFEST, read_manifest
from qmia_tf.resnet import Bits
from qmia_tf.targets import TFLiteTarget

DATASET = "digits"
WIDTH = 8
SEED = 0
MODELS = {
    "w32a32": ("float32", "int8_ptq"),
    "w4a4": ("float32", "int8", "int8_io"),
    "w2a2": ("float32", "int8", "int8_io"),
}
COMMAND = "python scripts/make_tflite_models.py"
README = "README.md"
LIMIT_BYTES = 5_000_000


def make(folder, work):
    """Trains the shipped models, writes their files and manifest.json.

    Args:
        folder: where the files go; older ones there are replaced.
        work: folder of the runs, so that a killed call goes on.
    Returns: the manifest, dict.
    """
    folder, work = pathlib.Path(folder), pathlib.Path(work)
    dataset = datasets.load(DATASET)
    recipe = recipes.get(DATASET, width=WIDTH)
    entries = {}
    for name, schemes in MODELS.items():
        run_dir = work / name
        config = configuration.describe(
            dataset,
            recipe=recipe,
            bits=Bits.parse(name),
            pool="all",
            split_seed=SEED,
            member_fraction=0.5,
            seed=SEED,
        )
        messages.say(f"== {run_dir}")
        run_training.train_run(run_dir, dataset, config)
        experiment.export_run(run_dir, lambda: dataset, schemes=schemes)
        split = run_training.open_split(run_dir, dataset, config)
        for scheme in schemes:
            entry = _entry(folder, run_dir, name, scheme, dataset, split)
            entries[f"{DATASET}_{name}_{scheme}"] = entry
    manifest = {
        "command": COMMAND,
        "dataset": DATASET,
        "recipe": recipe.as_dict(),
        "split": {"seed": SEED, "member_fraction": 0.5, "pool": "all"},
        "fingerprint": dataset.fingerprint(),
        "models": entries,
    }
    runs.write_json(folder / MANIFEST, manifest)
    return manifest


def check(folder):
    """Runs the shipped files and compares them with the manifest.

    Args:
        folder: with the files and manifest.json.
    Returns: list of sentences, one a difference; empty if all is well.
    """
    folder = pathlib.Path(folder)
    manifest = runs.read_json(folder / MANIFEST)
    dataset = datasets.load(manifest["dataset"])
    found = []
    if dataset.fingerprint() != manifest["fingerprint"]:
        return ["the data set is not the one that the models were made with"]
    split = splits.make_split(
        dataset.labels, fingerprint=dataset.fingerprint(), **manifest["split"]
    )
    for name, entry in manifest["models"].items():
        damage = [f"{name}: {what}" for what in _differs(folder, entry)]
        found += damage
        if damage:
            continue
        with messages.working(f"checking {name}"):
            measured = _measured(folder, entry, dataset, split)
        found += [
            f"{name}: {key} is {value}, the manifest says {entry[key]}"
            for key, value in measured.items()
            if value != entry[key]
        ]
    listed = {e["file"] for e in manifest["models"].values()}
    listed |= {
        e["twin"]["file"] for e in manifest["models"].values() if e["twin"]
    }
    there = {path.name for path in folder.iterdir()} - {MANIFEST, README}
    found += [
        f"{name} is not in the manifest" for name in sorted(there - listed)
    ]
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > LIMIT_BYTES:
        found.append(f"{size} bytes together, {LIMIT_BYTES} are allowed")
    return found


def _entry(folder, run_dir, name, scheme, dataset, split):
    """Copies one file and its twin, and says what they are."""
    source = run_dir / ARTIFACTS
    made = read_manifest(source)[scheme]
    entry = {
        key: made[key]
        for key in (
            "scheme",
            "input",
            "output",
            "outputs",
            "float_layers",
            "versions",
        )
    }
    entry["bits"] = name
    entry["model_sha256"] = made["model_sha256"]
    prefix = f"{DATASET}_{name}_"
    entry.update(_copied(source / made["file"], folder, prefix))
    entry["twin"] = None
    if made["twin"]:
        twin = source / made["twin"]["file"]
        entry["twin"] = _copied(twin, folder, prefix)
    entry.update(_measured(folder, entry, dataset, split))
    entry["trained_model_against_twin"] = None
    if entry["twin"]:
        against = _compared(folder, entry, dataset, run_dir / runs.MODEL)
        entry["trained_model_against_twin"] = {
            key: getattr(against[0], key)
            for key in (
                "codes",
                "mismatches",
                "labels_differ",
                "largest_probability",
            )
        }
    return entry


def _copied(path, folder, prefix):
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{prefix}{path.name}"
    with runs.atomic(target) as temporary:
        shutil.copyfile(path, temporary)
    return {
        "file": target.name,
        "sha256": runs.sha256(target),
        "size_bytes": target.stat().st_size,
    }


def _measured(folder, entry, dataset, split):
    """Accuracy of the file, and its codes against its twin's."""
    path = folder / entry["file"]
    target = TFLiteTarget(path, num_threads=1)
    right = target.predict(dataset.images).argmax(axis=1) == dataset.labels
    found = {
        "members_right": int(np.sum(right[split.members])),
        "members": len(split.members),
        "nonmembers_right": int(np.sum(right[split.nonmembers])),
        "nonmembers": len(split.nonmembers),
        "mismatches": None,
    }
    if entry["twin"]:
        (compared,) = _compared(folder, entry, dataset, None)
        found["mismatches"] = compared.mismatches
        found["codes"] = compared.codes
    return found


def _compared(folder, entry, dataset, model):
    """The twin beside the trained model, if given, and beside the file."""
    return parity.check(
        folder / entry["twin"]["file"],
        folder / entry["file"],
        dataset.images,
        model=model,
        kernels=("default",),
        threads=(1,),
        batch_sizes=(64,),
    ).comparisons


def _differs(folder, entry):
    for part in (entry, entry["twin"]):
        if part is None:
            continue
        path = folder / part["file"]
        if not path.is_file():
            yield f"{part['file']} is missing"
        elif runs.sha256(path) != part["sha256"]:
            yield f"{part['file']} has another sha256"
