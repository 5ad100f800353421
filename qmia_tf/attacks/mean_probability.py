"""The mean probability that models give the true class, in two parts.

A float64 cannot tell 1 - 1e-17 from 1, where memorized records lie: the mean
of p_y and that of 1 - p_y are kept both, and a logarithm takes the one that
is exact.
"""

import dataclasses

import numpy as np
from scipy import special

from qmia_tf.attacks.attack import Option
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.margin import margins
from qmia_tf.attacks.reference_moments import mean

TINY = np.finfo(np.float64).tiny


@dataclasses.dataclass(frozen=True, eq=False)
class MeanProbability:
    """The mean over some models.

    Attributes:
        right: float64 [N], of p_y, in 0..1; NaN where there is no model.
        wrong: float64 [N], of 1 - p_y.
    """

    right: np.ndarray
    wrong: np.ndarray

    def log(self) -> np.ndarray:
        """The logarithm of the mean p_y, float64 [N]."""
        small = np.log(np.maximum(self.right, TINY))
        large = np.log1p(-np.minimum(self.wrong, 0.5))
        return np.where(self.right < 0.5, small, large)


def mean_probability(model_margins, masks) -> MeanProbability:
    """The mean over the models that count.

    Args:
        model_margins: float [K, N].
        masks: bool [K, N].
    """
    return MeanProbability(
        mean((special.expit(row) for row in model_margins), masks),
        mean((special.expit(-row) for row in model_margins), masks),
    )


def log_probabilities(inputs: AttackInputs, temperature: float) -> np.ndarray:
    """The log p_y of the target at a temperature, float64 [N], at most 0."""
    own = margins(inputs.outputs, temperature=temperature)
    return special.log_expit(own)


def temperature_option(default: float, source: str) -> Option:
    """The option of attacks that compare probabilities."""
    return Option(
        "temperature",
        default,
        "of the softmax, of the target and the references alike: above 1 "
        "brings probabilities near 0 and 1 closer together",
        source,
        numbers=(0.1, 100),
    )
