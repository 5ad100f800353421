"""The paper's figures 2 and 3: attack accuracy against the threshold."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures import leak_measure, panels
from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.series import models, two
from qmia_tf.report.figures.styles import DASHED, GREY, PALE, deployed
from qmia_tf.report.run_list import held_out_point
from qmia_tf.report.tables import Column
from qmia_tf.statistics.thinned_sweep import Curve

# float32 has no number between 1 - 6e-8 and 1.
LEAST_DISTANCE = 3e-8
PEAK, GAP = "peak, in-sample / held out (%)", "gap attack"
# More models than these are told apart by dashes: no room for a second curve.
MOST_IN_PAIRS = 6


@dataclasses.dataclass(frozen=True)
class Line:
    """One curve: its target, its name, how it is drawn, its numbers in %."""

    target: TargetAudit
    name: str
    style: dict
    hollow: bool = False

    @property
    def attack(self):
        """The confidence attack on the target."""
        return self.target.attack("confidence")

    @property
    def peak(self) -> float:
        """The best accuracy of any threshold, in-sample."""
        point = self.attack.point("peak_accuracy")
        return 100 * point.balanced_accuracy.value

    @property
    def held_out(self) -> float:
        """The accuracy of a held-out threshold."""
        point = held_out_point(self.target, "confidence")
        return 100 * point.balanced_accuracy.value

    @property
    def gap(self) -> float:
        """The accuracy of the gap attack."""
        return 100 * leak_measure.gap(self.target).value

    @property
    def marker(self) -> dict:
        """How its points are drawn."""
        color = self.style["color"]
        return {
            "color": color,
            "markerfacecolor": "none" if self.hollow else color,
            "clip_on": False,
            "zorder": 4 if self.hollow else 3,
            "markersize": 6.5 if self.hollow else 4.5,
        }


class ThresholdSweep(RunFigure):
    """Attack accuracy against the threshold on the largest confidence.

    One curve a model, its Keras model or, without one, its first target. Up
    to six models also get the curve of their deployed integer file, dashed.
    Beside it, or below, the same stretched towards 1, where a network that
    fits its members has nearly all of its confidences.
    """

    name = "threshold"
    title = "Attack accuracy against the threshold"
    heading = "confidence attack by threshold"
    columns = (Column("attack accuracy", "balanced_accuracy", "number"),)

    def __init__(self, results):
        super().__init__(results)
        self.lines = _lines(self.runs)
        self.is_cut = any(map(deployed, self.runs))

    def extremes(self) -> list[Line]:
        """The models that a sentence names, by their names in sentences."""
        lines = [Line(x.target, x.name, {}) for x in self.models]
        return leak_measure.extremes(lines, lambda line: line.peak)

    def _draw(self, sheet) -> Figure:
        looks = self._looks()
        figure = sheet.figure(4.6 if sheet.narrow else 3.1, looks)
        # Room for the triangles, which are beside the axes.
        edge = 0.1 / sheet.width
        figure.get_layout_engine().set(rect=(0, 0, 1 - edge, 1))
        shape = {"nrows": 1, "ncols": 2, "width_ratios": (1.25, 1)}
        if sheet.narrow:
            shape = {"nrows": 2, "ncols": 1}
        whole, stretched = figure.subplots(sharey=True, **shape)
        for axes in (whole, stretched):
            panels.tidy(axes)
            panels.guess_line(axes, 50)
        for line in self.lines:
            _draw(whole, line, lambda x: x)
            _draw(stretched, line, _from_one)
            across = stretched.get_yaxis_transform()
            stretched.plot(1.02, line.gap, "<", transform=across, **line.marker)
        whole.set(
            xlim=(min(1 / line.target.classes for line in self.lines), 1),
            ylim=_accuracy_limits(whole, self.lines),
            xlabel="threshold on the largest confidence",
        )
        for axes in (whole, stretched)[: 2 if sheet.narrow else 1]:
            axes.set_ylabel("attack accuracy (%)")
        _stretch(stretched, self.lines)
        sheet.legend(figure, looks)
        return figure

    def _looks(self):
        return [
            *((_label(x), {"linewidth": 1.6, **x.style}) for x in self.lines),
            (PEAK, {"marker": "o", "linestyle": "", "color": GREY}),
            (GAP, {"marker": "<", "linestyle": "", "color": GREY}),
        ]

    def _rows(self) -> Iterator[dict]:
        for line in self.lines:
            curve = line.attack.curve
            for threshold, accuracy, tpr, fpr in zip(
                curve.threshold,
                curve.balanced_accuracy.tolist(),
                curve.recall.tolist(),
                curve.false_positive_rate.tolist(),
                strict=True,
            ):
                yield {
                    "model": line.name,
                    "threshold": threshold,
                    "balanced_accuracy": accuracy,
                    "tpr": tpr,
                    "fpr": fpr,
                }


def steps(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds from low to high, with everyone before and nobody after."""
    x = np.array(curve.threshold)[::-1]
    y = 100 * np.array(curve.balanced_accuracy)[::-1]
    after = np.nextafter(x[-1], np.inf)
    x = np.concatenate([[0], x, [after, 1]])
    return x, np.concatenate([[50], y, [50, 50]])


def _lines(runs):
    """The Keras models' curves, then those of the deployed files."""
    in_pairs = len(runs) <= MOST_IN_PAIRS and any(len(two(x)) > 1 for x in runs)
    first, second = [], []
    for run, model in zip(runs, models(runs), strict=True):
        style = PALE if in_pairs else {"linestyle": model.linestyle}
        style = {"color": model.color, **style}
        first.append(Line(model.target, model.model, style))
        for file in two(run)[1:] if in_pairs else ():
            style = {"color": model.color, **DASHED}
            name = f"{model.model}, {file.target}"
            second.append(Line(file, name, style, hollow=True))
    return first + second


def _label(line):
    numbers = f": {line.peak:.1f} / {line.held_out:.1f}"
    room = panels.NARROW - 0.3 - panels.HANDLE - panels.width_of(numbers)
    return panels.fit(line.name, room) + numbers


def _draw(axes, line, place):
    x, y = steps(line.attack.curve)
    style = {"linewidth": 1.6, **line.style}
    axes.plot(place(x), y, drawstyle="steps-pre", label=line.name, **style)
    threshold = line.attack.point("peak_accuracy").threshold
    if threshold is not None:
        axes.plot(place(np.array([threshold])), [line.peak], "o", **line.marker)


def _from_one(thresholds):
    """Distance to certainty, float [K]; what rounds to 1 is put at the end."""
    return np.maximum(1 - thresholds, LEAST_DISTANCE)


def _stretch(axes, lines):
    axes.set_xscale("log")
    surest = max(line.attack.curve.threshold[0] for line in lines)
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
    gaps = [line.gap for line in lines]
    low = min(axes.dataLim.y0, *gaps)
    high = max(axes.dataLim.y1, 52.0, *gaps)
    room = 0.06 * (high - low)
    return low - room, high + room
