"""The most exposed members, as pictures."""

import base64
import io

import matplotlib.image
from matplotlib.figure import Figure

from qmia_tf.report import phrases
from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.series import models
from qmia_tf.report.figures.styles import COLORS, INK
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Column, Table

# Pictures beside each other, and rows of them for so many runs at most.
ACROSS = {False: 8, True: 4}
ROWS = {False: {1: 3}, True: {1: 6, 3: 2}}
# Inches that the text under a picture takes, and a run's name above.
UNDER, ABOVE = 0.38, 0.36
WRONG = COLORS[1]


@of_runs
def exposed(runs: list[Run], *, narrow=False) -> Figure | None:
    """Draws the members whose scores give them away most.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    Returns: a Figure; None if the audits keep no pictures.
    """
    entries = _found(runs, narrow)
    if not entries:
        return None
    across = ACROSS[narrow]
    side = panels.page(narrow) / across - 0.06
    rows = [-(-len(records) // across) for _, _, records in entries]
    above = ABOVE if len(runs) > 1 else 0.05
    heights = [above + n * (side + UNDER) for n in rows]
    top = 0.0 if narrow else 0.3
    figure = panels.paper(sum(heights) + top, narrow=narrow)
    parts = figure.subfigures(len(entries), 1, height_ratios=heights)
    parts = [parts] if len(entries) == 1 else list(parts)
    for part, count, (name, names, records) in zip(
        parts, rows, entries, strict=True
    ):
        part.set_facecolor("none")
        grid = part.subplots(count, across, squeeze=False).ravel()
        for axes in grid[len(records) :]:
            axes.set_axis_off()
        for axes, record in zip(grid, records, strict=False):
            _draw(axes, record, names, side)
        if len(runs) > 1:
            part.suptitle(
                panels.fit(name, panels.page(narrow) - 0.1),
                fontsize=panels.TEXT,
                x=0.01,
                ha="left",
            )
    panels.heading(
        figure,
        f"{title(runs[0].dataset)}: the most exposed members",
        narrow=narrow,
    )
    return figure


@of_runs
def caption(runs: list[Run]) -> str:
    """How to read it."""
    return (
        "Training records, the most exposed first: keep this as private as "
        "the data. Under each its label and the probability that it is a "
        "member, for an attacker who sees its margin alone and to whom "
        "members and nonmembers are equally likely beforehand. Coloured: "
        "classified wrong. Of records that are picked because they are at the "
        "top some are there by chance."
    )


@of_runs
def alt(runs: list[Run]) -> str:
    """What is seen."""
    parts = []
    for model in models(runs)[:3]:
        records = _records(model.run)
        if records:
            first = records[0]
            parts.append(
                f"{model.model}: record {first.record_id} of class "
                f"{_names(model.run).get(first.label, first.label)}, a member "
                f"with probability {phrases.area(first.probability)}"
            )
    if not parts:
        return "These audits keep no pictures."
    return f"The most exposed member by each model: {'; '.join(parts)}."


@of_runs
def data(runs: list[Run]) -> Table:
    """One row a record."""
    rows = [
        [model.model, record.record_id]
        + [str(names.get(x, x)) for x in (record.label, record.predicted)]
        + [record.score, record.rank, record.probability]
        for model in models(runs)
        for names in [_names(model.run)]
        for record in _records(model.run, pictures=False)
    ]
    return Table(
        name="figure_exposed",
        title=DRAWING.title,
        columns=[
            Column("model", "model"),
            Column("record", "record_id", "count"),
            Column("label", "label"),
            Column("predicted", "predicted"),
            Column("score", "score", "number"),
            Column("rank", "rank", "number"),
            Column("P(member)", "probability", "area"),
        ],
        rows=rows,
        notes=[],
    )


def _records(run, *, pictures=True):
    """The exposed members of the one target that has them."""
    for target in run.audit.targets:
        records = [x for x in target.risky_members if x.picture or not pictures]
        if records:
            return records
    return []


def _names(run):
    """Class -> name, where names are known."""
    return {
        class_audit.label: class_audit.name
        for target in run.audit.targets
        for class_audit in target.per_class
        if class_audit.name
    }


def _found(runs, narrow):
    """(model, names of the classes, records) of each run with pictures."""
    rows = [x for n, x in ROWS[narrow].items() if len(runs) <= n]
    most = ACROSS[narrow] * (rows or [1])[0]
    entries = (
        (model.model, _names(model.run), _records(model.run)[:most])
        for model in models(runs)
    )
    return [entry for entry in entries if entry[2]]


def _draw(axes, record, names, width):
    axes.set(xticks=[], yticks=[], facecolor="none")
    axes.spines[:].set_visible(False)
    image = matplotlib.image.imread(
        io.BytesIO(base64.b64decode(record.picture)), format="png"
    )
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
    right = record.predicted == record.label
    label = str(names.get(record.label, record.label))
    axes.set_xlabel(
        f"{panels.fit(label, width)}\n{100 * record.probability.value:.0f} %",
        color=INK if right else WRONG,
        labelpad=2,
    )


DRAWING = Drawing(
    "exposed", "The most exposed members", exposed, caption, alt, data
)
