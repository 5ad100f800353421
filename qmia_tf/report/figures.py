"""The paper's figures 2 and 3: attack accuracy against the threshold."""

import itertools
import pathlib
import re

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from qmia_tf import runs
from qmia_tf.findings import TargetAudit
from qmia_tf.report.compared import Run, title

# Okabe and Ito's palette, told apart with any colour vision; without yellow,
# which is too faint for a line. Full precision is drawn in black.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
GREY = "0.35"
SIZE = (10.0, 5.0)
# float32 has no number between 1 - 6e-8 and 1.
LEAST_DISTANCE = 3e-8
NOTE = (
    "Balanced accuracy, in-sample: each threshold is judged on the records "
    "it is tried on. Dots: peaks. Triangles: gap attack."
)
# Without these, equal figures would differ in their bytes.
STEADY = {"svg.hashsalt": "qmia_tf", "svg.fonttype": "path"}
METADATA = {"png": {"Software": None}, "svg": {"Date": None}}


def write_figures(compared: list[Run], out_dir) -> list[pathlib.Path]:
    """Draws one figure for each data set and target.

    Args:
        compared: the runs.
        out_dir: where threshold_DATASET_TARGET.png and .svg go.
    Returns: the paths written.
    """
    groups = {}
    for run in compared:
        for target in run.audit.targets:
            key = (run.dataset, target.target)
            groups.setdefault(key, []).append((run, target))
    written = []
    for (dataset, target), models in groups.items():
        name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{dataset}_{target}")
        figure = threshold_figure(models, f"{title(dataset)}, target {target}")
        for kind, metadata in METADATA.items():
            path = pathlib.Path(out_dir) / f"threshold_{name}.{kind}"
            with runs.atomic(path) as temporary, matplotlib.rc_context(STEADY):
                figure.savefig(
                    temporary, format=kind, dpi=150, metadata=metadata
                )
            written.append(path)
    return written


def threshold_figure(models: list[tuple[Run, TargetAudit]], name) -> Figure:
    """Draws attack accuracy against the threshold, one curve a model.

    On the left as in the paper; on the right stretched towards 1, where a
    network that fits its members has nearly all of its confidences.

    Args:
        models: (run, target) for each curve.
        name: what the title says.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    whole, stretched = figure.subplots(
        1, 2, sharey=True, width_ratios=(1.25, 1)
    )
    listed = [run for run, _ in models]
    for (run, target), style in zip(models, _styles(listed), strict=True):
        label = _label(run, target, listed)
        _draw(whole, target, style, label, lambda x: x)
        _draw(stretched, target, style, None, _from_one)
        _mark_gap(stretched, target, style["color"])
    for axes in (whole, stretched):
        axes.axhline(50, color=GREY, linewidth=0.8)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    whole.set_xlim(min(1 / target.classes for _, target in models), 1)
    whole.set_ylim(*_accuracy_limits(whole))
    whole.set_xlabel("threshold on the largest confidence")
    whole.set_ylabel("attack accuracy (%)")
    whole.annotate(
        "guessing",
        (0.02, 50),
        xycoords=whole.get_yaxis_transform(),
        xytext=(0, -3),
        textcoords="offset points",
        va="top",
        color=GREY,
        fontsize="x-small",
    )
    _stretch(stretched, models)
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


def _label(run, target, listed):
    attack = target.attack("confidence")
    best = attack.point("peak_accuracy").balanced_accuracy.value
    held_out = attack.held_out.point.balanced_accuracy.value
    return (
        f"{_name(run, listed)}: peak {100 * best:.1f} %, "
        f"held out {100 * held_out:.1f} %"
    )


def _draw(axes, target, style, label, place):
    attack = target.attack("confidence")
    x, y = _steps(attack.curve)
    axes.plot(
        place(x), y, drawstyle="steps-pre", label=label, linewidth=1.6, **style
    )
    peak = attack.point("peak_accuracy")
    if peak.threshold is not None:
        best = 100 * peak.balanced_accuracy.value
        at = place(np.array([peak.threshold]))
        axes.plot(
            at, [best], "o", color=style["color"], clip_on=False, zorder=3
        )


def _mark_gap(axes, target, color):
    gap = target.attack("gap").point("fixed").balanced_accuracy.value
    axes.plot(
        1.02,
        100 * gap,
        marker="<",
        color=color,
        clip_on=False,
        transform=axes.get_yaxis_transform(),
        zorder=3,
    )


def _from_one(thresholds):
    """Distance to certainty, float [K]; what rounds to 1 is put at the end."""
    return np.maximum(1 - thresholds, LEAST_DISTANCE)


def _stretch(axes, models):
    axes.set_xscale("log")
    surest = max(
        target.attack("confidence").curve.threshold[0] for _, target in models
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


def _name(run, others):
    alike = [other for other in others if other.model == run.model]
    return run.model if len(alike) == 1 else f"{run.model} ({run.name})"


def _steps(curve):
    """Thresholds from low to high, with everyone before and nobody after."""
    x = np.array(curve.threshold)[::-1]
    y = 100 * np.array(curve.balanced_accuracy)[::-1]
    after = np.nextafter(x[-1], np.inf)
    return np.concatenate([[0], x, [after, 1]]), np.concatenate(
        [[50], y, [50, 50]]
    )


def _styles(listed):
    """Black for the first full-precision run, a colour and dash for others."""
    black = next((run for run in listed if run.full_precision), None)
    # A solid line is black's, if there is black.
    dashes = DASHES if black is None else DASHES[1:] + DASHES[:1]
    others = itertools.count()
    styles = []
    for run in listed:
        if run is black:
            styles.append({"color": "black", "linestyle": "-"})
            continue
        place = next(others)
        styles.append(
            {
                "color": COLORS[place % len(COLORS)],
                "linestyle": dashes[place % len(dashes)],
            }
        )
    return styles


def _accuracy_limits(axes):
    low, high = axes.dataLim.y0, max(axes.dataLim.y1, 52.0)
    room = 0.06 * (high - low)
    return low - room, high + room
