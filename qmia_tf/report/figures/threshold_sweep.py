"""The paper's figures 2 and 3: attack accuracy against the threshold."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qmia_tf.report.figures import leak_measure, panels
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.series import Artefact, models
from qmia_tf.report.figures.styles import GREY, deployed
from qmia_tf.report.figures.threshold_curves import lines_of, steps
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Column, Table

# float32 has no number between 1 - 6e-8 and 1.
LEAST_DISTANCE = 3e-8
PEAK, GAP = "peak, in-sample / held out (%)", "gap attack"


@of_runs
def threshold(runs: list[Run], *, narrow=False) -> Figure:
    """Draws attack accuracy against the threshold on the largest confidence.

    One curve a model, its Keras model or, without one, its first target. Up
    to six models also get the curve of their deployed integer file, dashed.
    Beside it, or below, the same stretched towards 1, where a network that
    fits its members has nearly all of its confidences.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    """
    lines = lines_of(runs)
    labels = [_label(line) for line in lines]
    room = panels.legend_height([*labels, PEAK, GAP], narrow=narrow)
    figure = panels.paper((4.6 if narrow else 3.1) + room, narrow=narrow)
    # Room for the triangles, which are beside the axes.
    edge = 0.1 / panels.page(narrow)
    figure.get_layout_engine().set(rect=(0, 0, 1 - edge, 1))
    if narrow:
        whole, stretched = figure.subplots(2, 1, sharey=True)
    else:
        whole, stretched = figure.subplots(
            1, 2, sharey=True, width_ratios=(1.25, 1)
        )
    for axes in (whole, stretched):
        panels.tidy(axes)
        panels.guess_line(axes, 50)
    for line in lines:
        _draw(whole, line, lambda x: x)
        _draw(stretched, line, _from_one)
        _mark_gap(stretched, line)
    least = min(1 / line.target.classes for line in lines)
    whole.set(
        xlim=(least, 1),
        ylim=_accuracy_limits(whole, lines),
        xlabel="threshold on the largest confidence",
    )
    for axes in (whole, stretched)[: 2 if narrow else 1]:
        axes.set_ylabel("attack accuracy (%)")
    _stretch(stretched, lines)
    _legend(figure, lines, labels, runs, narrow)
    return figure


@of_runs
def caption(runs: list[Run]) -> str:
    """How to read it."""
    text = (
        "Attack accuracy (balanced) of the confidence attack against its "
        "threshold, and the same stretched towards 1. In-sample: each "
        "threshold is judged on the records that it is tried on, so the peak "
        "(dot) is too good; held out is what it is worth. Triangles at the "
        "edge: the gap attack. Grey line: guessing. It is the paper's figures "
        "2 and 3."
    )
    if any(line.hollow for line in lines_of(runs)):
        text += " Dashed: the integer file that is deployed, over its model."
    elif any(map(deployed, runs)):
        text += " Of so many models the deployed files are left out."
    return text


@of_runs
def alt(runs: list[Run]) -> str:
    """What is seen."""
    artefacts = models(runs)
    return (
        "The confidence attack peaks, in-sample, at "
        + leak_measure.in_words(
            artefacts, lambda x: _peak(x.target), _peak_text
        )
        + "."
    )


@of_runs
def data(runs: list[Run]) -> Table:
    """One row a threshold of each curve."""
    rows = []
    for line in lines_of(runs):
        curve = line.target.attack("confidence").curve
        columns = (
            curve.threshold,
            curve.balanced_accuracy.tolist(),
            curve.recall.tolist(),
            curve.false_positive_rate.tolist(),
        )
        for values in zip(*columns, strict=True):
            rows.append([line.name, *values])
    return Table(
        name="figure_threshold",
        title=DRAWING.title,
        columns=[
            Column("model", "model"),
            Column("threshold", "threshold", "number"),
            Column("attack accuracy", "balanced_accuracy", "number"),
            Column("TPR", "tpr", "number"),
            Column("FPR", "fpr", "number"),
        ],
        rows=rows,
        notes=[],
    )


def _peak(target):
    attack = target.attack("confidence")
    return attack.point("peak_accuracy").balanced_accuracy.value


def _held_out(target):
    attack = target.attack("confidence")
    return attack.held_out.point.balanced_accuracy.value


def _peak_text(artefact: Artefact):
    target = artefact.target
    return (
        f"{100 * _peak(target):.1f} % (held out {100 * _held_out(target):.1f} "
        f"%, gap attack {_gap(target):.1f} %)"
    )


def _label(line):
    numbers = (
        f": {100 * _peak(line.target):.1f} / {100 * _held_out(line.target):.1f}"
    )
    room = panels.NARROW - 0.3 - panels.HANDLE - panels.width_of(numbers)
    return panels.fit(line.name, room) + numbers


def _legend(figure, lines, labels, runs, narrow):
    handles = [
        Line2D([], [], **{"linewidth": 1.6, **line.style}) for line in lines
    ]
    handles.append(Line2D([], [], marker="o", linestyle="", color=GREY))
    handles.append(Line2D([], [], marker="<", linestyle="", color=GREY))
    panels.legend(
        figure,
        handles,
        [*labels, PEAK, GAP],
        narrow=narrow,
        title=f"{title(runs[0].dataset)}: confidence attack by threshold",
    )


def _draw(axes, line, place):
    attack = line.target.attack("confidence")
    x, y = steps(attack.curve)
    style = {"linewidth": 1.6, **line.style}
    axes.plot(place(x), y, drawstyle="steps-pre", label=line.name, **style)
    peak = attack.point("peak_accuracy")
    if peak.threshold is not None:
        best = 100 * peak.balanced_accuracy.value
        at = place(np.array([peak.threshold]))
        axes.plot(at, [best], "o", **_marker(line))


def _mark_gap(axes, line):
    transform = axes.get_yaxis_transform()
    gap = _gap(line.target)
    axes.plot(1.02, gap, "<", transform=transform, **_marker(line))


def _gap(target):
    return 100 * leak_measure.gap(target).value


def _marker(line):
    color = line.style["color"]
    return {
        "color": color,
        "markerfacecolor": "none" if line.hollow else color,
        "clip_on": False,
        "zorder": 4 if line.hollow else 3,
        "markersize": 6.5 if line.hollow else 4.5,
    }


def _from_one(thresholds):
    """Distance to certainty, float [K]; what rounds to 1 is put at the end."""
    return np.maximum(1 - thresholds, LEAST_DISTANCE)


def _stretch(axes, lines):
    axes.set_xscale("log")
    surest = max(
        line.target.attack("confidence").curve.threshold[0] for line in lines
    )
    end = max(1 - surest, LEAST_DISTANCE)
    axes.set_xlim(1, end / 1.5)
    tens = [n for n in range(8) if 10.0**-n >= end / 1.5]
    names = ["0", *(f"0.{'9' * n}" for n in (1, 2, 3))]
    names += [f"$1-10^{{-{n}}}$" for n in range(4, 8)]
    # So many fit side by side; the last one always stands.
    step = 1 if len(tens) <= 5 else 2
    tens = [n for n in tens if (tens[-1] - n) % step == 0]
    axes.set_xticks([10.0**-n for n in tens], [names[n] for n in tens])
    axes.minorticks_off()
    axes.set_xlabel("the same, stretched towards 1")


def _accuracy_limits(axes, lines):
    """Room for the curves and for the gap attacks beside them."""
    gaps = [_gap(line.target) for line in lines]
    low = min(axes.dataLim.y0, *gaps)
    high = max(axes.dataLim.y1, 52.0, *gaps)
    room = 0.06 * (high - low)
    return low - room, high + room


DRAWING = Drawing(
    "threshold",
    "Attack accuracy against the threshold",
    threshold,
    caption,
    alt,
    data,
)
