"""The figure on top: what an attacker gains from each artefact."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qmia_tf.attacks import TITLES
from qmia_tf.report import phrases
from qmia_tf.report.figures import leak_measure, panels
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.series import artefacts, cut_note
from qmia_tf.report.figures.styles import FAINT, GREY, INK
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Table

# Inches a row, and the name of a file.
ROW = 0.2
FILE = {False: 1.2, True: 0.75}
GUESSING = "guessing"


@of_runs
def overview(runs: list[Run], *, narrow=False) -> Figure:
    """Draws what an attacker gains, how accurate and how large artefacts are.

    One row an artefact, under its model's name.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone; the size is written, not drawn.
    """
    shown = artefacts(runs)
    measure = leak_measure.measure(runs)
    places, heads = _rows(shown)
    room = panels.legend_height(["gap attack"], narrow=narrow)
    height = ROW * (len(shown) + len(heads)) + 0.55 + room
    figure = panels.paper(height, narrow=narrow)
    gained, right, size = figure.subplots(
        1,
        3,
        sharey=True,
        width_ratios=(1.9, 1.2, 0.55) if narrow else (3, 2, 1),
    )
    for axes in (gained, right, size):
        panels.tidy(axes, grid=None)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    _rails((gained, right), places, heads)
    for place, artefact in zip(places, shown, strict=True):
        look = {"color": artefact.color, "marker": artefact.marker}
        _bar(gained, place, measure.of(artefact.target), look)
        if not measure.is_gap:
            gap = 100 * leak_measure.gap(artefact.target).value
            gained.plot(gap, place, "|", color=GREY, markersize=9, mew=1.6)
        _bar(right, place, artefact.target.accuracy_nonmembers, look)
    _write_sizes(size, places, shown)
    _write_names(gained, places, heads, shown, narrow)
    gained.set_ylim(max(places) + 0.7, -0.7)
    _limit(gained)
    gained.set_xlabel("attacker right (%)")
    right.set_xlabel("model right (%)" if narrow else "right on nonmembers (%)")
    _legend(figure, runs, measure, narrow)
    return figure


@of_runs
def caption(runs: list[Run]) -> str:
    """How to read it."""
    measure = leak_measure.measure(runs)
    stroke = "Grey stroke: the gap attack, which sees"
    if measure.is_gap:
        stroke = "It sees"
    return (
        f"Left: {measure.words}. {leak_measure.MEANS} {stroke} only "
        "whether records are classified correctly. Middle: how often the "
        "artefact is right on nonmembers. Right: its size. "
        f"{leak_measure.BARS}{cut_note(runs)}"
    )


@of_runs
def alt(runs: list[Run]) -> str:
    """What is seen."""
    shown = artefacts(runs)
    measure = leak_measure.measure(runs)

    def say(artefact):
        right = phrases.percent(artefact.target.accuracy_nonmembers, guess=0)
        share = leak_measure.percent(measure.of(artefact.target))
        phrase = f"{share} of the records"
        size = artefact.target.size_mb
        size = "" if size is None else f", {size:.2f} MB"
        return f"{phrase}, model right on {right} of the nonmembers{size}"

    return (
        "Records that the attacker judges right, where guessing gives 50 %: "
        + leak_measure.in_words(
            shown, lambda x: measure.of(x.target).value, say
        )
        + "."
    )


@of_runs
def data(runs: list[Run]) -> Table:
    """One row an artefact."""
    return leak_measure.table(runs, "figure_overview", DRAWING.title)


def _rows(shown):
    """Where each artefact stands, and (place, model, color) above each run."""
    places, heads, row = [], [], 0
    for artefact in shown:
        if artefact.first:
            heads.append((row, artefact.model, artefact.color))
            row += 1
        places.append(row)
        row += 1
    return places, heads


def _rails(panels_, places, heads):
    """A faint line a row; guessing as a line that spares the names."""
    starts = [row for row, *_ in heads]
    ends = [*starts[1:], max(places) + 1]
    for axes in panels_:
        axes.hlines(
            places,
            0,
            1,
            transform=axes.get_yaxis_transform(),
            color=FAINT,
            linewidth=0.8,
            zorder=0,
        )
    panels_[0].vlines(
        [50] * len(starts),
        np.array(starts) + 0.5,
        np.array(ends) - 0.5,
        color=GREY,
        linewidth=0.9,
        zorder=1,
    )


def _bar(axes, place, estimate, look):
    value, below, above = leak_measure.bounds(estimate)
    axes.errorbar(
        value,
        place,
        xerr=[[below], [above]],
        color=look["color"],
        marker=look["marker"],
        markersize=6,
        linewidth=1.6,
        zorder=3,
    )


def _limit(axes):
    """Room beside guessing, so that a small gain does not look large."""
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 48), max(high, 56))


def _write_sizes(axes, places, shown):
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.set_xlabel("MB")
    for place, artefact in zip(places, shown, strict=True):
        size = artefact.target.size_mb
        text = "–" if size is None else _megabytes(size)
        axes.text(
            0.5,
            place,
            text,
            transform=axes.get_yaxis_transform(),
            ha="center",
            va="center",
        )


def _megabytes(size):
    if size >= 10:
        return f"{size:.0f}"
    return f"{size:.2f}" if size >= 0.1 else f"{size:.2g}"


def _write_names(axes, places, heads, shown, narrow):
    names = [panels.fit(artefact.file, FILE[narrow]) for artefact in shown]
    axes.set_yticks(places, names)
    for row, name, _ in heads:
        text = axes.annotate(
            panels.fit(name, panels.page(narrow) - 0.1, bold=True),
            (0.01, row),
            xycoords=(axes.figure.transFigure, axes.transData),
            va="center",
            fontweight="bold",
            annotation_clip=False,
        )
        # It stands across the panels, which make no room for it.
        text.set_in_layout(False)


def _legend(figure, runs, measure, narrow):
    attack = "strongest attack"
    if measure.name is not None:
        attack = TITLES.get(measure.name, measure.name)
    looks = [
        (attack, {"color": INK, "marker": "o", "linewidth": 1.6}),
        (GUESSING, {"color": GREY, "linewidth": 0.9}),
    ]
    if not measure.is_gap:
        stroke = {"marker": "|", "linestyle": "", "ms": 9, "mew": 1.6}
        looks.insert(1, ("gap attack", {"color": GREY, **stroke}))
    panels.legend(
        figure,
        [Line2D([], [], **look) for _, look in looks],
        [name for name, _ in looks],
        narrow=narrow,
        title=f"{title(runs[0].dataset)}: what an attacker gains",
    )


DRAWING = Drawing(
    "overview",
    "What an attacker gains from each artefact",
    overview,
    caption,
    alt,
    data,
)
