"""The content of a report on audited runs: warnings, verdicts, tables."""

import dataclasses
import functools
import os
from collections.abc import Sequence

from qmia_tf.auditing import audit_result
from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.errors import InputError
from qmia_tf.report import (
    first_screen,
    known_bits_tables,
    metrics,
    paper_tables,
    run_list,
    run_tables,
    seed_tables,
    tables,
    verdict_sentences,
    warnings,
)
from qmia_tf.report.first_screen import Screen
from qmia_tf.report.paper_tables import PublishedRow
from qmia_tf.report.run_list import Run
from qmia_tf.report.tables import Table

ACCURACIES = ("accuracy_members", "accuracy_nonmembers")


@dataclasses.dataclass(frozen=True)
class ReportContent:
    """The content that every format of a report renders.

    Attributes:
        name: what the report is called.
        runs: the audited runs in the order of the tables.
        warnings: why numbers mislead or do not compare.
        stored: the tables with all of their columns.
        shown: the tables cut to what fits on a page.
        asked: questions about these runs, and the lines that answer them.
    """

    name: str
    runs: list[Run]
    warnings: list[str]
    stored: list[Table]
    shown: list[Table]
    asked: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)

    @functools.cached_property
    def screens(self) -> list[Screen]:
        """The answer on each data set, as the page begins."""
        return first_screen.screens(self.runs, self.warnings)

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
    run_dirs: Sequence[str | os.PathLike | AuditResult],
    *,
    name: str | None = None,
    max_drop: float = 5.0,
    asked: Sequence[tuple[str, list[str]]] = (),
    published: dict[tuple[str, int, int], PublishedRow] | None = None,
) -> ReportContent:
    """Takes or reads audits and makes every table of them; see make_report.

    Raises: InputError if there is no run, or an audit.json is missing,
        damaged or of another version.
    """
    if not run_dirs:
        raise InputError("no run to report on: give --run_dirs=DIR,DIR")
    runs = run_list.sort_runs(
        audit if isinstance(audit, AuditResult) else audit_result.load(audit)
        for audit in run_dirs
    )
    papers = paper_tables.paper_tables(runs, published=published)
    every_table = [
        *(run_tables.RunTable(table, [table]) for table in papers),
        *run_tables.run_tables(runs),
        *seed_tables.seed_tables(runs),
        *known_bits_tables.known_bits_tables(runs),
        *run_tables.detail_tables(runs),
    ]
    return ReportContent(
        name=name or _name(runs),
        runs=runs,
        warnings=warnings.warnings(runs, max_drop=max_drop),
        stored=[table.stored for table in every_table],
        shown=[shown for table in every_table for shown in table.shown],
        asked=list(asked),
    )


def verdict_table(run_dirs: Sequence[str | os.PathLike]) -> str:
    """Reads audits and gives a line an artefact, as text.

    How often it is right, the AUC of the strongest attack, and the verdict.
    """
    runs = run_list.sort_runs([audit_result.load(path) for path in run_dirs])
    rows = [
        {**row, **{key: row[key].value for key in ACCURACIES}}
        for row in metrics.result_rows(runs)
    ]
    table = metrics.select("verdicts", "", rows, grouped=len(metrics.RUN)).pick(
        ("target", *ACCURACIES, "auc", "answer")
    )
    return tables.as_text(table).strip("\n")


def _name(runs):
    """The name of the one run; of several the data sets, or their names."""
    if len(runs) == 1:
        return runs[0].name
    titles = [run.name if run.unnamed else run.title for run in runs]
    return ", ".join(dict.fromkeys(titles))
