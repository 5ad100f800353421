"""A whole report as Markdown and as JSON: verdicts, tables, figures, facts."""

import dataclasses
import json

from qmia_tf.report import verdict_sentences
from qmia_tf.report.figure_set import Picture
from qmia_tf.report.run_summary import ReportContent
from qmia_tf.report.table_formats import as_data, as_markdown, escaped


def in_markdown(report: ReportContent, pictures: list[Picture]) -> str:
    """Renders the verdict, warnings, figures and tables.

    Args:
        report: what is said of the runs.
        pictures: the figures that were written with the report.
    """
    parts = ["# Membership-inference report"]
    for question, lines in report.asked:
        listed = "\n".join(f"- {escaped(line)}" for line in lines)
        parts += [f"## {escaped(question)}", listed]
    for run in report.runs:
        lines = verdict_sentences.gate_lines(run.audit)
        if lines:
            listed = "\n".join(f"- {escaped(line)}" for line in lines)
            parts += [f"## Limits: {escaped(run.label)}", listed]
    for label, sentences in report.verdicts():
        parts += [f"## {escaped(label)}", *map(escaped, sentences)]
    if len(report.runs) > 1:
        parts.append(escaped(verdict_sentences.INTERVALS))
    if report.warnings:
        parts.append("## Read the numbers with care")
        parts += [f"- {escaped(warning)}" for warning in report.warnings]
    if pictures:
        parts.append("## Figures")
    for picture in pictures:
        kind = "svg" if "svg" in picture.files else "png"
        parts += [
            f"### {escaped(picture.title)}",
            f"![{escaped(picture.alt)}]({picture.name}.{kind})",
            escaped(picture.caption),
        ]
    parts.append("## Tables")
    parts += [as_markdown(table).rstrip() for table in report.shown]
    return "\n\n".join(parts) + "\n"


def in_json(report: ReportContent, pictures: list[Picture]) -> str:
    """Renders everything as JSON, with all columns and digits.

    Args:
        report: what is said of the runs.
        pictures: every figure that was drawn.
    """
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
                "name": picture.name,
                "title": picture.title,
                "caption": picture.caption,
                "alt": picture.alt,
                "data": as_data(picture.data),
            }
            for picture in pictures
        ],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"
