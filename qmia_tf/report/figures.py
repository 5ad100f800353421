"""Draws the figures of a report and writes them as PNG and SVG."""

import pathlib
import re

import matplotlib

from qmia_tf import runs
from qmia_tf.report import thresholds, tradeoff
from qmia_tf.report.compared import Run, by_model, title

# Without these, equal figures would differ in their bytes.
STEADY = {"svg.hashsalt": "qmia_tf", "svg.fonttype": "path"}
METADATA = {"png": {"Software": None}, "svg": {"Date": None}}


def write_figures(compared: list[Run], out_dir) -> list[pathlib.Path]:
    """Draws two figures for each data set.

    Args:
        compared: the runs.
        out_dir: where threshold_DATASET and tradeoff_DATASET go, each as
            .png and .svg.
    Returns: the paths written.
    """
    groups = {}
    for run in by_model(compared):
        groups.setdefault(run.dataset, []).append(run)
    written = []
    for dataset, listed in groups.items():
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", dataset)
        for kind, figure in (
            ("threshold", thresholds.threshold_figure(listed, title(dataset))),
            ("tradeoff", tradeoff.tradeoff_figure(listed, title(dataset))),
        ):
            path = pathlib.Path(out_dir) / f"{kind}_{name}"
            written += save_figure(figure, path)
    return written


def save_figure(figure, stem) -> list[pathlib.Path]:
    """Writes a figure, equal bytes for equal figures.

    Args:
        figure: matplotlib's Figure.
        stem: path without .png and .svg, of which each is written.
    Returns: the paths written.
    """
    written = []
    for kind, metadata in METADATA.items():
        path = stem.with_name(f"{stem.name}.{kind}")
        with runs.atomic(path) as temporary, matplotlib.rc_context(STEADY):
            figure.savefig(temporary, format=kind, dpi=150, metadata=metadata)
        written.append(path)
    return written
