"""Membership-inference attacks, one file each: attack inputs -> scores."""

import dataclasses
from collections.abc import Callable

import numpy as np

from qmia_tf.attacks import (
    confidence,
    difficulty,
    entropy,
    gap,
    label_only,
    likelihood,
    lira,
    losses,
    margin,
    quantile,
    rmia,
)
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.outputs import Outputs

# What an attack may need; all but PLAIN are fields of AttackInputs.
PLAIN = ("labels", "probabilities")
NEEDS = {
    "labels": "the classes that the target names",
    "probabilities": "its probabilities",
    "augmented_labels": "its labels for shifted, flipped and rotated queries",
    "noisy_labels": "its labels for noisy queries",
    "references": "models trained alike on other records",
    "parent": "the full-precision model of the same members",
    "features": "the records themselves",
}


@dataclasses.dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: key of the attack in audit.json.
        title: what tables call it.
        scores: AttackInputs about N records -> float64 [N], higher = more
            member-like; NaN for records that the attack cannot score.
        needs: keys of NEEDS.
        queries: how often it queries the target about a record.
        source: where it comes from.
        threshold: the least score called a member if the attack fixes it,
            None if it has to be chosen.
        learns: whether scores come from what the memberships of the
            calibration half taught; such an attack is evaluated on the rest.
    """

    name: str
    title: str
    scores: Callable[[AttackInputs], np.ndarray]
    needs: tuple[str, ...]
    queries: str
    source: str
    threshold: float | None = None
    learns: bool = False

    def missing(self, inputs: AttackInputs) -> list[str]:
        """Lists what the attack needs and the attack inputs do not hold."""
        return [
            need
            for need in self.needs
            if need not in PLAIN and getattr(inputs, need) is None
        ]


def _of_outputs(score: Callable[[Outputs], np.ndarray]):
    return lambda inputs: score(inputs.outputs)


ATTACKS = (
    Attack(
        "gap",
        "gap attack",
        _of_outputs(gap.scores),
        needs=("labels",),
        queries="1",
        source="Yeom et al., arXiv:1709.01604",
        threshold=gap.THRESHOLD,
    ),
    Attack(
        "confidence",
        "largest confidence",
        _of_outputs(confidence.scores),
        needs=("probabilities",),
        queries="1",
        source="Kowalski et al., ICIP 2022",
    ),
    Attack(
        "true_confidence",
        "true-class confidence",
        _of_outputs(confidence.true_class_scores),
        needs=("probabilities",),
        queries="1",
        source="Yeom et al., arXiv:1709.01604",
    ),
    Attack(
        "loss",
        "loss",
        _of_outputs(losses.scores),
        needs=("probabilities",),
        queries="1",
        source="Yeom et al., arXiv:1709.01604",
    ),
    Attack(
        "margin",
        "margin in logit space",
        _of_outputs(margin.margins),
        needs=("probabilities",),
        queries="1",
        source="Carlini et al., arXiv:2112.03570",
    ),
    Attack(
        "entropy",
        "entropy",
        _of_outputs(entropy.scores),
        needs=("probabilities",),
        queries="1",
        source="Salem et al., arXiv:1806.01246",
    ),
    Attack(
        "modified_entropy",
        "modified entropy",
        _of_outputs(entropy.modified_scores),
        needs=("probabilities",),
        queries="1",
        source="Song and Mittal, arXiv:2003.10595",
    ),
    Attack(
        "likelihood",
        "likelihood ratio",
        likelihood.scores,
        needs=("probabilities",),
        queries="1",
        source="after Song and Mittal, arXiv:2003.10595",
        learns=True,
    ),
    Attack(
        "correct_augmentations",
        "label-only, correct augmentations",
        label_only.correct_augmentations,
        needs=("labels", "augmented_labels"),
        queries="1 + 4d shifts, a flip, 2r turns",
        source="Choquette-Choo et al., arXiv:2007.14321",
    ),
    Attack(
        "agreeing_augmentations",
        "label-only, agreeing augmentations",
        label_only.agreeing_augmentations,
        needs=("labels", "augmented_labels"),
        queries="1 + 4d shifts, a flip, 2r turns",
        source="after Choquette-Choo et al., arXiv:2007.14321",
    ),
    Attack(
        "noise_robustness",
        "label-only, noise",
        label_only.noise_robustness,
        needs=("labels", "noisy_labels"),
        queries="1 + strengths x draws",
        source="Choquette-Choo et al., arXiv:2007.14321",
    ),
    Attack(
        "quantile",
        "quantile regression",
        quantile.scores,
        needs=("probabilities", "features"),
        queries="1",
        source="Bertran et al., arXiv:2307.03694",
        learns=True,
    ),
    Attack(
        "difficulty_parent",
        "against the float parent",
        difficulty.parent_scores,
        needs=("probabilities", "parent"),
        queries="1",
        source="after Watson et al., arXiv:2111.08440",
    ),
    Attack(
        "difficulty",
        "difficulty calibration",
        difficulty.scores,
        needs=("probabilities", "references"),
        queries="1",
        source="Watson et al., arXiv:2111.08440",
    ),
    Attack(
        "lira_online",
        "LiRA online",
        lira.online_scores,
        needs=("probabilities", "references"),
        queries="1",
        source="Carlini et al., arXiv:2112.03570",
    ),
    Attack(
        "lira_offline",
        "LiRA offline",
        lira.offline_scores,
        needs=("probabilities", "references"),
        queries="1",
        source="Carlini et al., arXiv:2112.03570",
    ),
    Attack(
        "rmia_online",
        "RMIA online",
        rmia.online_scores,
        needs=("probabilities", "references"),
        queries="1",
        source="Zarifzadeh et al., arXiv:2312.03262",
        learns=True,
    ),
    Attack(
        "rmia_offline",
        "RMIA offline",
        rmia.offline_scores,
        needs=("probabilities", "references"),
        queries="1",
        source="Zarifzadeh et al., arXiv:2312.03262",
        learns=True,
    ),
)
TITLES = {attack.name: attack.title for attack in ATTACKS}
