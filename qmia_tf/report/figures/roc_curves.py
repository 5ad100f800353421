"""ROC curves on logarithmic axes, with bands."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qmia_tf.attacks import TITLES
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures import leak_measure, panels
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.series import models, two
from qmia_tf.report.figures.styles import GREY, INK
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Column, Table

WITHOUT = "confidence"
DASHED = (0, (4, 1.5))
PALE = {"linewidth": 3.2, "alpha": 0.4}


@of_runs
def roc(runs: list[Run], *, narrow=False) -> Figure | None:
    """Draws TPR against FPR, both logarithmic, one panel a run.

    Of each run the Keras model and the deployed file under one attack for
    all (leaks.common_attack; of audits of earlier versions the strongest on
    each), with pointwise 95 % bands; the first run's model in
    grey in the others' panels.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    Returns: a Figure; None if no attack has a curve.
    """
    shown = [run for run in runs if _curves(run, runs)]
    if not shown:
        return None
    across = panels.across(len(shown), narrow=narrow)
    down = -(-len(shown) // across)
    side = min(panels.page(narrow) / across, 3.0)
    labels = _legend_labels(shown)
    room = panels.legend_height(labels, narrow=narrow)
    figure = panels.paper(side * down + 0.2 + room, narrow=narrow)
    grid = panels.grid_of(
        figure, len(shown), columns=across, sharex=True, sharey=True
    )
    names = {x.run.name: x for x in models(runs)}
    for n, (axes, run) in enumerate(zip(grid, shown, strict=True)):
        panels.tidy(axes)
        axes.set(xscale="log", yscale="log")
        if n:
            first = _curves(shown[0], runs)[0][2]
            axes.plot(first.rates, _floor(first.tpr), color=GREY, linewidth=1)
        _draw(axes, _curves(run, runs), names[run.name].color)
        name = names[run.name].model
        axes.set_title(panels.fit(name, side - 0.4), loc="left")
    _limits(grid, [_curves(run, runs) for run in shown])
    for n, axes in enumerate(grid):
        if n % across == 0:
            axes.set_ylabel("TPR (%)")
        if n + across >= len(grid):
            axes.set_xlabel("FPR (%)")
            axes.tick_params(labelbottom=True)
    _legend(figure, runs, labels, narrow)
    return figure


@of_runs
def caption(runs: list[Run]) -> str:
    """How to read it."""
    text = (
        "True-positive rate against false-positive rate, both axes "
        f"logarithmic, of {_whose(runs)}: "
        "members found while so many nonmembers are wrongly called members. "
        "Bands: pointwise 95 % intervals. Dotted: guessing."
    )
    if len(runs) > 1:
        text += " Grey: the first panel's model, for comparison."
    attacks = {
        f"{x.model}: {TITLES.get(name, name)}"
        for x in models(runs)
        for _, name, _ in _curves(x.run, runs)[:1]
    }
    return f"{text} Attacks (Keras models): {'; '.join(sorted(attacks))}."


@of_runs
def alt(runs: list[Run]) -> str:
    """What is seen."""
    parts = []
    for model in models(runs)[:4]:
        curves = _curves(model.run, runs)
        if not curves:
            continue
        _, name, band = curves[0]
        rate, tpr = at_one_percent(band)
        parts.append(
            f"{model.model} ({TITLES.get(name, name)}): {100 * tpr:.3g} % at "
            f"{100 * rate:.2g} % FPR"
        )
    if not parts:
        return "These audits have no ROC curves."
    return f"Members found: {'; '.join(parts)}."


@of_runs
def data(runs: list[Run]) -> Table:
    """One row a rate of each curve."""
    rows = [
        [model.model, target.target, TITLES.get(name, name), *values]
        for model in models(runs)
        for target, name, band in _curves(model.run, runs)
        for values in zip(
            band.rates, band.tpr, band.low, band.high, strict=True
        )
    ]
    numbers = ("FPR", "fpr"), ("TPR", "tpr"), ("low", "low"), ("high", "high")
    return Table(
        name="figure_roc",
        title=DRAWING.title,
        columns=[
            Column("model", "model"),
            Column("target", "target"),
            Column("attack", "attack"),
            *(Column(*names, "number") for names in numbers),
        ],
        rows=rows,
        notes=[],
    )


def at_one_percent(band):
    """The curve's point nearest to 1 % FPR, from above: (FPR, TPR)."""
    place = min(np.searchsorted(band.rates, 0.01), len(band.rates) - 1)
    return band.rates[place], band.tpr[place]


def _curves(run: Run, runs) -> list[tuple[TargetAudit, str, object]]:
    """(target, name of the attack, its RocBand) of a run's artefacts."""
    curves, shared = [], None
    targets = [target for shown_run in runs for target in two(shown_run)]
    if all(target.leak is not None for target in targets):
        shared = leak_measure.common_attack(targets, with_curve=True)
    for target in two(run):
        name = target.strongest.attack if shared is None else shared
        band = target.attack(name).roc
        if band is None:
            # The gap attack has one threshold, and no curve.
            name, band = WITHOUT, target.attack(WITHOUT).roc
        if band is not None:
            curves.append((target, name, band))
    return curves


def _whose(runs):
    names = {name for run in runs for _, name, _ in _curves(run, runs)}
    if len(names) == 1:
        [name] = names
        return f"one attack for all ({TITLES.get(name, name)})"
    return "the attack that is strongest on each artefact"


def _floor(values):
    """A logarithmic axis has no zero."""
    return np.maximum(values, 1e-6)


def _draw(axes, curves, color):
    for n, (_, _, band) in enumerate(curves):
        axes.fill_between(
            band.rates,
            _floor(band.low),
            _floor(band.high),
            color=color,
            alpha=0.15,
            linewidth=0,
        )
        look = {"linewidth": 1.6, "linestyle": DASHED if n else "-"}
        if not n and len(curves) > 1:
            # The file's curve often lies upon the model's: both must show.
            look = PALE
        axes.plot(band.rates, _floor(band.tpr), color=color, **look)
    axes.plot([1e-6, 1], [1e-6, 1], color=GREY, linestyle=":", linewidth=1)


def _limits(grid, curve_lists):
    bands = [band for curves in curve_lists for _, _, band in curves]
    least = min(band.rates[0] for band in bands)
    seen = [x for band in bands for x in band.tpr if x > 0]
    bottom = max(min([*seen, least]) / 2, least / 20)
    for axes in grid:
        axes.set(xlim=(least, 1), ylim=(bottom, 1.15))
        axes.minorticks_off()
        for side in (axes.xaxis, axes.yaxis):
            side.set_ticks(_tens(least if side is axes.xaxis else bottom))
            side.set_major_formatter(_percent)


def _tens(least):
    return [10.0**-n for n in range(6, -1, -1) if 10.0**-n >= least * 0.999]


def _percent(value, place):
    del place
    return f"{100 * value:g}"


def _legend_labels(shown):
    labels = ["Keras model" if not shown[0].own else "model"]
    if any(len(two(run)) > 1 for run in shown):
        labels.append("deployed file")
    if len(shown) > 1:
        labels.append("first panel's model")
    return [*labels, "guessing"]


def _legend(figure, runs, labels, narrow):
    looks = {
        "deployed file": {"color": INK, "linestyle": DASHED},
        "first panel's model": {"color": GREY, "linewidth": 1},
        "guessing": {"color": GREY, "linestyle": ":", "linewidth": 1},
    }
    model = {"color": INK, **(PALE if "deployed file" in labels else {})}
    handles = [Line2D([], [], **looks.get(name, model)) for name in labels]
    panels.legend(
        figure,
        handles,
        labels,
        narrow=narrow,
        title=f"{title(runs[0].dataset)}: ROC curves",
    )


DRAWING = Drawing("roc", "ROC curves", roc, caption, alt, data)
