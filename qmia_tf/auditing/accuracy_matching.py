"""Accuracy matching: does quantization leak less at equal accuracy?

A quantized model that is less accurate has had less to leak. So its leak is
compared with that of the full-precision training run at the epoch where that
was as accurate on the same nonmembers.
"""

import dataclasses

import numpy as np

from qmia_tf.attacks import confidence, gap, likelihood
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.margin import margins
from qmia_tf.auditing.accuracy_crossing import bracket, crossings, outside_range
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics import delong, intervals, paired_differences
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.held_out_thresholds import calibration_half
from qmia_tf.statistics.intervals import Estimate


def held_out_likelihood(outputs: Outputs) -> np.ndarray:
    """The likelihood ratio of the margin, learned and evaluated as in an audit.

    Returns: float64 [N], NaN in the calibration half of seed 0, and everywhere
        if that is too small to learn from.
    """
    half = calibration_half(outputs.members, seed=0)
    inputs = AttackInputs(outputs=outputs, calibration=half)
    return np.where(half, np.nan, likelihood.scores(inputs))


# Each leak is the AUC of these scores; of the gap attack that is its balanced
# accuracy.
SCORES = {
    "gap": gap.scores,
    "confidence": confidence.scores,
    "margin": margins,
    "likelihood": held_out_likelihood,
}
NEAREST, INTERPOLATED = "nearest", "interpolated"
# Outside of what full precision reached, a match is no further apart than this.
NEAR = 0.01


@dataclasses.dataclass(frozen=True)
class Point:
    """Accuracy and leak of the model of one epoch.

    Attributes:
        epoch: how many epochs it was trained.
        accuracy_members: on its training records.
        accuracy_nonmembers: on the others.
        leaks: AUC of each of SCORES that is defined; of the gap attack
            with Newcombe's interval, of the others with DeLong's.
    """

    epoch: int
    accuracy_members: Estimate
    accuracy_nonmembers: Estimate
    leaks: dict[str, Estimate]


@dataclasses.dataclass(frozen=True, eq=False)
class Epoch:
    """A Point and what a paired comparison needs.

    Attributes:
        point: the Point.
        right: bool [n], which nonmembers it classifies right.
        scores: float64 [N] of each of SCORES, NaN where it is not defined.
    """

    point: Point
    right: np.ndarray
    scores: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Match:
    """A quantized model against full precision of the same accuracy.

    Attributes:
        way: "nearest": the epoch of full precision that is nearest in
            accuracy on nonmembers, the earliest of several. "interpolated":
            a straight line between two epochs that stand next to each other
            with the accuracy between theirs, the first such pair along
            the epochs, none beyond the epoch of highest accuracy. "trained":
            the trained model against trained full precision, and
            "artefact": a file or a control against its own Keras model, of
            whatever accuracy (scripts/reproduce.py).
        epochs: of full precision: one, or two.
        weight: of the second epoch; None of one.
        outside: "above" or "below" where full precision was never as, or
            never as little, accurate up to its best epoch; None otherwise.
            Nothing is interpolated then.
        crossings: how often the accuracy of full precision, over all epochs,
            crosses the quantized model's.
        accuracy: of the quantized model on nonmembers, minus full
            precision's.
        leak: of the quantized model, minus full precision's, for each of
            SCORES.
    """

    way: str
    epochs: list[int]
    weight: float | None
    outside: str | None
    crossings: int
    accuracy: Estimate
    leak: dict[str, delong.Contrast]

    @property
    def is_match(self) -> bool:
        """Whether full precision was as accurate, as far as is known.

        It was if nothing is `outside`, between two epochs if not at one: how
        far the nearest epoch is from it, `accuracy` says. Outside it was if
        that difference has an interval that holds zero and lies within NEAR.
        """
        if self.outside is None:
            return True
        low, high = self.accuracy.low, self.accuracy.high
        return low is not None and -NEAR <= low <= 0 <= high <= NEAR


def measure(outputs: Outputs, epoch: int) -> Epoch:
    """Attacks the model of one epoch.

    Args:
        outputs: of that model, in record order.
    """
    members = outputs.members
    right = outputs.predicted == outputs.labels
    counts = [
        int(count)
        for kind in (members, ~members)
        for count in (right[kind].sum(), kind.sum())
    ]
    scores = {name: score(outputs) for name, score in SCORES.items()}
    scores = {
        name: score
        for name, score in scores.items()
        if not np.isnan(score).all()
    }
    leaks = {name: _area(score, members) for name, score in scores.items()}
    leaks["gap"] = intervals.balanced_accuracy(*counts)
    point = Point(
        epoch=epoch,
        accuracy_members=intervals.clopper_pearson(*counts[:2]),
        accuracy_nonmembers=intervals.clopper_pearson(*counts[2:]),
        leaks=leaks,
    )
    return Epoch(point, right[~members], scores)


def nearest(model: Epoch, full: list[Epoch], members: np.ndarray) -> Match:
    """Compares a model with the epoch nearest in accuracy on nonmembers.

    Args:
        full: of full precision on the same records, by epoch.
    """
    # Counts, since equal shares are equally near.
    apart = [abs(int(x.right.sum()) - int(model.right.sum())) for x in full]
    epoch = full[int(np.argmin(apart))]
    return Match(
        way=NEAREST,
        epochs=[epoch.point.epoch],
        weight=None,
        outside=outside_range(*_counts(model, full)),
        crossings=crossings(*_counts(model, full)),
        accuracy=paired_differences.change(model.right, epoch.right),
        leak={
            name: delong.paired(scores, epoch.scores[name], members)
            for name, scores in model.scores.items()
        },
    )


def interpolated(
    model: Epoch, full: list[Epoch], members: np.ndarray
) -> Match | None:
    """Compares a model with full precision between two epochs.

    With a, a1, a2 the accuracies on nonmembers of the model and of the two
    epochs, w = (a - a1)/(a2 - a1):
        leak - (1 - w) leak1 - w leak2
    DeLong's interval, with what w owes to the nonmembers counted in: each
    moves it by -(leak2 - leak1)/(a2 - a1) (r - (1 - w) r1 - w r2), r being 1
    if it is classified right and 0 if not. That the line between the epochs is
    straight is assumed.

    Returns: None if the accuracy is outside of what full precision reached.
    """
    right, counts = _counts(model, full)
    bracketing = bracket(right, counts)
    if bracketing is None:
        return None
    *places, weight = bracketing
    pair = [full[place] for place in places]
    low, high = (counts[place] for place in places)
    wrong = model.right - (1 - weight) * pair[0].right - weight * pair[1].right
    rise = (high - low) / wrong.size
    leak = {}
    for name, scores in model.scores.items():
        ends = [_area(epoch.scores[name], members).value for epoch in pair]
        slope = (ends[1] - ends[0]) / rise if rise else 0.0
        leak[name] = delong.contrast(
            (scores, *(epoch.scores[name] for epoch in pair)),
            members,
            (1.0, weight - 1, -weight),
            shifts=-slope * wrong,
        )
    return Match(
        way=INTERPOLATED,
        epochs=[epoch.point.epoch for epoch in pair],
        weight=weight,
        outside=None,
        crossings=crossings(right, counts),
        accuracy=Estimate(0.0, None, None),
        leak=leak,
    )


def check_same_members(configs: dict[str, dict]):
    """Checks that runs have the same members.

    Raises: InputError naming what differs.
    """
    names = list(configs)
    for name in names[1:]:
        for place, key in (
            ("dataset", "fingerprint"),
            ("dataset", "pool"),
            ("split", "seed"),
            ("split", "member_fraction"),
            ("split", "complement"),
        ):
            one, other = (configs[x][place].get(key) for x in (names[0], name))
            if one != other:
                raise InputError(
                    f"{names[0]} and {name} have different members ({place}."
                    f"{key}: {one} and {other}): compare runs of the same "
                    "data and split"
                )


def _area(scores, members):
    has_score = ~np.isnan(scores)
    return auc(scores[has_score], members[has_score])


def _counts(model, full):
    return int(model.right.sum()), [int(epoch.right.sum()) for epoch in full]
