"""The contract of a figure: drawing, words and numbers of some runs."""

import abc
from collections.abc import Iterable

from matplotlib.figure import Figure

from qmia_tf import plot_settings
from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.errors import InputError
from qmia_tf.report.figures.panels import SETTINGS, Sheet
from qmia_tf.report.figures.series import Artefact, models
from qmia_tf.report.metrics import select
from qmia_tf.report.phrases import capital
from qmia_tf.report.run_list import Run, sort_runs, split_by_model
from qmia_tf.report.tables import Column, Table
from qmia_tf.report.words import say

# What a figure takes: one of them or several.
Results = AuditResult | Run | Iterable[AuditResult | Run]


class RunFigure(abc.ABC):
    """A figure of runs on one data set; a subclass is a kind of figure.

    Attributes:
        name: key in FIGURES, of its files and of its words: figures.jinja has
            NAME_caption and NAME_alt, unless caption and alt are overridden.
        title: its heading.
        heading: what stands in the drawing, after the data set.
        columns: of its data that are not as in metrics.CATALOGUE.
        runs: what is drawn.
    """

    name: str
    title: str
    heading: str
    columns: tuple[Column, ...] = ()

    def __init__(self, results: Results):
        """Takes an AuditResult, a Run, or a list of them, of one data set.

        Raises: InputError if there is none, or they are on several.
        """
        runs_by_dataset = groups(results)
        if len(runs_by_dataset) > 1:
            raise InputError(
                "figures: one data set at a time, got "
                f"{', '.join(runs_by_dataset)}; split them with figures.groups"
            )
        (self.runs,) = runs_by_dataset.values()

    @property
    def models(self) -> list[Artefact]:
        """The Keras models, or the first targets."""
        return models(self.runs)

    def draw(self, *, narrow: bool = False) -> Figure | None:
        """Draws it, `narrow` for a phone; None if there is nothing to draw."""
        title = f"{self.runs[0].title}: {self.heading}"
        if self.runs[0].unnamed:
            title = capital(self.heading)
        sheet = Sheet(title, narrow)
        with plot_settings.plain(SETTINGS):
            return self._draw(sheet)

    def caption(self) -> str:
        """How to read it, and what was left out."""
        return say("figures", f"{self.name}_caption", self)

    def alt(self) -> str:
        """What is seen, with numbers, for who does not see it."""
        return say("figures", f"{self.name}_alt", self)

    def data(self) -> Table:
        """What is drawn."""
        name = f"figure_{self.name}"
        return select(name, self.title, self._rows(), columns=self.columns)

    @abc.abstractmethod
    def _draw(self, sheet: Sheet) -> Figure | None:
        """Draws it."""

    @abc.abstractmethod
    def _rows(self) -> Iterable[dict]:
        """The rows of data."""


def given(results: Results) -> list[Run]:
    """Makes runs of what a figure is asked to draw.

    Results are put in order, runs stay in theirs. An audit of targets that
    are of no one network becomes one run a target.

    Raises: InputError if there is none.
    """
    if isinstance(results, (AuditResult, Run)):
        results = [results]
    results = list(results)
    if not results:
        raise InputError("figures: no audit to draw, give one or more")
    if all(isinstance(result, AuditResult) for result in results):
        results = sort_runs(results)
    return split_by_model(results)


def groups(results: Results) -> dict[str, list[Run]]:
    """Splits runs by data set: name -> those that share a figure."""
    runs_by_dataset = {}
    for run in given(results):
        runs_by_dataset.setdefault(run.dataset, []).append(run)
    return runs_by_dataset
