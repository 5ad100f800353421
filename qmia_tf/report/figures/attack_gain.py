"""The figure on top: what an attacker gains from each artefact."""

import numpy as np
from matplotlib.figure import Figure

from qmia_tf.report.figures import leak_measure, panels
from qmia_tf.report.figures.styles import GREY, INK

# Inches a row, and the name of a file.
ROW = 0.2
FILE = {False: 1.2, True: 0.75}
STROKE = {"marker": "|", "linestyle": "", "ms": 9, "mew": 1.6}
LOOKS = [
    ("strongest attack", {"color": INK, "marker": "o", "linewidth": 1.6}),
    ("gap attack", {"color": GREY, **STROKE}),
    ("guessing", {"color": GREY, "linewidth": 0.9}),
]


class AttackGain(leak_measure.LeakFigure):
    """What an attacker gains, how accurate and how large artefacts are.

    One row an artefact, under its model's name. On a phone the size is
    written, not drawn.
    """

    name = "overview"
    title = "What an attacker gains from each artefact"
    heading = "what an attacker gains"

    def _draw(self, sheet) -> Figure:
        places, heads = self._places()
        height = ROW * (len(self.shown) + len(heads)) + 0.55
        # The legend has one line, whatever it says.
        figure = sheet.figure(height, [("", {})])
        gained, right, size = figure.subplots(
            1,
            3,
            sharey=True,
            width_ratios=(1.9, 1.2, 0.55) if sheet.narrow else (3, 2, 1),
        )
        for axes in (gained, right, size):
            panels.tidy(axes, grid=None)
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        _rails((gained, right), places, heads)
        for place, artefact in zip(places, self.shown, strict=True):
            self._draw_row(gained, right, place, artefact)
        _write_sizes(size, places, self.shown)
        self._write_names(gained, places, heads, sheet)
        gained.set_ylim(max(places) + 0.7, -0.7)
        # Room beside guessing, so that a small gain does not look large.
        low, high = gained.get_xlim()
        gained.set_xlim(min(low, 0.48), max(high, 0.56))
        gained.set_xlabel(leak_measure.AXIS)
        right.set_xlabel(
            "model right (%)" if sheet.narrow else "right on nonmembers (%)"
        )
        sheet.legend(figure, LOOKS)
        return figure

    def _places(self):
        """Each artefact's place, and (place, model) above each run."""
        places, heads, row = [], [], 0
        for artefact in self.shown:
            if artefact.first:
                heads.append((row, artefact.model))
                row += 1
            places.append(row)
            row += 1
        return places, heads

    def _draw_row(self, gained, right, place, artefact):
        target = artefact.target
        _bar(gained, place, leak_measure.leak(target), artefact, 1)
        gap = leak_measure.gap(target).value
        gained.plot(gap, place, "|", color=GREY, markersize=9, mew=1.6)
        _bar(right, place, target.accuracy_nonmembers, artefact, 100)

    def _write_names(self, axes, places, heads, sheet):
        room = FILE[sheet.narrow]
        axes.set_yticks(places, [panels.fit(x.file, room) for x in self.shown])
        for row, name in heads:
            text = axes.annotate(
                panels.fit(name, sheet.width - 0.1, bold=True),
                (0.01, row),
                xycoords=(axes.figure.transFigure, axes.transData),
                va="center",
                fontweight="bold",
                annotation_clip=False,
            )
            # It stands across the panels, which make no room for it.
            text.set_in_layout(False)


def _rails(panels_, places, heads):
    """A faint line a row; guessing as a line that spares the names."""
    starts = [row for row, _ in heads]
    ends = [*starts[1:], max(places) + 1]
    for axes in panels_:
        panels.rails(axes, places, 0.8)
    panels_[0].vlines(
        [0.5] * len(starts),
        np.array(starts) + 0.5,
        np.array(ends) - 0.5,
        color=GREY,
        linewidth=0.9,
        zorder=1,
    )


def _bar(axes, place, estimate, artefact, times):
    value, below, above = leak_measure.bounds(estimate, times)
    axes.errorbar(
        value,
        place,
        xerr=[[below], [above]],
        color=artefact.color,
        marker=artefact.marker,
        markersize=6,
        linewidth=1.6,
        zorder=3,
    )


def _write_sizes(axes, places, shown):
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.set_xlabel("MB")
    for place, artefact in zip(places, shown, strict=True):
        size = artefact.target.size_mb
        axes.text(
            0.5,
            place,
            "–" if size is None else _megabytes(size),
            transform=axes.get_yaxis_transform(),
            ha="center",
            va="center",
        )


def _megabytes(size):
    if size >= 10:
        return f"{size:.0f}"
    return f"{size:.2f}" if size >= 0.1 else f"{size:.2g}"
