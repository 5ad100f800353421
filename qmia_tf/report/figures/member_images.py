"""The members at highest risk, as pictures."""

import base64
import io
from collections.abc import Iterator
from types import SimpleNamespace

import matplotlib.image
from matplotlib.figure import Figure

from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.styles import COLORS, INK
from qmia_tf.report.tables import Column

# Pictures beside each other, and rows of them for so many runs at most.
ACROSS = {False: 8, True: 4}
ROWS = {False: {1: 3}, True: {1: 6, 3: 2}}
# Inches that the text under a picture takes, and a run's name above.
UNDER, ABOVE = 0.38, 0.36
WRONG = COLORS[1]


class MemberImages(RunFigure):
    """The members whose scores give them away most."""

    name = "risk"
    title = "The members at highest risk"
    heading = "the members at highest risk"
    columns = (Column("score", "score", "number"),)

    def first_members(self) -> list[SimpleNamespace]:
        """The member at highest risk of some models."""
        members = (_members(x)[:1] for x in self.models[:2])
        return [first for listed in members for first in listed]

    def _draw(self, sheet) -> Figure | None:
        entries = self._entries(sheet.narrow)
        if not entries:
            return None
        across = ACROSS[sheet.narrow]
        side = sheet.width / across - 0.06
        rows = [-(-len(members) // across) for members in entries]
        above = ABOVE if len(self.runs) > 1 else 0.05
        heights = [above + n * (side + UNDER) for n in rows]
        figure = sheet.figure(sum(heights) + (0.0 if sheet.narrow else 0.3))
        parts = figure.subfigures(
            len(entries), 1, height_ratios=heights, squeeze=False
        )
        for part, count, members in zip(
            parts[:, 0], rows, entries, strict=True
        ):
            part.set_facecolor("none")
            grid = part.subplots(count, across, squeeze=False).ravel()
            for axes in grid[len(members) :]:
                axes.set_axis_off()
            for axes, member in zip(grid, members, strict=False):
                _draw(axes, member, side)
            if len(self.runs) > 1:
                name = panels.fit(members[0].model, sheet.width - 0.1)
                part.suptitle(name, fontsize=panels.TEXT, x=0.01, ha="left")
        if not sheet.narrow:
            figure.suptitle(
                sheet.title, fontsize=panels.TITLE, x=0.01, ha="left"
            )
        return figure

    def _entries(self, narrow):
        """The members that are drawn, of each run with pictures."""
        rows = [x for n, x in ROWS[narrow].items() if len(self.runs) <= n]
        most = ACROSS[narrow] * (rows or [1])[0]
        entries = (_members(model)[:most] for model in self.models)
        return [members for members in entries if members]

    def _rows(self) -> Iterator[dict]:
        for model in self.models:
            for member in _members(model, pictures=False):
                record = member.record
                yield {
                    "model": member.model,
                    "record_id": record.record_id,
                    "label": member.label,
                    "predicted": member.predicted,
                    "score": record.score,
                    "rank": record.rank,
                    "probability": record.probability,
                }


def _members(model, *, pictures=True) -> list[SimpleNamespace]:
    """The risky members of the one target of a run that has them."""
    for target in model.run.audit.targets:
        records = [x for x in target.risky_members if x.picture or not pictures]
        if records:
            names = _class_names(model.run)
            return [
                SimpleNamespace(
                    model=model.model,
                    record=record,
                    label=str(names.get(record.label, record.label)),
                    predicted=str(
                        names.get(record.predicted, record.predicted)
                    ),
                )
                for record in records
            ]
    return []


def _class_names(run):
    return {
        audit.label: audit.name
        for target in run.audit.targets
        for audit in target.per_class
        if audit.name
    }


def _draw(axes, member, width):
    record = member.record
    axes.set(xticks=[], yticks=[], facecolor="none")
    axes.spines[:].set_visible(False)
    image = matplotlib.image.imread(
        io.BytesIO(base64.b64decode(record.picture)), format="png"
    )
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
    axes.set_xlabel(
        f"{panels.fit(member.label, width)}\n"
        f"{100 * record.probability.value:.0f} %",
        color=INK if record.predicted == record.label else WRONG,
        labelpad=2,
    )
