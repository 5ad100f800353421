"""Records whose margins are drawn, as the attack inputs of a target."""

import numpy as np

from qmia_tf.attacks.attack_inputs import AttackInputs, References
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.held_out_thresholds import calibration_half


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
    references = References(margins[1:], inside[1:], ~inside[1:])
    return attack_inputs_of(
        margins[0], inside[0], seed=seed, references=references
    )
