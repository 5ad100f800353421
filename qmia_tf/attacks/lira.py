"""LiRA: is the target's margin that of models trained on the record?"""

import numpy as np
from scipy import special

from qmia_tf.attacks import margin
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.reference_moments import Moments, moments, references_of

SHRUNKEN = "shrunken"
VARIANCES = ("per_example", "pooled", SHRUNKEN)
# How many models the pooled variance weighs: simulated with 4 to 256
# references, 4 is never far from the best.
PRIOR = 4.0
# Only guards a division: margins that differ by less do not differ.
LEAST_SPREAD = 1e-6


def likelihood_ratio(target, inside, outside) -> np.ndarray:
    """Log N(t; m_in, s_in) - log N(t; m_out, s_out), the online attack.

    Args:
        target: float [N], the target's margins.
        inside: (centers, spreads), float [N] each or broadcast, spreads
            above 0: of models trained on the record.
        outside: the same, of models that were not.
    Returns: float64 [N], natural logarithm.
    Source: Carlini et al., arXiv:2112.03570, algorithm 1.
    """
    (m_in, s_in), (m_out, s_out) = inside, outside
    z_in, z_out = (target - m_in) / s_in, (target - m_out) / s_out
    return (z_out * z_out - z_in * z_in) / 2 + np.log(s_out / s_in)


def tail(target, outside) -> np.ndarray:
    """Log P(an out-model's margin <= t), the offline attack.

    One-sided, as the paper has it: a margin far below the out-models' is no
    sign of a member. The two-sided density of some implementations takes it
    for one.

    Args:
        target: float [N], the target's margins.
        outside: (centers, spreads), as in likelihood_ratio.
    Returns: float64 [N], at most 0.
    Source: Carlini et al., arXiv:2112.03570, eq. 4.
    """
    centers, spreads = outside
    return special.log_ndtr((target - centers) / spreads)


def pooled_variance(margin_moments: Moments) -> float:
    """sum(q) / sum(n - 1), NaN if no record has two models.

    q are sums of squares around each record's own center, so differences
    between records never count as spread.
    """
    freedom = np.maximum(margin_moments.counts - 1, 0).sum()
    return (
        float(np.nansum(margin_moments.squares) / freedom)
        if freedom
        else np.nan
    )


def spreads(margin_moments: Moments, pooled, *, variance=SHRUNKEN, floor=0):
    """The standard deviation of the models' margins of each record.

    With q_i the sum of squared residuals around record i's own center, n_i
    the number of models and p the pooled variance:
        per_example  s_i^2 = q_i / (n_i - 1)
        pooled       s_i^2 = p
        shrunken     s_i^2 = (q_i + n_0 p) / (n_i - 1 + n_0), n_0 = PRIOR
    With few models a record's own variance is noise, and the pooled one is
    coarse with any number. Shrunken needs no switch between them: it starts
    as the pooled one and becomes the record's own as n_i grows.

    Args:
        margin_moments: Moments of the in-models, or of the out-models.
        pooled: float, p.
        variance: one of VARIANCES.
        floor: float or float [N], the least spread; for quantized outputs
            what rounding alone does to a margin.
    Returns: float64 [N]; NaN where there is no model, with per_example where
        there are fewer than 2.
    Raises: ValueError if variance is not one of VARIANCES.
    """
    if variance not in VARIANCES:
        raise ValueError(
            f"variance must be one of {', '.join(VARIANCES)}, got {variance!r}"
        )
    freedom = np.where(
        margin_moments.counts > 0, margin_moments.counts - 1.0, np.nan
    )
    if variance == "pooled":
        squared = np.where(margin_moments.counts > 0, pooled, np.nan)
    elif variance == SHRUNKEN:
        squared = (margin_moments.squares + PRIOR * pooled) / (freedom + PRIOR)
    else:
        freedom[margin_moments.counts < 2] = np.nan
        squared = margin_moments.squares / freedom
    return np.maximum(np.sqrt(squared), np.maximum(floor, LEAST_SPREAD))


def online_scores(inputs: AttackInputs, *, variance=SHRUNKEN) -> np.ndarray:
    """The log-likelihood ratio against in- and out-models.

    Args:
        inputs: with references.
        variance: of spreads.
    Returns: float64 [N], NaN where a record has no in-model or no out-model,
        with per_example where it has not two of each.
    """
    references = references_of(inputs)
    masks = references.inside, references.outside
    inside, outside = _normals(inputs, masks, variance)
    return likelihood_ratio(margin.margins(inputs.outputs), inside, outside)


def offline_scores(inputs: AttackInputs, *, variance=SHRUNKEN) -> np.ndarray:
    """The one-sided tail against out-models alone.

    Args:
        inputs: with references.
        variance: of spreads.
    Returns: float64 [N], NaN where a record has no out-model, with
        per_example where it has not two.
    """
    masks = [references_of(inputs).outside]
    [outside] = _normals(inputs, masks, variance)
    return tail(margin.margins(inputs.outputs), outside)


def _normals(inputs, masks, variance):
    """Returns (centers, spreads) for each of the masks."""
    margins = inputs.references.margins
    all_moments = [moments(margins, mask) for mask in masks]
    floor = margin.rounding(inputs.outputs)
    pooled = np.array(
        [pooled_variance(margin_moments) for margin_moments in all_moments]
    )
    # With one model a record on this side, the other side's spread is the
    # best guess; with one on each, any common spread gives the same ranking.
    known = pooled[~np.isnan(pooled)]
    pooled[np.isnan(pooled)] = known[0] if known.size else 1.0
    return [
        (
            margin_moments.centers,
            spreads(margin_moments, p, variance=variance, floor=floor),
        )
        for margin_moments, p in zip(all_moments, pooled, strict=True)
    ]
