"""BASE: likelier than the mean of the reference models says."""

import dataclasses

import numpy as np

from qmia_tf.attacks.attack import Attack
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.mean_probability import (
    log_probabilities,
    mean_probability,
    temperature_option,
)
from qmia_tf.attacks.reference_moments import references_of

TEMPERATURE = 2.0
# Of the out-models' mean, which stands for that of all models.
OFFLINE_WEIGHT = 0.33


def online_scores(
    inputs: AttackInputs, *, temperature: float = TEMPERATURE
) -> np.ndarray:
    """The log p_y less the log of the mean p_y of all K reference models.

    Ranks as RMIA does by its ratio, at the same temperature, where every
    record has as many in-models as out-models.

    Returns: float64 [N], NaN where a record has no model.
    """
    references = references_of(inputs)
    known = references.inside | references.outside
    peers = mean_probability(references.margins_at(temperature), known)
    return log_probabilities(inputs, temperature) - peers.log()


def offline_scores(
    inputs: AttackInputs, *, temperature: float = TEMPERATURE
) -> np.ndarray:
    """The log p_y less 0.33 times the log of the mean p_y of the out-models.

    Returns: float64 [N], NaN where a record has no out-model.
    """
    references = references_of(inputs)
    peers = mean_probability(
        references.margins_at(temperature), references.outside
    )
    own = log_probabilities(inputs, temperature)
    return own - OFFLINE_WEIGHT * peers.log()


SOURCE = "Lassila et al., arXiv:2505.24089"
OPTIONS = (temperature_option(TEMPERATURE, SOURCE),)
ONLINE = Attack(
    "base_online",
    "BASE online",
    online_scores,
    source=SOURCE,
    needs=("probabilities", "references"),
    family="base",
    options=OPTIONS,
)
OFFLINE = dataclasses.replace(
    ONLINE, name="base_offline", title="BASE offline", scores=offline_scores
)
