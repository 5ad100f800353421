"""The shipped files compared with manifest.json."""

import pathlib

from qmia_tf import files, terminal
from qmia_tf.auditing import audit_result
from qmia_tf.data import split as splits
from qmia_tf.deploy.manifest import MANIFEST
from qmia_tf.errors import InputError
from tools import file_measurements
from tools.shipped_sets import SETS, select_sets

README = "README.md"
LIMIT_BYTES = 8_000_000
LIMIT_BYTES_OF_ONE = 5_000_000


def check(
    folder="tflite_models", *, sets=None, data_dir=None, download: bool = False
) -> list[str]:
    """Compares the shipped files with the manifest.

    Hashes and audits of every file; accuracy and parity of the named sets. A
    set whose data is not prepared is not run, and a message says so.

    Args:
        folder: with the files and manifest.json.
        sets: keys of SETS, whose files are run; None for all.
        data_dir: as of loaders.load; so is download.
    Returns: a sentence a difference; none if all is well.
    Raises: InputError if there is no such set or no manifest.
    """
    folder = pathlib.Path(folder)
    wanted_sets = select_sets(sets)
    listed = files.read_json(folder / MANIFEST)["sets"]
    sentences = []
    for name, about in listed.items():
        sound = {}
        parts = about.get("records", {}).values()
        sentences += [fault for x in parts for fault in _part_faults(folder, x)]
        for model, entry in about["models"].items():
            damage = [
                f"{model}: {fault}" for fault in _file_faults(folder, entry)
            ]
            sentences += damage
            if not damage:
                sound[model] = entry
        if name in wanted_sets:
            dataset = _load_or_none(name, data_dir, download)
            sentences += _run_faults(
                name, folder, {**about, "models": sound}, dataset
            )
    return sentences + _unlisted_files(folder, listed) + _too_large(folder)


def _load_or_none(name, data_dir, download):
    try:
        return SETS[name].load(data_dir=data_dir, download=download)
    except InputError as error:
        terminal.say(f"{name}: only hashes and audits are checked: {error}")
        return None


def _run_faults(name, folder, about, dataset):
    """Yields each difference between a set's files, run, and the manifest."""
    if dataset is None:
        return
    if dataset.fingerprint() != about["fingerprint"]:
        yield f"{name}: the data set is not the one the models were made with"
        return
    split = splits.make_split(
        dataset.labels, fingerprint=dataset.fingerprint(), **about["split"]
    )
    records = split.records(dataset).in_record_order()
    images = SETS[name].parity_sample(dataset.images)
    for model, entry in about["models"].items():
        with terminal.working(f"checking {model}"):
            measured = file_measurements.measure(
                folder, entry, records, images=images
            )
        for key, value in measured.items():
            if value != entry[key]:
                yield (
                    f"{model}: {key} is {value}, the manifest says {entry[key]}"
                )


def _parts(entry):
    """The files that an entry is about."""
    parts = (entry, entry["twin"], entry.get("audit"))
    return [part for part in parts if part is not None]


def _file_faults(folder, entry):
    """Yields what is wrong with files, before any is run."""
    faults = [x for part in _parts(entry) for x in _part_faults(folder, part)]
    yield from faults
    if not faults and entry.get("audit"):
        yield from _audit_faults(folder, entry)


def _part_faults(folder, part):
    path = folder / part["file"]
    if not path.is_file():
        yield f"{part['file']} is missing"
    elif files.sha256(path) != part["sha256"]:
        yield f"{part['file']} has another sha256"


def _audit_faults(folder, entry):
    try:
        audit = audit_result.load(folder / entry["audit"]["file"])
        leak = file_measurements.audit_figures(audit, entry["sha256"])
    except InputError as error:
        yield str(error)
        return
    for key, value in leak.items():
        if value != entry[key]:
            yield f"{key} is not what {entry['audit']['file']} says"
    for side in ("members", "nonmembers"):
        share = entry[f"{side}_right"] / entry[side]
        if abs(share - entry[f"accuracy_{side}"]["value"]) > 1e-9:
            yield f"{side}_right is not the accuracy in the audit"


def _unlisted_files(folder, listed):
    known_names = {
        part["file"]
        for about in listed.values()
        for entry in about["models"].values()
        for part in _parts(entry)
    } | {
        part["file"]
        for about in listed.values()
        for part in about.get("records", {}).values()
    }
    file_names = {path.name for path in folder.iterdir()} - {MANIFEST, README}
    return [
        f"{name} is not in the manifest"
        for name in sorted(file_names - known_names)
    ]


def _too_large(folder):
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    sentences = [
        f"{name} has {size} bytes, {LIMIT_BYTES_OF_ONE} are allowed"
        for name, size in sizes.items()
        if size > LIMIT_BYTES_OF_ONE
    ]
    total = sum(sizes.values())
    if total > LIMIT_BYTES:
        sentences.append(f"{total} bytes together, {LIMIT_BYTES} are allowed")
    return sentences
