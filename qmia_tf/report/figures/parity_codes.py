"""Parity: how many codes of the integer files differ, stage by stage."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from qmia_tf.deploy.parity import mismatches
from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import Drawing, of_runs
from qmia_tf.report.figures.series import models
from qmia_tf.report.figures.styles import COLORS, INK
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Column, Table

# Of a run at most so many files, and one if the runs are many.
MOST, MANY = 2, 4
# Looks of what the twin was compared with, in the order they are met.
LOOKS = (
    {"color": COLORS[0], "marker": "^", "linestyle": (0, (4, 1.5))},
    {"color": COLORS[2], "marker": "s", "linestyle": (0, (1.2, 1.2))},
    {"color": COLORS[3], "marker": "D", "linestyle": (0, (5, 1.5, 1.2, 1.5))},
    {"color": COLORS[5], "marker": "v", "linestyle": "-"},
)
MODEL = {"color": INK, "marker": "o", "linestyle": "-"}
TRAINED = "trained model"


@of_runs
def parity(runs: list[Run], *, narrow=False) -> Figure | None:
    """Draws the share of codes that differ from the integer twin's.

    One panel a file, one line what its twin was compared with; stages in the
    network's order.

    Args:
        runs: Runs or AuditResults of one data set, or one of them.
        narrow: draws for a phone.
    Returns: a Figure; None if no codes were compared (scripts/parity.py).
    """
    parities = _found(runs)
    if not parities:
        return None
    looks = _looks(parities)
    across = panels.across(len(parities), narrow=narrow)
    down = -(-len(parities) // across)
    room = panels.legend_height(list(looks), narrow=narrow)
    figure = panels.paper(1.75 * down + 0.4 + room, narrow=narrow)
    grid = panels.grid_of(figure, len(parities), columns=across, sharey=True)
    width = (panels.page(narrow) - 0.9) / across - 0.15
    for n, (axes, (name, file_parity)) in enumerate(
        zip(grid, parities, strict=True)
    ):
        panels.tidy(axes, grid="y")
        for label, comparison in _compared(file_parity).items():
            _draw(axes, comparison, looks[label])
        axes.set_title(panels.fit(name, width), loc="left")
        if n % across == 0:
            axes.set_ylabel("codes that differ")
        if n + across >= len(parities):
            axes.set_xlabel("stage of the network")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    _scale(grid, parities)
    panels.legend(
        figure,
        [Line2D([], [], markersize=5, **look) for look in looks.values()],
        list(looks),
        narrow=narrow,
        title=f"{title(runs[0].dataset)}: codes that differ from the "
        "integer twin's",
    )
    return figure


@of_runs
def caption(runs: list[Run]) -> str:
    """How to read it."""
    text = (
        "The integer twin of each file, compared code by code, stage by "
        "stage: with the file itself, where none may differ under the default "
        "kernels, and with the trained model, where folding and rounding cost "
        "what the line shows. 0 is exact."
    )
    # A verdict begins with the scheme, which the name says already.
    verdicts = [
        f"{name}: {file_parity.verdict.split(': ', 1)[-1]}."
        for name, file_parity in _found(runs)
    ]
    if len(verdicts) <= MOST:
        text = " ".join([text, *verdicts])
    if len(runs) > MANY:
        text += " Of so many runs one file each."
    return text


@of_runs
def alt(runs: list[Run]) -> str:
    """What is seen."""
    sentences = []
    for name, file_parity in _found(runs)[:3]:
        parts = [
            f"{label} {x.mismatches:,} of {x.codes:,}"
            for label, x in _compared(file_parity).items()
        ]
        sentences.append(f"{name}: {', '.join(parts)}")
    if not sentences:
        return "No codes were compared."
    return f"Codes that differ from the integer twin's: {'; '.join(sentences)}."


@of_runs
def data(runs: list[Run]) -> Table:
    """One row a stage of each comparison."""
    rows = [
        [name, label, n, stage.name, stage.codes, stage.mismatches]
        + [stage.largest]
        for name, file_parity in _found(runs)
        for label, comparison in _compared(file_parity).items()
        for n, stage in enumerate(comparison.stages, 1)
    ]
    return Table(
        name="figure_parity",
        title=DRAWING.title,
        columns=[
            Column("file", "file"),
            Column("twin compared with", "against"),
            Column("stage", "stage", "count"),
            Column("name", "name"),
            Column("codes", "codes", "count"),
            Column("differ", "differ", "count"),
            Column("by at most", "largest", "count"),
        ],
        rows=rows,
        notes=[],
    )


def _found(runs):
    """(name, Parity) of each file that is shown."""
    parities = []
    for artefact in models(runs):
        files = [x for x in artefact.run.audit.targets if x.parity is not None]
        # Which are the same file when its other kernels were attacked too.
        alone = {x.sha256 or x.target: x for x in reversed(files)}
        files = [x for x in files if alone[x.sha256 or x.target] is x]
        for target in files[: 1 if len(runs) > MANY else MOST]:
            parities.append(
                (f"{artefact.model}, {target.target}", target.parity)
            )
    return parities


def _compared(file_parity):
    """Label -> comparison; of a kernel set the one with the most records."""
    comparisons = {}
    for comparison in file_parity.comparisons:
        label = TRAINED
        if comparison.against != mismatches.TRAINED:
            label = f"{comparison.kernels} kernels"
        if (
            label not in comparisons
            or comparison.records > comparisons[label].records
        ):
            comparisons[label] = comparison
    return comparisons


def _looks(parities):
    labels = dict.fromkeys(
        label for _, file_parity in parities for label in _compared(file_parity)
    )
    kernel_labels = [label for label in labels if label != TRAINED]
    looks = {TRAINED: MODEL} if TRAINED in labels else {}
    for n, label in enumerate(kernel_labels):
        looks[label] = LOOKS[n % len(LOOKS)]
    return looks


def _draw(axes, comparison, look):
    rates = [
        stage.mismatches / max(stage.codes, 1) for stage in comparison.stages
    ]
    axes.plot(
        range(1, len(rates) + 1),
        rates,
        markersize=4.5,
        markerfacecolor="none",
        linewidth=1.3,
        clip_on=False,
        **look,
    )


def _scale(grid, parities):
    """Logarithmic, with a place for 0."""
    rates = [
        stage.mismatches / stage.codes
        for _, file_parity in parities
        for comparison in _compared(file_parity).values()
        for stage in comparison.stages
        if stage.mismatches
    ]
    least, most = min(rates, default=1e-4), max(rates, default=1e-3)
    tens = [10.0**n for n in range(-9, 1) if least / 10 < 10.0**n < most * 10]
    tens = tens[:: 1 + len(tens) // 5]
    for axes in grid:
        axes.set_yscale("symlog", linthresh=tens[0], linscale=0.6)
        axes.set_yticks([0, *tens], ["0", *map(_share, tens)])
        axes.set_ylim(-tens[0] * 0.15, max(most * 1.3, tens[-1]))
        axes.minorticks_off()


def _share(value):
    percent = 100 * value
    return f"{percent:g} %" if percent >= 1e-3 else f"{percent:.0e} %"


DRAWING = Drawing(
    "parity",
    "Codes of the integer files",
    parity,
    caption,
    alt,
    data,
)
