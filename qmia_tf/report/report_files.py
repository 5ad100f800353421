"""Writes a report: page, text, tables and figures, in the formats wanted."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from qmia_tf import extras, files, locks, terminal
from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.errors import InputError
from qmia_tf.report import (
    figure_set,
    html,
    report_document,
    report_formats,
    run_summary,
    summary_files,
)
from qmia_tf.report.paper_tables import PublishedRow
from qmia_tf.report.table_formats import (
    as_latex,
    as_parquet,
)
from qmia_tf.report.tables import as_csv

TEXT, PAGE = "report.txt", "report.html"


def make_report(
    run_dirs: Sequence[str | os.PathLike | AuditResult],
    out_dir: str | pathlib.Path,
    *,
    name: str | None = None,
    max_drop: float = 5.0,
    formats: Sequence[str] = report_formats.DEFAULT,
    asked: Sequence[tuple[str, list[str]]] = (),
    published: dict[tuple[str, int, int], PublishedRow] | None = None,
) -> list[pathlib.Path]:
    """Compares audited runs.

    Writes report.txt (the verdict in words, the tables and warnings) and
    what `formats` names:
        html: report.html, one page with everything in it;
        summary: the answer for programs, see summary_files: summary.json,
            summary.md for a pull request, junit.xml for a pipeline;
        csv, latex: table1, table2, answers, artefacts, attacks, strongest,
            agreement and, where there are such, attackers, joint, seeds and
            tfprivacy as .csv and .tex; csv also what each figure shows,
            FIGURE_DATASET.csv;
        parquet: the tables of csv as .parquet; needs pyarrow;
        png, svg: FIGURE_DATASET.png and .svg, see figures.FIGURES; without
            _DATASET where the records are your own;
        md, json: report.md and report.json, the whole as Markdown and for
            programs.
    So that they fit on a page, in all but .csv and .json artefacts is cut
    into artefacts, leaks and changes, attacks (Keras models, or all where
    no training is known) into attacks and tails, seeds into seeds and
    seed_changes, and answers and strongest have fewer columns.

    Args:
        run_dirs: directories with audit.json, such files, or audits.
        out_dir: where to write; made if it is not there.
        name: of the report; None takes that of the run, or of the data sets.
        max_drop: by how many points of nonmember accuracy a model may be
            below its full-precision sibling without a warning.
        formats: of report_formats.FORMATS; without html, png and svg nothing
            is drawn.
        asked: (question, lines that answer it) of each, put on top.
        published: (data set, weight bits, activation bits) ->
            the row whose numbers stand beside ours in table1 and table2;
            None leaves their places empty.
    Returns: the paths written, report.txt first, then report.html.
    Raises: InputError if there is no run, an audit.json is missing, damaged
        or of another version, a format is not known, out_dir names a page, or
        another process writes there.
    """
    out_dir = pathlib.Path(out_dir)
    if out_dir.suffix in (".html", ".htm") and not out_dir.is_dir():
        raise InputError(
            f"{out_dir} names a page, and a report is a directory with "
            f"{PAGE} in it: name a directory, such as {out_dir.with_suffix('')}"
        )
    report_formats.check(formats)
    if "parquet" in formats:
        extras.require("pyarrow", "the format parquet")
    report = run_summary.collect(
        run_dirs,
        name=name,
        max_drop=max_drop,
        asked=asked,
        published=published,
    )
    with locks.writing(out_dir / TEXT), terminal.working("drawing the report"):
        return _write(report, out_dir, formats)


def _write(report, out_dir, formats):
    pictures = figure_set.draw(report.runs, formats=formats)
    contents = {TEXT: report_document.as_text(report)}
    if "html" in formats:
        contents[PAGE] = html.render(report, pictures)
    if "summary" in formats:
        contents |= summary_files.contents(report.name, report.screens)
    writers = {"csv": as_csv, "parquet": as_parquet}
    drawn = {picture.name: picture.data for picture in pictures}
    for name, table in ({x.name: x for x in report.stored} | drawn).items():
        for kind in (x for x in writers if x in formats):
            contents[f"{name}.{kind}"] = writers[kind](table)
    if "latex" in formats:
        contents |= _latex(report)
    if "md" in formats:
        beside = pictures if {"png", "svg"} & set(formats) else []
        contents["report.md"] = report_document.in_markdown(report, beside)
    if "json" in formats:
        contents["report.json"] = report_document.in_json(report, pictures)
    for picture in pictures:
        for kind in (x for x in ("png", "svg") if x in formats):
            contents[f"{picture.name}.{kind}"] = picture.files[kind]
    written = []
    for name, content in contents.items():
        written.append(out_dir / name)
        data = content.encode() if isinstance(content, str) else content
        files.write_bytes(written[-1], data)
    return written


def _latex(report):
    lines = [f"warning: {warning}" for warning in report.warnings]
    return {
        f"{table.name}.tex": as_latex(
            dataclasses.replace(table, notes=[*table.notes, *lines])
        )
        for table in report.shown
    }
