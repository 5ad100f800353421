"""The leak against the bits of weights and activations."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qmia_tf.report.figures import leak_measure, panels
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.series import models, two
from qmia_tf.report.figures.styles import COLORS, GREY, INK
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Column, Table

# How far a run's marks stand from the middle of its bits.
SPREAD = 0.32
FULL = "full"
FILE = COLORS[1]


@of_runs
def bits(runs: list[Run], *, narrow=False) -> Figure | None:
    """Draws the leak against weight bits x activation bits.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    Returns: a Figure; None if the runs have not at least two widths.
    """
    columns = _columns(runs)
    if len(columns) < 2:
        return None
    measure = leak_measure.measure(runs)
    labels = _legend_labels(runs, measure)
    room = panels.legend_height(labels, narrow=narrow)
    figure = panels.paper(2.6 + room, narrow=narrow)
    axes = figure.subplots()
    panels.tidy(axes, grid="y")
    panels.guess_line(axes, 50)
    for column, (_, members) in enumerate(columns):
        marks = [
            (target, n > 0)
            for run in members
            for n, target in enumerate(two(run))
        ]
        for place, (target, is_file) in enumerate(marks):
            middle = (len(marks) - 1) / 2
            step = min(0.16, 2 * SPREAD / max(len(marks) - 1, 1))
            at = column + (place - middle) * step
            _mark(axes, at, target, measure, is_file)
    axes.set_xticks(range(len(columns)), [name for name, _ in columns])
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set(xlabel="bits: weights × activations", ylabel=measure.axis)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 48), max(high, 54))
    _legend(figure, runs, labels, narrow)
    return figure


@of_runs
def caption(runs: list[Run]) -> str:
    """How to read it."""
    several = any(len(members) > 1 for _, members in _columns(runs))
    measure = leak_measure.measure(runs)
    strokes = "" if measure.is_gap else "Grey strokes: the gap attack. "
    text = (
        f"The leak by {measure.words}, against the bits of weights × "
        f"activations, full precision last. {strokes}{leak_measure.MEANS} "
        f"{leak_measure.BARS}"
    )
    return text + (" Runs of the same bits side by side." if several else "")


@of_runs
def alt(runs: list[Run]) -> str:
    """What is seen."""
    measure = leak_measure.measure(runs)
    return (
        "Records that the attacker judges right, by bits: "
        + leak_measure.in_words(
            models(runs),
            lambda x: measure.of(x.target).value,
            lambda x: leak_measure.percent(measure.of(x.target)),
            most=4,
        )
        + "."
    )


@of_runs
def data(runs: list[Run]) -> Table:
    """One row an artefact that is drawn."""
    measure = leak_measure.measure(runs)
    rows = [
        [
            name,
            run.name,
            target.target,
            measure.attack(target),
            measure.of(target),
            leak_measure.gap(target),
        ]
        for name, members in _columns(runs)
        for run in members
        for target in two(run)
    ]
    return Table(
        name="figure_bits",
        title=DRAWING.title,
        columns=[
            Column("bits", "bits"),
            Column("run", "run"),
            Column("target", "target"),
            Column("attack", "attack"),
            Column("attacker right %", "balanced_accuracy", "percent"),
            Column("gap attack %", "gap_attack", "percent"),
        ],
        rows=rows,
        notes=[],
    )


def _columns(runs):
    """(name, runs) of each width: few bits first, full precision last."""
    runs_by_bits = {}
    for run in runs:
        if run.own or None in run.bits:
            continue
        weight_bits, activation_bits = run.bits
        key = run.full_precision, activation_bits, weight_bits, run.model
        runs_by_bits.setdefault(key, []).append(run)
    return [
        (_name(members[0]), members)
        for _, members in sorted(runs_by_bits.items())
    ]


def _name(run):
    if run.full_precision:
        return FULL
    clip = "\nclip" if run.setting("model.clip") else ""
    return f"{run.bits[0]}×{run.bits[1]}{clip}"


def _mark(axes, at, target, measure, is_file):
    value, below, above = leak_measure.bounds(measure.of(target))
    if not measure.is_gap:
        gap = 100 * leak_measure.gap(target).value
        axes.plot(at, gap, "_", color=GREY, ms=9, mew=1.6)
    axes.errorbar(
        at,
        value,
        yerr=[[below], [above]],
        color=FILE if is_file else INK,
        marker="^" if is_file else "o",
        markerfacecolor="none" if is_file else INK,
        markersize=6,
        linewidth=1.4,
        zorder=3,
    )


def _legend_labels(runs, measure):
    labels = ["Keras model"]
    if any(len(two(run)) > 1 for run in runs):
        labels.append("deployed file")
    return labels if measure.is_gap else [*labels, "gap attack"]


def _legend(figure, runs, labels, narrow):
    looks = {
        "Keras model": {"color": INK, "marker": "o", "linewidth": 1.4},
        "deployed file": {
            "color": FILE,
            "marker": "^",
            "markerfacecolor": "none",
            "linewidth": 1.4,
        },
        "gap attack": {
            "color": GREY,
            "marker": "_",
            "linestyle": "",
            "markersize": 9,
            "markeredgewidth": 1.6,
        },
    }
    panels.legend(
        figure,
        [Line2D([], [], **looks[name]) for name in labels],
        labels,
        narrow=narrow,
        title=f"{title(runs[0].dataset)}: leak against bits",
    )


DRAWING = Drawing("bits", "Leak against bits", bits, caption, alt, data)
