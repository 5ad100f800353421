"""report.html: one self-contained page, readable without network or script."""

from qmia_tf.report.page.rendering import render

__all__ = ["render"]
