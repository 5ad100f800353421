"""manifest.json: what lies in a folder of exported files. NumPy only."""

import collections
import pathlib
from collections.abc import Iterable

from qmia_tf import files
from qmia_tf.errors import InputError

MANIFEST = "manifest.json"
INTEGER_WEIGHTS = ("int8", "int4", "int2")
HEADINGS = ("file", "MB", "ops", "layers", "input", "output", "left to builtin")


def read_manifest(out_dir) -> dict[str, dict]:
    """Reads the manifest of a folder: scheme -> entry; empty without one.

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


def float_fallbacks(layers: Iterable[dict]) -> list[str]:
    """Names the convolutions and dense layers that are no integer kernels.

    Args:
        layers: what file_contents.describe lists.
    Returns: each name once, in the order of the file.
    """
    names = [
        layer["name"]
        for layer in layers
        if not layer["input"] == layer["output"] == "int8"
        or layer["weights"] not in INTEGER_WEIGHTS
    ]
    return list(dict.fromkeys(names))


def table(entries: Iterable[dict]) -> str:
    """Makes a table of entries for people: headings, and a line an entry.

    "layers" says in which kernels convolutions and dense layers run, "left to
    builtin" which ops XNNPACK does not take.
    """
    rows = [HEADINGS, *(_row(entry) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _row(entry):
    kernels = collections.Counter(map(_kernel, entry["layers"]))
    left = " + ".join(f"{n} {op}" for op, n in entry["left"].items())
    return (
        entry["file"],
        f"{entry['size_bytes'] / 1e6:.3f}",
        str(sum(entry["ops"].values())),
        " + ".join(f"{count} {kind}" for kind, count in kernels.items()),
        _port(entry["input"]),
        _port(entry["output"]),
        left or "none",
    )


def _kernel(layer):
    if layer["weights"] == "int8" and float_fallbacks([layer]):
        return "int8 weights"
    return layer["weights"]


def _port(port):
    if port["scale"] == 0:
        return port["dtype"]
    steps = 1 / port["scale"]
    whole = abs(steps - round(steps)) < 1e-3
    scale = f"1/{round(steps)}" if whole else f"{port['scale']:.4g}"
    return f"{port['dtype']} {scale} zero {port['zero_point']}"
