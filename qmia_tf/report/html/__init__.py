"""report.html: one self-contained page, readable without network or script."""

from qmia_tf.report.html.page import render

__all__ = ["render"]
