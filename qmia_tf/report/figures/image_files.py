"""Figures as files: PNG and SVG, equal bytes for equal figures."""

import pathlib

import matplotlib

from qmia_tf import files
from qmia_tf.outputs import validation

# Without these, equal figures would differ in their bytes.
STEADY = {"svg.hashsalt": "qmia_tf", "svg.fonttype": "path"}
METADATA = {"png": {"Software": None}, "svg": {"Date": None}}
# A viewer of PNG files may be dark; a page decides for SVG.
FACES = {"png": "white", "svg": "auto"}
DPI = 150


def save_figure(figure, stem, *, kinds=("png", "svg")) -> list[pathlib.Path]:
    """Writes a figure, equal bytes for equal figures.

    Args:
        figure: matplotlib's Figure.
        stem: path without .png and .svg.
        kinds: which of them are written.
    Returns: the paths written.
    """
    written = []
    for kind in kinds:
        path = stem.with_name(f"{stem.name}.{kind}")
        with files.atomic(path) as temporary, matplotlib.rc_context(STEADY):
            figure.savefig(
                temporary,
                format=kind,
                dpi=DPI,
                metadata=METADATA[kind],
                facecolor=FACES[kind],
            )
        written.append(path)
    return written


def file_name(kind, dataset) -> str:
    """The name of a figure's files: letters, digits and . _ - alone."""
    return f"{kind}_{validation.as_name(dataset)}"
