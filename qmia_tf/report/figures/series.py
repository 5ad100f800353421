"""What of several runs is drawn: artefacts, with their names and looks."""

import dataclasses

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures.styles import (
    deployed,
    kind,
    line_styles,
    marker,
    model_name,
)
from qmia_tf.report.run_list import Run, is_variant
from qmia_tf.run_dir import TRAINED

# More artefacts than these, and a run shows the model and what is deployed.
MOST = 12


@dataclasses.dataclass(frozen=True, eq=False)
class Artefact:
    """One artefact as figures see it.

    Attributes:
        run: whose it is.
        target: its audit.
        model: name of the model.
        file: name of the file among the model's.
        color: of the model.
        linestyle: of the model.
        marker: of that kind of file.
        first: whether it is the first of its run.
    """

    run: Run
    target: TargetAudit
    model: str
    file: str
    color: str
    linestyle: object
    marker: str
    first: bool

    @property
    def name(self) -> str:
        """The model and the file, as sentences and tables call them."""
        if self.run.own:
            return self.model
        return f"{self.model}, {self.file}"


def of_run(run: Run) -> list[TargetAudit]:
    """The targets that count: no twins, no other kernels than the default."""
    targets = [target for target in run.audit.targets if not is_variant(target)]
    return targets or run.audit.targets[:1]


def two(run: Run) -> list[TargetAudit]:
    """The Keras model, or the first target, and the deployed file."""
    first = run.target(TRAINED) or of_run(run)[0]
    file = deployed(run)
    return [first] if file in (None, first) else [first, file]


def artefacts(runs: list[Run]) -> list[Artefact]:
    """Every artefact of the runs; two a run if those are too many.

    Args:
        runs: of one data set.
    """
    few = is_cut(runs)
    artefact_list = []
    for run, style in zip(runs, line_styles(runs), strict=True):
        for place, target in enumerate(two(run) if few else of_run(run)):
            artefact_list.append(
                _artefact(run, target, runs, style, place == 0)
            )
    return artefact_list


def models(runs: list[Run]) -> list[Artefact]:
    """The Keras model of each run, or its first target."""
    return [
        _artefact(run, two(run)[0], runs, style, True)
        for run, style in zip(runs, line_styles(runs), strict=True)
    ]


def is_cut(runs: list[Run]) -> bool:
    """Whether there are more artefacts than there is room for."""
    return sum(len(of_run(run)) for run in runs) > MOST


def cut_note(runs: list[Run]) -> str:
    """A sentence on what is left out, with a space in front; or nothing."""
    if not is_cut(runs):
        return ""
    return (
        " Of each run the Keras model and the file that is deployed are "
        "shown; the others are in the tables."
    )


def _artefact(run, target, runs, style, first):
    return Artefact(
        run=run,
        target=target,
        model=model_name(run, runs),
        file=kind(run, target),
        color=style["color"],
        linestyle=style["linestyle"],
        marker=marker(run, target),
        first=first,
    )
