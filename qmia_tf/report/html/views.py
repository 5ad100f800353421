"""What the template shows of tables, figures and records."""

import dataclasses
import re
import urllib.parse

from markupsafe import Markup

from qmia_tf.report import tables
from qmia_tf.report.figure_set import Picture
from qmia_tf.report.html import inline_svg
from qmia_tf.report.phrases import TOGETHER, area
from qmia_tf.report.run_list import Run

# A figure's numbers are shown beneath it if they are few enough to read.
MOST_ROWS = 40
# What a data URL may hold as it is; the rest is percent-encoded.
PLAIN = ",:;/!*()[]=+"
HASH = re.compile(r"[0-9a-f]{64}")
NEGATIVE = re.compile(r"(?<![\w.])-(?=\d)")


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell: its value, its interval in brackets, and its CSS class."""

    value: str
    interval: str
    look: str


@dataclasses.dataclass(frozen=True)
class TableView:
    """A table as the template walks through it.

    Attributes:
        name: of the table.
        title: its caption.
        heads: (title, CSS class) of each column.
        groups: (label, rows of Cells); the label is "" without groups.
        notes: sentences below.
        file: (name of the CSV, its data URL); None if it is given elsewhere.
    """

    name: str
    title: str
    heads: list[tuple[str, str]]
    groups: list[tuple[str, list[list[Cell]]]]
    notes: list[str]
    file: tuple[str, str] | None


@dataclasses.dataclass(frozen=True)
class FigureView:
    """A figure as the template shows it; its data is None if it is long.

    Its section's heading is its own if it stands there `alone`.
    """

    name: str
    title: str
    alone: bool
    caption: str
    alt: str
    wide: Markup
    narrow: Markup
    file: tuple[str, str]
    data: TableView | None


@dataclasses.dataclass(frozen=True)
class RecordView:
    """One of the most exposed members; what it is called among its kind."""

    number: int
    label: str
    predicted: str | None
    value: str
    interval: str
    picture: str | None


@dataclasses.dataclass(frozen=True)
class RecordsView:
    """The most exposed members of one target.

    Attributes:
        label: the run's and the target's name.
        sure: of how many the interval lies above 1/2.
        listed: RecordViews, the most exposed first.
    """

    label: str
    sure: int
    listed: list[RecordView]


def prose(text) -> str:
    """Sets a sentence: numbers stay with their units, minus is no hyphen.

    Args:
        text: not yet escaped.
    """
    text = TOGETHER.sub("\N{NO-BREAK SPACE}", str(text))
    return _signs(NEGATIVE.sub("\N{MINUS SIGN}", text))


def table_view(table: tables.Table, *, stored) -> TableView:
    """Prepares a table.

    Args:
        table: what is shown.
        stored: the table that its CSV gives, perhaps with more columns; None
            if another place gives it.
    """
    columns, groups = tables.for_people(table)
    looks = [
        "text" if column.kind == "text" else "number" for column in columns
    ]
    return TableView(
        name=table.name,
        title=table.title,
        heads=[
            (_signs(c.title), x) for c, x in zip(columns, looks, strict=True)
        ],
        groups=[
            (
                label.replace("; ", " · ") if table.grouped else "",
                [list(map(_cell, row, looks)) for row in rows],
            )
            for label, rows in groups
        ],
        notes=table.notes,
        file=stored and _file(stored.name, stored),
    )


def figure_view(picture: Picture, *, alone, several) -> FigureView:
    """Prepares a figure.

    Args:
        picture: drawn as SVG, wide and narrow.
        alone: whether it is the only figure of its section.
        several: whether the page has several data sets, told in the title.
    """
    # A data set's name may hold what no id and no CSS may.
    prefix = re.sub(r"[^A-Za-z0-9_-]", "-", picture.name)
    data = dataclasses.replace(picture.data, name=prefix)
    few = 0 < len(data.rows) <= MOST_ROWS
    title = picture.title
    if several:
        title = f"{picture.dataset}: {title}"
    return FigureView(
        name=prefix,
        title=title,
        alone=alone and not several,
        caption=picture.caption,
        alt=picture.alt,
        wide=_svg(picture.files["svg"], f"{prefix}-w", "wide"),
        narrow=_svg(picture.narrow, f"{prefix}-n", "narrow"),
        file=_file(picture.name, picture.data),
        data=table_view(data, stored=None) if few else None,
    )


def record_views(compared: list[Run]) -> list[RecordsView]:
    """The most exposed members of each target that lists them."""
    return [
        RecordsView(
            label=f"{run.label}, {target.target}",
            sure=sum(x.probability.low > 0.5 for x in target.risky_members),
            listed=[_record(x, target) for x in target.risky_members],
        )
        for run in compared
        for target in run.audit.targets
        if target.risky_members
    ]


def _record(exposed, target):
    names = {x.label: x.name for x in target.per_class if x.name}
    label, predicted = (
        names.get(x, f"class {x}") for x in (exposed.label, exposed.predicted)
    )
    value, _, interval = area(exposed.probability).partition(" ")
    return RecordView(
        number=exposed.record_id,
        label=label,
        predicted=None if predicted == label else predicted,
        value=value,
        interval=interval,
        picture=exposed.picture,
    )


def _signs(text):
    return text.replace(">=", "\N{GREATER-THAN OR EQUAL TO}")


def _svg(data, prefix, kind):
    # Matplotlib wrote it; texts are paths and comments were taken out.
    return Markup(inline_svg.inline(data, prefix=prefix, kind=kind))


def _cell(text, look):
    if look == "text":
        text = _signs(text)
        return Cell(text, "", "hash" if HASH.fullmatch(text) else "text")
    value, bracket, interval = text.partition(" [")
    return Cell(value, bracket.strip() + interval, look)


def _file(name, table):
    text = urllib.parse.quote(tables.as_csv(table), safe=PLAIN)
    return f"{name}.csv", f"data:text/csv;charset=utf-8,{text}"
