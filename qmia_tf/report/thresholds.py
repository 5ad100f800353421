"""The paper's figures 2 and 3: attack accuracy against the threshold."""

import dataclasses

import numpy as np
from matplotlib.figure import Figure

from qmia_tf.auditing.findings import TargetAudit
from qmia_tf.report.compared import Run
from qmia_tf.report.styles import GREY, deployed, line_styles, model_name

SIZE = (10.0, 5.0)
# float32 has no number between 1 - 6e-8 and 1.
LEAST_DISTANCE = 3e-8
# More models than these are told apart by dashes: no room for a second curve.
MOST_IN_PAIRS = 6
NOTE = (
    "Balanced accuracy, in-sample: each threshold is judged on the records "
    "it is tried on. Dots: peaks. Triangles: gap attack."
)


@dataclasses.dataclass(frozen=True)
class Line:
    """One curve: its target, its label, and how it is drawn."""

    target: TargetAudit
    label: str
    style: dict
    hollow: bool = False


def threshold_figure(listed: list[Run], name) -> Figure:
    """Draws attack accuracy against the threshold.

    One curve a model, its Keras model or, without one, its first target. Up
    to six models also get the curve of their deployed integer file, dashed.
    On the left as in the paper; on the right stretched towards 1, where a
    network that fits its members has nearly all of its confidences.

    Args:
        listed: the runs.
        name: what the title says.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    whole, stretched = figure.subplots(
        1, 2, sharey=True, width_ratios=(1.25, 1)
    )
    lines = _lines(listed)
    for line in lines:
        _draw(whole, line, line.label, lambda x: x)
        _draw(stretched, line, None, _from_one)
        _mark_gap(stretched, line)
    for axes in (whole, stretched):
        axes.axhline(50, color=GREY, linewidth=0.8)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    whole.set_xlim(min(1 / line.target.classes for line in lines), 1)
    whole.set_ylim(*_accuracy_limits(whole, lines))
    whole.set_xlabel("threshold on the largest confidence")
    whole.set_ylabel("attack accuracy (%)")
    _say_guessing(whole)
    _stretch(stretched, lines)
    figure.legend(
        title=f"{name}: confidence attack by threshold",
        title_fontsize="large",
        alignment="left",
        loc="outside upper left",
        ncols=2,
        frameon=False,
    )
    figure.supxlabel(NOTE, fontsize="x-small", color=GREY, x=0.01, ha="left")
    return figure


def _lines(listed):
    """The Keras models' curves, then those of the deployed files."""
    pairs = len(listed) <= MOST_IN_PAIRS and any(map(deployed, listed))
    first, second = [], []
    for run, style in zip(listed, line_styles(listed), strict=True):
        target = run.target("keras") or run.audit.targets[0]
        name, color = model_name(run, listed), style["color"]
        if pairs:
            # The file's curve often lies upon the model's: both must show.
            style = {"color": color, "linewidth": 3.2, "alpha": 0.4}
        first.append(Line(target, _label(name, target), style))
        file = deployed(run) if pairs else None
        if file is not None and file is not target:
            style = {"color": color, "linestyle": (0, (4, 1.5))}
            label = _label(f"{name}, {file.target}", file)
            second.append(Line(file, label, style, hollow=True))
    return first + second


def _label(name, target):
    attack = target.attack("confidence")
    best = attack.point("peak_accuracy").balanced_accuracy.value
    held_out = attack.held_out.point.balanced_accuracy.value
    return f"{name}: peak {100 * best:.1f} %, held out {100 * held_out:.1f} %"


def _draw(axes, line, label, place):
    attack = line.target.attack("confidence")
    x, y = _steps(attack.curve)
    style = {"linewidth": 1.6, **line.style}
    axes.plot(place(x), y, drawstyle="steps-pre", label=label, **style)
    peak = attack.point("peak_accuracy")
    if peak.threshold is not None:
        best = 100 * peak.balanced_accuracy.value
        at = place(np.array([peak.threshold]))
        axes.plot(at, [best], "o", **_marker(line))


def _mark_gap(axes, line):
    transform = axes.get_yaxis_transform()
    axes.plot(1.02, _gap(line), "<", transform=transform, **_marker(line))


def _gap(line):
    gap = line.target.attack("gap").point("fixed").balanced_accuracy
    return 100 * gap.value


def _marker(line):
    color = line.style["color"]
    face = "white" if line.hollow else color
    return {
        "color": color,
        "markerfacecolor": face,
        "clip_on": False,
        "zorder": 4 if line.hollow else 3,
        "markersize": 4.5 if line.hollow else 6,
    }


def _say_guessing(axes):
    axes.annotate(
        "guessing",
        (0.02, 50),
        xycoords=axes.get_yaxis_transform(),
        xytext=(0, -3),
        textcoords="offset points",
        va="top",
        color=GREY,
        fontsize="x-small",
    )


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
    axes.set_xticks([10.0**-n for n in tens], names[: len(tens)])
    axes.minorticks_off()
    axes.tick_params(axis="x", labelsize="x-small" if end < 1e-4 else None)
    axes.set_xlabel("the same, stretched towards 1")


def _steps(curve):
    """Thresholds from low to high, with everyone before and nobody after."""
    x = np.array(curve.threshold)[::-1]
    y = 100 * np.array(curve.balanced_accuracy)[::-1]
    after = np.nextafter(x[-1], np.inf)
    return np.concatenate([[0], x, [after, 1]]), np.concatenate(
        [[50], y, [50, 50]]
    )


def _accuracy_limits(axes, lines):
    """Room for the curves and for the gap attacks beside them."""
    gaps = [_gap(line) for line in lines]
    low = min(axes.dataLim.y0, *gaps)
    high = max(axes.dataLim.y1, 52.0, *gaps)
    room = 0.06 * (high - low)
    return low - room, high + room
