"""What of several runs is drawn: artefacts, with their names and looks."""

import dataclasses

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures.styles import (
    deployed,
    file_style,
    line_styles,
    model_name,
)
from qmia_tf.report.run_list import Run, artefacts_of
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
        if not self.run.is_trained:
            return self.model
        return f"{self.model}, {self.file}"


def two(run: Run) -> list[TargetAudit]:
    """The Keras model, or the first target, and the deployed file."""
    first = run.target(TRAINED) or artefacts_of(run.audit)[0]
    file = deployed(run)
    return [first] if file in (None, first) else [first, file]


def artefacts(runs: list[Run]) -> list[Artefact]:
    """Every artefact of the runs; two a run if those are too many."""
    few = is_cut(runs)
    return _artefacts(
        runs, lambda run: two(run) if few else artefacts_of(run.audit)
    )


def models(runs: list[Run]) -> list[Artefact]:
    """The Keras model of each run, or its first target."""
    return _artefacts(runs, lambda run: two(run)[:1])


def pairs(runs: list[Run]) -> list[Artefact]:
    """The model of each run and its deployed file."""
    return _artefacts(runs, two)


def is_cut(runs: list[Run]) -> bool:
    """Whether there are more artefacts than there is room for."""
    return sum(len(artefacts_of(run.audit)) for run in runs) > MOST


def _artefacts(runs, targets_of):
    artefact_list = []
    for run, style in zip(runs, line_styles(runs), strict=True):
        for place, target in enumerate(targets_of(run)):
            file, marker = file_style(run, target)
            artefact_list.append(
                Artefact(
                    run=run,
                    target=target,
                    model=model_name(run, runs),
                    file=file,
                    marker=marker,
                    first=place == 0,
                    **style,
                )
            )
    return artefact_list
