"""The paper that figures are drawn on: sizes, axes, grids, legends."""

import functools
import math

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from qmia_tf.report.figures.styles import FAINT, GREY, INK, short

# Inches: a page's column, and a phone.
WIDE, NARROW = 7.2, 3.6
# Points.
TEXT, TITLE = 8.5, 10.0
FONT = "DejaVu Sans"
# Inches that a legend's handle takes, with the space around it.
HANDLE = 0.5
# Without these, figures would follow the settings of whoever imports this.
SETTINGS = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.linewidth": 0.8,
    "axes.titlesize": TEXT,
    "font.family": [FONT],
    "font.size": TEXT,
    "legend.fontsize": TEXT,
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": TEXT,
    "ytick.color": INK,
    "ytick.labelsize": TEXT,
}


def paper(height, *, narrow) -> Figure:
    """An empty transparent figure.

    Args:
        height: inches.
        narrow: whether it is for a phone.
    """
    size = page(narrow), height
    figure = Figure(figsize=size, layout="constrained", facecolor="none")
    figure.get_layout_engine().set(w_pad=0.05, h_pad=0.05)
    return figure


def tidy(axes, *, grid="both"):
    """No box, a faint grid, small ticks, nothing behind.

    Args:
        axes: matplotlib's Axes.
        grid: "both", "x", "y", or None.
    """
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    # Ticks are made when they are drawn, by the settings of then.
    axes.tick_params(labelsize=TEXT, colors=INK, width=0.8)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=FAINT, linewidth=0.6)


def heading(figure, text, *, narrow):
    """Writes a title, on the left. On a phone the page has it."""
    if not narrow:
        figure.suptitle(text, fontsize=TITLE, x=0.01, ha="left")


@functools.lru_cache(maxsize=4096)
def width_of(text, *, bold=False) -> float:
    """Inches that a text of size TEXT is wide."""
    if not text.strip():
        return 0.0
    font = FontProperties(family=FONT, weight="bold" if bold else "normal")
    path = TextPath((0, 0), text.replace("$", "S"), size=TEXT, prop=font)
    return path.get_extents().width / 72


def fit(text, inches, *, bold=False) -> str:
    """Cuts a name in its middle until it is no wider than that."""
    for letters in range(len(text), 3, -1):
        cut = short(text, letters)
        if width_of(cut, bold=bold) <= inches:
            return cut
    return short(text, 3)


def legend(figure, handles, labels, *, narrow, title):
    """Puts the legend above, with the title; on a phone below, without.

    Args:
        figure: a Figure.
        handles: of the legend.
        labels: their texts.
        narrow: whether it is for a phone.
        title: of the figure.
    """
    return figure.legend(
        handles,
        labels,
        title=None if narrow else title,
        title_fontsize=TITLE,
        alignment="left",
        loc="outside lower left" if narrow else "outside upper left",
        ncols=_columns(labels, narrow),
        frameon=False,
        columnspacing=1.2,
        borderaxespad=0.2,
    )


def legend_height(labels, *, narrow) -> float:
    """Inches that a legend of these labels takes, about."""
    rows = math.ceil(len(labels) / _columns(labels, narrow))
    return 0.17 * rows + (0.1 if narrow else 0.35)


def _columns(labels, narrow):
    longest = max(map(width_of, labels), default=0.0)
    fitting = int((page(narrow) - 0.1) // (longest + HANDLE))
    return max(1, min(fitting, len(labels)))


def page(narrow) -> float:
    """The width of a figure in inches."""
    return NARROW if narrow else WIDE


def across(count, *, narrow) -> int:
    """How many of `count` panels stand beside each other."""
    if narrow:
        return min(count, 2)
    return {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}.get(count, 4)


def guess_line(axes, value, *, upright=False):
    """A grey line where guessing is."""
    draw = axes.axvline if upright else axes.axhline
    draw(value, color=GREY, linewidth=0.9, zorder=1)


def grid_of(figure, count, *, columns, **options):
    """Axes for `count` panels, `columns` of them beside each other.

    Args:
        figure: a Figure.
        count: int, 1 or more.
        columns: int, 1 or more.
        **options: of Figure.subplots.
    Returns: list of `count` Axes; the rest are removed.
    """
    down = math.ceil(count / columns)
    grid = figure.subplots(down, columns, squeeze=False, **options)
    axes = list(grid.ravel())
    for spare in axes[count:]:
        spare.remove()
    return axes[:count]
