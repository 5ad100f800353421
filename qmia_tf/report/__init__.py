"""Page, tables and figures from the audit.json files of runs."""

from qmia_tf import plot_settings

# Before any module of this package imports matplotlib.
plot_settings.import_matplotlib()

__all__ = ["make_report"]


def __getattr__(name):
    # Not before it is asked for: it imports every table and figure.
    if name != "make_report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from qmia_tf.report.report_files import make_report

    return make_report
