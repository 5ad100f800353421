"""How the scores of members and nonmembers are spread."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from qmia_tf.attacks import TITLES
from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.series import models, two
from qmia_tf.report.figures.styles import MEMBERS, NONMEMBERS
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Column, Table

# The first of these that has histograms.
SCORES = ("margin", "confidence")
# With more runs than these, the Keras models alone.
MOST_IN_PAIRS = 4


@of_runs
def histograms(runs: list[Run], *, narrow=False) -> Figure | None:
    """Draws the scores of members and of nonmembers, one panel an artefact.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    Returns: a Figure; None if no attack has a histogram.
    """
    score, artefacts = _histograms(runs)
    if not artefacts:
        return None
    across = panels.across(len(artefacts), narrow=narrow)
    if not narrow and len(artefacts) == 2 * len(runs) > 2:
        # A column a run: the models above, the files below.
        artefacts, across = [*artefacts[::2], *artefacts[1::2]], len(runs)
    down = -(-len(artefacts) // across)
    labels = ["members", "nonmembers"]
    room = panels.legend_height(labels, narrow=narrow)
    height = (1.75 if across < 3 else 1.6) * down + 0.35 + room
    figure = panels.paper(height, narrow=narrow)
    grid = panels.grid_of(figure, len(artefacts), columns=across, sharex=True)
    width = panels.page(narrow) / across - 0.5
    for n, (axes, (name, _, histogram)) in enumerate(
        zip(grid, artefacts, strict=True)
    ):
        panels.tidy(axes, grid="y")
        # An integer file may have nearly all of its scores in one bin.
        axes.yaxis.set_major_locator(MaxNLocator(4))
        _draw(axes, histogram)
        axes.set_title(panels.fit(name, width), loc="left")
        if n + across >= len(artefacts):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(TITLES.get(score, score))
        if n % across == 0:
            axes.set_ylabel("records (%)")
    panels.legend(
        figure,
        [
            Patch(facecolor=(MEMBERS, 0.35), edgecolor=MEMBERS),
            Line2D([], [], color=NONMEMBERS, linestyle=(0, (4, 1.2))),
        ],
        labels,
        narrow=narrow,
        title=f"{title(runs[0].dataset)}: scores of members and nonmembers",
    )
    return figure


@of_runs
def caption(runs: list[Run]) -> str:
    """How to read it."""
    score, artefacts = _histograms(runs)
    text = (
        "How the scores of members (filled) and of nonmembers (dashed) are "
        f"spread, by the attack '{TITLES.get(score, score)}': in per cent of "
        "each (axes differ), in bins of equal width; the end bins hold what "
        "lies beyond. Where the two overlap they do not distinguish."
    )
    if len(artefacts) < len(runs) * 2 and any(
        len(two(run)) > 1 for run in runs
    ):
        text += " Of so many runs the Keras models are shown."
    return text


@of_runs
def alt(runs: list[Run]) -> str:
    """What is seen."""
    score, artefacts = _histograms(runs)
    if not artefacts:
        return "These audits have no histograms."
    parts = [
        f"{name}: {100 * shared(histogram):.0f} %"
        for name, _, histogram in artefacts[:4]
    ]
    return (
        "The share of the two histograms of members and nonmembers that lies "
        f"on each other, by the score {TITLES.get(score, score)}: "
        f"{'; '.join(parts)}."
    )


@of_runs
def data(runs: list[Run]) -> Table:
    """One row a bin of each histogram."""
    score, artefacts = _histograms(runs)
    rows = [
        [name, score, *bin_]
        for name, _, histogram in artefacts
        for bin_ in zip(
            histogram.edges,
            histogram.edges[1:],
            histogram.members,
            histogram.nonmembers,
            strict=False,
        )
    ]
    return Table(
        name="figure_histograms",
        title=DRAWING.title,
        columns=[
            Column("artefact", "artefact"),
            Column("score", "score"),
            Column("from", "from", "number"),
            Column("to", "to", "number"),
            Column("members", "members", "count"),
            Column("nonmembers", "nonmembers", "count"),
        ],
        rows=rows,
        notes=[],
    )


def shared(histogram) -> float:
    """How much of the two histograms lies on each other, 0..1."""
    return float(np.minimum(*_shares(histogram)).sum())


def _histograms(runs):
    """The score, and (name, target, Histogram) of each artefact."""
    few = len(runs) > MOST_IN_PAIRS
    for score in SCORES:
        artefacts = []
        for artefact in models(runs):
            for n, target in enumerate(two(artefact.run)[: 1 if few else 2]):
                histogram = _histogram(target, score)
                if histogram is not None:
                    name = (
                        f"{artefact.model}, {target.target}"
                        if n
                        else artefact.model
                    )
                    artefacts.append((name, target, histogram))
        if artefacts:
            return score, artefacts
    return SCORES[0], []


def _histogram(target, score):
    candidates = (x.histogram for x in target.attacks if x.name == score)
    return next(candidates, None)


def _shares(histogram):
    """Shares of the members and of the nonmembers in each bin."""
    counts = np.array([histogram.members, histogram.nonmembers], float)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _draw(axes, histogram):
    inside, outside = 100 * _shares(histogram)
    axes.stairs(
        inside,
        histogram.edges,
        fill=True,
        color=MEMBERS,
        alpha=0.35,
        linewidth=0,
    )
    axes.stairs(inside, histogram.edges, color=MEMBERS, linewidth=1.1)
    axes.stairs(
        outside,
        histogram.edges,
        color=NONMEMBERS,
        linewidth=1.5,
        linestyle=(0, (4, 1.2)),
    )


DRAWING = Drawing(
    "histograms",
    "Scores of members and nonmembers",
    histograms,
    caption,
    alt,
    data,
)
