"""The leak against accuracy, and against size and latency."""

from matplotlib.figure import Figure

from qmia_tf.report import phrases
from qmia_tf.report.figures import leak_measure
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.scatter import scatter
from qmia_tf.report.figures.series import artefacts, cut_note, models
from qmia_tf.report.run_list import Run
from qmia_tf.report.tables import Table


@of_runs
def tradeoff(runs: list[Run], *, narrow=False) -> Figure:
    """Draws the gap attack and the leak against accuracy on nonmembers.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    """
    measure = leak_measure.measure(runs)
    across = _accuracy, "right on nonmembers (%)"
    gap = (*across, leak_measure.gap, "gap attack (%)")
    leak = (*across, measure.of, measure.axis)
    return scatter(
        runs,
        [leak] if measure.is_gap else [gap, leak],
        heading="accuracy against leak",
        narrow=narrow,
    )


@of_runs
def cost(runs: list[Run], *, narrow=False) -> Figure | None:
    """Draws the leak against the size of the file and its latency.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    Returns: a Figure; None where neither is known.
    """
    measure = leak_measure.measure(runs)
    sides = [
        (known, label, measure.of, measure.axis)
        for known, label in ((_size, "size (MB)"), (_latency, "latency (ms)"))
        if any(
            known(artefact.target) is not None for artefact in artefacts(runs)
        )
    ]
    if not sides:
        return None
    return scatter(
        runs, sides, heading="leak against cost", narrow=narrow, log=True
    )


@of_runs
def tradeoff_caption(runs: list[Run]) -> str:
    """How to read it."""
    measure = leak_measure.measure(runs)
    reached = f"what the gap attack and, in the other panel, {measure.words}"
    if measure.is_gap:
        reached = f"the leak by {measure.words}"
    return (
        "One point an artefact: how often it is right on nonmembers, against "
        f"{reached}. {leak_measure.MEANS} {_bars_note(runs)}{cut_note(runs)}"
    )


@of_runs
def cost_caption(runs: list[Run]) -> str:
    """How to read it."""
    joined = "A line joins the artefacts of a model"
    if len(runs) > 1:
        joined += "; a letter names it. Intervals are in the first figure"
    else:
        joined += f". {leak_measure.BARS} They are drawn at its first artefact"
    return (
        f"The leak, by {leak_measure.measure(runs).words}, against the size of "
        "the file and the median time of one image on the machine that was "
        "measured (both axes of cost logarithmic). "
        f"{leak_measure.MEANS} {joined}.{cut_note(runs)}"
    )


@of_runs
def tradeoff_alt(runs: list[Run]) -> str:
    """What is seen."""
    measure = leak_measure.measure(runs)

    def say(artefact):
        right = phrases.percent(artefact.target.accuracy_nonmembers, guess=0)
        return f"{leak_measure.percent(measure.of(artefact.target))} at {right}"

    return (
        "Records that the attacker judges right, at the model's accuracy on "
        "nonmembers: "
        + leak_measure.in_words(
            models(runs), lambda x: measure.of(x.target).value, say
        )
        + "."
    )


@of_runs
def cost_alt(runs: list[Run]) -> str:
    """What is seen."""
    measure = leak_measure.measure(runs)
    shown = [x for x in artefacts(runs) if x.target.size_mb is not None]
    if not shown:
        return "The sizes of the files are not known."
    ends = (
        max(shown, key=lambda x: x.target.size_mb),
        min(shown, key=lambda x: x.target.size_mb),
    )
    parts = [
        f"{artefact.name} ({artefact.target.size_mb:.2f} MB): "
        f"{leak_measure.percent(measure.of(artefact.target))}"
        for artefact in dict.fromkeys(ends)
    ]
    return (
        "Records that the attacker judges right, from the largest artefact to "
        f"the smallest: {'; '.join(parts)}."
    )


@of_runs
def data(runs: list[Run]) -> Table:
    """One row an artefact; of both figures."""
    return leak_measure.table(runs, "figure_tradeoff", TRADEOFF.title)


def _accuracy(target):
    return target.accuracy_nonmembers


def _size(target):
    # A logarithmic axis has no zero: what a clock did not see is not known.
    return target.size_mb or None


def _latency(target):
    return target.latency_ms or None


def _bars_note(runs):
    if len(runs) == 1:
        return f"{leak_measure.BARS} They are drawn at its first artefact."
    return (
        f"{leak_measure.BARS} They are drawn at the first artefact of each "
        "model; a letter names the model."
    )


TRADEOFF = Drawing(
    "tradeoff",
    "Leak against accuracy",
    tradeoff,
    tradeoff_caption,
    tradeoff_alt,
    data,
)
COST = Drawing(
    "cost",
    "Leak against size and latency",
    cost,
    cost_caption,
    cost_alt,
    data,
)
