"""RMIA: is the record likelier than most of the population?

The ratio of a record is p(x | target) / p(x), in logarithms here. The paper's
score is the share of a population z with ratio(x) >= gamma ratio(z). Within
one target that share never falls as ratio(x) rises, and it ties every record
above all z, where a low false positive rate is decided: so records are ranked
by the ratio itself, unless gamma is set.
"""

import numpy as np
from scipy import special

from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.attacks.attack_inputs import AttackInputs, References
from qmia_tf.attacks.mean_probability import (
    MeanProbability,
    log_probabilities,
    mean_probability,
    temperature_option,
)
from qmia_tf.attacks.reference_moments import references_of
from qmia_tf.statistics.auc import auc_value

GRID = np.linspace(0.0, 1.0, 11)
TUNED = "tuned"
NO_SHARE = "none"
# In the lower half of what works on images: without an in-model p_out has to
# be raised, but not far.
UNTUNED = 0.3
# Each reference that plays the target costs a pass over the references and 11
# sorts; areas of 20,000 records are known to less than a step of the grid.
TUNING_TARGETS = 4
TUNED_ON = 20_000


def online_scores(
    inputs: AttackInputs,
    *,
    gamma: str | float = NO_SHARE,
    temperature: float = 1.0,
) -> np.ndarray:
    """RMIA with p(x) = (p_in + p_out) / 2, means over in- and out-models.

    The two means weigh alike however many models are on each side: had every
    model one vote, p(x) would show how many were trained on x.

    Returns: float64 [N], NaN where a record has no in-model or no out-model.
    """
    references = references_of(inputs)
    margins = references.margins_at(temperature)
    inside = mean_probability(margins, references.inside)
    outside = mean_probability(margins, references.outside)
    average = MeanProbability(
        (inside.right + outside.right) / 2, (inside.wrong + outside.wrong) / 2
    )
    return _scores(inputs, average, gamma, temperature)


def offline_scores(
    inputs: AttackInputs,
    *,
    gamma: str | float = NO_SHARE,
    a: str | float = TUNED,
    temperature: float = 1.0,
) -> np.ndarray:
    """RMIA with out-models alone, p(x) raised by a.

    The a of offline_average is that of tune_offline if it is "tuned".

    Returns: float64 [N], NaN where a record has no out-model.
    """
    references = references_of(inputs)
    if a == TUNED:
        a = tune_offline(references, temperature=temperature)
    margins = references.margins_at(temperature)
    out = mean_probability(margins, references.outside)
    return _scores(inputs, offline_average(out, a), gamma, temperature)


def shares(
    records: np.ndarray, population: np.ndarray, *, gamma: float = 1.0
) -> np.ndarray:
    """The share of z with ratio(x) >= gamma ratio(z).

    Equal to the N x Z table of that comparison averaged over its rows, ties
    included, for a sort of z and one binary search a record.

    Args:
        records: float [N], log ratios of the records; NaN where there is none.
        population: float [Z], log ratios of nonmembers; NaN are left out.
        gamma: above 0.
    Returns: float64 [N], multiples of 1/Z in 0..1, NaN where there is no
        ratio.
    Raises: ValueError if no ratio of the population is known.
    Source: Zarifzadeh et al., arXiv:2312.03262, section 3.
    """
    ranked = np.log(gamma) + np.sort(population[~np.isnan(population)])
    if ranked.size == 0:
        raise ValueError("no record of the population has a ratio")
    # In order, so that one search starts where the last one ended.
    order = np.argsort(records)
    below = np.empty(records.size)
    below[order] = np.searchsorted(ranked, records[order], side="right")
    return np.where(np.isnan(records), np.nan, below / ranked.size)


def offline_average(out: MeanProbability, a: float) -> MeanProbability:
    """p(x) where only out-models are known: ((1 + a) p_out + (1 - a)) / 2.

    Half of p_out, the mean probability of the out-models, and half of what
    in-models would say, which is taken for a p_out + 1 - a: at least p_out,
    and close to 1 at the latest for p_out close to 1.

    Source: Zarifzadeh et al., arXiv:2312.03262, the offline attack.
    """
    return MeanProbability(
        ((1 + a) * out.right + (1 - a)) / 2, (1 + a) * out.wrong / 2
    )


def tune_offline(references: References, *, temperature: float = 1.0) -> float:
    """The a in 0..1 with which the attack works best on the references.

    Up to TUNING_TARGETS references in turn play the target, the others attack
    it, and it is evaluated by what trained it: the memberships are those of
    the model that is attacked, and none of the true target is used. The a of
    the highest mean AUC wins, the smallest among equals. The AUC of the ratios
    is taken, of which the scores are a monotone function, over TUNED_ON records
    at most, evenly spaced.

    Returns: UNTUNED where no model can play the target: it takes a second
        one, and records inside and outside of the first that are outside of
        others.
    """
    records = references.margins.shape[1]
    if records > TUNED_ON:
        evenly = np.linspace(0, records - 1, TUNED_ON).astype(np.int64)
        references = references.take(evenly)
    margins, areas = references.margins_at(temperature), []
    for row in range(len(margins)):
        if len(areas) < TUNING_TARGETS:
            row_areas = _tuning_areas(references, margins, row)
            areas += [] if row_areas is None else [row_areas]
    if not areas:
        return UNTUNED
    # Sums in another order must not choose between equals.
    return float(GRID[np.argmax(np.round(np.mean(areas, axis=0), 12))])


def _tuning_areas(references, margins, row):
    """AUC of the attack on a reference for each a of GRID, or None."""
    outside = references.outside.copy()
    outside[row] = False
    known = references.inside[row] | references.outside[row]
    known &= outside.any(axis=0)
    members = references.inside[row, known]
    if members.all() or not members.any():
        return None
    out = mean_probability(margins[:, known], outside[:, known])
    own = special.log_expit(margins[row, known].astype(np.float64))
    return [
        auc_value(own - offline_average(out, a).log(), members) for a in GRID
    ]


def _scores(inputs, average, gamma, temperature):
    log_ratios = log_probabilities(inputs, temperature) - average.log()
    if gamma == NO_SHARE:
        return log_ratios
    population = inputs.calibration & ~inputs.outputs.members
    if np.isnan(log_ratios[population]).all():
        # With one reference of the target's own data nothing is known of z.
        return np.full(log_ratios.shape, np.nan)
    return shares(log_ratios, log_ratios[population], gamma=gamma)


SOURCE = "Zarifzadeh et al., arXiv:2312.03262"
GAMMA = Option(
    "gamma",
    NO_SHARE,
    "ranks by the share of the calibration half's nonmembers z that a record "
    "is so much likelier than, as the paper does; none: by the ratio itself",
    f"{SOURCE}, section 3",
    words=(NO_SHARE,),
    numbers=(0.01, 100),
    learns=True,
)
TEMPERATURE = temperature_option(1.0, f"{SOURCE}, which takes 2")
SHARED = {
    "source": SOURCE,
    "needs": ("probabilities", "references"),
    "family": "rmia",
}
ONLINE = Attack(
    "rmia_online",
    "RMIA online",
    online_scores,
    **SHARED,
    options=(GAMMA, TEMPERATURE),
)
OFFLINE = Attack(
    "rmia_offline",
    "RMIA offline",
    offline_scores,
    **SHARED,
    options=(
        GAMMA,
        Option(
            "a",
            TUNED,
            "raises the out-models' mean to stand for all models: 1 not at "
            "all; tuned on the references",
            f"{SOURCE}, the offline attack",
            words=(TUNED,),
            numbers=(0, 1),
        ),
        TEMPERATURE,
    ),
)
