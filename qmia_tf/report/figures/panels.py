"""The paper that figures are drawn on: sizes, axes, grids, legends."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
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


@dataclasses.dataclass(frozen=True)
class Sheet:
    """What one figure is drawn on.

    Attributes:
        title: of the figure; on a phone the page has it.
        narrow: whether it is for a phone.
    """

    title: str
    narrow: bool

    @property
    def width(self) -> float:
        """Inches."""
        return NARROW if self.narrow else WIDE

    def figure(self, height: float, looks: Sequence[tuple] = ()) -> Figure:
        """An empty figure: of that height in inches, and a legend's."""
        return paper(height + self._legend_height(looks), narrow=self.narrow)

    def legend(self, figure: Figure, looks: list[tuple]):
        """Puts the legend above, with the title; on a phone below, without.

        Args:
            figure: a Figure.
            looks: (text, options of a line, or an artist) of each entry.
        """
        figure.legend(
            [
                Line2D([], [], **look) if isinstance(look, dict) else look
                for _, look in looks
            ],
            [text for text, _ in looks],
            title=None if self.narrow else self.title,
            title_fontsize=TITLE,
            alignment="left",
            loc="outside lower left" if self.narrow else "outside upper left",
            ncols=self._legend_columns(looks),
            frameon=False,
            columnspacing=1.2,
            borderaxespad=0.2,
        )

    def panels(
        self,
        names: list[str],
        looks: list[tuple],
        *,
        height: float | Callable,
        space: float,
        margin: float,
        columns: int = None,
        xlabel: str = "",
        ylabel: str = "",
        grid: str | None = "both",
        **shared,
    ) -> tuple[Figure, list[Axes]]:
        """Makes a figure of one panel a name, with its legend.

        Args:
            names: titles of the panels.
            looks: as of legend.
            height: inches of a panel, or a function of how many stand beside
                each other.
            space: inches beside the panels and the legend.
            margin: inches of a panel's width that its title does not have.
            columns: panels beside each other; None: as many as fit.
            xlabel: of the lowest panels.
            ylabel: of the first of each row.
            grid: as of tidy.
            **shared: of Figure.subplots.
        """
        columns = columns or across(len(names), narrow=self.narrow)
        if callable(height):
            height = height(columns)
        rows = math.ceil(len(names) / columns)
        figure = self.figure(height * rows + space, looks)
        panels = grid_of(figure, len(names), columns=columns, **shared)
        width = self.width / columns - margin
        for place, (axes, name) in enumerate(zip(panels, names, strict=True)):
            tidy(axes, grid=grid)
            axes.set_title(fit(name, width), loc="left")
            if place + columns >= len(names):
                axes.tick_params(labelbottom=True)
                axes.set_xlabel(xlabel)
            if place % columns == 0:
                axes.set_ylabel(ylabel)
        self.legend(figure, looks)
        return figure, panels

    def _legend_height(self, looks):
        if not looks:
            return 0.0
        rows = math.ceil(len(looks) / self._legend_columns(looks))
        return 0.17 * rows + (0.1 if self.narrow else 0.35)

    def _legend_columns(self, looks):
        longest = max(width_of(text) for text, _ in looks)
        fitting = int((self.width - 0.1) // (longest + HANDLE))
        return max(1, min(fitting, len(looks)))


def paper(height: float, *, narrow: bool) -> Figure:
    """An empty transparent figure of that height in inches."""
    size = NARROW if narrow else WIDE, height
    figure = Figure(figsize=size, layout="constrained", facecolor="none")
    figure.get_layout_engine().set(w_pad=0.05, h_pad=0.05)
    return figure


def tidy(axes: Axes, *, grid: str | None = "both"):
    """No box, a faint grid ("both", "x", "y", None), nothing behind."""
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    # Ticks are made when they are drawn, by the settings of then.
    axes.tick_params(labelsize=TEXT, colors=INK, width=0.8)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=FAINT, linewidth=0.6)


@functools.lru_cache(maxsize=4096)
def width_of(text: str, *, bold: bool = False) -> float:
    """Inches that a text of size TEXT is wide."""
    if not text.strip():
        return 0.0
    font = FontProperties(family=FONT, weight="bold" if bold else "normal")
    path = TextPath((0, 0), text.replace("$", "S"), size=TEXT, prop=font)
    return path.get_extents().width / 72


def fit(text: str, inches: float, *, bold: bool = False) -> str:
    """Cuts a name in its middle until it is no wider than that."""
    for letters in range(len(text), 3, -1):
        cut = short(text, letters)
        if width_of(cut, bold=bold) <= inches:
            return cut
    return short(text, 3)


def across(count: int, *, narrow: bool) -> int:
    """How many of `count` panels stand beside each other."""
    if narrow:
        return min(count, 2)
    return {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}.get(count, 4)


def guess_line(axes: Axes, value: float, *, upright: bool = False):
    """A grey line where guessing is."""
    draw = axes.axvline if upright else axes.axhline
    draw(value, color=GREY, linewidth=0.9, zorder=1)


def rails(axes: Axes, rows: list[int], linewidth: float):
    """A faint line across the panel at each row."""
    axes.hlines(
        rows,
        0,
        1,
        transform=axes.get_yaxis_transform(),
        color=FAINT,
        linewidth=linewidth,
        zorder=0,
    )


def grid_of(
    figure: Figure, count: int, *, columns: int, **options
) -> list[Axes]:
    """Axes for `count` panels, `columns` of them beside each other.

    Args:
        figure: a Figure.
        count: 1 or more.
        columns: 1 or more.
        **options: of Figure.subplots.
    """
    down = math.ceil(count / columns)
    grid = figure.subplots(down, columns, squeeze=False, **options)
    axes = list(grid.ravel())
    for spare in axes[count:]:
        spare.remove()
    return axes[:count]
