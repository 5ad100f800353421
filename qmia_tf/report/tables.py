"""Tables: columns, rows, and how cells are written."""

import dataclasses
from collections.abc import Iterable

import pandas as pd

# kind: what a number is multiplied with, its format, that of its interval.
FORMATS = {
    "count": (1, ",", None),
    "number": (1, ".2f", None),
    "measure": (1, ".3g", None),
    "tiny": (1, ".1e", None),
    "growth": (100, "+.1f", None),
    "percent": (100, ".2f", ".1f"),
    "area": (1, ".3f", ".3f"),
    "signed": (1, "+.3f", "+.3f"),
    "change": (100, "+.2f", "+.1f"),
}
ENDS = ("value", "low", "high")


@dataclasses.dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: its heading for people; a unit stands here.
        key: its heading in CSV; an Estimate gets key, key_low and key_high.
        kind: "text"; "number" (float or None), "measure" (the same with three
            digits), "tiny" (the same as a power of ten); "count" (int or
            None); "percent" (Estimate of a share, shown in per cent); "area"
            (Estimate, shown as it is), "signed" (the same with its sign);
            "change" (Estimate of a difference of
            shares, shown in points with its sign, its interval perhaps
            unknown); "growth" (float, a change as a share of the whole).
    """

    title: str
    key: str
    kind: str = "text"

    @property
    def is_estimate(self) -> bool:
        """Whether its values may have intervals."""
        return self.kind != "text" and FORMATS[self.kind][2] is not None


@dataclasses.dataclass(frozen=True)
class Table:
    """A title, columns, rows of as many cells, and notes below.

    For people, columns without a single value are left out, and the first
    `grouped` columns stand once above the rows that share them.
    """

    name: str
    title: str
    columns: list[Column]
    rows: list[list]
    notes: list[str]
    grouped: int = 0

    def pick(
        self,
        keys: Iterable[str],
        *,
        name: str | None = None,
        title: str | None = None,
        notes: Iterable[str] = (),
    ) -> "Table":
        """Makes a table of the grouped columns and those of some keys."""
        places = {column.key: n for n, column in enumerate(self.columns)}
        chosen = [*range(self.grouped), *(places[key] for key in keys)]
        return dataclasses.replace(
            self,
            name=name or self.name,
            title=title or self.title,
            columns=[self.columns[n] for n in chosen],
            rows=[[row[n] for n in chosen] for row in self.rows],
            notes=list(notes),
        )

    def column(self, key: str) -> list:
        """The values of one column."""
        (place,) = (n for n, x in enumerate(self.columns) if x.key == key)
        return [row[place] for row in self.rows]

    def frame(self) -> pd.DataFrame:
        """All values; an estimate has three columns."""
        columns = {}
        for place, column in enumerate(self.columns):
            values = [row[place] for row in self.rows]
            if not column.is_estimate:
                columns[column.key] = values
                continue
            for end in ENDS:
                key = column.key if end == "value" else f"{column.key}_{end}"
                columns[key] = [getattr(value, end, None) for value in values]
        return pd.DataFrame(columns, dtype=object)


def typed_frame(table: Table) -> pd.DataFrame:
    """All values, as Table.frame: text, whole numbers and floats."""
    frame = table.frame()
    types = dict.fromkeys(frame, "float64")
    for column in table.columns:
        if column.kind == "text":
            types[column.key] = "object"
        elif column.kind == "count":
            is_whole = frame[column.key].notna().all()
            types[column.key] = "int64" if is_whole else "Int64"
    return frame.astype(types)


def for_people(table: Table) -> tuple[list[Column], list[tuple]]:
    """Gives the columns that have values, and the cells as text.

    Returns: columns; (label, rows of cells) of each group of rows.
    """
    places = [
        place
        for place, column in enumerate(table.columns)
        if place >= table.grouped
        and (
            column.kind == "text"
            or any(_number(row[place]) is not None for row in table.rows)
        )
    ]
    groups = {}
    for row in table.rows:
        # A run that is called as its model says so once.
        label = "; ".join(dict.fromkeys(map(str, row[: table.grouped])))
        cells = [_cell(table.columns[n].kind, row[n]) for n in places]
        groups.setdefault(label, []).append(cells)
    return [table.columns[n] for n in places], list(groups.items())


def as_text(table: Table) -> str:
    """Renders for a terminal: aligned columns, notes below."""
    columns, groups = for_people(table)
    heads = [column.title for column in columns]
    all_rows = [heads, *(cells for _, body in groups for cells in body)]
    widths = [max(map(len, cells)) for cells in zip(*all_rows, strict=True)]
    indent = "  " if table.grouped else ""

    def line(cells):
        aligned = (
            cell.ljust(width) if column.kind == "text" else cell.rjust(width)
            for cell, width, column in zip(cells, widths, columns, strict=True)
        )
        return (indent + "  ".join(aligned)).rstrip()

    lines = [line(heads), line(["-" * width for width in widths])]
    for label, body in groups:
        lines += [label] if table.grouped else []
        lines += map(line, body)
    return "\n".join([table.title, "", *lines, "", *table.notes])


def as_csv(table: Table) -> str:
    """Renders for programs: full precision, shares as shares (0..1)."""
    return table.frame().to_csv(index=False, lineterminator="\n")


def _number(value):
    return getattr(value, "value", value)


def _cell(kind, value):
    if kind == "text":
        return value or ""
    number = _number(value)
    if number is None:
        return "-"
    times, form, ends = FORMATS[kind]
    if kind == "tiny" and number == 0:
        return "0"
    text = f"{times * number:{form}}"
    if getattr(value, "low", None) is None:
        return text
    low, high = times * value.low, times * value.high
    return f"{text} [{low:{ends}}, {high:{ends}}]"
