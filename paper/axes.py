"""What the reproduction's figures share: colours, axes of AUC, legends."""

from matplotlib.ticker import MaxNLocator

from paper import plans
from qmia_tf.report.figures.panels import WIDE, guess_line
from qmia_tf.report.figures.styles import COLORS, INK
from qmia_tf.statistics.intervals import Estimate

# Of AUC that an axis shows at least: less than that would blow up chance.
MIN_AUC_RANGE = 0.03
# Steps between ticks at most; numbers are wider than high.
MAX_TICK_STEPS = {"x": 4, "y": 6}
OVER_RECORDS = "95 % interval over records"


def color_of(model) -> str:
    """The colour of a model of plans.MODELS."""
    place = list(plans.MODELS).index(model)
    return INK if model == plans.FULL else COLORS[(place - 1) % len(COLORS)]


def auc_axis(axis):
    """Gives an axis of AUC its range, ticks, and a line where guessing is.

    It shows at least MIN_AUC_RANGE around the middle of what is drawn. Call
    it when all of that is drawn.

    Args:
        axis: axes.xaxis or axes.yaxis of matplotlib.
    """
    low, high = axis.get_view_interval()
    wider = max(0.0, MIN_AUC_RANGE - (high - low)) / 2
    low, high = low - wider, high + wider
    upright = axis.axis_name == "x"
    set_limits = axis.axes.set_xlim if upright else axis.axes.set_ylim
    set_limits(low, high)
    axis.set_major_locator(
        MaxNLocator(MAX_TICK_STEPS[axis.axis_name], steps=[1, 2, 5, 10])
    )
    if low <= 0.5 <= high:
        guess_line(axis.axes, 0.5, upright=upright)


def error_bar(estimate: Estimate) -> list[list[float]] | None:
    """How far an interval reaches to both sides, as errorbar takes it."""
    if estimate.low is None:
        return None
    value = estimate.value
    return [[value - estimate.low], [estimate.high - value]]


def legend_below(figure, handles, labels):
    """Puts the legend under all panels."""
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=max(1, int(WIDE / 2.3)),
        frameon=False,
    )
