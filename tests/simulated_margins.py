"""Records whose margins are drawn, as the attack inputs of a target."""

import dataclasses

import numpy as np
import synthetic_outputs

from qmia_tf.attacks.attack_inputs import AttackInputs, References
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.inside import Inside
from qmia_tf.outputs.layer_gradients import LayerGradients
from qmia_tf.statistics.held_out_thresholds import calibration_half

TAKEN = (
    *("outputs", "references", "parent"),
    *("inside", "gradients", "inside_references"),
)


def outputs_of(margins, members, *, labels=None, classes=2):
    """A target whose margins these are, to float32."""
    margins = np.asarray(margins, np.float32)
    count = margins.size
    if labels is None:
        labels = np.zeros(count, np.int64)
    # One class against one: the others weigh exp(-1000).
    logits = np.full((count, classes), -1000, np.float32)
    logits[np.arange(count), (labels + 1) % classes] = 0
    logits[np.arange(count), labels] = margins
    return Outputs.from_logits(
        logits,
        labels=labels,
        members=members,
        record_ids=np.arange(count),
        info={"target": "simulated"},
    )


def attack_inputs_of(
    margins, members, *, seed=0, labels=None, classes=2, **rest
):
    """AttackInputs with a calibration half; rest are further fields."""
    members = np.asarray(members, bool)
    return AttackInputs(
        outputs=outputs_of(margins, members, labels=labels, classes=classes),
        calibration=calibration_half(members, seed=seed),
        seed=seed,
        **rest,
    )


def references_of(margins, inside, outside=None):
    """References of two classes: a temperature divides their margins."""
    outside = ~inside if outside is None else outside
    return References(margins, inside, outside, lambda t: margins / t)


def simulate(records, models, *, seed=0, leak=1.2):
    """Records of different difficulty, gain and spread.

    Each model, the target included, was trained on a random half. Being a
    member adds on average leak to a margin, more to some records than to
    others. Returns AttackInputs with references.
    """
    rng = np.random.default_rng(seed)
    level = rng.normal(2, 2, records)
    gain = leak * rng.gamma(1, 1, records)
    spread = np.exp(rng.normal(0, 0.45, records))
    inside = rng.random((models + 1, records)) < 0.5
    noise = rng.normal(size=(models + 1, records))
    margins = level + inside * gain + spread * noise
    references = references_of(margins[1:], inside[1:])
    return attack_inputs_of(
        margins[0], inside[0], seed=seed, references=references
    )


def everything(
    kind="float", *, members=130, nonmembers=100, gain=(3.0, 2.0), seed=0
):
    """All that any attack needs; every need tells members by the gain.

    Args:
        kind: of outputs: "float", "int8" or "logits".
        members: int.
        nonmembers: int.
        gain: of synthetic_outputs; equal ones give nothing away.
        seed: int.
    """
    step = 1 / 256 if kind == "int8" else 0.0
    target, parent = (
        synthetic_outputs.outputs(
            members, nonmembers, gain=gains, step=step, seed=seed
        ).in_record_order()
        for gains in (gain, (2.0, 2.0))
    )
    rng = np.random.default_rng([seed, 1])
    size, labels, is_member = target.labels.size, target.labels, target.members
    if kind == "logits":
        target = Outputs.from_logits(
            np.log(target.probabilities) + rng.normal(size=(size, 1)),
            labels=labels,
            members=is_member,
            record_ids=target.record_ids,
            info={"target": "keras"},
        )
    # Each record trained three of six models.
    inside = rng.random((3, size)) < 0.5
    inside = np.concatenate([inside, ~inside])
    drawn = np.where(inside, 3.0, 2.0) + 1.5 * rng.normal(size=(6, size))
    shares = 0.5 + 0.1 * np.where(is_member, *gain)
    right = rng.random((2, 6, size)) < shares
    augmented = np.where(right, labels, (labels + 1) % target.classes)
    return AttackInputs(
        outputs=target,
        calibration=calibration_half(is_member, seed=seed),
        seed=seed,
        augmented_labels=augmented[0].T,
        noisy_labels=augmented[1].T,
        references=references_of(drawn, inside),
        parent=parent,
        features=rng.normal(size=(size, 3)),
        inside=inside_of(
            synthetic_outputs.outputs(
                members, nonmembers, gain=gain, seed=seed
            ).in_record_order()
        ),
        gradients=gradients_of(target, gain, rng),
        inside_references=references_of(drawn, inside.copy()),
    )


def gradients_of(outputs, gain, rng, *, layers=3):
    """Gradient norms by layer, smaller for records of a larger gain."""
    size = np.where(outputs.members, *gain)[:, None]
    norms = np.exp(rng.normal(size=(size.size, layers)) - size)
    return LayerGradients(
        norms.astype(np.float32),
        outputs.record_ids,
        tuple("abc"[:layers]),
        {"apart": 0.0, "largest": 0.5, "step": 1 / 256},
    )


def inside_of(outputs, *, units=6):
    """What lies inside of a target of float outputs: 6 activations, drawn."""
    rng = np.random.default_rng([len(outputs.labels), 3])
    size = outputs.labels.size
    activations = rng.gamma(1, 1, (size, units)).astype(np.float32)
    logits = np.log(
        np.maximum(outputs.probabilities, outputs.probability_floor)
    )
    info = {
        **{"op": "FULLY_CONNECTED", "numbers": "floats", "has_bias": True},
        **{"step": 0.0, "zero_point": 0, "one_unit": False},
        "activations": units,
    }
    return Inside(
        logits.astype(np.float64),
        np.square(activations.astype(np.float64)).sum(axis=1),
        outputs.record_ids,
        info,
        activations,
        np.arange(size),
    )


def take(inputs, rows):
    """AttackInputs about some records, in that order; int [M]."""
    taken = {
        name: None if value is None else value.take(rows)
        for name, value in vars(inputs).items()
        if name in TAKEN
    }
    for name in ("calibration", "augmented_labels", "noisy_labels", "features"):
        value = getattr(inputs, name)
        taken[name] = None if value is None else value[rows]
    return dataclasses.replace(inputs, **taken)


def with_members(inputs, members):
    """The same with other memberships, the halves as they were."""
    outputs = dataclasses.replace(inputs.outputs, members=members)
    return dataclasses.replace(inputs, outputs=outputs)
