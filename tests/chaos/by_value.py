"""Compares two folders by value: what was computed, not when or how fast."""

import csv
import fnmatch
import io
import json
import pathlib
import zipfile

import golden_trees
import numpy as np

NAMES = golden_trees.Names(
    ignored=(
        *golden_trees.NAMES.ignored,
        "*latency_ms",
        "*latency_threads",
        "*seconds",
        # Of .keras files, which hold a date; .tflite files are compared.
        "*sha256",
        # Where Keras held an object in memory.
        "*.shared_object_id",
    )
)
TIMES = (
    *("seconds", "images_per_second", "input_wait_share", "latency"),
    "peak_memory_mb",
)
# Of a .keras file: when it was saved, and by which versions.
METADATA = "metadata.json"


def differences(
    one: pathlib.Path, other: pathlib.Path, *, timed=()
) -> list[str]:
    """Lists what differs between two folders.

    What is hidden does not count: locks, and temporaries that a kill left.

    Args:
        timed: patterns of files that show times: they must be there.
    Returns: "FILE: what differs".
    """
    names = [_names(one), _names(other)]
    lines = [f"{name}: missing" for name in sorted(names[0] - names[1])]
    lines += [f"{name}: too much" for name in sorted(names[1] - names[0])]
    for name in sorted(names[0] & names[1]):
        if any(fnmatch.fnmatch(name, pattern) for pattern in timed):
            if not (other / name).stat().st_size:
                lines.append(f"{name}: empty")
            continue
        compare = KINDS.get(pathlib.Path(name).suffix, _of_bytes)
        contents = [(folder / name).read_bytes() for folder in (one, other)]
        lines += [f"{name}: {line}" for line in compare(*contents)]
    return lines


def _names(folder):
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    return {
        path.as_posix()
        for path in paths
        if not any(part.startswith(".") for part in path.parts)
        and (folder / path).is_file()
    }


def _of_bytes(one, other):
    return [] if one == other else ["other bytes"]


def _of_json(one, other):
    trees = json.loads(one), json.loads(other)
    return golden_trees.differences(*trees, names=NAMES)


def _of_csv(one, other):
    return _of_trees(_rows(one), _rows(other))


def _rows(content):
    reader = csv.DictReader(io.StringIO(content.decode()))
    rows = [
        {name: cell for name, cell in row.items() if not _is_time(name or "")}
        for row in reader
    ]
    return {"columns": reader.fieldnames or [], "rows": rows}


def _is_time(column):
    return any(column.startswith(name) for name in TIMES)


def _of_npz(one, other):
    stored = [_arrays(content) for content in (one, other)]
    infos = [json.loads(str(arrays.pop("info", "{}"))) for arrays in stored]
    return _of_arrays(*stored) + _of_trees(*infos)


def _arrays(content):
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def _of_keras(one, other):
    parts = [_parts(content) for content in (one, other)]
    lines = _of_trees(*(sorted(part) for part in parts))
    for name in parts[0].keys() & parts[1].keys():
        pair = [part[name] for part in parts]
        if name.endswith(".h5"):
            lines += _of_arrays(*map(_weights, pair))
        elif name != METADATA:
            lines += _of_json(*pair)
    return lines


def _parts(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def _weights(content):
    import h5py

    arrays = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(keep)
    return arrays


def _of_trees(one, other):
    return golden_trees.differences(one, other, names=NAMES)


def _of_arrays(one, other):
    lines = _of_trees(sorted(one), sorted(other))
    for name in one.keys() & other.keys():
        a, b = one[name], other[name]
        if a.dtype != b.dtype or a.shape != b.shape:
            lines.append(f"{name}: {a.dtype} {a.shape} -> {b.dtype} {b.shape}")
        elif not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            lines.append(f"{name}: {np.sum(a != b)} of {a.size} differ")
    return lines


KINDS = {
    ".json": _of_json,
    ".csv": _of_csv,
    ".npz": _of_npz,
    ".keras": _of_keras,
}
