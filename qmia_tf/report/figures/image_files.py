"""Figures as files: PNG and SVG, equal bytes for equal figures."""

import io
import pathlib
from collections.abc import Sequence

from matplotlib.figure import Figure

from qmia_tf import files, plot_settings
from qmia_tf.outputs import validation

KINDS = ("png", "svg")
# Without these, equal figures would differ in their bytes.
STEADY = {"svg.hashsalt": "qmia_tf", "svg.fonttype": "path"}
METADATA = {"png": {"Software": None}, "svg": {"Date": None}}
# A viewer of PNG files may be dark; a page decides for SVG.
FACES = {"png": "white", "svg": "auto"}
DPI = 150


def image_bytes(figure: Figure, kind: str) -> bytes:
    """The file of a figure, equal bytes for equal figures; kind of KINDS."""
    file = io.BytesIO()
    with plot_settings.plain(STEADY):
        figure.savefig(
            file,
            format=kind,
            dpi=DPI,
            metadata=METADATA[kind],
            facecolor=FACES[kind],
        )
    return file.getvalue()


def save_figure(
    figure: Figure, stem: pathlib.Path, *, kinds: Sequence[str] = KINDS
) -> list[pathlib.Path]:
    """Writes a figure to stem.png and stem.svg; returns the paths."""
    written = [stem.with_name(f"{stem.name}.{kind}") for kind in kinds]
    for kind, path in zip(kinds, written, strict=True):
        files.write_bytes(path, image_bytes(figure, kind))
    return written


def file_name(kind: str, dataset: str) -> str:
    """The name of a figure's files: letters, digits and . _ - alone."""
    return f"{kind}_{validation.as_name(dataset)}"
