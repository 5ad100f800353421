"""BaVarIA: LiRA with margins whose mean and variance are themselves unsure.

Each record's margins are normal; their mean m and variance v have the prior
    v ~ inverse gamma(a0, b0),  m | v ~ normal(m0, v / k0),
pooled from the reference models' margins of all records. With n models of
mean c and sum of squared differences q the next margin is Student's t:
    k = k0 + n,  a = a0 + n/2,  b = b0 + q/2 + k0 n (c - m0)^2 / (2 k)
    2 a degrees of freedom, location (k0 m0 + n c) / k,
    scale^2 = b (k + 1) / (a k).

Source: arXiv:2603.11799.
"""

import dataclasses

import numpy as np
from scipy import special

from qmia_tf.attacks import lira, margin
from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.reference_moments import Moments, moments, references_of

SOURCE = "arXiv:2603.11799"
# 2 a0: how many models the pooled variance weighs, as for LiRA.
FREEDOM = lira.PRIOR
# Below it a survival function of float64 loses digits.
SMALL = 1e-250


@dataclasses.dataclass(frozen=True, eq=False)
class StudentT:
    """One Student's t a record; float64 [N] each.

    Attributes:
        freedom: degrees of freedom, above 0.
        location: NaN where no model is known.
        scale: above 0.
    """

    freedom: np.ndarray
    location: np.ndarray
    scale: np.ndarray

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """The logarithm of the density at x [N]."""
        half = self.freedom / 2
        z = (x - self.location) / self.scale
        return (
            -np.log(self.scale)
            - np.log(self.freedom) / 2
            - special.betaln(half, 0.5)
            - (half + 0.5) * np.log1p(z * z / self.freedom)
        )

    def log_survival(self, x: np.ndarray) -> np.ndarray:
        """Log P(a margin > x), also where that is below the least float."""
        z = (x - self.location) / self.scale
        survival = special.stdtr(self.freedom, -z)
        with np.errstate(divide="ignore"):
            logs = np.log(survival)
        far = survival < SMALL
        logs[far] = _log_far_tail(z[far], self.freedom[far])
        return logs


def _log_far_tail(z, freedom):
    """Log of I_x(f/2, 1/2) / 2 with x = f / (f + z^2), DLMF 8.17.8."""
    half, x = freedom / 2, freedom / (freedom + z * z)
    series = special.hyp2f1(half + 0.5, 1.0, half + 1, x)
    return (
        half * np.log(x)
        + 0.5 * np.log1p(-x)
        - np.log(freedom)
        - special.betaln(half, 0.5)
        + np.log(series)
    )


def online_scores(
    inputs: AttackInputs, *, freedom: float = FREEDOM
) -> np.ndarray:
    """The log-likelihood ratio against in- and out-models.

    Returns: float64 [N], NaN where a record has no in-model or no out-model.
    """
    references = references_of(inputs)
    masks = references.inside, references.outside
    inside, outside = _predictive(inputs, masks, freedom)
    target = margin.margins(inputs.outputs)
    return inside.log_density(target) - outside.log_density(target)


def offline_scores(
    inputs: AttackInputs, *, freedom: float = FREEDOM
) -> np.ndarray:
    """-log P(an out-model's margin > t), 0 or more.

    Returns: float64 [N], NaN where a record has no out-model.
    """
    masks = [references_of(inputs).outside]
    [outside] = _predictive(inputs, masks, freedom)
    return -outside.log_survival(margin.margins(inputs.outputs))


def predictive(
    margin_moments: Moments, common: float, *, freedom: float = FREEDOM
) -> StudentT:
    """The distribution of the next model's margin, of each record.

    a0 is freedom / 2 and b0 is a0 p, p the pooled variance. m0 is the mean of
    the records' centers c, and p / k0 how much true means vary between
    records: the variance of c less what p alone makes of it.

    Args:
        margin_moments: of the in-models, or of the out-models.
        common: p, above 0.
        freedom: 2 a0, above 0.
    """
    counts = margin_moments.counts.astype(np.float64)
    known = counts > 0
    centers, squares = margin_moments.centers, margin_moments.squares
    if not known.any():
        return StudentT(np.full(counts.shape, freedom), centers, counts + 1)
    m0 = centers[known].mean()
    between = centers[known].var() - common * np.mean(1 / counts[known])
    k0 = common / max(between, lira.LEAST_SPREAD**2)
    k, a = k0 + counts, (freedom + counts) / 2
    away = np.square(centers - m0)
    b = (freedom * common + squares + k0 * counts * away / k) / 2
    return StudentT(
        freedom=2 * a,
        location=(k0 * m0 + counts * centers) / k,
        scale=np.sqrt(b * (k + 1) / (a * k)),
    )


def _predictive(inputs, masks, freedom):
    """One StudentT for each of the masks."""
    margins = inputs.references.margins
    all_moments = [moments(margins, mask) for mask in masks]
    floor = np.maximum(margin.rounding(inputs.outputs), lira.LEAST_SPREAD)
    sides = []
    for some, common in zip(
        all_moments, lira.common_variances(all_moments), strict=True
    ):
        # Equal models have no spread to divide by.
        common = max(common, lira.LEAST_SPREAD**2)
        side = predictive(some, common, freedom=freedom)
        scale = np.maximum(side.scale, floor)
        sides.append(dataclasses.replace(side, scale=scale))
    return sides


ONLINE = Attack(
    "bavaria_online",
    "BaVarIA online",
    online_scores,
    source=SOURCE,
    needs=("probabilities", "references"),
    family="bavaria",
    options=(
        Option(
            "freedom",
            FREEDOM,
            "how many models the variance of all records weighs, 2 a0",
            f"{SOURCE}; the default: as LiRA's shrunken variance",
            numbers=(0.1, 1000),
        ),
    ),
)
OFFLINE = dataclasses.replace(
    ONLINE,
    name="bavaria_offline",
    title="BaVarIA offline",
    scores=offline_scores,
)
