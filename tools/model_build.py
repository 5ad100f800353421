"""The shipped models trained and exported, and their manifest."""

import dataclasses
import pathlib

from qmia_tf import files
from qmia_tf.deploy.manifest import MANIFEST
from tools import shipped_run
from tools.shipped_sets import select_sets

COMMAND = "python scripts/make_tflite_models.py"


def make(
    folder="tflite_models",
    work="runs/tflite_models",
    *,
    sets=None,
    data_dir=None,
    download: bool = False,
) -> dict:
    """Trains the shipped models, writes their files and manifest.json.

    Args:
        folder: where the files go; older ones there are replaced.
        work: folder of the runs, so that a killed call goes on.
        sets: keys of SETS; None for all. Others stay as they are.
        data_dir: as of loaders.load; so is download.
    Returns: the manifest.
    Raises: InputError if there is no such set, or its data is not there.
    """
    folder, work = pathlib.Path(folder), pathlib.Path(work)
    shipped_sets = select_sets(sets)
    # All of them first: what is missing shows before hours of work.
    loaded = {
        name: shipped.load(data_dir=data_dir, download=download)
        for name, shipped in shipped_sets.items()
    }
    path = folder / MANIFEST
    manifest = files.read_json(path) if path.is_file() else {"sets": {}}
    for name, shipped in shipped_sets.items():
        manifest["sets"][name] = _build_set(
            name, shipped, loaded[name], folder=folder, work=work / name
        )
        files.write_json(path, manifest)
    return manifest


def _build_set(name, shipped, dataset, *, folder, work):
    """Trains and exports one set; returns its part of the manifest."""
    models = {}
    for bits, schemes in shipped.models.items():
        prefix = f"{name}_{bits}"
        run = shipped_run.ShippedRun(
            shipped, dataset, bits, work / bits, folder, prefix
        )
        records = run.train_and_export()
        entries = {
            f"{prefix}_{scheme}": run.entry(scheme, records)
            for scheme in schemes
        }
        if shipped.audited:
            run.audit(entries)
        models |= entries
    about = {
        "command": f"{COMMAND} --sets={name}",
        "dataset": shipped.recipe.dataset,
        "recipe": shipped.recipe.as_dict(),
        "split": {
            "seed": shipped.seed,
            "member_fraction": shipped.member_fraction,
            "pool": shipped_run.POOL,
        },
        "fingerprint": dataset.fingerprint(),
        "parity_images": len(shipped.parity_sample(dataset.images)),
        "models": models,
    }
    if shipped.label_noise:
        about["label_noise"] = dataclasses.asdict(dataset.label_noise)
    if shipped.records:
        about["records"] = shipped_run.write_records(records, folder, name)
    return about
