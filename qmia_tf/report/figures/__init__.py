"""The figures of a report, from runs or from plain audit results.

    figure = qmia_tf.report.figures.roc(findings.load("runs/w4a4"))
    figure.savefig("roc.png")

Each takes an AuditResult, or a list of them about one data set, and
`narrow=True` for a phone. FIGURES holds each with its words and its data.
"""

import pathlib

from qmia_tf.report.figures import (
    bit_widths,
    by_class,
    codes,
    gains,
    pictures,
    roc_curves,
    score_histograms,
    thresholds,
    tradeoffs,
)
from qmia_tf.report.figures.bit_widths import bits
from qmia_tf.report.figures.by_class import classes
from qmia_tf.report.figures.codes import parity
from qmia_tf.report.figures.drawing import Drawing, groups
from qmia_tf.report.figures.files import (
    METADATA,
    STEADY,
    file_name,
    save_figure,
)
from qmia_tf.report.figures.gains import overview
from qmia_tf.report.figures.pictures import exposed
from qmia_tf.report.figures.roc_curves import roc
from qmia_tf.report.figures.score_histograms import histograms
from qmia_tf.report.figures.thresholds import threshold
from qmia_tf.report.figures.tradeoffs import cost, tradeoff

__all__ = [
    "FIGURES",
    "METADATA",
    "STEADY",
    "Drawing",
    "bits",
    "classes",
    "cost",
    "exposed",
    "groups",
    "histograms",
    "overview",
    "parity",
    "roc",
    "save_figure",
    "threshold",
    "tradeoff",
    "write_figures",
]

# In the order of a page.
FIGURES = {
    drawing.name: drawing
    for drawing in (
        gains.DRAWING,
        thresholds.DRAWING,
        roc_curves.DRAWING,
        score_histograms.DRAWING,
        bit_widths.DRAWING,
        tradeoffs.TRADEOFF,
        tradeoffs.COST,
        codes.DRAWING,
        by_class.DRAWING,
        pictures.DRAWING,
    )
}


def write_figures(
    results, out_dir, *, kinds=("png", "svg")
) -> list[pathlib.Path]:
    """Draws every figure that there is something of, for each data set.

    Args:
        results: Runs or AuditResults.
        out_dir: where FIGURE_DATASET.png and .svg go.
        kinds: which of "png" and "svg" are written.
    Returns: the paths written.
    """
    written = []
    for dataset, listed in groups(results).items():
        for drawing in FIGURES.values():
            figure = drawing.draw(listed)
            if figure is None:
                continue
            path = pathlib.Path(out_dir) / file_name(drawing.name, dataset)
            written += save_figure(figure, path, kinds=kinds)
    return written
