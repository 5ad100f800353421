"""The generated parts of pages, between marks, from stored results."""

import re

from paper import findings, ledger
from qmia_tf.errors import InputError
from qmia_tf.report.table_formats import as_markdown, escaped

# <!-- made: NAME --> ... <!-- end -->
PART = re.compile(r"(<!-- made: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def fill(text, parts) -> str:
    """Puts each part between its marks.

    Args:
        text: Markdown with marks.
        parts: dict name -> Markdown.
    Returns: the text, unchanged outside of the marks.
    Raises: InputError if a mark names no part.
    """

    def replaced(match):
        start, name, _, end = match.groups()
        if name not in parts:
            raise InputError(
                f"the page asks for {name!r}; there are {', '.join(parts)}"
            )
        return f"{start}{parts[name].strip()}\n{end}"

    return PART.sub(replaced, text)


def parts(finished, tables, drawn, *, folder) -> dict[str, str]:
    """Makes every part.

    Args:
        finished: list of stored_results.FinishedRun.
        tables: list of tables.Table.
        drawn: list of reproduction_figures.DrawnFigure.
        folder: where the figures lie, as seen from the page.
    Returns: dict name -> Markdown: table-NAME of each table, figures (all),
        figures-headline, -threshold, -epochs and -seeds, answers, regimes,
        differences, arithmetic, runs, left.
    """
    text_by_part = {f"table-{t.name}": _table(t) for t in tables}
    for kind in ("", "headline", "threshold", "epochs", "seeds"):
        drawings = [
            drawing for drawing in drawn if drawing.name.startswith(kind)
        ]
        name = f"figures-{kind}" if kind else "figures"
        text_by_part[name] = "\n\n".join(
            _image(drawing, folder) for drawing in drawings
        )
    text_by_part["answers"] = "\n\n".join(
        f"**{question}**\n\n{_list(lines)}"
        for question, lines in findings.answers(finished)
    )
    text_by_part["regimes"] = _list(findings.regime_lines(finished))
    text_by_part["differences"] = _list(findings.differences(finished))
    text_by_part["arithmetic"] = _list(findings.arithmetic_lines())
    text_by_part["runs"] = _runs_text(finished)
    open_runs = ledger.open_runs(finished)
    text_by_part["left"] = (
        _list(open_runs) if open_runs else "Nothing: all was run."
    )
    return text_by_part


def _table(table):
    if not table.rows:
        return f"{escaped(table.title)}: not run yet."
    return as_markdown(table, level=4)


def _image(drawing, folder):
    alt = f"{drawing.title}. {drawing.alt}"
    return f"![{escaped(alt)}]({folder}/{drawing.name}.svg)"


def _list(lines):
    return "\n".join(f"- {escaped(line)}" for line in lines) or "Not run yet."


def _runs_text(finished):
    seconds = sum(
        sum(finished_run.seconds.values()) for finished_run in finished
    )
    seeds = len({finished_run.job.seed for finished_run in finished})
    return (
        f"{len(finished)} runs with {seeds} seeds; {seconds / 3600:.1f} hours "
        "of training and of the other stages, added up; many ran side by side."
    )
