"""Tables of estimates as text, CSV and LaTeX."""

import csv
import dataclasses
import io

from qmia_tf.statistics.intervals import Estimate

LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "%": r"\%",
    "_": r"\_",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


ESTIMATES = ("percent", "area", "signed", "change")


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

    def pick(self, keys, *, name, title, notes) -> "Table":
        """Makes a table of the grouped columns and some others.

        Args:
            keys: of the other columns, in order.
            name: of the new table.
            title: of the new table.
            notes: of the new table.
        """
        places = {column.key: n for n, column in enumerate(self.columns)}
        chosen = [*range(self.grouped), *(places[key] for key in keys)]
        return dataclasses.replace(
            self,
            name=name,
            title=title,
            columns=[self.columns[n] for n in chosen],
            rows=[[row[n] for n in chosen] for row in self.rows],
            notes=notes,
        )


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
            or any(_is_known(row[place]) for row in table.rows)
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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = []
    for column in table.columns:
        heads.append(column.key)
        if column.kind in ESTIMATES:
            heads += [f"{column.key}_low", f"{column.key}_high"]
    writer.writerow(heads)
    for row in table.rows:
        cells = []
        for column, value in zip(table.columns, row, strict=True):
            if column.kind in ESTIMATES:
                cells += dataclasses.astuple(
                    value or Estimate(None, None, None)
                )
            else:
                cells.append(value)
        writer.writerow(cells)
    return text.getvalue()


def as_latex(table: Table) -> str:
    """Renders a table environment for the booktabs package."""
    columns, groups = for_people(table)
    alignment = "".join(
        "l" if column.kind == "text" else "r" for column in columns
    )
    body = []
    for label, rows in groups:
        if table.grouped:
            label = rf"\multicolumn{{{len(columns)}}}{{l}}{{{_latex(label)}}}"
            body.append(rf"{label} \\")
        body += map(_latex_row, rows)
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(table.title)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            _latex_row(column.title for column in columns),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip\raggedright\footnotesize",
            *(rf"{_latex(note)}\par" for note in table.notes),
            r"\end{table}",
            "",
        ]
    )


def _is_known(value):
    return getattr(value, "value", value) is not None


def _cell(kind, value):
    if kind == "text":
        return value or ""
    if not _is_known(value):
        return "-"
    if kind in ESTIMATES:
        return _estimate(kind, value)
    if kind == "tiny" and value == 0:
        return "0"
    if kind == "growth":
        value = 100 * value
    form = {
        "count": ",",
        "number": ".2f",
        "measure": ".3g",
        "tiny": ".1e",
        "growth": "+.1f",
    }
    return f"{value:{form[kind]}}"


def _estimate(kind, estimate):
    times = 1 if kind in ("area", "signed") else 100
    exact, rough = {
        "percent": (".2f", ".1f"),
        "area": (".3f", ".3f"),
        "signed": ("+.3f", "+.3f"),
        "change": ("+.2f", "+.1f"),
    }[kind]
    text = f"{times * estimate.value:{exact}}"
    if estimate.low is None:
        return text
    low, high = times * estimate.low, times * estimate.high
    return f"{text} [{low:{rough}}, {high:{rough}}]"


def _latex_row(cells):
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text):
    escaped = "".join(LATEX_ESCAPES.get(letter, letter) for letter in text)
    return escaped.replace(r"\textgreater{}=", r"$\geq$")
