"""The leak against the bits of weights and activations."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from qmia_tf.report.figures import leak_measure, panels
from qmia_tf.report.figures.series import two
from qmia_tf.report.figures.styles import COLORS, GREY, INK
from qmia_tf.report.phrases import attack_title

# How far a run's marks stand from the middle of its bits.
SPREAD = 0.32
FULL = "full"
LOOKS = {
    "Keras model": {"color": INK, "marker": "o", "linewidth": 1.4},
    "deployed file": {
        "color": COLORS[1],
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


class LeakByBits(leak_measure.LeakFigure):
    """The leak against weight bits x activation bits, of two widths or more."""

    name = "bits"
    title = "Leak against bits"
    heading = "leak against bits"

    @property
    def widths(self) -> list[tuple]:
        """(name, runs) of each: few bits first, full precision last."""
        runs_by_bits = {}
        for run in self.runs:
            if not run.is_trained:
                continue
            weight_bits, activation_bits = run.bits
            key = run.full_precision, activation_bits, weight_bits, run.model
            runs_by_bits.setdefault(key, []).append(run)
        return [
            (_name(members[0]), members)
            for _, members in sorted(runs_by_bits.items())
        ]

    def _draw(self, sheet) -> Figure | None:
        widths = self.widths
        if len(widths) < 2:
            return None
        looks = self._looks()
        figure = sheet.figure(2.6, looks)
        axes = figure.subplots()
        panels.tidy(axes, grid="y")
        panels.guess_line(axes, 0.5)
        for column, (_, members) in enumerate(widths):
            marks = [
                (target, "deployed file" if n else "Keras model")
                for run in members
                for n, target in enumerate(two(run))
            ]
            step = min(0.16, 2 * SPREAD / max(len(marks) - 1, 1))
            for place, (target, kind) in enumerate(marks):
                middle = (len(marks) - 1) / 2
                at = column + (place - middle) * step
                self._mark(axes, at, target, LOOKS[kind])
        axes.set_xticks(range(len(widths)), [name for name, _ in widths])
        axes.set_xlim(-0.5, len(widths) - 0.5)
        axes.set(xlabel="bits: weights × activations", ylabel=leak_measure.AXIS)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, 0.48), max(high, 0.54))
        sheet.legend(figure, looks)
        return figure

    def _looks(self):
        alone = all(len(two(run)) == 1 for run in self.runs)
        left_out = "deployed file" if alone else None
        return [entry for entry in LOOKS.items() if entry[0] != left_out]

    def _mark(self, axes, at, target, look):
        value, below, above = leak_measure.bounds(leak_measure.leak(target))
        gap = leak_measure.gap(target).value
        axes.plot(at, gap, "_", color=GREY, ms=9, mew=1.6)
        axes.errorbar(
            at,
            value,
            yerr=[[below], [above]],
            markersize=6,
            zorder=3,
            **look,
        )

    def _rows(self) -> Iterator[dict]:
        for name, members in self.widths:
            for run in members:
                for target in two(run):
                    yield {
                        "bits": name,
                        "run": run.name,
                        "target": target.target,
                        "attack": attack_title(leak_measure.strongest(target)),
                        "auc": leak_measure.leak(target),
                        "gap_attack": leak_measure.gap(target),
                    }


def _name(run):
    if run.full_precision:
        return FULL
    clip = "\nclip" if run.setting("model.clip") else ""
    return f"{run.bits[0]}×{run.bits[1]}{clip}"
