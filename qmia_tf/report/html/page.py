"""Puts the page together: summary, figures, tables, settings."""

import dataclasses
import pathlib
import tomllib

import jinja2
from markupsafe import Markup

from qmia_tf.report import verdict_sentences
from qmia_tf.report.figure_set import Picture
from qmia_tf.report.html import inline_svg, settings_section
from qmia_tf.report.html.filters import FILTERS
from qmia_tf.report.html.summary_section import summary
from qmia_tf.report.run_list import Run, artefacts_of, title
from qmia_tf.report.run_summary import ReportContent
from qmia_tf.report.words import notes
from qmia_tf.terminal import counted

FOLDER = pathlib.Path(__file__).parent
# The table with all columns of one that is cut to a page's width.
SOURCE_TABLES = {
    "leaks": "artefacts",
    "changes": "artefacts",
    "tails": "attacks",
    "seed_changes": "seeds",
}
# Tables that a narrow page shows in groups, which a file does not.
GROUPED = {"table1": 1, "table2": 3}
# The figure above the sections, and the one whose pictures the page shows
# itself, as a grid that fits any width.
TOP, RISK = "overview", "risk"
NOTES = (
    *("balanced", "held_out", "in_sample", "test", "detectable"),
    *("strongest", "low_fpr", "epsilon", "paired"),
)


def render(report: ReportContent, pictures: list[Picture]) -> str:
    """Makes the page.

    Every text from an audit is escaped; the page loads nothing from
    anywhere and has no script.

    Args:
        report: what is said of the runs.
        pictures: drawn for "html".
    Returns: the HTML file as text.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    names = list(dict.fromkeys(run.dataset for run in report.runs))
    subject = ", ".join(map(title, names))
    body = environment.get_template("body.html.jinja").render(
        subject=subject,
        counted=_counted(report.runs),
        answers=[
            summary([x for x in report.runs if x.dataset == name], title(name))
            for name in names
        ],
        asked=report.asked,
        warnings=report.warnings,
        verdicts=report.verdicts(),
        intervals=verdict_sentences.INTERVALS,
        gates=[(run.label, x) for run in report.runs for x in run.audit.gates],
        several=len(names) > 1,
        top=[picture for picture in pictures if picture.kind == TOP],
        sections=_sections(report, pictures),
        records=[
            (f"{run.label}, {target.target}", target)
            for run in report.runs
            for target in run.audit.targets
            if target.risky_members
        ],
        facts=settings_section.fact_tables(report.runs),
        notes=notes(*NOTES),
        level=100 * report.runs[0].audit.level,
    )
    return environment.get_template("report.html.jinja").render(
        subject=subject, body=Markup(body), colors=inline_svg.palette([body])
    )


def sections() -> list[dict]:
    """The sections of sections.toml: which figures and tables they have."""
    text = (FOLDER / "sections.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["section"]


def _sections(report, pictures):
    """Each section with its pictures, and tables with those of their CSV."""
    # A CSV that several tables are cut from is given once.
    stored = {table.name: table for table in report.stored}
    tables = {}
    for table in report.shown:
        grouped = GROUPED.get(table.name, table.grouped)
        whole = stored.pop(SOURCE_TABLES.get(table.name, table.name), None)
        shown = dataclasses.replace(table, grouped=grouped)
        tables[table.name] = shown, whole
    known = sections()
    kinds = dict.fromkeys(picture.kind for picture in pictures)
    placed = {kind for section in known for kind in section.get("figures", ())}
    # So that none is lost.
    others = [x for x in kinds if x not in {TOP, RISK, *placed}]
    more = {"key": "more", "title": "More figures", "figures": others}
    filled = []
    for section in (*known, more):
        figures = section.get("figures", ())
        contents = {
            "figures": [x for k in figures for x in pictures if x.kind == k],
            **{
                part: [tables[x] for x in section.get(part, ()) if x in tables]
                for part in ("tables", "folded")
            },
        }
        if any(contents.values()):
            alone = len(figures) == 1
            filled.append({"lead": "", **section, **contents, "alone": alone})
    return filled


def _counted(runs: list[Run]):
    """How much was audited: models, artefacts and records."""
    artefacts = sum(len(artefacts_of(run.audit)) for run in runs)
    sides = {
        (target.members, target.nonmembers)
        for run in runs
        for target in run.audit.targets
    }
    parts = [counted(artefacts, "artefact")]
    if all(run.is_trained for run in runs):
        parts.insert(0, counted(len(runs), "model"))
    if len(sides) == 1:
        ((members, nonmembers),) = sides
        parts.append(f"{members:,} members and {nonmembers:,} nonmembers")
    return parts
