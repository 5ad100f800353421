"""The figures of a report, from runs or from plain audit results.

    figure = qmia_tf.report.figures.roc(findings.load("runs/w4a4"))
    figure.savefig("roc.png")

Each takes an AuditResult, or a list of them about one data set, and
`narrow=True` for a phone. FIGURES holds each with its words and its data.
"""

import pathlib

from qmia_tf.report.figures import (
    attack_gain,
    leak_by_bits,
    leak_by_class,
    member_images,
    parity_codes,
    roc_curves,
    score_histograms,
    threshold_sweep,
    tradeoffs,
)
from qmia_tf.report.figures.attack_gain import overview
from qmia_tf.report.figures.figure import Drawing, groups
from qmia_tf.report.figures.image_files import (
    METADATA,
    STEADY,
    file_name,
    save_figure,
)
from qmia_tf.report.figures.leak_by_bits import bits
from qmia_tf.report.figures.leak_by_class import classes
from qmia_tf.report.figures.member_images import exposed
from qmia_tf.report.figures.parity_codes import parity
from qmia_tf.report.figures.roc_curves import roc
from qmia_tf.report.figures.score_histograms import histograms
from qmia_tf.report.figures.threshold_sweep import threshold
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
        attack_gain.DRAWING,
        threshold_sweep.DRAWING,
        roc_curves.DRAWING,
        score_histograms.DRAWING,
        leak_by_bits.DRAWING,
        tradeoffs.TRADEOFF,
        tradeoffs.COST,
        parity_codes.DRAWING,
        leak_by_class.DRAWING,
        member_images.DRAWING,
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
