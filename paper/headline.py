"""The first table and figure of the results: leak against accuracy."""

import itertools
import math

from matplotlib.lines import Line2D

from paper import change_tables, equal_accuracy, plans
from paper.axes import (
    OVER_RECORDS,
    auc_axis,
    color_of,
    error_bar,
    legend_below,
)
from paper.measures import (
    MEASURES,
    deployed,
    groups,
    mean_over_seeds,
    measure,
    model_title,
    place_of,
    with_full_precision,
)
from paper.paper_comparison import INTERVALS, PLACE, SEEDS
from paper.reproduction_figures import DrawnFigure
from paper.stored_results import FinishedRun
from qmia_tf import plot_settings
from qmia_tf.report.figures.panels import SETTINGS, across, grid_of, paper, tidy
from qmia_tf.report.figures.styles import INK
from qmia_tf.report.run_list import title
from qmia_tf.report.tables import Column, Table
from qmia_tf.run_dir import TRAINED

MARGIN, LIKELIHOOD = "margin_auc", "likelihood_auc"
COLUMNS = ("accuracy_members", "accuracy", "gap", MARGIN, LIKELIHOOD)


def table(finished: list[FinishedRun]) -> Table:
    """Full precision beside the models that have several seeds.

    Of each regime in which full precision and another model were run.
    """
    rows = []
    for (*_, model), runs in _compared_groups(finished).items():
        if model not in plans.REPEATED:
            continue
        files = [deployed(finished_run) for finished_run in runs]
        matches = equal_accuracy.matches_of(runs)
        run_pairs = with_full_precision(runs, finished)
        keras = [finished_run.run.target(TRAINED) for finished_run in runs]
        rows.append(
            [
                *place_of(runs[0].job),
                len(runs),
                *(
                    mean_over_seeds([measure(target, key) for target in keras])
                    for key in COLUMNS
                ),
                None
                if None in files
                else mean_over_seeds(
                    [measure(file, LIKELIHOOD) for file in files]
                ),
                change_tables.change(run_pairs, LIKELIHOOD)
                if run_pairs
                else None,
                equal_accuracy.over_matches(matches, "likelihood"),
            ]
        )
    columns = [
        *PLACE,
        SEEDS,
        Column("members right %", "accuracy_members", "percent"),
        Column("nonmembers %", "accuracy", "percent"),
        Column("gap attack %", "gap", "percent"),
        Column("margin AUC", MARGIN, "area"),
        Column("likelihood AUC", LIKELIHOOD, "area"),
        Column("of the file", "file_likelihood_auc", "area"),
        Column("minus full precision's", "likelihood_auc_change", "signed"),
        Column("at equal accuracy", "matched_change", "signed"),
    ]
    place = [column.key for column in columns].index(LIKELIHOOD)
    older = (
        ""
        if all(row[place] for row in rows)
        else "; empty where the run was audited before that attack was there"
    )
    notes = [
        INTERVALS,
        "Margin: a threshold on the probability of the true class against "
        "all others. Likelihood: how much likelier that margin is of a member "
        f"than of a nonmember, the best that can be made of it{older}. AUC 0.5 "
        "is guessing.",
        "The last three columns are the likelihood's. First that of the file: "
        "int8 where it carries the codes exactly, float32 for other quantized "
        "models, post-training int8 for full precision. Then the Keras "
        "model's minus full precision's, trained alike. Last the same at the "
        "epoch at which full precision was as accurate on the same "
        "nonmembers, empty where it never was.",
    ]
    return Table(
        "headline", "Full precision and quantized", columns, rows, notes
    )


def figure(finished: list[FinishedRun]) -> DrawnFigure | None:
    """Leak against accuracy: models as points, full precision as a line."""
    with plot_settings.plain(SETTINGS):
        return _draw(_compared_groups(finished))


def _compared_groups(finished):
    """The groups of regimes that have something to compare, but choices."""
    runs_by_key = groups(finished)
    places = [key[:2] for key in runs_by_key]
    return {
        key: runs
        for key, runs in runs_by_key.items()
        if places.count(key[:2]) > 1
        and (*key[:2], plans.FULL) in runs_by_key
        and not plans.is_choice(*key[:2])
    }


def _draw(runs_by_key):
    if not runs_by_key:
        return None
    places = list(dict.fromkeys(key[:2] for key in runs_by_key))
    leak = _leak(runs_by_key)
    beside = across(len(places), narrow=False)
    down = math.ceil(len(places) / beside)
    drawing = paper(0.9 + 2.3 * down, narrow=False)
    panels = grid_of(drawing, len(places), columns=beside)
    rows = []
    for axes, place in zip(panels, places, strict=True):
        axes.set_title(f"{title(place[0])}, {place[1]}", loc="left")
        axes.set_xlabel("right on nonmembers (%)")
        axes.set_ylabel(MEASURES[leak][0])
        tidy(axes)
        for key, runs in runs_by_key.items():
            for finished_run in runs if key[:2] == place else ():
                rows += _panel(axes, finished_run, leak)
        auc_axis(axes.yaxis)
    models = [
        m for m in plans.MODELS if any(key[2] == m for key in runs_by_key)
    ]
    dot = {"marker": "o", "linestyle": ""}
    handles = [Line2D([], [], color=color_of(m), **dot) for m in models]
    handles += [
        Line2D([], [], color=INK, linewidth=0.8, alpha=0.6),
        Line2D([], [], color=INK, marker="^", linestyle="", mfc="none"),
        Line2D([], [], color=INK, marker="|", markersize=9, linestyle=""),
    ]
    labels = [*map(model_title, models)]
    labels += ["full precision, epoch by epoch", "the deployed file"]
    labels.append(OVER_RECORDS)
    legend_below(drawing, handles, labels)
    heading = "What is given away against how accurate the model is"
    columns = [
        *PLACE,
        Column("seed", "seed", "count"),
        Column("what", "what"),
        Column("epoch", "epoch", "count"),
        Column("on nonmembers %", "accuracy", "percent"),
        Column(MEASURES[leak][0], leak, "area"),
    ]
    data = Table("headline", heading, columns, rows, [])
    return DrawnFigure("headline", heading, _alt(rows, leak), drawing, data)


def _leak(runs_by_key):
    """The likelihood's AUC; the margin's where a run lacks that."""
    runs = itertools.chain(*runs_by_key.values())
    leaks = [measure(x.run.target(TRAINED), LIKELIHOOD) for x in runs]
    return MARGIN if None in leaks else LIKELIHOOD


def _panel(axes, finished_run, leak):
    """Draws one run; the rows of what was drawn."""
    job = finished_run.job
    who = [*place_of(job), job.seed]
    rows = []
    if job.model == plans.FULL and finished_run.sweep is not None:
        score = leak.removesuffix("_auc")
        points = [p for p in finished_run.sweep.points if score in p.leaks]
        leaks = [p.leaks[score] for p in points]
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
        (finished_run.run.target(TRAINED), "o", color),
        (deployed(finished_run), "^", "none"),
    ):
        estimate = target and measure(target, leak)
        if not estimate:
            continue
        right = target.accuracy_nonmembers
        axes.errorbar(
            100 * right.value,
            estimate.value,
            # The file's is about as long, and would lie over it.
            yerr=error_bar(estimate) if mark == "o" else None,
            marker=mark,
            color=color,
            markerfacecolor=face,
            markersize=4.5,
            elinewidth=0.8,
        )
        rows.append([*who, target.target, None, right, estimate])
    return rows


def _alt(rows, leak):
    ends = [row for row in rows if row[4] == TRAINED and row[3] == 0]
    most = max(ends, key=lambda row: row[7].value)
    least = min(ends, key=lambda row: row[7].value)
    texts = [
        f"{word}: {row[0]}, {row[1]}, {row[2]}: {MEASURES[leak][0]} "
        f"{row[7].value:.3f} at {100 * row[6].value:.1f} %"
        for word, row in (("Highest", most), ("lowest", least))
    ]
    return f"Keras models of seed 0. {'; '.join(texts)}."
