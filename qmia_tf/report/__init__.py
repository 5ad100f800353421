"""Page, tables and figures from the audit.json files of runs."""

from qmia_tf import plot_settings

# Before any module of this package imports matplotlib.
plot_settings.import_matplotlib()

from qmia_tf.report.report_files import make_report  # noqa: E402

__all__ = ["make_report"]
