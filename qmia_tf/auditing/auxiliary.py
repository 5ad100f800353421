"""What an attacker has beside the target's answers, put record by record."""

import dataclasses

import numpy as np

from qmia_tf.attacks.attack_inputs import AttackInputs, References
from qmia_tf.attacks.augmented_queries import Answers
from qmia_tf.attacks.margin import margins
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.held_out import calibration_half


@dataclasses.dataclass(frozen=True, eq=False)
class Beside:
    """What is known beside one target's outputs; nothing by default.

    Attributes:
        copies: its labels for changed copies of the records.
        noisy: its labels for copies with noise.
        references: outputs of reference models: their members are the
            records that trained them, their nonmembers those that did not.
            What they were not asked about, they say nothing of.
        parent: outputs of the full-precision model of the same members.
        features: float [R, F], of records 0..R-1 of the data set.
    """

    copies: Answers | None = None
    noisy: Answers | None = None
    references: tuple[Outputs, ...] = ()
    parent: Outputs | None = None
    features: np.ndarray | None = None


def gather(outputs: Outputs, beside=None, *, seed=0) -> AttackInputs:
    """Puts everything in the order of the records.

    Args:
        outputs: what the target answered.
        beside: Beside; None is nothing.
        seed: int, of the calibration half and of attacks.
    Returns: AttackInputs, sorted by record id.
    Raises: InputError if something is about other records, members or
        labels, or there are fewer than two members or nonmembers.
    """
    beside = beside or Beside()
    # In record order the result is that of any order of the records.
    outputs = outputs.validate().in_record_order()
    features = beside.features
    return AttackInputs(
        outputs=outputs,
        calibration=calibration_half(outputs.members, seed=seed),
        seed=seed,
        copies=beside.copies and beside.copies.aligned(outputs.record_ids),
        noisy=beside.noisy and beside.noisy.aligned(outputs.record_ids),
        references=_references(beside.references, outputs),
        parent=beside.parent and _same_records(beside.parent, outputs),
        features=None if features is None else features[outputs.record_ids],
    )


def with_partner(inputs: AttackInputs, partner: Outputs) -> AttackInputs:
    """Adds what a second artefact of the same training run answered.

    Raises: InputError if it is about other records, members or labels.
    """
    aligned = _same_records(partner, inputs.outputs)
    return dataclasses.replace(inputs, partner=aligned)


def _references(answered, outputs):
    if not answered:
        return None
    shape = len(answered), outputs.labels.size
    all_margins = np.zeros(shape, np.float32)
    inside, outside = np.zeros(shape, bool), np.zeros(shape, bool)
    for row, answers in enumerate(answered):
        _, ours, theirs = np.intersect1d(
            outputs.record_ids, answers.record_ids, return_indices=True
        )
        part = answers.take(theirs)
        if not ours.size:
            raise InputError(
                f"reference {answers.target!r} was asked about none of the "
                f"records of {outputs.target!r}: is it of the same data set?"
            )
        _check_alike(part, outputs.take(ours), f"reference {answers.target!r}")
        # Then its answers would tell the memberships themselves.
        if np.array_equal(part.members, outputs.members):
            raise InputError(
                f"reference {answers.target!r} was trained on the very members "
                f"of {outputs.target!r}: give models of other splits, as "
                "scripts/train_references.py trains them"
            )
        all_margins[row, ours] = margins(part)
        inside[row, ours] = part.members
        outside[row, ours] = ~part.members
    names = tuple(reference.target for reference in answered)
    return References(all_margins, inside, outside, names)


def _same_records(other, outputs):
    other = other.in_record_order()
    what = f"{other.target!r}, asked beside {outputs.target!r},"
    _, theirs, ours = np.intersect1d(
        other.record_ids, outputs.record_ids, return_indices=True
    )
    if ours.size < outputs.record_ids.size:
        raise InputError(
            f"{what} has no answer for "
            f"{outputs.record_ids.size - ours.size} of its records: query "
            "both about the same data and split"
        )
    other = other.take(theirs)
    _check_alike(other, outputs, what)
    if not np.array_equal(other.members, outputs.members):
        raise InputError(
            f"{what} was trained on other members: give the full-precision "
            "run of the same data and --split_seed"
        )
    return other


def _check_alike(one, other, what):
    if one.classes != other.classes:
        raise InputError(
            f"{what} knows {one.classes} classes, not {other.classes}"
        )
    wrong = np.flatnonzero(one.labels != other.labels)
    if wrong.size:
        raise InputError(
            f"{what} has label {one.labels[wrong[0]]} for record "
            f"{one.record_ids[wrong[0]]}, not {other.labels[wrong[0]]} "
            f"({wrong.size} such records): is it of the same data set?"
        )
