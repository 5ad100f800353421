"""Tables, figures, commands and pages, from the stored results alone."""

import os
import pathlib

from paper import (
    change_tables,
    equal_accuracy,
    findings,
    headline,
    ledger,
    page_parts,
    paper_comparison,
    paper_numbers,
    reproduction_figures,
    result_pages,
    stored_results,
)
from paper.stored_results import FinishedRun
from qmia_tf import files, locks
from qmia_tf.report import report_files
from qmia_tf.report.figures.image_files import save_figure
from qmia_tf.report.table_formats import as_markdown
from qmia_tf.report.tables import Table, as_csv

TABLES, FIGURES = "tables", "figures"
KINDS = ("png", "svg")


def tables(finished: list[FinishedRun], paths: dict[str, dict]) -> list[Table]:
    """Every table; paths: data set -> what keras_layer_control.check gave."""
    return [
        headline.table(finished),
        paper_comparison.table_1(finished),
        paper_comparison.table_2(finished),
        paper_comparison.regimes(finished),
        paper_comparison.arithmetic(),
        change_tables.changes(finished),
        change_tables.changes_by_seed(finished),
        equal_accuracy.matched(finished),
        equal_accuracy.matched_means(finished),
        equal_accuracy.files(finished),
        change_tables.controls(finished, paths),
        ledger.times(finished),
    ]


def figures(
    finished: list[FinishedRun],
) -> list[reproduction_figures.DrawnFigure]:
    """Every figure that the runs have something for."""
    first = headline.figure(finished)
    others = reproduction_figures.figures(finished)
    return [first, *others] if first else others


def write(results, *, pages=(), report=True) -> list[pathlib.Path]:
    """Writes everything that follows from the stored results.

    Writes tables/NAME.csv and .md, figures/NAME.csv (what is drawn) and, if
    that changed or there are none, NAME.svg and .png, commands.md, the pages
    of result_pages, the generated parts of other pages, and of each regime
    DATASET/REGIME/report.html and report.txt.

    Args:
        results: folder of the results.
        pages: Markdown files; those that are not there are left out.
        report: makes the reports; they take half a minute each.
    Returns: the paths written.
    Raises: InputError if there are no results, a page has a mark of no part,
        or another process writes all this for long.
    """
    with locks.writing(pathlib.Path(results) / TABLES, wait=locks.SHORT):
        return _write(pathlib.Path(results), pages, report)


def _write(results, pages, report):
    finished, paths = stored_results.load(results), same_paths(results)
    made_tables, drawn = tables(finished, paths), figures(finished)
    texts = {results / "commands.md": ledger.commands(finished)}
    for table in made_tables:
        place = results / TABLES / table.name
        texts[place.with_suffix(".csv")] = as_csv(table)
        texts[place.with_suffix(".md")] = as_markdown(table, level=1) + "\n"
    for picture in drawn:
        place = results / FIGURES / f"{picture.name}.csv"
        texts[place] = as_csv(picture.data)
    parts = page_parts.parts(finished, drawn, folder=FIGURES)
    made_pages = result_pages.pages(parts, made_tables, drawn)
    texts |= {results / name: text for name, text in made_pages.items()}
    for page in (path for path in map(pathlib.Path, pages) if path.exists()):
        folder = os.path.relpath(results / FIGURES, page.parent)
        filled = page_parts.parts(
            finished, drawn, folder=pathlib.Path(folder).as_posix()
        )
        texts[page] = page_parts.fill(page.read_text(), filled)
    images = []
    # Before the CSV files, which say that they are drawn.
    for picture in drawn:
        if not _is_drawn(results / FIGURES, picture):
            stem = results / FIGURES / picture.name
            images += save_figure(picture.figure, stem, kinds=KINDS)
    for path, text in texts.items():
        files.write_bytes(path, text.encode())
    reports = _reports(results, finished) if report else []
    return [*texts, *images, *reports]


def _is_drawn(folder, picture):
    """Whether the files of a figure show what is drawn now."""
    stem = folder / picture.name
    data = stem.with_name(f"{picture.name}.csv")
    images = [stem.with_name(f"{picture.name}.{kind}") for kind in KINDS]
    return (
        all(path.exists() for path in (data, *images))
        and data.read_bytes() == as_csv(picture.data).encode()
    )


def _reports(results, finished):
    """One report a regime: its first seed's runs, the answers on top."""
    written = []
    places = dict.fromkeys((x.job.dataset, x.job.regime) for x in finished)
    for dataset, regime in places:
        place = (dataset, regime)
        regime_runs = [
            x for x in finished if (x.job.dataset, x.job.regime) == place
        ]
        seed = min(x.job.seed for x in regime_runs)
        jobs = [x.job for x in regime_runs if x.job.seed == seed]
        report_paths = report_files.make_report(
            [results / job.folder for job in jobs],
            results / dataset / regime,
            formats=("html",),
            asked=[
                (question, lines)
                for question, lines in findings.answers(regime_runs)
                if lines
            ],
            published=paper_numbers.PAPER,
        )
        written += report_paths
    return written


def same_paths(results) -> dict[str, dict]:
    """The stored results of keras_layer_control.check, by data set."""
    return {
        path.parent.name: files.read_json(path)
        for path in sorted(results.glob(f"*/{stored_results.SAME_PATH}"))
    }
