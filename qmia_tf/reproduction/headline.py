"""What the README shows: the heart of the reproduction on one screen."""

import math

import matplotlib
from matplotlib.lines import Line2D

from qmia_tf.report.compared import title
from qmia_tf.report.figures.panels import SETTINGS, paper, tidy
from qmia_tf.report.figures.styles import INK
from qmia_tf.report.tables import Column, Table
from qmia_tf.reproduction import comparing, equal_accuracy, plans
from qmia_tf.reproduction.drawing import Drawn, color_of, legend_below
from qmia_tf.reproduction.measures import (
    KERAS,
    deployed,
    groups,
    measure,
    model_title,
    over_seeds,
    with_partners,
)
from qmia_tf.reproduction.paper_beside import INTERVALS, PLACE, SEEDS
from qmia_tf.reproduction.stored import Finished

MARGIN = "margin_auc"
ACROSS = 3


def table(finished: list[Finished]) -> Table:
    """Full precision beside the models that have several seeds.

    Of each regime in which full precision and another model were run.
    """
    rows = []
    for (dataset, regime, model), found in _shown(finished).items():
        if model not in plans.REPEATED:
            continue
        files = [deployed(each) for each in found]
        inside = equal_accuracy.inside_matches(found)
        both = with_partners(found, finished)
        keras = [each.run.target(KERAS) for each in found]
        rows.append(
            [
                title(dataset),
                regime,
                model_title(model),
                len(found),
                *(
                    over_seeds([measure(target, key) for target in keras])
                    for key in ("accuracy_members", "accuracy", "gap", MARGIN)
                ),
                None
                if None in files
                else over_seeds([measure(file, MARGIN) for file in files]),
                comparing.change(both, MARGIN) if both else None,
                equal_accuracy.over_matches(inside, "margin"),
            ]
        )
    columns = [
        *PLACE,
        SEEDS,
        Column("members right %", "accuracy_members", "percent"),
        Column("nonmembers %", "accuracy", "percent"),
        Column("gap attack %", "gap", "percent"),
        Column("margin AUC", MARGIN, "area"),
        Column("of the file", "file_margin_auc", "area"),
        Column("minus full precision's", "margin_auc_change", "signed"),
        Column("at equal accuracy", "matched_change", "signed"),
    ]
    notes = [
        INTERVALS,
        "Margin: an attack on the probability of the true class against all "
        "others; AUC 0.5 is guessing. File: int8 where it carries the "
        "codes exactly, float32 for other quantized models, post-training "
        "int8 of full precision. The last two columns are differences of the "
        "Keras models' AUC: trained alike, and against the epoch at which "
        "full precision was as accurate on the same nonmembers; empty where "
        "it never was.",
    ]
    return Table(
        "headline", "Full precision and quantized", columns, rows, notes
    )


def figure(finished: list[Finished]) -> Drawn | None:
    """Leak against accuracy: models as points, full precision as a line."""
    with matplotlib.rc_context(SETTINGS):
        return _draw(_shown(finished))


def _shown(finished):
    """The groups of regimes that have something to compare."""
    found = groups(finished)
    places = [key[:2] for key in found]
    return {
        key: listed
        for key, listed in found.items()
        if places.count(key[:2]) > 1 and (*key[:2], plans.FULL) in found
    }


def _draw(shown):
    if not shown:
        return None
    places = list(dict.fromkeys(key[:2] for key in shown))
    across = min(ACROSS, len(places))
    down = math.ceil(len(places) / across)
    drawing = paper(0.9 + 2.3 * down, narrow=False)
    every = drawing.subplots(down, across, squeeze=False).ravel()
    rows = []
    for axes, place in zip(every, places, strict=False):
        axes.set_title(f"{title(place[0])}, {place[1]}", loc="left")
        axes.set_xlabel("right on nonmembers (%)")
        axes.set_ylabel("margin AUC")
        tidy(axes)
        for key, listed in shown.items():
            for each in listed if key[:2] == place else ():
                rows += _panel(axes, each)
    for axes in every[len(places) :]:
        axes.set_visible(False)
    models = [m for m in plans.MODELS if any(key[2] == m for key in shown)]
    dot = {"marker": "o", "linestyle": ""}
    handles = [Line2D([], [], color=color_of(m), **dot) for m in models]
    handles += [
        Line2D([], [], color=INK, linewidth=0.8, alpha=0.6),
        Line2D([], [], color=INK, marker="^", linestyle="", mfc="none"),
    ]
    labels = [*map(model_title, models)]
    labels += ["full precision, epoch by epoch", "the deployed file"]
    legend_below(drawing, handles, labels)
    heading = "What is given away against how accurate the model is"
    columns = [
        *PLACE,
        Column("seed", "seed", "count"),
        Column("what", "what"),
        Column("epoch", "epoch", "count"),
        Column("on nonmembers %", "accuracy", "percent"),
        Column("margin AUC", MARGIN, "area"),
    ]
    data = Table("headline", heading, columns, rows, [])
    return Drawn("headline", heading, _alt(rows), drawing, data)


def _panel(axes, each):
    """Draws one run; the rows of what was drawn."""
    job = each.job
    who = [title(job.dataset), job.regime, model_title(job.model), job.seed]
    rows = []
    if job.model == plans.FULL and each.sweep is not None:
        points = each.sweep.points
        leaks = [p.leaks["margin"] for p in points]
        right = [p.accuracy_nonmembers for p in points]
        axes.plot(
            [100 * x.value for x in right],
            [y.value for y in leaks],
            color=INK,
            linewidth=0.8,
            alpha=0.6,
            zorder=1,
        )
        rows += [
            [*who, "epoch", p.epoch, x, y]
            for p, x, y in zip(points, right, leaks, strict=True)
        ]
    color = color_of(job.model)
    for target, mark, face in (
        (each.run.target(KERAS), "o", color),
        (deployed(each), "^", "none"),
    ):
        if target is None or measure(target, MARGIN) is None:
            continue
        right, leak = target.accuracy_nonmembers, measure(target, MARGIN)
        axes.plot(
            100 * right.value,
            leak.value,
            mark,
            color=color,
            markerfacecolor=face,
            markersize=4.5,
        )
        rows.append([*who, target.target, None, right, leak])
    return rows


def _alt(rows):
    ends = [row for row in rows if row[4] == KERAS and row[3] == 0]
    said = [
        f"{row[0]}, {row[1]}, {row[2]}: {100 * row[6].value:.1f} % right, "
        f"AUC {row[7].value:.3f}"
        for row in ends
    ]
    return f"Keras models of seed 0: {'; '.join(said)}."
