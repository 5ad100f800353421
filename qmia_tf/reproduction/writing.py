"""Tables, figures, commands and page, from the stored results alone."""

import os
import pathlib

from qmia_tf import runs
from qmia_tf.report.figures.files import save_figure
from qmia_tf.report.table_formats import as_markdown
from qmia_tf.report.tables import Table, as_csv
from qmia_tf.reproduction import (
    comparing,
    drawing,
    equal_accuracy,
    ledger,
    pages,
    paper_beside,
    stored,
)

TABLES, FIGURES = "tables", "figures"


def tables(finished, paths) -> list[Table]:
    """Every table of the reproduction; those without rows are left out.

    Args:
        finished: list of stored.Finished.
        paths: dict data set -> what same_path.check found.
    """
    made = [
        paper_beside.table_1(finished),
        paper_beside.table_2(finished),
        paper_beside.regimes(finished),
        paper_beside.arithmetic(),
        comparing.changes(finished),
        comparing.changes_by_seed(finished),
        equal_accuracy.matched(finished),
        equal_accuracy.matched_means(finished),
        equal_accuracy.files(finished),
        comparing.controls(finished, paths),
        ledger.times(finished),
    ]
    return made


def write(results, *, page=None) -> list[pathlib.Path]:
    """Makes everything that follows from the stored results.

    Writes tables/NAME.csv and .md, figures/NAME.svg, .png and .csv (what is
    drawn), commands.md, and the marked parts of the page.

    Args:
        results: folder of the results.
        page: Markdown file; None or one that is not there: none.
    Returns: the paths written.
    Raises: InputError if there are no results, or the page asks for what is
        not made.
    """
    results = pathlib.Path(results)
    finished, paths = stored.load(results), same_paths(results)
    made, drawn = tables(finished, paths), drawing.figures(finished)
    texts = {results / "commands.md": ledger.commands(finished)}
    for table in made:
        place = results / TABLES / table.name
        texts[place.with_suffix(".csv")] = as_csv(table)
        texts[place.with_suffix(".md")] = as_markdown(table, level=1) + "\n"
    for each in drawn:
        place = results / FIGURES / f"{each.name}.csv"
        texts[place] = as_csv(each.data)
    page = page and pathlib.Path(page)
    if page and page.exists():
        folder = os.path.relpath(results / FIGURES, page.parent)
        filled = pages.parts(
            finished, made, drawn, folder=pathlib.Path(folder).as_posix()
        )
        texts[page] = pages.fill(page.read_text(), filled)
    for path, text in texts.items():
        runs.write_bytes(path, text.encode())
    written = list(texts)
    for each in drawn:
        written += save_figure(each.figure, results / FIGURES / each.name)
    return written


def same_paths(results) -> dict[str, dict]:
    """What same_path.check found, by data set."""
    return {
        path.parent.name: runs.read_json(path)
        for path in sorted(results.glob(f"*/{stored.SAME_PATH}"))
    }
