"""ROC curves on logarithmic axes, with bands."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.series import pairs, two
from qmia_tf.report.figures.styles import DASHED, GREY, INK, PALE
from qmia_tf.report.phrases import attack_title
from qmia_tf.statistics.low_fpr_rates import RocBand

# Without a threshold below this false-positive rate a panel would be empty.
COARSE = 0.1
LOOKS = {
    "deployed file": {"color": INK, **DASHED},
    "first panel's model": {"color": GREY, "linewidth": 1},
    "guessing": {"color": GREY, "linestyle": ":", "linewidth": 1},
}


class RocCurves(RunFigure):
    """TPR against FPR, both logarithmic, one panel a run.

    Of each run the Keras model and the deployed file under one attack for
    all (common_attack), with pointwise 95 % bands; the first
    run's model in grey in the others' panels.
    """

    name = "roc"
    title = heading = "ROC curves"

    def __init__(self, results):
        super().__init__(results)
        artefacts = pairs(self.runs)
        self.attack = common_attack([x.target for x in artefacts])
        self.coarse = [
            x.name for x in artefacts if _band(x.target, self.attack) is None
        ]
        # Of each run that has some, the model's first.
        self.curves = []
        for run in self.runs:
            mine = (x for x in artefacts if x.run is run)
            curves = [
                SimpleNamespace(
                    artefact=artefact,
                    model=artefact.model,
                    target=artefact.target,
                    attack=attack_title(self.attack),
                    band=band,
                )
                for artefact in mine
                if (band := _band(artefact.target, self.attack)) is not None
            ]
            if curves:
                self.curves.append(curves)

    def points(self) -> list[SimpleNamespace]:
        """Of some runs the point nearest to 1 % FPR, from above."""
        points = []
        for curve, *_ in self.curves:
            if any(curve.artefact.run is x for x in self.runs[:3]):
                fpr, tpr = at_one_percent(curve.band)
                points.append(SimpleNamespace(curve=curve, fpr=fpr, tpr=tpr))
        return points

    def _draw(self, sheet) -> Figure | None:
        shown = self.curves
        if not shown:
            return None
        across = panels.across(len(shown), narrow=sheet.narrow)
        side = min(sheet.width / across, 3.0)
        figure, grid = sheet.panels(
            [curve.model for curve, *_ in shown],
            self._looks(),
            height=side,
            space=0.2,
            margin=sheet.width / across - side + 0.4,
            xlabel="nonmembers accused (%)",
            ylabel="members found (%)",
            sharex=True,
            sharey=True,
        )
        first = shown[0][0].band
        for axes, curves in zip(grid, shown, strict=True):
            axes.set(xscale="log", yscale="log")
            if curves is not shown[0]:
                tpr = _floor(first.tpr)
                axes.plot(first.rates, tpr, color=GREY, linewidth=1)
            _draw(axes, curves)
        _limits(grid, [x.band for curves in shown for x in curves])
        return figure

    def _looks(self):
        runs = [curve.artefact.run for curve, *_ in self.curves]
        labels = ["Keras model" if runs[0].is_trained else "model"]
        if any(len(two(run)) > 1 for run in runs):
            labels.append("deployed file")
        if len(runs) > 1:
            labels.append("first panel's model")
        model = {"color": INK, **(PALE if "deployed file" in labels else {})}
        return [(x, LOOKS.get(x, model)) for x in (*labels, "guessing")]

    def _rows(self) -> Iterator[dict]:
        for curves in self.curves:
            for curve in curves:
                band = curve.band
                for fpr, tpr, low, high in zip(
                    band.rates, band.tpr, band.low, band.high, strict=True
                ):
                    yield {
                        "model": curve.model,
                        "target": curve.target.target,
                        "attack": curve.attack,
                        "fpr": fpr,
                        "tpr": tpr,
                        "low": low,
                        "high": high,
                    }


def common_attack(targets: list[TargetAudit]) -> str:
    """The attack with a curve on all targets that is surely strongest.

    By the lower ends of its AUC's intervals, on average; the largest
    confidence if there is none.
    """
    ends, coarse = {}, set()
    for target in targets:
        tested = target.attacks if target.leak is None else target.leak.attacks
        for attack in tested:
            name = getattr(attack, "attack", None) or attack.name
            if target.attack(name).roc is not None:
                ends.setdefault(name, []).append(attack.auc.low)
            if target.attack(name).least_false_positive_rate > COARSE:
                coarse.add(name)
    shared = {k: sum(v) for k, v in ends.items() if len(v) == len(targets)}
    fine = {k: v for k, v in shared.items() if k not in coarse}
    shared = fine or shared
    return max(shared, key=shared.get, default="confidence")


def _band(target, name):
    """The curve, if it has a point with few false alarms."""
    attack = target.attack(name)
    is_coarse = attack.least_false_positive_rate > COARSE
    return None if is_coarse else attack.roc


def at_one_percent(band: RocBand) -> tuple[float, float]:
    """The curve's point nearest to 1 % FPR, from above: (FPR, TPR)."""
    place = min(np.searchsorted(band.rates, 0.01), len(band.rates) - 1)
    return band.rates[place], band.tpr[place]


def _floor(values):
    """A logarithmic axis has no zero."""
    return np.maximum(values, 1e-6)


def _draw(axes, curves):
    for n, curve in enumerate(curves):
        band, color = curve.band, curve.artefact.color
        low, high = _floor(band.low), _floor(band.high)
        fill = {"alpha": 0.15, "linewidth": 0}
        axes.fill_between(band.rates, low, high, color=color, **fill)
        look = {"linewidth": 1.6, **(DASHED if n else {})}
        if not n and len(curves) > 1:
            look = PALE
        axes.plot(band.rates, _floor(band.tpr), color=color, **look)
    axes.plot([1e-6, 1], [1e-6, 1], color=GREY, linestyle=":", linewidth=1)


def _limits(grid, bands):
    least = min(band.rates[0] for band in bands)
    seen = [x for band in bands for x in band.tpr if x > 0]
    bottom = max(min([*seen, least]) / 2, least / 20)
    for axes in grid:
        axes.set(xlim=(least, 1), ylim=(bottom, 1.15))
        axes.minorticks_off()
        for side, end in ((axes.xaxis, least), (axes.yaxis, bottom)):
            tens = [10.0**-n for n in range(6, -1, -1)]
            side.set_ticks([x for x in tens if x >= end * 0.999])
            side.set_major_formatter(lambda value, _: f"{100 * value:g}")
