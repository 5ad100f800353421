"""The result of an audit, and what people do with it."""

import dataclasses
import html
import pathlib

import pandas as pd

from qmia_tf.auditing import audit_result
from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.report import metrics, phrases, tables, verdict_sentences
from qmia_tf.report.report_files import make_report
from qmia_tf.report.run_list import Run


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Audit(AuditResult):
    """An AuditResult that says, shows and saves itself.

    Printed, it is its verdict; in a notebook likewise.

        result = qmia_tf.audit("net.tflite", (x, y), (x_test, y_test))
        print(result)
        result.to_dataframe().sort_values("auc")
        result.report("report")
    """

    @classmethod
    def of(cls, result: AuditResult) -> "Audit":
        """Takes what auditing gives."""
        return cls(**vars(result))

    @classmethod
    def load(cls, path: str) -> "Audit":
        """Reads audit.json, or that of a run directory.

        Raises: InputError if it is missing, damaged or of another version.
        """
        return cls.of(audit_result.load(path))

    def summary(self) -> str:
        """The verdict: warnings, each artefact, how they compare."""
        return phrases.as_text(verdict_sentences.verdict(self))

    def to_dataframe(self) -> pd.DataFrame:
        """One row a target and attack; estimates have _low and _high.

        Columns are those of attacks.csv of a report, but for the run's.
        """
        table = metrics.select("attacks", "", metrics.attack_rows([Run(self)]))
        return tables.typed_frame(table).drop(columns=list(metrics.RUN))

    def report(self, path: str, **options) -> list[pathlib.Path]:
        """Writes the page, tables and figures; see report.make_report."""
        return make_report([self], path, **options)

    def __eq__(self, other):
        """Equal to the same audit, as AuditResult too."""
        return isinstance(other, AuditResult) and vars(self) == vars(other)

    def __str__(self):
        return self.summary()

    __repr__ = __str__

    def _repr_html_(self):
        return f"<pre>{html.escape(self.summary())}</pre>"


load_audit = Audit.load
