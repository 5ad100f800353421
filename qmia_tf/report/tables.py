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


@dataclasses.dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: its heading for people; a unit stands here.
        key: its heading in CSV; an Estimate gets key, key_low and key_high.
        kind: "text"; "number" (float or None); "count" (int or None);
            "percent" (Estimate of a share, shown in per cent); "area"
            (Estimate, shown as it is).
    """

    title: str
    key: str
    kind: str = "text"


@dataclasses.dataclass(frozen=True)
class Table:
    """A title, columns, rows of as many cells, and notes below."""

    name: str
    title: str
    columns: list[Column]
    rows: list[list]
    notes: list[str]


def as_text(table: Table) -> str:
    """Renders for a terminal: aligned columns, notes below."""
    heads = [column.title for column in table.columns]
    body = [_cells(table, row) for row in table.rows]
    widths = [max(map(len, cells)) for cells in zip(heads, *body, strict=True)]
    rule = "  ".join("-" * width for width in widths)
    lines = [
        "  ".join(
            cell.ljust(width) if column.kind == "text" else cell.rjust(width)
            for cell, width, column in zip(
                cells, widths, table.columns, strict=True
            )
        ).rstrip()
        for cells in (heads, *body)
    ]
    return "\n".join(
        [table.title, "", lines[0], rule, *lines[1:], "", *table.notes]
    )


def as_csv(table: Table) -> str:
    """Renders for programs: full precision, shares as shares (0..1)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = []
    for column in table.columns:
        heads.append(column.key)
        if column.kind in ("percent", "area"):
            heads += [f"{column.key}_low", f"{column.key}_high"]
    writer.writerow(heads)
    for row in table.rows:
        cells = []
        for column, value in zip(table.columns, row, strict=True):
            if column.kind in ("percent", "area"):
                cells += dataclasses.astuple(
                    value or Estimate(None, None, None)
                )
            else:
                cells.append(value)
        writer.writerow(cells)
    return text.getvalue()


def as_latex(table: Table) -> str:
    """Renders a table environment for the booktabs package."""
    alignment = "".join(
        "l" if column.kind == "text" else "r" for column in table.columns
    )
    heads = [_latex(column.title) for column in table.columns]
    body = [[_latex(cell) for cell in _cells(table, row)] for row in table.rows]
    lines = [" & ".join(cells) + r" \\" for cells in (heads, *body)]
    notes = [rf"{_latex(note)}\par" for note in table.notes]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(table.title)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip\raggedright\footnotesize",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def _cells(table, row):
    return [
        _cell(column.kind, value)
        for column, value in zip(table.columns, row, strict=True)
    ]


def _cell(kind, value):
    if kind == "text":
        return value or ""
    if value is None or getattr(value, "value", value) is None:
        return "-"
    if kind == "count":
        return f"{value:,}"
    if kind == "number":
        return f"{value:.2f}"
    if kind == "percent":
        value, low, high = (100 * x for x in dataclasses.astuple(value))
        return f"{value:.2f} [{low:.1f}, {high:.1f}]"
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _latex(text):
    escaped = "".join(LATEX_ESCAPES.get(letter, letter) for letter in text)
    return escaped.replace(r"\textgreater{}=", r"$\geq$")
