"""Puts the page together: summary, figures, tables, settings."""

import dataclasses
import pathlib

import jinja2

from qmia_tf.report import verdict_sentences
from qmia_tf.report.figure_set import Picture
from qmia_tf.report.html import inline_svg, sections, settings_section, views
from qmia_tf.report.html.summary_section import summary
from qmia_tf.report.run_list import artefacts_of, title
from qmia_tf.report.run_summary import ReportContent
from qmia_tf.report.words import notes

TEMPLATE = "report.html.jinja"
# The table with all columns of one that is cut to a page's width.
SOURCE_TABLES = {
    "leaks": "artefacts",
    "changes": "artefacts",
    "tails": "attacks",
    "seed_changes": "seeds",
}
# Tables that a narrow page shows in groups, which a file does not.
GROUPED = {"table1": 1, "table2": 3}
NOTES = (
    "balanced",
    "held_out",
    "in_sample",
    "test",
    "detectable",
    "strongest",
    "low_fpr",
    "epsilon",
    "paired",
)


@dataclasses.dataclass(frozen=True)
class FilledSection:
    """A section with what it shows."""

    key: str
    title: str
    lead: str
    figures: list[views.FigureView]
    tables: list[views.TableView]
    folded: list[views.TableView]


def render(report: ReportContent, pictures: list[Picture]) -> str:
    """Makes the page.

    Every text from an audit is escaped; the page loads nothing from
    anywhere and has no script.

    Args:
        report: what is said of the runs.
        pictures: drawn for "html".
    Returns: the HTML file as text.
    """
    names = list(dict.fromkeys(run.dataset for run in report.runs))
    figures = {}
    for picture in pictures:
        view = views.figure_view(
            picture,
            alone=picture.kind in sections.alone(),
            several=len(names) > 1,
        )
        figures.setdefault(picture.kind, []).append(view)
    drawings = [x for kind_views in figures.values() for x in kind_views]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = views.prose
    return environment.get_template(TEMPLATE).render(
        subject=", ".join(map(title, names)),
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
        top=figures.get(sections.TOP, []),
        sections=_sections(report, figures),
        records=views.record_views(report.runs),
        facts=[
            views.table_view(table, stored=table)
            for table in settings_section.fact_tables(report.runs)
        ],
        notes=notes(*NOTES),
        level=100 * report.runs[0].audit.level,
        colors=inline_svg.palette([*map(_both, drawings)]),
    )


def _sections(report, figures):
    # A CSV that several tables are cut from is given once.
    stored = {table.name: table for table in report.stored}
    view_by_name = {
        table.name: views.table_view(
            dataclasses.replace(
                table, grouped=GROUPED.get(table.name, table.grouped)
            ),
            stored=stored.pop(SOURCE_TABLES.get(table.name, table.name), None),
        )
        for table in report.shown
    }
    more = sections.Section(
        "more", "More figures", "", figures=sections.others(figures)
    )
    shown_sections = []
    for section in (*sections.SECTIONS, more):
        shown_section = FilledSection(
            section.key,
            section.title,
            section.lead,
            [x for kind in section.figures for x in figures.get(kind, [])],
            [
                view_by_name[name]
                for name in section.tables
                if name in view_by_name
            ],
            [
                view_by_name[name]
                for name in section.folded
                if name in view_by_name
            ],
        )
        if (
            shown_section.figures
            or shown_section.tables
            or shown_section.folded
        ):
            shown_sections.append(shown_section)
    return shown_sections


def _counted(compared):
    """How much was audited: models, artefacts and records."""
    artefacts_ = sum(len(artefacts_of(run.audit)) for run in compared)
    sides = {
        (target.members, target.nonmembers)
        for run in compared
        for target in run.audit.targets
    }
    models = len(compared) if all(x.is_trained for x in compared) else 0
    parts = [f"{models} model{'s' * (models > 1)}"] if models else []
    parts.append(f"{artefacts_} artefact{'s' * (artefacts_ > 1)}")
    if len(sides) == 1:
        ((members, nonmembers),) = sides
        parts.append(f"{members:,} members and {nonmembers:,} nonmembers")
    return parts


def _both(view):
    return view.wide + view.narrow
