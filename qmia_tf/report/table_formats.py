"""Tables as Markdown, LaTeX and Parquet, and as what JSON can hold."""

import dataclasses
import re

from qmia_tf.report.tables import Table, for_people, typed_frame
from qmia_tf.statistics.intervals import Estimate

# Where Markdown would read more than text; an interval in brackets is none.
SPECIAL = re.compile(r"[\\`*<|~]|(?<!\w)_|_(?!\w)|(?<=\])\(|^[\[#>+-]")
LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{letter: f"\\{letter}" for letter in "%_&#${}"},
}


def as_markdown(table: Table, *, level: int = 3) -> str:
    """Renders a heading of that level, a pipe table and the notes."""
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
                column.key: _datum(column, value)
                for column, value in zip(table.columns, row, strict=True)
            }
            for row in table.rows
        ],
    }


def as_parquet(table: Table) -> bytes:
    """Renders for programs: the columns of the CSV file, with their types."""
    return typed_frame(table).to_parquet(index=False)


def escaped(text: object) -> str:
    """Makes text stand in Markdown as it is; line breaks become blanks."""
    return SPECIAL.sub(r"\\\g<0>", " ".join(str(text).split()))


def _datum(column, value):
    if column.is_estimate:
        return dataclasses.asdict(value or Estimate(None, None, None))
    # NumPy's numbers are not JSON's.
    return value.item() if hasattr(value, "item") else value


def _row(cells):
    return f"| {' | '.join(map(escaped, cells))} |"


def _latex_row(cells):
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text):
    escapes = "".join(LATEX_ESCAPES.get(letter, letter) for letter in text)
    return escapes.replace(r"\textgreater{}=", r"$\geq$")
