"""The manifest as a table for people: one line an artefact."""

import collections

from qmia_tf.deploy.scheme_checks import float_fallbacks

HEADINGS = ("file", "MB", "ops", "layers", "input", "output", "left to builtin")


def table(entries):
    """Makes a table of manifest entries.

    Args:
        entries: list of dicts, see artifact.describe and export.export.
    Returns: str, a line of headings and a line an entry. "layers" says in
        which kernels convolutions and dense layers run, "left to builtin"
        which ops XNNPACK does not take.
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
    if not float_fallbacks([layer]):
        return layer["weights"]
    if layer["weights"] == "int8":
        return "int8 weights"
    return layer["weights"]


def _port(port):
    if port["scale"] == 0:
        return port["dtype"]
    steps = 1 / port["scale"]
    whole = abs(steps - round(steps)) < 1e-3
    scale = f"1/{round(steps)}" if whole else f"{port['scale']:.4g}"
    return f"{port['dtype']} {scale} zero {port['zero_point']}"
