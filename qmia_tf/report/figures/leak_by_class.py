"""The leak of each class."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qmia_tf.report import phrases
from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.series import models
from qmia_tf.report.figures.styles import FAINT, GREY, INK
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Column, Table

ROW = 0.19
# More classes than these, and the most exposed of the first run are shown.
MOST = 20
# Inches of a name.
NAME = {False: 1.1, True: 0.75}


@of_runs
def classes(runs: list[Run], *, narrow=False) -> Figure | None:
    """Draws the confidence attack's AUC on each class, one panel a run.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    Returns: a Figure; None if the audits do not tell classes apart.
    """
    artefacts = [
        artefact for artefact in models(runs) if artefact.target.per_class
    ]
    if not artefacts:
        return None
    labels = _chosen(artefacts)
    across = panels.across(len(artefacts), narrow=narrow)
    down = -(-len(artefacts) // across)
    texts = ["AUC within the class", "gap attack", "guessing"]
    room = panels.legend_height(texts, narrow=narrow)
    height = down * (ROW * len(labels) + 0.3) + 0.4 + room
    figure = panels.paper(height, narrow=narrow)
    grid = panels.grid_of(
        figure, len(artefacts), columns=across, sharex=True, sharey=True
    )
    width = (panels.page(narrow) - NAME[narrow]) / across - 0.1
    for n, (axes, artefact) in enumerate(zip(grid, artefacts, strict=True)):
        panels.tidy(axes, grid="x")
        _draw(axes, artefact, labels)
        axes.set_title(panels.fit(artefact.model, width), loc="left")
        if n + across >= len(artefacts):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("AUC")
    names = [panels.fit(name, NAME[narrow]) for name in labels.values()]
    grid[0].set_yticks(range(len(labels)), names)
    grid[0].set_ylim(len(labels) - 0.4, -0.6)
    _legend(figure, texts, runs, narrow)
    return figure


@of_runs
def caption(runs: list[Run]) -> str:
    """How to read it."""
    artefacts = [
        artefact for artefact in models(runs) if artefact.target.per_class
    ]
    text = (
        "The AUC of the confidence attack among the records of each class, "
        "Keras models, with 95 % intervals, each for its class alone: of many "
        "classes some lie aside by chance. Grey strokes: the gap attack "
        "within the class. Guessing gives 0.5."
    )
    if artefacts and len(artefacts[0].target.per_class) > MOST:
        text += f" The {MOST} classes with the highest AUC in the first panel."
    return text


@of_runs
def alt(runs: list[Run]) -> str:
    """What is seen."""
    parts = []
    for artefact in models(runs)[:3]:
        per_class = artefact.target.per_class
        if not per_class:
            continue
        high = max(per_class, key=lambda x: x.auc.value)
        low = min(per_class, key=lambda x: x.auc.value)
        parts.append(
            f"{artefact.model}, from class {_name(low)}, AUC "
            f"{phrases.area(low.auc)}, to class {_name(high)}, "
            f"{phrases.area(high.auc)}"
        )
    if not parts:
        return "These audits do not tell classes apart."
    return f"By class the leak ranges: {'; '.join(parts)}."


@of_runs
def data(runs: list[Run]) -> Table:
    """One row a class of each run, all of them."""
    rows = [
        [
            artefact.model,
            _name(class_audit),
            class_audit.members,
            class_audit.nonmembers,
        ]
        + [
            class_audit.accuracy_members,
            class_audit.accuracy_nonmembers,
            class_audit.auc,
        ]
        for artefact in models(runs)
        for class_audit in artefact.target.per_class
    ]
    return Table(
        name="figure_classes",
        title=DRAWING.title,
        columns=[
            Column("model", "model"),
            Column("class", "class"),
            Column("members", "members", "count"),
            Column("nonmembers", "nonmembers", "count"),
            Column("members right %", "accuracy_members", "percent"),
            Column("nonmembers right %", "accuracy_nonmembers", "percent"),
            Column("AUC", "auc", "area"),
        ],
        rows=rows,
        notes=[],
    )


def _name(class_audit):
    return class_audit.name or str(class_audit.label)


def _chosen(artefacts):
    """Label -> name of the classes that are drawn, in their order."""
    per_class = artefacts[0].target.per_class
    if len(per_class) > MOST:
        ordered = sorted(per_class, key=lambda x: (-x.auc.value, x.label))
        labels = {class_audit.label for class_audit in ordered[:MOST]}
        per_class = [
            class_audit
            for class_audit in per_class
            if class_audit.label in labels
        ]
    return {class_audit.label: _name(class_audit) for class_audit in per_class}


def _draw(axes, artefact, labels):
    axes.axvline(0.5, color=GREY, linewidth=0.9, zorder=1)
    rows = {label: row for row, label in enumerate(labels)}
    axes.hlines(
        list(rows.values()),
        0,
        1,
        transform=axes.get_yaxis_transform(),
        color=FAINT,
        linewidth=0.6,
        zorder=0,
    )
    for class_audit in artefact.target.per_class:
        if class_audit.label not in rows:
            continue
        row, auc = rows[class_audit.label], class_audit.auc
        gap = (
            class_audit.accuracy_members.value
            - class_audit.accuracy_nonmembers.value
        )
        axes.plot(0.5 + gap / 2, row, "|", color=GREY, markersize=8, mew=1.5)
        low = auc.value if auc.low is None else auc.low
        high = auc.value if auc.high is None else auc.high
        axes.errorbar(
            auc.value,
            row,
            xerr=[[auc.value - low], [high - auc.value]],
            color=artefact.color,
            marker="o",
            markersize=4.5,
            linewidth=1.3,
            zorder=3,
        )


def _legend(figure, texts, runs, narrow):
    handles = [
        Line2D([], [], color=INK, marker="o", ms=4.5, linewidth=1.3),
        Line2D([], [], color=GREY, marker="|", linestyle="", ms=8, mew=1.5),
        Line2D([], [], color=GREY, linewidth=0.9),
    ]
    panels.legend(
        figure,
        handles,
        texts,
        narrow=narrow,
        title=f"{title(runs[0].dataset)}: leak by class",
    )


DRAWING = Drawing("classes", "Leak by class", classes, caption, alt, data)
