"""The leak against accuracy, and against size and latency."""

import operator

from matplotlib.figure import Figure

from qmia_tf.report.figures import leak_measure
from qmia_tf.report.figures.scatter import Side, scatter


class LeakByAccuracy(leak_measure.LeakFigure):
    """The gap attack and the leak against accuracy on nonmembers."""

    name = "tradeoff"
    title = "Leak against accuracy"
    heading = "accuracy against leak"

    def _draw(self, sheet) -> Figure | None:
        if len(self.shown) < 2:
            return None
        x = (
            operator.attrgetter("accuracy_nonmembers"),
            "right on nonmembers (%)",
        )
        sides = [
            Side(*x, leak_measure.gap, "AUC, gap attack"),
            Side(*x, leak_measure.leak, leak_measure.AXIS),
        ]
        return scatter(self.runs, self.shown, sides, sheet)


class LeakByCost(leak_measure.LeakFigure):
    """The leak against the size of the file and its latency."""

    name = "cost"
    title = "Leak against size and latency"
    heading = "leak against cost"

    def ends(self) -> list:
        """The largest artefact and the smallest, of known size."""
        known = [x for x in self.shown if x.target.size_mb is not None]
        ends = leak_measure.extremes(known, lambda x: x.target.size_mb, 0)
        return list(dict.fromkeys(ends))

    def _draw(self, sheet) -> Figure | None:
        sides = [
            Side(known, label, leak_measure.leak, leak_measure.AXIS)
            for known, label in (
                (_size, "size (MB)"),
                (_latency, "latency (ms)"),
            )
            if any(known(x.target) is not None for x in self.shown)
        ]
        if not sides or len(self.shown) < 2:
            return None
        return scatter(self.runs, self.shown, sides, sheet, log=True)


def _size(target):
    # A logarithmic axis has no zero: what a clock did not see is not known.
    return target.size_mb or None


def _latency(target):
    return target.latency_ms or None
