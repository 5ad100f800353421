"""Writes a trained model as .tflite files, each with its manifest entry."""

import importlib.metadata
import pathlib

from qmia_tf import files
from qmia_tf.deploy.conversions import Job
from qmia_tf.deploy.export_settings import Settings
from qmia_tf.deploy.schemes import AUTO, SCHEMES, check_names, choose
from qmia_tf.deploy.tflite import file_contents
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files

__all__ = [
    "AUTO",
    "MANIFEST",
    "SCHEMES",
    "Settings",
    "export",
    "read_manifest",
]

MANIFEST = "manifest.json"
PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")
TFMOT_PACKAGES = ("tensorflow-model-optimization", "tf-keras")


def export(
    model_path,
    out_dir,
    *,
    schemes=("float32",),
    members=None,
    settings=None,
    progress=None,
):
    """Writes one .tflite a scheme, and manifest.json.

    A file that is there already and was made from this very model with these
    settings stays as it is. Each new file is read again, and kept only if it
    is what its scheme says.

    Args:
        model_path: the .keras file.
        out_dir: folder for SCHEME.tflite and manifest.json.
        schemes: any of SCHEMES, or "auto": those that suit the model, apart
            from the float16, dynamic and tfmot_int8 ones.
        members: calibration.Members, for the schemes that need them.
        settings: Settings; None takes the defaults.
        progress: called with one line of text before each conversion.
    Returns: list of manifest entries (dicts), one a scheme.
    Raises: InputError if a scheme is unknown, the model cannot be read or
        carried by the scheme, there is nothing to calibrate with, or a file
        does not hold what its scheme says.
    """
    check_names(schemes)
    settings = settings or Settings()
    model_path, out_dir = pathlib.Path(model_path), pathlib.Path(out_dir)
    entries = read_manifest(out_dir)
    model = keras_files.load(model_path)
    keras_files.freeze(model)
    chosen = choose(schemes, model)
    source = files.sha256(model_path)
    follows = {name: _follows(name, settings, members) for name in chosen}
    stale = [
        name
        for name in chosen
        if not _is_current(entries.get(name), out_dir, source, follows[name])
    ]
    job = Job(model, members, settings, out_dir)
    if any(SCHEMES[name].members for name in stale):
        job.images  # noqa: B018 - unusable ones are refused before any work
    for name in stale:
        if progress:
            progress(f"making {name}: {SCHEMES[name].text}")
        facts = _make(name, job)
        entries[name] = {
            **facts,
            "model_sha256": source,
            "settings": follows[name],
            "versions": _versions(name),
        }
        files.write_json(out_dir / MANIFEST, entries)
    return [entries[name] for name in chosen]


def _follows(name, settings, members):
    """Says what a file follows from besides the model."""
    scheme = SCHEMES[name]
    if not scheme.members:
        return settings.chosen(scheme.settings)
    if members is None:
        raise InputError(
            f"scheme {name} needs members of the run, and none were given"
        )
    return {**settings.chosen(scheme.settings), "members": members.source}


def _make(name, job):
    """Writes SCHEME.tflite and its twin, if the file is what it should be."""
    scheme = SCHEMES[name]
    converted = scheme.convert(job)
    path = job.folder / f"{name}.tflite"
    with files.atomic(path) as temporary:
        temporary.write_bytes(converted.content)
        facts = file_contents.describe(temporary)
        float_layers = scheme.check(facts, name, converted)
        twin = _save_twin(converted.twin, job.folder / f"{name}_twin.keras")
    return {
        "scheme": name,
        **facts,
        "outputs": converted.outputs,
        "twin": twin,
        "float_layers": float_layers,
        "calibrated_on": len(job.images) if scheme.members else 0,
    }


def _save_twin(twin, path):
    if twin is None:
        return None
    keras_files.save(twin, path)
    return {"file": path.name, "sha256": files.sha256(path)}


def _versions(name):
    packages = PACKAGES
    if name == "tfmot_int8":
        packages += TFMOT_PACKAGES
    return {name: importlib.metadata.version(name) for name in packages}


def _is_current(entry, out_dir, source, follows):
    if entry is None or entry.get("model_sha256") != source:
        return False
    if entry.get("settings") != follows:
        return False
    files = [entry] + ([entry["twin"]] if entry.get("twin") else [])
    return all(_is_there(file, out_dir) for file in files)


def _is_there(entry, out_dir):
    path = out_dir / entry["file"]
    return path.is_file() and files.sha256(path) == entry.get("sha256")


def read_manifest(out_dir):
    """Reads manifest.json.

    Args:
        out_dir: folder of the artefacts.
    Returns: dict scheme -> entry; empty if nothing was exported.
    Raises: InputError if the file is damaged or something else.
    """
    path = pathlib.Path(out_dir) / MANIFEST
    if not path.exists():
        return {}
    entries = files.read_json(path)
    listed = list(entries.values()) if isinstance(entries, dict) else [None]
    if not all(isinstance(e, dict) and "file" in e for e in listed):
        raise InputError(f"{path} is not a manifest: delete it")
    return entries
