"""A figure with its words and numbers, from runs or plain audit results."""

import dataclasses
import functools
from collections.abc import Callable

import matplotlib
from matplotlib.figure import Figure

from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.errors import InputError
from qmia_tf.report.figures.panels import SETTINGS
from qmia_tf.report.run_list import Run, sort_runs, split_by_model
from qmia_tf.report.tables import Table


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One kind of figure.

    Each function takes Runs or AuditResults about one data set, one of them
    or a list.

    Attributes:
        name: key in FIGURES, and of its files.
        title: its heading.
        draw: (runs, *, narrow=False) -> Figure, None if there is nothing of
            it in these runs.
        caption: (runs) -> how to read it, and what was left out.
        alt: (runs) -> what is seen, with numbers, for who does not see it.
        data: (runs) -> the Table of what is drawn.
    """

    name: str
    title: str
    draw: Callable[..., Figure | None]
    caption: Callable[..., str]
    alt: Callable[..., str]
    data: Callable[..., Table]


def given(results) -> list[Run]:
    """Makes runs of what a figure is asked to draw.

    Args:
        results: AuditResult, Run, or a list of either; results are put in
            order, runs stay in theirs. An audit of several models of
            somebody's own becomes one run a model.
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


def groups(results) -> dict[str, list[Run]]:
    """Splits runs by data set: name -> those that share a figure.

    Args:
        results: as of `given`.
    """
    runs_by_dataset = {}
    for run in given(results):
        runs_by_dataset.setdefault(run.dataset, []).append(run)
    return runs_by_dataset


def of_runs(function):
    """Lets a function of Runs take AuditResults too, of one data set."""

    @functools.wraps(function)
    def wrapped(results, **options):
        runs = given(results)
        names = dict.fromkeys(run.dataset for run in runs)
        if len(names) > 1:
            raise InputError(
                f"figures: one data set at a time, got {', '.join(names)}; "
                "split them with figures.groups"
            )
        with matplotlib.rc_context(SETTINGS):
            return function(runs, **options)

    return wrapped
