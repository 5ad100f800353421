"""Points of artefacts in one or two panels: something against the leak."""

import dataclasses
from collections.abc import Callable

from matplotlib.figure import Figure

from qmia_tf.report.figures import leak_measure, panels
from qmia_tf.report.figures.point_letters import write_keys
from qmia_tf.report.figures.series import Artefact, models
from qmia_tf.report.figures.styles import GREY
from qmia_tf.report.run_list import Run
from qmia_tf.statistics.intervals import Estimate

# Inches of a model's name.
NAME = {False: 2.0, True: 2.6}
# A single value stands in the middle of an axis from 1/3 to 3 times it.
ALONE = 3.0


@dataclasses.dataclass(frozen=True)
class Side:
    """What one panel shows of each artefact.

    Attributes:
        x: TargetAudit -> number, None, or Estimate of a share.
        xlabel: of the axis.
        y: TargetAudit -> Estimate of an AUC.
        ylabel: of the axis.
    """

    x: Callable
    xlabel: str
    y: Callable
    ylabel: str


def scatter(
    runs: list[Run],
    shown: list[Artefact],
    sides: list[Side],
    sheet: panels.Sheet,
    *,
    log: bool = False,
) -> Figure:
    """Draws one point an artefact in each of one or two panels.

    Args:
        runs: of one data set.
        shown: their artefacts.
        sides: of the panels.
        sheet: what it is drawn on.
        log: whether x is logarithmic; then lines join a model's artefacts.
    """
    looks = _looks(runs, shown, sheet.narrow)
    down = len(sides) if sheet.narrow else 1
    figure = sheet.figure(2.35 * down + 0.3, looks)
    grid = panels.grid_of(figure, len(sides), columns=len(sides) // down)
    drawn = [
        _panel(axes, shown, side, log)
        for axes, side in zip(grid, sides, strict=True)
    ]
    sheet.legend(figure, looks)
    if len(runs) > 1:
        for axes, points in zip(grid, drawn, strict=True):
            write_keys(figure, axes, points, shown)
    return figure


def _panel(axes, shown, side, log):
    """Draws one panel; returns where each artefact stands, or None."""
    panels.tidy(axes)
    panels.guess_line(axes, 0.5)
    if log:
        axes.set_xscale("log")
        places = {side.x(artefact.target) for artefact in shown} - {None}
        if len(places) == 1:
            # One value has no range for matplotlib to widen.
            (only,) = places
            axes.set_xlim(only / ALONE, only * ALONE)
    # Files of one size would have their bars on each other.
    bars = not log or len({artefact.model for artefact in shown}) == 1
    points = [_point(axes, artefact, side, bars) for artefact in shown]
    if log:
        _join(axes, shown, points)
    axes.margins(0.12)
    axes.set(xlabel=side.xlabel, ylabel=side.ylabel)
    if log:
        _plain_ticks(axes)
    return points


def _point(axes, artefact, side, bars):
    """Draws one artefact; returns where it stands, or None."""
    at, leak = side.x(artefact.target), side.y(artefact.target)
    if at is None:
        return None
    value, below, above = leak_measure.bounds(leak)
    if isinstance(at, Estimate):
        at, left, right = leak_measure.bounds(at, 100)
        arms = [[left], [right]]
    else:
        arms = None
    if artefact.first and bars:
        axes.errorbar(
            at,
            value,
            xerr=arms,
            yerr=[[below], [above]],
            color=artefact.color,
            alpha=0.4,
            linewidth=1.2,
            zorder=2,
        )
    axes.plot(
        at,
        value,
        artefact.marker,
        color=artefact.color,
        markerfacecolor="none",
        markersize=7,
        markeredgewidth=1.3,
        zorder=3,
    )
    return at, value


def _join(axes, shown, points):
    """A thin line through the artefacts of each model."""
    lines = {}
    for artefact, at in zip(shown, points, strict=True):
        if at is not None:
            lines.setdefault(artefact.model, (artefact, []))[1].append(at)
    for artefact, places in lines.values():
        axes.plot(
            *zip(*sorted(places), strict=True),
            color=artefact.color,
            linestyle=artefact.linestyle,
            linewidth=1,
            alpha=0.6,
            zorder=2,
        )


def _plain_ticks(axes):
    """Some round numbers instead of powers of ten."""
    low, high = axes.get_xlim()
    steps = (1, 2, 5) if high / low < 100 else (1,)
    ticks = [
        step * 10.0**power
        for power in range(-4, 6)
        for step in steps
        if low <= step * 10.0**power <= high
    ]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _looks(runs, shown, narrow):
    """The models, with their letters and colours; the markers of files."""
    several, looks = len(runs) > 1, []
    for n, artefact in enumerate(models(runs)):
        key = f"{chr(ord('A') + n % 26)}  " if several else ""
        name = key + panels.fit(artefact.model, NAME[narrow])
        looks.append((name, "o", artefact.color, artefact.color))
    markers = {artefact.file: artefact.marker for artefact in shown}
    looks += [(name, look, GREY, "none") for name, look in markers.items()]
    keys = "marker", "color", "markerfacecolor"
    return [
        (name, {"linestyle": "", **dict(zip(keys, look, strict=True))})
        for name, *look in looks
    ]
