"""The figures of a report, from runs or from plain audit results.

    figure = qmia_tf.report.figures.roc(qmia_tf.load_audit("runs/w4a4"))
    figure.savefig("roc.png")

Each takes an AuditResult, or a list of them about one data set, and
`narrow=True` for a phone. FIGURES holds each with its words and its data.
"""

import functools

from matplotlib.figure import Figure

from qmia_tf.registry import Registry
from qmia_tf.report.figures.figure import Results, RunFigure, groups
from qmia_tf.report.figures.image_files import save_figure

__all__ = ["FIGURES", "RunFigure", "draw", "groups", "save_figure"]

# In the order of a page.
FIGURES = Registry(
    "figure",
    {
        name: f"{__name__}.{place}"
        for name, place in {
            "overview": "attack_gain:AttackGain",
            "threshold": "threshold_sweep:ThresholdSweep",
            "roc": "roc_curves:RocCurves",
            "histograms": "score_histograms:ScoreHistograms",
            "bits": "leak_by_bits:LeakByBits",
            "tradeoff": "tradeoffs:LeakByAccuracy",
            "cost": "tradeoffs:LeakByCost",
            "parity": "parity_codes:ParityCodes",
            "classes": "leak_by_class:LeakByClass",
            "forms": "leak_by_form:LeakByForm",
        }.items()
    },
)


def draw(name: str, results: Results, *, narrow: bool = False) -> Figure | None:
    """Draws a figure of FIGURES; None if the runs have nothing of it."""
    return FIGURES[name](results).draw(narrow=narrow)


def __getattr__(name):
    """Lets figures.roc(results) be draw("roc", results)."""
    if name.startswith("_") or name not in FIGURES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return functools.partial(draw, name)
