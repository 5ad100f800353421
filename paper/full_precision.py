"""A trained model compared with full precision on the same members."""

import dataclasses

from qmia_tf.auditing import unpaired_matching
from qmia_tf.auditing.accuracy_comparison import TrainingCurve
from qmia_tf.auditing.accuracy_matching import Match
from qmia_tf.report.run_list import Run
from qmia_tf.run_dir import TRAINED


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A trained model minus full precision, trained and at equal accuracy.

    Attributes:
        run: the model's.
        full: the full-precision run.
        epoch: of the model.
        trained: against the trained full-precision model.
        matches: at equal accuracy on nonmembers: the nearest epoch and,
            where there is one, the interpolation.
    """

    run: str
    full: str
    epoch: int
    trained: Match
    matches: list[Match]

    @property
    def match(self) -> Match:
        """The interpolation where there is one, else the nearest epoch."""
        return self.matches[-1]


def is_about(comparison: Comparison, run: Run, full: Run) -> bool:
    """Whether it is of these two models, by how many records are right."""
    ours, theirs = (side.target(TRAINED) for side in (run, full))
    nonmembers = _change(ours, theirs, "accuracy_nonmembers")
    members = _change(ours, theirs, "accuracy_members")
    return _near(comparison.trained.accuracy.value, nonmembers) and _near(
        # The gap attack's balanced accuracy.
        comparison.trained.leak["gap"].difference.value,
        (members - nonmembers) / 2,
    )


def from_curves(curve: TrainingCurve, full: TrainingCurve) -> Comparison:
    """Compares a run with full precision by the stored epochs of both.

    The trained model is the last of its curve; the members are the same. The
    intervals are those of auditing/unpaired_matching.py.
    """
    model = curve.points[-1]
    ways = [
        unpaired_matching.nearest(model, full.points),
        unpaired_matching.interpolated(model, full.points),
    ]
    return Comparison(
        run=curve.run,
        full=full.run,
        epoch=model.epoch,
        trained=unpaired_matching.trained(model, full.points),
        matches=[match for match in ways if match is not None],
    )


def _change(ours, theirs, measure):
    return getattr(ours, measure).value - getattr(theirs, measure).value


def _near(value, expected):
    return abs(value - expected) < 1e-9
