"""Auxiliary knowledge: what an attacker has besides a target's outputs."""

import dataclasses
import pathlib

import numpy as np

from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.augmented_queries import AugmentedLabels
from qmia_tf.auditing.reference_margins import references_of, require_alike
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.inside import Inside
from qmia_tf.outputs.layer_gradients import LayerGradients
from qmia_tf.outputs.unread_outputs import UnreadOutputs
from qmia_tf.statistics.held_out_thresholds import calibration_half


@dataclasses.dataclass(frozen=True)
class ReferenceModels:
    """Which reference models a target was compared with.

    Attributes:
        models: how many were used.
        available: how many there are.
        bits: of their weights and activations, such as "w4a4"; of several
            kinds each; empty where not known, as of outputs in files.
        target: what was queried of them: "keras", their Keras models, or the
            export scheme of their files; null where not known.
    """

    models: int
    available: int
    bits: list[str]
    target: str | None


@dataclasses.dataclass(frozen=True, eq=False)
class Auxiliary:
    """What is known besides one target's outputs; nothing by default.

    Attributes:
        augmented_labels: its labels for augmented queries of the records.
        noisy_labels: its labels for queries with noise.
        references: outputs of reference models: their members are the
            records that trained them, their nonmembers those that did not.
            Records that they were not queried about stay unknown.
        margins_folder: where their margins are kept; None keeps them in
            memory.
        kind: of the references; None where not known.
        mismatched: references of other bits than the target's, and of which
            kind they are: what an attacker has who does not know the bits.
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
    references: tuple[Outputs | UnreadOutputs, ...] = ()
    margins_folder: pathlib.Path | None = None
    kind: ReferenceModels | None = None
    mismatched: tuple[tuple[ReferenceModels, tuple], ...] = ()
    parent: Outputs | None = None
    features: np.ndarray | None = None
    inside: Inside | None = None
    gradients: LayerGradients | None = None
    inside_references: tuple[Outputs | UnreadOutputs, ...] = ()
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def matched(self) -> ReferenceModels | None:
        """What `references` are; None if there are none."""
        count = len(self.references)
        if not count:
            return None
        return self.kind or ReferenceModels(count, count, [], None)


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
    folder = auxiliary.margins_folder
    gradients = auxiliary.gradients
    return AttackInputs(
        outputs=outputs,
        calibration=calibration_half(outputs.members, seed=seed),
        seed=seed,
        augmented_labels=_aligned(auxiliary.augmented_labels, outputs),
        noisy_labels=_aligned(auxiliary.noisy_labels, outputs),
        references=_references(auxiliary.references, outputs, folder),
        parent=auxiliary.parent and _same_records(auxiliary.parent, outputs),
        features=None if features is None else features[outputs.record_ids],
        inside=inside and inside.of_records(outputs.record_ids),
        gradients=gradients and gradients.of_records(outputs.record_ids),
        inside_references=_references(
            auxiliary.inside_references, outputs, folder
        ),
    )


def with_other_outputs(inputs: AttackInputs, *others: Outputs) -> AttackInputs:
    """Adds the outputs of other artefacts of the same training run.

    Raises: InputError if they are about other records, members or labels.
    """
    aligned = tuple(_same_records(other, inputs.outputs) for other in others)
    return dataclasses.replace(inputs, other_outputs=aligned)


def _aligned(labels, outputs):
    return labels and labels.aligned(outputs.record_ids)


def _references(reference_outputs, outputs, folder):
    if not reference_outputs:
        return None
    return references_of(reference_outputs, outputs, folder=folder)


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
    require_alike(other, outputs, what)
    if not np.array_equal(other.members, outputs.members):
        raise InputError(
            f"{what} was trained on other members: give the full-precision "
            "run of the same data and --split_seed"
        )
    return other
