"""Parity: how many codes of the integer files differ, stage by stage."""

from collections.abc import Iterator
from types import SimpleNamespace

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qmia_tf.deploy.parity import mismatches
from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.styles import COLORS, INK

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


class ParityCodes(RunFigure):
    """The share of codes that differ from the integer twin's.

    One panel a file, one line what its twin was compared with; stages in the
    network's order.
    """

    name = "parity"
    title = "Codes of the integer files"
    heading = "codes that differ from the integer twin's"

    def __init__(self, results):
        super().__init__(results)
        self.is_cut = len(self.runs) > MANY
        self.files = list(self._files())

    def _files(self):
        """The files that are shown: name, verdict, comparisons by label."""
        for artefact in self.models:
            targets = [
                x for x in artefact.run.audit.targets if x.parity is not None
            ]
            # Which are the same file when its other kernels were attacked too.
            alone = {x.sha256 or x.target: x for x in reversed(targets)}
            targets = [x for x in targets if alone[x.sha256 or x.target] is x]
            for target in targets[: 1 if self.is_cut else MOST]:
                yield SimpleNamespace(
                    name=f"{artefact.model}, {target.target}",
                    # It begins with the scheme, which the name says already.
                    verdict=target.parity.verdict.split(": ", 1)[-1],
                    compared=_compared(target.parity),
                )

    @property
    def verdicts(self) -> list:
        """The files whose verdicts a caption has room for."""
        return self.files if len(self.files) <= MOST else []

    def _draw(self, sheet) -> Figure | None:
        if not self.files:
            return None
        looks = self._looks()
        across = panels.across(len(self.files), narrow=sheet.narrow)
        figure, grid = sheet.panels(
            [file.name for file in self.files],
            [(name, {"markersize": 5, **x}) for name, x in looks.items()],
            height=1.75,
            space=0.4,
            margin=0.9 / across + 0.15,
            xlabel="stage of the network",
            ylabel="codes that differ",
            grid="y",
            sharey=True,
        )
        for axes, file in zip(grid, self.files, strict=True):
            for label, comparison in file.compared.items():
                _draw(axes, comparison, looks[label])
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        self._scale(grid)
        return figure

    def _looks(self):
        labels = {label: None for file in self.files for label in file.compared}
        kernels = [label for label in labels if label != TRAINED]
        looks = {TRAINED: MODEL} if TRAINED in labels else {}
        for n, label in enumerate(kernels):
            looks[label] = LOOKS[n % len(LOOKS)]
        return looks

    def _scale(self, grid):
        """Logarithmic, with a place for 0."""
        rates = [
            row["differ"] / row["codes"]
            for row in self._rows()
            if row["differ"]
        ]
        least, most = min(rates, default=1e-4), max(rates, default=1e-3)
        tens = [10.0**n for n in range(-9, 1)]
        tens = [ten for ten in tens if least / 10 < ten < most * 10]
        tens = tens[:: 1 + len(tens) // 5]
        for axes in grid:
            axes.set_yscale("symlog", linthresh=tens[0], linscale=0.6)
            axes.set_yticks([0, *tens], ["0", *map(_share, tens)])
            axes.set_ylim(-tens[0] * 0.15, max(most * 1.3, tens[-1]))
            axes.minorticks_off()

    def _rows(self) -> Iterator[dict]:
        for file in self.files:
            for label, comparison in file.compared.items():
                for number, stage in enumerate(comparison.stages, 1):
                    yield {
                        "file": file.name,
                        "against": label,
                        "stage": number,
                        "name": stage.name,
                        "codes": stage.codes,
                        "differ": stage.mismatches,
                        "largest": stage.largest,
                    }


def _compared(parity):
    """Label -> comparison; of a kernel set the one with the most records."""
    comparisons = {}
    for comparison in parity.comparisons:
        label = f"{comparison.kernels} kernels"
        if comparison.against == mismatches.TRAINED:
            label = TRAINED
        known = comparisons.get(label)
        if known is None or comparison.records > known.records:
            comparisons[label] = comparison
    return comparisons


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


def _share(value):
    percent = 100 * value
    return f"{percent:g} %" if percent >= 1e-3 else f"{percent:.0e} %"
