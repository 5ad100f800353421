"""The leak by what an attacker sees of the outputs."""

from collections.abc import Iterator
from types import SimpleNamespace

from matplotlib.figure import Figure

from qmia_tf.outputs.output_forms import COARSE, FORMS, FULL
from qmia_tf.report.figures import panels, series
from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.styles import COLORS, INK
from qmia_tf.report.phrases import attack_title, form_title

ROW = 0.2
# Inches of a name.
NAME = {False: 1.25, True: 1.2}
DOT = {"ms": 4.5, "linewidth": 1.3}
LOOKS = {
    "an app can return this alone": {"color": COLORS[0], "marker": "o", **DOT},
    "what the model outputs": {"color": INK, "marker": "s", **DOT},
    "who holds the model": {"color": COLORS[1], "marker": "D", **DOT},
}


class LeakByForm(RunFigure):
    """The strongest attack on each form of the outputs, a panel an artefact."""

    name = "forms"
    title = "Leak by what is seen"
    heading = "leak by what the attacker sees"

    def __init__(self, results):
        super().__init__(results)
        self.shown = [
            artefact
            for artefact in series.artefacts(self.runs)
            if artefact.target.forms
        ]

    @property
    def is_cut(self) -> bool:
        """Whether artefacts are left out."""
        return series.is_cut(self.runs)

    def ranges(self) -> list[SimpleNamespace]:
        """The forms that leak least and most, of some artefacts."""
        return [
            SimpleNamespace(
                name=artefact.name,
                low=min(artefact.target.forms, key=_area),
                high=max(artefact.target.forms, key=_area),
            )
            for artefact in self.shown[:2]
        ]

    def _draw(self, sheet) -> Figure | None:
        if not self.shown:
            return None
        there = {x.form for a in self.shown for x in a.target.forms}
        rows = {
            form: row for row, form in enumerate(x for x in FORMS if x in there)
        }
        across = panels.across(len(self.shown), narrow=sheet.narrow)
        figure, grid = sheet.panels(
            [artefact.name for artefact in self.shown],
            list(LOOKS.items()),
            height=ROW * len(rows) + 0.3,
            space=0.4,
            margin=NAME[sheet.narrow] / across + 0.25,
            xlabel="AUC",
            grid="x",
            sharex=True,
            sharey=True,
        )
        for axes, artefact in zip(grid, self.shown, strict=True):
            panels.guess_line(axes, 0.5, upright=True)
            panels.rails(axes, list(rows.values()), 0.6)
            for leak in artefact.target.forms:
                _point(axes, leak, rows[leak.form])
        names = [panels.fit(form_title(x), NAME[sheet.narrow]) for x in rows]
        grid[0].set_yticks(range(len(rows)), names)
        grid[0].set_ylim(len(rows) - 0.4, -0.6)
        return figure

    def _rows(self) -> Iterator[dict]:
        for artefact in self.shown:
            for leak in artefact.target.forms:
                yield {
                    "artefact": artefact.name,
                    "form": form_title(leak.form),
                    "attack": attack_title(leak.attack),
                    "auc": leak.auc,
                }


def look(form: str) -> dict:
    """How a form is drawn."""
    app, model, holder = LOOKS.values()
    return app if form in COARSE else model if form == FULL else holder


def _area(leak):
    return leak.auc.value


def _point(axes, leak, row):
    auc = leak.auc
    axes.errorbar(
        auc.value,
        row,
        xerr=[[auc.value - auc.low], [auc.high - auc.value]],
        zorder=3,
        **look(leak.form),
    )
