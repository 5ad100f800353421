"""The leak of each class."""

from collections.abc import Iterator
from types import SimpleNamespace

from matplotlib.figure import Figure

from qmia_tf.auditing.class_audits import ClassAudit
from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.styles import GREY, INK

ROW = 0.19
# More classes than these, and the riskiest of the first run are shown.
MOST = 20
# Inches of a name.
NAME = {False: 1.1, True: 0.75}
DOT = {"marker": "o", "linewidth": 1.3}
LOOKS = {
    "AUC within the class": {"color": INK, "ms": 4.5, **DOT},
    "gap attack": {
        "color": GREY,
        "marker": "|",
        "linestyle": "",
        "ms": 8,
        "mew": 1.5,
    },
    "guessing": {"color": GREY, "linewidth": 0.9},
}


class LeakByClass(RunFigure):
    """The confidence attack's AUC on each class, one panel a run."""

    name = "classes"
    title = "Leak by class"
    heading = "leak by class"

    def __init__(self, results):
        super().__init__(results)
        self.shown = [x for x in self.models if x.target.per_class]

    @property
    def most(self) -> int | None:
        """How many classes are shown, where not all are."""
        many = self.shown and len(self.shown[0].target.per_class) > MOST
        return MOST if many else None

    def ranges(self) -> list[SimpleNamespace]:
        """The class that leaks least and the one that leaks most, of some."""

        def area(audit):
            return audit.auc.value

        return [
            SimpleNamespace(
                model=artefact.model,
                low=min(artefact.target.per_class, key=area),
                high=max(artefact.target.per_class, key=area),
            )
            for artefact in self.models[:2]
            if artefact.target.per_class
        ]

    def _draw(self, sheet) -> Figure | None:
        if not self.shown:
            return None
        labels = self._labels()
        across = panels.across(len(self.shown), narrow=sheet.narrow)
        figure, grid = sheet.panels(
            [artefact.model for artefact in self.shown],
            list(LOOKS.items()),
            height=ROW * len(labels) + 0.3,
            space=0.4,
            margin=NAME[sheet.narrow] / across + 0.1,
            xlabel="AUC",
            grid="x",
            sharex=True,
            sharey=True,
        )
        for axes, artefact in zip(grid, self.shown, strict=True):
            _draw(axes, artefact, labels)
        names = [panels.fit(x, NAME[sheet.narrow]) for x in labels.values()]
        grid[0].set_yticks(range(len(labels)), names)
        grid[0].set_ylim(len(labels) - 0.4, -0.6)
        return figure

    def _labels(self):
        """Label -> name of the classes that are drawn, in their order."""
        per_class = self.shown[0].target.per_class
        if self.most:
            ordered = sorted(per_class, key=lambda x: (-x.auc.value, x.label))
            labels = {audit.label for audit in ordered[:MOST]}
            per_class = [audit for audit in per_class if audit.label in labels]
        return {audit.label: class_name(audit) for audit in per_class}

    def _rows(self) -> Iterator[dict]:
        for artefact in self.shown:
            for audit in artefact.target.per_class:
                yield {
                    "model": artefact.model,
                    "class": class_name(audit),
                    "members": audit.members,
                    "nonmembers": audit.nonmembers,
                    "accuracy_members": audit.accuracy_members,
                    "accuracy_nonmembers": audit.accuracy_nonmembers,
                    "auc": audit.auc,
                }


def class_name(audit: ClassAudit) -> str:
    """The name of a class, or its label."""
    return audit.name or str(audit.label)


def _draw(axes, artefact, labels):
    panels.guess_line(axes, 0.5, upright=True)
    rows = {label: row for row, label in enumerate(labels)}
    panels.rails(axes, list(rows.values()), 0.6)
    for audit in artefact.target.per_class:
        if audit.label not in rows:
            continue
        row, auc = rows[audit.label], audit.auc
        gap = audit.accuracy_members.value - audit.accuracy_nonmembers.value
        axes.plot(0.5 + gap / 2, row, "|", color=GREY, markersize=8, mew=1.5)
        low = auc.value if auc.low is None else auc.low
        high = auc.value if auc.high is None else auc.high
        axes.errorbar(
            auc.value,
            row,
            xerr=[[auc.value - low], [high - auc.value]],
            color=artefact.color,
            markersize=4.5,
            zorder=3,
            **DOT,
        )
