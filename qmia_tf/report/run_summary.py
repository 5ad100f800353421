"""The content of a report on audited runs: warnings, verdicts, tables."""

import dataclasses

from qmia_tf.auditing import audit_result
from qmia_tf.errors import InputError
from qmia_tf.report import (
    artefact_tables,
    attack_tables,
    paper_tables,
    phrases,
    run_list,
    seed_tables,
    tables,
    verdict_sentences,
    warnings,
)
from qmia_tf.report.run_list import Run


@dataclasses.dataclass(frozen=True)
class ReportContent:
    """The content that every format of a report renders.

    Attributes:
        runs: the audited runs in the order of the tables.
        warnings: why numbers mislead or do not compare.
        stored: the tables with all of their columns.
        shown: the tables cut to what fits on a page.
        asked: questions about these runs, and the lines that answer them.
    """

    runs: list[Run]
    warnings: list[str]
    stored: list[tables.Table]
    shown: list[tables.Table]
    asked: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)

    def verdicts(self) -> list[tuple[str, list[str]]]:
        """The verdict in words; of several runs in short.

        Returns: (label of the run, sentences) of each.
        """
        in_words = (
            verdict_sentences.verdict
            if len(self.runs) == 1
            else verdict_sentences.short
        )
        return [(run.label, in_words(run.audit)) for run in self.runs]


def collect(
    run_dirs, *, max_drop=5.0, asked=(), published=None
) -> ReportContent:
    """Reads audits and makes every table of them.

    Args:
        run_dirs: directories with audit.json, or such files.
        max_drop: by how many points of nonmember accuracy a model may be
            below its full-precision sibling without a warning.
        asked: (question, lines that answer it) of each.
        published: as of paper_tables.paper_tables.
    Raises: InputError if there is no run, or an audit.json is missing,
        damaged or of another version.
    """
    if not run_dirs:
        raise InputError("no run to report on: give --run_dirs=DIR,DIR")
    ordered = run_list.sort_runs([audit_result.load(path) for path in run_dirs])
    all_artefacts = artefact_tables.artefact_table(ordered)
    attacks = attack_tables.attack_table(ordered)
    answers = attack_tables.verdict_table(ordered)
    best = attack_tables.strongest_table(ordered)
    several = seed_tables.seed_tables(ordered)
    before = paper_tables.paper_tables(ordered, published=published)
    after = [
        *attack_tables.joint_tables(ordered),
        *artefact_tables.agreement_tables(ordered),
        *paper_tables.tfprivacy_tables(ordered),
    ]
    return ReportContent(
        runs=ordered,
        warnings=warnings.warnings(ordered, max_drop=max_drop),
        stored=[
            *before,
            *answers,
            all_artefacts,
            attacks,
            *best,
            *several,
            *after,
        ],
        shown=[
            *before,
            *map(attack_tables.short_verdict_table, answers),
            *artefact_tables.page_tables(all_artefacts, ordered),
            *attack_tables.page_tables(attacks, ordered),
            *map(attack_tables.short_strongest_table, best),
            *(
                cut
                for table in several
                for cut in seed_tables.page_tables(table)
            ),
            *after,
        ],
        asked=list(asked),
    )


def as_text(report: ReportContent) -> str:
    """Renders for a terminal: verdict, tables, warnings."""
    parts = [
        *_questions(report),
        *_limits(report),
        _verdicts(report),
        *map(tables.as_text, report.shown),
        "\n".join(f"warning: {warning}" for warning in report.warnings),
    ]
    return "\n\n\n".join(parts).rstrip() + "\n"


def _questions(report):
    return [
        "\n".join([question, *(phrases.as_text([x], indent=2) for x in lines)])
        for question, lines in report.asked
    ]


def _limits(report):
    lines_by_run = [
        (run, verdict_sentences.gate_lines(run.audit)) for run in report.runs
    ]
    return [
        f"Limits: {run.label}\n{phrases.as_text(lines, indent=2)}"
        for run, lines in lines_by_run
        if lines
    ]


def _verdicts(report):
    verdicts = report.verdicts()
    if len(verdicts) == 1:
        ((label, sentences),) = verdicts
        return f"In words: {label}\n\n{phrases.as_text(sentences)}"
    parts = (
        f"{label}\n{phrases.as_text(sentences, indent=2)}"
        for label, sentences in verdicts
    )
    closing = phrases.as_text([verdict_sentences.INTERVALS])
    return "\n\n".join(["In words", *parts, closing])
