"""Tables as Markdown, and as what JSON can hold."""

import dataclasses
import re

from qmia_tf.report.tables import ESTIMATES, Table, for_people
from qmia_tf.statistics.intervals import Estimate

# Where Markdown would read more than text; an interval in brackets is none.
SPECIAL = re.compile(r"[\\`*<|~]|(?<!\w)_|_(?!\w)|(?<=\])\(|^[\[#>+-]")


def as_markdown(table: Table, *, level=3) -> str:
    """Renders a heading, a pipe table and the notes.

    Args:
        table: the table.
        level: of the heading, 1..6.
    """
    columns, groups = for_people(table)
    heads = [column.title for column in columns]
    ruler = ["---" if column.kind == "text" else "--:" for column in columns]
    if table.grouped:
        names = [column.title for column in table.columns[: table.grouped]]
        heads, ruler = [", ".join(names), *heads], ["---", *ruler]
    lines = [_row(heads), f"| {' | '.join(ruler)} |"]
    for label, rows in groups:
        before = [label] if table.grouped else []
        lines += [_row([*before, *cells]) for cells in rows]
    notes = [f"{escaped(note)}\n" for note in table.notes]
    title = f"{'#' * level} {escaped(table.title)}"
    return "\n".join([title, "", *lines, "", *notes])


def as_data(table: Table) -> dict:
    """Gives a table as dicts, lists and numbers for JSON.

    Returns: name, title, notes, and rows: one dict a row, key -> text,
        number, None, or of an estimate its value, low and high.
    """
    return {
        "name": table.name,
        "title": table.title,
        "notes": table.notes,
        "rows": [
            {
                column.key: _datum(column.kind, value)
                for column, value in zip(table.columns, row, strict=True)
            }
            for row in table.rows
        ],
    }


def escaped(text) -> str:
    """Makes text stand in Markdown as it is.

    Args:
        text: on one line or several; line breaks become blanks.
    """
    return SPECIAL.sub(r"\\\g<0>", " ".join(str(text).split()))


def _datum(kind, value):
    if kind in ESTIMATES:
        return dataclasses.asdict(value or Estimate(None, None, None))
    # NumPy's numbers are not JSON's.
    return value.item() if hasattr(value, "item") else value


def _row(cells):
    return f"| {' | '.join(map(escaped, cells))} |"
