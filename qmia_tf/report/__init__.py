"""Page, tables and figures from the audit.json files of runs."""

from qmia_tf.report.report_files import make_report

__all__ = ["make_report"]
