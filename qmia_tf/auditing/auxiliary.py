"""Auxiliary knowledge: what an attacker has besides a target's outputs."""

import dataclasses

import numpy as np

from qmia_tf.attacks.attack_inputs import AttackInputs, References
from qmia_tf.attacks.augmented_queries import AugmentedLabels
from qmia_tf.attacks.margin import margins
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.inside import Inside
from qmia_tf.outputs.layer_gradients import LayerGradients
from qmia_tf.statistics.held_out_thresholds import calibration_half


@dataclasses.dataclass(frozen=True, eq=False)
class Auxiliary:
    """What is known besides one target's outputs; nothing by default.

    Attributes:
        augmented_labels: its labels for augmented queries of the records.
        noisy_labels: its labels for queries with noise.
        references: outputs of reference models: their members are the
            records that trained them, their nonmembers those that did not.
            Records that they were not queried about stay unknown.
        parent: outputs of the full-precision model of the same members.
        features: float [R, F], of records 0..R-1 of the data set.
        inside: what the holder of the target reads.
        gradients: of the loss at every layer of the target.
        inside_references: of the holder of each reference, the outputs that
            it computes: of exact logits; empty if one is not known.
        reasons: of what is not there, why: by key of attacks.NEEDS.
    """

    augmented_labels: AugmentedLabels | None = None
    noisy_labels: AugmentedLabels | None = None
    references: tuple[Outputs, ...] = ()
    parent: Outputs | None = None
    features: np.ndarray | None = None
    inside: Inside | None = None
    gradients: LayerGradients | None = None
    inside_references: tuple[Outputs, ...] = ()
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)


def make_attack_inputs(
    outputs: Outputs, auxiliary: Auxiliary | None = None, *, seed: int = 0
) -> AttackInputs:
    """Puts the outputs and what else is known in the order of the records.

    Returns: sorted by record id.
    Raises: InputError if something is about other records, members or labels,
        or there are fewer than two members or nonmembers.
    """
    return unchecked_inputs(
        outputs.validate(), auxiliary or Auxiliary(), seed=seed
    )


def unchecked_inputs(
    outputs: Outputs, auxiliary: Auxiliary, *, seed: int = 0
) -> AttackInputs:
    """As make_attack_inputs, of outputs whose rows need not sum to 1."""
    # In record order the result is that of any order of the records.
    outputs = outputs.in_record_order()
    features, inside = auxiliary.features, auxiliary.inside
    gradients = auxiliary.gradients
    return AttackInputs(
        outputs=outputs,
        calibration=calibration_half(outputs.members, seed=seed),
        seed=seed,
        augmented_labels=_aligned(auxiliary.augmented_labels, outputs),
        noisy_labels=_aligned(auxiliary.noisy_labels, outputs),
        references=_references(auxiliary.references, outputs),
        parent=auxiliary.parent and _same_records(auxiliary.parent, outputs),
        features=None if features is None else features[outputs.record_ids],
        inside=inside and inside.of_records(outputs.record_ids),
        gradients=gradients and gradients.of_records(outputs.record_ids),
        inside_references=_references(auxiliary.inside_references, outputs),
    )


def with_other_outputs(inputs: AttackInputs, *others: Outputs) -> AttackInputs:
    """Adds the outputs of other artefacts of the same training run.

    Raises: InputError if they are about other records, members or labels.
    """
    aligned = tuple(_same_records(other, inputs.outputs) for other in others)
    return dataclasses.replace(inputs, other_outputs=aligned)


def _aligned(labels, outputs):
    return labels and labels.aligned(outputs.record_ids)


def _references(reference_outputs, outputs):
    if not reference_outputs:
        return None
    shape = len(reference_outputs), outputs.labels.size
    inside, outside = np.zeros(shape, bool), np.zeros(shape, bool)
    indices = []
    for row, reference in enumerate(reference_outputs):
        ours, theirs = _known_records(reference, outputs)
        indices.append((ours, theirs))
        inside[row, ours] = reference.members[theirs]
        outside[row, ours] = ~reference.members[theirs]

    def tempered(temperature):
        known = np.zeros(shape, np.float32)
        for row, (ours, theirs) in enumerate(indices):
            part = reference_outputs[row].take(theirs)
            known[row, ours] = margins(part, temperature=temperature)
        return known

    return References(tempered(1.0), inside, outside, tempered)


def _known_records(reference, outputs):
    """Indices of the records that both know, in the target and in it."""
    _, ours, theirs = np.intersect1d(
        outputs.record_ids, reference.record_ids, return_indices=True
    )
    part = reference.take(theirs)
    if not ours.size:
        raise InputError(
            f"reference {reference.target!r} was queried about none of "
            f"the records of {outputs.target!r}: is it of the same data "
            "set?"
        )
    _check_alike(part, outputs.take(ours), f"reference {reference.target!r}")
    # Then its outputs would give the memberships away directly.
    if np.array_equal(part.members, outputs.members):
        raise InputError(
            f"reference {reference.target!r} was trained on the very "
            f"members of {outputs.target!r}: give models of other splits, "
            "as qmia references trains them"
        )
    return ours, theirs


def _same_records(other, outputs):
    other = other.in_record_order()
    what = f"{other.target!r}, audited with {outputs.target!r},"
    _, theirs, ours = np.intersect1d(
        other.record_ids, outputs.record_ids, return_indices=True
    )
    if ours.size < outputs.record_ids.size:
        raise InputError(
            f"{what} has no output for "
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
