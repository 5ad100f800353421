"""How the scores of members and nonmembers are spread."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.series import models, pairs, two
from qmia_tf.report.figures.styles import MEMBERS, NONMEMBERS
from qmia_tf.report.phrases import attack_title

# The first of these that has histograms.
SCORES = ("margin", "confidence")
# With more runs than these, the Keras models alone.
MOST_IN_PAIRS = 4
LINE = {"color": NONMEMBERS, "linestyle": (0, (4, 1.2))}


class ScoreHistograms(RunFigure):
    """The scores of members and of nonmembers, one panel an artefact."""

    name = "histograms"
    title = "Scores of members and nonmembers"
    heading = "scores of members and nonmembers"

    def __init__(self, results):
        super().__init__(results)
        self.score, self.shown = self._histograms()

    @property
    def is_cut(self) -> bool:
        """Whether files are left out."""
        return len(self.shown) < 2 * len(self.runs) and any(
            len(two(run)) > 1 for run in self.runs
        )

    def _histograms(self):
        """The score, and (name, Histogram) of each artefact."""
        few = len(self.runs) > MOST_IN_PAIRS
        artefacts = (models if few else pairs)(self.runs)
        for score in SCORES:
            named = [
                (
                    x.model if x.first else f"{x.model}, {x.target.target}",
                    _histogram(x.target, score),
                )
                for x in artefacts
            ]
            named = [pair for pair in named if pair[1] is not None]
            if named:
                return score, named
        return SCORES[0], []

    def _draw(self, sheet) -> Figure | None:
        shown, columns = self.shown, None
        if not shown:
            return None
        if not sheet.narrow and len(shown) == 2 * len(self.runs) > 2:
            # A column a run: the models above, the files below.
            shown, columns = [*shown[::2], *shown[1::2]], len(self.runs)
        bars = Patch(facecolor=(MEMBERS, 0.35), edgecolor=MEMBERS)
        figure, grid = sheet.panels(
            [name for name, _ in shown],
            [("members", bars), ("nonmembers", LINE)],
            height=lambda across: 1.75 if across < 3 else 1.6,
            space=0.35,
            margin=0.5,
            columns=columns,
            xlabel=attack_title(self.score),
            ylabel="records (%)",
            grid="y",
            sharex=True,
        )
        for axes, (_, histogram) in zip(grid, shown, strict=True):
            # An integer file may have nearly all of its scores in one bin.
            axes.yaxis.set_major_locator(MaxNLocator(4))
            _draw(axes, histogram)
        return figure

    def _rows(self) -> Iterator[dict]:
        for name, histogram in self.shown:
            for low, high, members, nonmembers in zip(
                histogram.edges,
                histogram.edges[1:],
                histogram.members,
                histogram.nonmembers,
                strict=False,
            ):
                yield {
                    "artefact": name,
                    "score": self.score,
                    "from": low,
                    "to": high,
                    "members": members,
                    "nonmembers": nonmembers,
                }

    def shares(self) -> list[tuple[str, float]]:
        """How much of the two histograms lies on each other, of some."""
        return [
            (name, float(np.minimum(*_shares(histogram)).sum()))
            for name, histogram in self.shown[:3]
        ]


def _histogram(target, score):
    candidates = (x.histogram for x in target.attacks if x.name == score)
    return next(candidates, None)


def _shares(histogram):
    """Shares of the members and of the nonmembers in each bin."""
    counts = np.array([histogram.members, histogram.nonmembers], float)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _draw(axes, histogram):
    inside, outside = 100 * _shares(histogram)
    fill = {"fill": True, "alpha": 0.35, "linewidth": 0}
    axes.stairs(inside, histogram.edges, color=MEMBERS, **fill)
    axes.stairs(inside, histogram.edges, color=MEMBERS, linewidth=1.1)
    axes.stairs(outside, histogram.edges, linewidth=1.5, **LINE)
