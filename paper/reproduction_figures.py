"""The reproduction's figures, each with the table of what it draws."""

import dataclasses
import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper import plans
from paper.axes import (
    OVER_RECORDS,
    auc_axis,
    color_of,
    error_bar,
    legend_below,
)
from paper.measures import deployed, groups, measure, model_title
from paper.stored_results import FinishedRun
from qmia_tf import plot_settings
from qmia_tf.report.figures.panels import SETTINGS, across, grid_of, paper, tidy
from qmia_tf.report.figures.styles import DASHES, GREY, INK
from qmia_tf.report.run_list import title
from qmia_tf.report.tables import Column, Table
from qmia_tf.run_dir import TRAINED

MARKERS = "os^vDPX"
# What the paper's figures 2 and 3 show, per cent.
PEAKS = {
    "fashion_mnist": ((57, "full precision, above"), (54, "quantized, about")),
    "cifar10": ((68, "full precision, above"), (63, "quantized, about")),
}
LEAKS = {
    "confidence": "confidence AUC",
    "margin": "margin AUC",
    "likelihood": "likelihood AUC",
}


@dataclasses.dataclass(frozen=True)
class DrawnFigure:
    """A figure, what it is called, says and draws.

    Attributes:
        name: of its files.
        title: its heading.
        alt: what is seen, with numbers.
        figure: matplotlib's Figure.
        data: what is drawn.
    """

    name: str
    title: str
    alt: str
    figure: Figure
    data: Table


def figures(finished: list[FinishedRun]) -> list[DrawnFigure]:
    """Draws everything that the runs have something for."""
    drawings = []
    with plot_settings.plain(SETTINGS):
        by_regime, by_set = {}, {}
        for finished_run in finished:
            job = finished_run.job
            by_regime.setdefault((job.dataset, job.regime), []).append(
                finished_run
            )
            if not plans.is_choice(job.dataset, job.regime):
                by_set.setdefault(job.dataset, []).append(finished_run)
        for runs in by_regime.values():
            drawings += [_threshold(runs), _epochs(runs)]
        drawings += [_seeds(runs) for runs in by_set.values()]
    return [drawing for drawing in drawings if drawing is not None]


def _threshold(runs):
    """The paper's figure 2 or 3: attack accuracy against the threshold."""
    first = [group[0] for group in groups(runs).values()]
    job = first[0].job
    figure = paper(3.6, narrow=False)
    axes = figure.subplots()
    rows, peaks = [], []
    for finished_run in first:
        attack = finished_run.run.target(TRAINED).attack("confidence")
        x = np.array(attack.curve.threshold)
        y = np.array(attack.curve.balanced_accuracy)
        name = model_title(finished_run.job.model)
        peak = attack.point("peak_accuracy").balanced_accuracy.value
        peaks.append(f"{name} {100 * peak:.1f} %")
        label = f"{name}, peak {100 * peak:.1f} %"
        style = _style(finished_run.job.model)
        axes.plot(x, 100 * y, label=label, drawstyle="steps-post", **style)
        shared = [name, finished_run.job.seed]
        pairs = zip(x.tolist(), y.tolist(), strict=True)
        rows += [[*shared, *pair] for pair in pairs]
    for height, words in PEAKS.get(job.dataset, ()):
        axes.axhline(height, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
        axes.annotate(
            f"the paper: {words} {height} %",
            (0.01, height),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, 2),
            textcoords="offset points",
            color=GREY,
        )
    axes.axhline(50, color=GREY, linewidth=0.8)
    axes.set_xlim(1 / first[0].run.target(TRAINED).classes, 1)
    axes.set_xlabel("threshold on the largest confidence")
    axes.set_ylabel("attack accuracy (%), in-sample")
    tidy(axes)
    legend_below(figure, *axes.get_legend_handles_labels())
    heading = f"Attack accuracy against the threshold, {_place(job)}"
    columns = [
        Column("model", "model"),
        Column("seed", "seed", "count"),
        Column("threshold", "threshold", "number"),
        Column("attack accuracy", "balanced_accuracy", "number"),
    ]
    name = f"threshold_{job.dataset}_{job.regime}"
    return DrawnFigure(
        name=name,
        title=heading,
        alt=f"The curves peak at: {'; '.join(peaks)}.",
        figure=figure,
        data=Table(name, heading, columns, rows, []),
    )


def _epochs(runs):
    """Leak against accuracy on nonmembers, along the epochs."""
    swept = [
        finished_run for finished_run in runs if finished_run.sweep is not None
    ]
    if not swept:
        return None
    job = swept[0].job
    figure = paper(3.8, narrow=False)
    # Runs of an older version lack the attacks made since.
    known = {
        score
        for finished_run in swept
        for score in finished_run.sweep.points[-1].leaks
    }
    score_titles = {
        score: text for score, text in LEAKS.items() if score in known
    }
    panels = figure.subplots(1, len(score_titles), sharex=True)
    rows, labels = [], {}
    for finished_run in swept:
        model, points = finished_run.job.model, finished_run.sweep.points
        right = [100 * p.accuracy_nonmembers.value for p in points]
        style = _style(model)
        mark = MARKERS[list(plans.MODELS).index(model) % len(MARKERS)]
        for axes, score in zip(panels, score_titles, strict=True):
            if score not in points[-1].leaks:
                continue
            leaks = [p.leaks[score].value for p in points]
            axes.plot(right, leaks, marker=mark, markersize=3, **style)
            end = {"marker": mark, "markersize": 7, "color": style["color"]}
            axes.plot(right[-1:], leaks[-1:], **end)
        key = model_title(model)
        labels[key] = Line2D([], [], marker=mark, markersize=4, **style)
        rows += [
            [
                key,
                finished_run.job.seed,
                p.epoch,
                p.accuracy_members,
                p.accuracy_nonmembers,
                *(p.leaks.get(score) for score in ("gap", *score_titles)),
            ]
            for p in points
        ]
    for axes, heading in zip(panels, score_titles.values(), strict=True):
        axes.set_xlabel("right on nonmembers (%)")
        axes.set_ylabel(heading)
        tidy(axes)
        auc_axis(axes.yaxis)
    legend_below(figure, list(labels.values()), list(labels))
    columns = [
        Column("model", "model"),
        Column("seed", "seed", "count"),
        Column("epoch", "epoch", "count"),
        Column("right on members %", "accuracy_members", "percent"),
        Column("on nonmembers %", "accuracy", "percent"),
        Column("gap attack %", "gap", "percent"),
        *(
            Column(text, f"{key}_auc", "area")
            for key, text in score_titles.items()
        ),
    ]
    heading = f"Leak against accuracy over the epochs, {_place(job)}"
    name = f"epochs_{job.dataset}_{job.regime}"
    data = Table(name, heading, columns, rows, [])
    return DrawnFigure(name, heading, _ends(swept), figure, data)


def _ends(swept):
    """In words where each line ends."""
    ends = [
        f"{model_title(x.job.model)}, seed {x.job.seed}: "
        f"{100 * x.sweep.points[-1].accuracy_nonmembers.value:.1f} % right, "
        f"margin AUC {x.sweep.points[-1].leaks['margin'].value:.3f}"
        for x in swept
    ]
    return f"The lines end at: {'; '.join(ends)}."


def _seeds(runs):
    """The margin's AUC of every run and file, a panel a regime."""
    regimes = list(
        dict.fromkeys(finished_run.job.regime for finished_run in runs)
    )
    used = {finished_run.job.model for finished_run in runs}
    models = [model for model in plans.MODELS if model in used]
    beside = across(len(regimes), narrow=False)
    down = math.ceil(len(regimes) / beside)
    figure = paper(0.5 + (0.8 + 0.32 * len(models)) * down, narrow=False)
    panels = grid_of(figure, len(regimes), columns=beside, sharey=True)
    rows = []
    for finished_run in runs:
        axes = panels[regimes.index(finished_run.job.regime)]
        place, color = (
            models.index(finished_run.job.model),
            color_of(finished_run.job.model),
        )
        for target in (
            finished_run.run.target(TRAINED),
            deployed(finished_run),
        ):
            estimate = None if target is None else measure(target, "margin_auc")
            if estimate is None:
                continue
            keras = target.target == TRAINED
            face = color if keras else "none"
            at = place - 0.1 if keras else place + 0.15
            axes.errorbar(
                estimate.value,
                at,
                xerr=error_bar(estimate),
                marker="o" if keras else "^",
                color=color,
                markerfacecolor=face,
                markersize=5,
                elinewidth=0.8,
            )
            job = finished_run.job
            who = [job.regime, model_title(job.model), job.seed, target.target]
            rows.append([*who, estimate])
    for axes, regime in zip(panels, regimes, strict=True):
        axes.set_title(regime, loc="left")
        axes.set_xlabel("margin AUC")
        tidy(axes, grid="x")
        auc_axis(axes.xaxis)
    panels[0].set_yticks(range(len(models)), map(model_title, models))
    panels[0].set_ylim(len(models) - 0.5, -0.5)
    marks = [
        Line2D([], [], marker="o", linestyle="", color=INK),
        Line2D([], [], marker="^", linestyle="", color=INK, mfc="none"),
        Line2D([], [], color=INK, linewidth=0.8),
    ]
    labels = ["Keras model, a dot a seed", "deployed file", OVER_RECORDS]
    legend_below(figure, marks, labels)
    dataset = runs[0].job.dataset
    heading = f"Every seed, {title(dataset)}"
    columns = [
        Column("regime", "regime"),
        Column("model", "model"),
        Column("seed", "seed", "count"),
        Column("target", "target"),
        Column("margin AUC", "margin_auc", "area"),
    ]
    values = [row[-1].value for row in rows]
    alt = (
        f"{len(rows)} models and files, margin AUC from {min(values):.3f} to "
        f"{max(values):.3f}."
        if rows
        else "Nothing was measured."
    )
    name = f"seeds_{dataset}"
    return DrawnFigure(
        name, heading, alt, figure, Table(name, heading, columns, rows, [])
    )


def _place(job):
    return f"{title(job.dataset)}, {job.regime}"


def _style(model):
    place = list(plans.MODELS).index(model)
    dash = DASHES[place % len(DASHES)]
    return {"color": color_of(model), "linestyle": dash, "linewidth": 1.4}
