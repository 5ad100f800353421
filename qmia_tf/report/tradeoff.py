"""Accuracy against leak: one point an artefact."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qmia_tf.report.compared import Run, is_variant
from qmia_tf.report.styles import GREY, line_styles, model_name

SIZE = (10.0, 4.6)
MARKERS = {
    "keras": "o",
    "float32": "s",
    "float16": "D",
    "dynamic": "P",
    "int8_ptq": "v",
    "int8": "^",
    "int8_io": "<",
    "tfmot_int8": "X",
}
OWN = {"keras": "o", "tflite": "s"}
OTHER = "*"
# About the size of a panel and of a label's letter, in points.
PANEL, LETTER = (330.0, 230.0), (4.2, 9.0)
# Artefacts of a model that are nearer than this share a label.
NEAR = 14.0
# Where a label may stand from its point, best first.
CORNERS = [
    (side, height) for height in (5, -13, 15, -23, 25, -33) for side in (7, -7)
]
NOTE = (
    "Bars: 95 % intervals over records, for this one model; one pair a model, "
    "at its first artefact."
)


def tradeoff_figure(listed: list[Run], name) -> Figure:
    """Draws accuracy on nonmembers against what the attacks reach.

    On the left the gap attack, on the right the confidence attack, held out.
    Twins and other kernels than the default ones are left to the tables.

    Args:
        listed: the runs.
        name: what the title says.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    used = {}
    for axes, leak, label in zip(
        panels,
        (_gap, _held_out),
        ("gap attack (%)", "confidence attack, held out (%)"),
        strict=True,
    ):
        runs = list(zip(listed, line_styles(listed), strict=True))
        for run, style in runs:
            for target in _targets(run):
                used[_kind(run, target)] = _marker(run, target)
            _draw(axes, run, leak, style["color"])
        _label(axes, [(_places(r, leak), s["color"]) for r, s in runs])
        axes.axhline(50, color=GREY, linewidth=0.8)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("right on nonmembers (%)")
        axes.set_ylabel(label)
    _legends(figure, listed, used, name)
    figure.supxlabel(NOTE, fontsize="x-small", color=GREY, x=0.01, ha="left")
    return figure


def _targets(run):
    return [each for each in run.audit.targets if not is_variant(each)]


def _gap(target):
    return target.attack("gap").point("fixed").balanced_accuracy


def _held_out(target):
    return target.attack("confidence").held_out.point.balanced_accuracy


def _kind(run, target):
    """What the legend calls the kind of file; somebody's own have any name."""
    return (target.kind or "model") if run.own else target.target


def _marker(run, target):
    return (OWN if run.own else MARKERS).get(_kind(run, target), OTHER)


def _draw(axes, run, leak, color):
    targets = _targets(run)
    for target in targets[:1]:
        x, y = target.accuracy_nonmembers, leak(target)
        axes.errorbar(
            100 * x.value,
            100 * y.value,
            xerr=_arms(x),
            yerr=_arms(y),
            color=color,
            alpha=0.35,
            linewidth=1.2,
            zorder=2,
        )
    for target in targets:
        axes.plot(
            100 * target.accuracy_nonmembers.value,
            100 * leak(target).value,
            _marker(run, target),
            color=color,
            markerfacecolor="none",
            markersize=7,
            zorder=3,
        )


def _arms(estimate):
    below = estimate.value - estimate.low
    return [[100 * below], [100 * (estimate.high - estimate.value)]]


def _places(run, leak):
    """(x, y, megabytes as text) of each artefact whose size is known."""
    return [
        (
            100 * target.accuracy_nonmembers.value,
            100 * leak(target).value,
            f"{target.size_bytes / 1e6:.2f}",
        )
        for target in _targets(run)
        if target.size_bytes is not None
    ]


def _label(axes, models):
    """Writes sizes beside their points, clear of other points and labels.

    Args:
        axes: drawn already.
        models: (what _places gave, colour) of each.
    """
    spans = (
        (axes.dataLim.width or 1.0) / PANEL[0],
        (axes.dataLim.height or 1.0) / PANEL[1],
    )
    taken = [
        (x / spans[0] - 5, y / spans[1] - 5, x / spans[0] + 5, y / spans[1] + 5)
        for places, _ in models
        for x, y, _ in places
    ]
    for places, color in models:
        for (x, y), sizes in _joined(places, spans).items():
            text = ", ".join(sizes)
            at = x / spans[0], y / spans[1]
            offset, box = _free_corner(at, len(text), taken)
            taken.append(box)
            axes.annotate(
                text,
                (x, y),
                xytext=offset,
                textcoords="offset points",
                ha="left" if offset[0] > 0 else "right",
                color=color,
                fontsize="x-small",
            )


def _joined(places, spans):
    """Sizes by place; points that nearly coincide share a label."""
    found = {}
    for x, y, size in places:
        near = (
            at
            for at in found
            if abs(at[0] - x) < NEAR * spans[0]
            and abs(at[1] - y) < NEAR * spans[1]
        )
        sizes = found.setdefault(next(near, (x, y)), [])
        if size not in sizes:
            sizes.append(size)
    return found


def _free_corner(at, letters, taken):
    width, height = letters * LETTER[0], LETTER[1]
    for corner in CORNERS:
        left = at[0] + corner[0] - (width if corner[0] < 0 else 0)
        low = at[1] + corner[1]
        box = left, low, left + width, low + height
        if not any(_overlap(box, other) for other in taken):
            return corner, box
    return CORNERS[0], box


def _overlap(one, other):
    return all(
        one[side] < other[side + 2] and other[side] < one[side + 2]
        for side in (0, 1)
    )


def _legends(figure, listed, used, name):
    models = [
        Line2D([], [], marker="o", linestyle="", color=style["color"])
        for style in line_styles(listed)
    ]
    files = [
        Line2D(
            [],
            [],
            marker=marker,
            linestyle="",
            color=GREY,
            markerfacecolor="none",
        )
        for marker in used.values()
    ]
    names = [model_name(run, listed) for run in listed]
    figure.legend(
        models + files,
        names + list(used),
        title=f"{name}: accuracy against leak; beside the points, their MB",
        title_fontsize="large",
        alignment="left",
        loc="outside upper left",
        ncols=5,
        frameon=False,
    )
