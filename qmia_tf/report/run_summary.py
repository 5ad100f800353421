"""What a report says of audited runs: warnings, verdicts and tables."""

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
    verdict_words,
    warnings,
)
from qmia_tf.report.run_list import Run


@dataclasses.dataclass(frozen=True)
class Collected:
    """What every format of a report is made from.

    Attributes:
        runs: the audited runs in the order of the tables.
        warnings: what keeps the numbers from meaning what they seem to.
        stored: the tables with all of their columns.
        shown: the tables cut to what fits on a page.
        asked: questions put to these runs, and the lines that answer them.
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
            verdict_words.verdict
            if len(self.runs) == 1
            else verdict_words.in_short
        )
        return [(run.label, in_words(run.audit)) for run in self.runs]


def collect(run_dirs, *, max_drop=5.0, asked=()) -> Collected:
    """Reads audits and makes every table of them.

    Args:
        run_dirs: directories with audit.json, or such files.
        max_drop: by how many points of nonmember accuracy a model may be
            below its full-precision sibling without a warning.
        asked: (question, lines that answer it) of each.
    Raises: InputError if there is no run, or an audit.json is missing,
        damaged or of another version.
    """
    if not run_dirs:
        raise InputError("no run to report on: give --run_dirs=DIR,DIR")
    ordered = run_list.in_order([audit_result.load(path) for path in run_dirs])
    all_artefacts = artefact_tables.artefact_table(ordered)
    attacks = attack_tables.every_attack(ordered)
    answers = attack_tables.answer_table(ordered)
    best = attack_tables.strongest_table(ordered)
    several = seed_tables.seed_tables(ordered)
    before = paper_tables.paper_tables(ordered)
    after = [
        *attack_tables.joint_tables(ordered),
        *artefact_tables.agreement_tables(ordered),
        *paper_tables.tfprivacy_tables(ordered),
    ]
    return Collected(
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
            *map(attack_tables.answer_shown, answers),
            *artefact_tables.shown(all_artefacts, ordered),
            *attack_tables.shown(attacks, ordered),
            *map(attack_tables.strongest_shown, best),
            *(cut for table in several for cut in seed_tables.shown(table)),
            *after,
        ],
        asked=list(asked),
    )


def as_text(report: Collected) -> str:
    """Renders for a terminal: verdict, tables, warnings."""
    parts = [
        *_questions(report),
        *_limits(report),
        _in_words(report),
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
        (run, verdict_words.gate_lines(run.audit)) for run in report.runs
    ]
    return [
        f"Limits: {run.label}\n{phrases.as_text(lines, indent=2)}"
        for run, lines in lines_by_run
        if lines
    ]


def _in_words(report):
    verdicts = report.verdicts()
    if len(verdicts) == 1:
        ((label, sentences),) = verdicts
        return f"In words: {label}\n\n{phrases.as_text(sentences)}"
    parts = (
        f"{label}\n{phrases.as_text(sentences, indent=2)}"
        for label, sentences in verdicts
    )
    closing = phrases.as_text([verdict_words.INTERVALS])
    return "\n\n".join(["In words", *parts, closing])
