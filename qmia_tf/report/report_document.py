"""A whole report as text, as Markdown and as JSON."""

import dataclasses
import json

from qmia_tf.report import phrases, tables, verdict_sentences, words
from qmia_tf.report.figure_set import Picture
from qmia_tf.report.run_summary import ReportContent
from qmia_tf.report.table_formats import as_data, as_markdown, escaped

ENVIRONMENT = words.ENVIRONMENT.overlay(trim_blocks=True, lstrip_blocks=True)
ENVIRONMENT.filters |= {
    "escaped": escaped,
    "table_markdown": as_markdown,
    "table_text": tables.as_text,
    "wrapped": phrases.as_text,
}


def as_text(report: ReportContent) -> str:
    """Renders for a terminal: verdict, tables, warnings."""
    return _rendered("report.txt.jinja", report, [])


def in_markdown(report: ReportContent, pictures: list[Picture]) -> str:
    """Renders the verdict, warnings, tables, and figures beside the report."""
    return _rendered("report.md.jinja", report, pictures)


def in_json(report: ReportContent, pictures: list[Picture]) -> str:
    """Renders everything as JSON, with all columns, digits and figures."""
    document = {
        "asked": [
            {"question": question, "lines": lines}
            for question, lines in report.asked
        ],
        "limits": [
            {"run": run.label, **dataclasses.asdict(gate)}
            for run in report.runs
            for gate in run.audit.gates
        ],
        "verdicts": [
            {"run": label, "sentences": sentences}
            for label, sentences in report.verdicts()
        ],
        "warnings": report.warnings,
        "tables": [as_data(table) for table in report.stored],
        "figures": [
            {
                **{
                    key: getattr(picture, key)
                    for key in ("name", "title", "caption", "alt")
                },
                "data": as_data(picture.data),
            }
            for picture in pictures
        ],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _rendered(template, report, pictures):
    limits = (
        (run.label, verdict_sentences.gate_lines(run.audit))
        for run in report.runs
    )
    text = ENVIRONMENT.get_template(template).render(
        report=report,
        pictures=pictures,
        limits=[(label, lines) for label, lines in limits if lines],
        verdicts=report.verdicts(),
        intervals=verdict_sentences.INTERVALS,
    )
    return text.rstrip() + "\n"
