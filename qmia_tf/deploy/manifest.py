"""manifest.json: what lies in a folder of exported files. NumPy only."""

import collections
import pathlib
from collections.abc import Iterable
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from qmia_tf import files, typed_json
from qmia_tf.errors import InputError
from qmia_tf.typed_json import Line

MANIFEST = "manifest.json"
INTEGER_WEIGHTS = ("int8", "int4", "int2")
HEADINGS = ("file", "MB", "ops", "layers", "input", "output", "left to builtin")

# A name in the folder of the manifest.
FileName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[^/\\\x00-\x1f\x7f]*[^/\\\x00-\x1f\x7f.]\Z",
        max_length=255,
    ),
]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Scale = Annotated[float, msgspec.Meta(ge=0, lt=1e300)]


class Twin(TypedDict):
    """The Keras file that gives the same codes."""

    file: FileName
    sha256: Line


class Port(TypedDict):
    """The input or the output of a file."""

    shape: NotRequired[list[int]]
    dtype: Line
    scale: Scale
    zero_point: int


class Kernel(TypedDict):
    """A convolution or dense layer, as far as tables show it."""

    name: Line
    input: Line
    weights: Line
    output: Line


class Entry(TypedDict):
    """What manifest.json says of one scheme."""

    file: FileName
    sha256: Line
    size_bytes: Count
    ops: dict[Line, Count]
    left: dict[Line, Count]
    layers: list[Kernel]
    input: Port
    output: Port
    twin: Twin | None
    scheme: NotRequired[Line]
    outputs: NotRequired[Literal["probabilities", "logits"]]
    flex: NotRequired[list[Line]]
    delegated: NotRequired[Count]
    float_layers: NotRequired[list[Line]]
    calibrated_on: NotRequired[Count]
    model_sha256: NotRequired[Line]
    settings: NotRequired[dict[str, object]]
    versions: NotRequired[dict[str, Line]]


def read_manifest(out_dir) -> dict[str, dict]:
    """Reads the manifest of a folder: scheme -> entry; empty without one.

    Raises: InputError if the file is damaged or something else.
    """
    path = pathlib.Path(out_dir) / MANIFEST
    if not path.exists():
        return {}
    entries = files.read_json(path)
    if not isinstance(entries, dict):
        raise InputError(f"{path} is not a manifest: delete it")
    for scheme, entry in entries.items():
        typed_json.check(
            Entry,
            entry,
            source=f"{path}: {scheme[:60]!r}",
            remedy="delete the file and export the run again",
        )
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
