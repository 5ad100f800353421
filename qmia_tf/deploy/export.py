"""Writes a trained model as .tflite files, each with its manifest entry."""

import contextlib
import importlib.metadata
import pathlib
from collections.abc import Callable, Iterable

from qmia_tf import extras, files, locks
from qmia_tf.deploy.conversion_job import Job, Members, Settings
from qmia_tf.deploy.manifest import MANIFEST, read_manifest
from qmia_tf.deploy.schemes import SCHEMES, check_names, choose
from qmia_tf.deploy.tflite import file_contents
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files

__all__ = ["Members", "Settings", "export"]

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")


def export(
    model_path,
    out_dir,
    *,
    schemes: Iterable[str] = ("float32",),
    members: Members | None = None,
    settings: Settings | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[dict]:
    """Writes one .tflite a scheme, and manifest.json.

    A file that is there already and was made from this very model with these
    settings stays as it is. Each new file is read again, and kept only if it
    is what its scheme says. Another process may export other schemes meanwhile.

    Args:
        model_path: the .keras file.
        out_dir: folder for SCHEME.tflite and manifest.json.
        schemes: names of schemes.SCHEMES, or of AUTOMATIC: those that suit the
            model, apart from the float16, dynamic and tfmot_int8 ones.
        members: for the schemes that need them.
        settings: None takes the defaults.
        progress: called with one line of text before each conversion.
    Returns: the manifest's entries, one a scheme.
    Raises: InputError if a scheme is unknown, the model cannot be read or
        carried by the scheme, there is nothing to calibrate with, a file does
        not hold what its scheme says, or another process makes it just now.
    """
    check_names(schemes)
    settings = settings or Settings()
    model_path, out_dir = pathlib.Path(model_path), pathlib.Path(out_dir)
    entries = read_manifest(out_dir)
    model = keras_files.load(model_path)
    keras_files.freeze(model)
    chosen = choose(schemes, model)
    for name in chosen:
        extras.require_packages(SCHEMES[name].packages, f"scheme {name}")
    origins = {
        name: {
            "model_sha256": files.sha256(model_path),
            "settings": _follows(name, settings, members),
        }
        for name in chosen
    }
    job = Job(model, members, settings, out_dir)
    with contextlib.ExitStack() as stack:
        stale = _stale(origins, entries, out_dir)
        for name in stale:
            stack.enter_context(locks.writing(out_dir / f"{name}.tflite"))
        # Another process may have made some before that.
        entries = read_manifest(out_dir)
        missing = set(_stale(origins, entries, out_dir))
        stale = [name for name in stale if name in missing]
        if any(SCHEMES[name].members for name in stale):
            job.images  # noqa: B018 - unusable ones are refused before any work
        for name in stale:
            if progress:
                progress(f"making {name}: {SCHEMES[name].text}")
            facts = _make(name, job)
            versions = _versions((*PACKAGES, *SCHEMES[name].packages))
            entry = {**facts, **origins[name], "versions": versions}
            entries = _add(name, entry, out_dir)
    return [entries[name] for name in chosen]


def _stale(origins, entries, out_dir):
    """Names the schemes whose files are not there or not current."""
    return [
        name
        for name, origin in origins.items()
        if not _is_current(entries.get(name), out_dir, origin)
    ]


def _add(name, entry, out_dir):
    """Adds an entry to the manifest, where others add theirs."""
    with locks.writing(out_dir / MANIFEST, wait=locks.SHORT):
        entries = {**read_manifest(out_dir), name: entry}
        files.write_json(out_dir / MANIFEST, entries)
    return entries


def _follows(name, settings, members):
    """Says what a file follows from besides the model."""
    scheme = SCHEMES[name]
    follows = settings.chosen(scheme.settings)
    if not scheme.members:
        return follows
    if members is None:
        raise InputError(
            f"scheme {name} needs members of the run, and none were given"
        )
    return {**follows, "members": members.source}


def _make(name, job):
    """Writes SCHEME.tflite and its twin, if the file is what it should be."""
    scheme = SCHEMES[name]
    converted = scheme.convert(job)
    path = job.folder / f"{name}.tflite"
    with files.atomic(path) as temporary:
        temporary.write_bytes(converted.content)
        facts = file_contents.describe(temporary)
        float_layers = scheme.check(facts, name, converted.float_layers)
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


def _versions(packages):
    return {name: importlib.metadata.version(name) for name in packages}


def _is_current(entry, out_dir, origin):
    if entry is None or any(entry.get(k) != v for k, v in origin.items()):
        return False
    products = [entry] + ([entry["twin"]] if entry.get("twin") else [])
    return all(
        (out_dir / file["file"]).is_file()
        and files.sha256(out_dir / file["file"]) == file.get("sha256")
        for file in products
    )
