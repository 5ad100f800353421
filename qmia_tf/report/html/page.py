"""Puts the page together: summary, figures, tables, settings."""

import dataclasses
import pathlib
import tomllib

import jinja2
from markupsafe import Markup

from qmia_tf.report import verdict_sentences
from qmia_tf.report.figure_set import Picture
from qmia_tf.report.html import settings_section
from qmia_tf.report.html.filters import FILTERS
from qmia_tf.report.html.inline_svg import palette
from qmia_tf.report.html.terms import Terms
from qmia_tf.report.run_list import Run, artefacts_of
from qmia_tf.report.run_summary import ReportContent
from qmia_tf.terminal import counted

FOLDER = pathlib.Path(__file__).parent
# The table with all columns of one that is cut to a page's width.
SOURCE_TABLES = {
    "leaks": "artefacts",
    "changes": "artefacts",
    "tails": "attacks",
    "known_bits_rates": "known_bits",
    "form_limits": "forms",
    "seed_changes": "seeds",
}
# Tables whose groups a file does not have.
GROUPED = {"table1": 1, "table2": 3}
# The drawing of what the first screen says.
TOP = "overview"


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
    terms = Terms(report.runs)
    environment.filters |= FILTERS
    environment.filters |= {
        # With the context, so that none runs before the page is rendered.
        name: jinja2.pass_context(lambda _, text, mark=mark: mark(text))
        for name, mark in (("terms", terms.hover), ("terms_link", terms.link))
    }
    body = environment.get_template("body.html.jinja").render(
        subject=report.name,
        counted=_counted(report.runs),
        screens=report.screens,
        asked=report.asked,
        verdicts=report.verdicts(),
        intervals=verdict_sentences.INTERVALS,
        several=len({picture.dataset for picture in pictures}) > 1,
        sections=_sections(pictures),
        tables=_tables(report),
        records=[
            (f"{run.label}, {target.target}", target)
            for run in report.runs
            for target in run.audit.targets
            if target.risky_members
        ],
        facts=settings_section.fact_tables(report.runs),
        terms=terms,
    )
    return environment.get_template("report.html.jinja").render(
        subject=report.name, body=Markup(body), colors=palette([body])
    )


def contents() -> dict:
    """What sections.toml says: "section", and "tables" in their order."""
    text = (FOLDER / "sections.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _sections(pictures):
    """Each section that has a picture, with its pictures."""
    known = contents()["section"]
    kinds = dict.fromkeys(picture.kind for picture in pictures)
    placed = {kind for section in known for kind in section["figures"]}
    # So that none is lost.
    others = [x for x in kinds if x not in {TOP, *placed}]
    more = {"key": "more", "title": "More figures", "lead": ""}
    filled = []
    for section in (*known, {**more, "figures": others}):
        kinds = section["figures"]
        figures = [x for k in kinds for x in pictures if x.kind == k]
        if figures:
            alone = len({x.kind for x in figures}) == 1
            filled.append({**section, "figures": figures, "alone": alone})
    return filled


def _tables(report):
    """Each table in its order, with that of its CSV, which is given once."""
    stored = {table.name: table for table in report.stored}
    shown = {table.name: table for table in report.shown}
    ordered = [*contents()["tables"], *shown]
    pairs = []
    for name in dict.fromkeys(x for x in ordered if x in shown):
        table = shown[name]
        grouped = GROUPED.get(name, table.grouped)
        whole = stored.pop(SOURCE_TABLES.get(name, name), None)
        pairs.append((dataclasses.replace(table, grouped=grouped), whole))
    return pairs


def _counted(runs: list[Run]):
    """How much was audited: models, artefacts, attacks and records."""
    artefacts = [x for run in runs for x in artefacts_of(run.audit)]
    sides = {(target.members, target.nonmembers) for target in artefacts}
    parts = [counted(len(artefacts), "model or file")]
    if len(artefacts) > 1:
        parts = [f"{len(artefacts)} models and files"]
    if len(sides) == 1:
        ((members, nonmembers),) = sides
        parts.append(f"{members:,} members, {nonmembers:,} nonmembers")
    parts.append(counted(max(len(x.attacks) for x in artefacts), "attack"))
    version = runs[0].audit.versions.get("qmia_tf")
    return [*parts, *([f"qmia_tf {version}"] if version else [])]
