"""LiRA: is the target's margin that of models trained on the record?"""

import numpy as np
from scipy import special

from qmia_tf.attacks import margin
from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.reference_moments import Moments, moments, references_of

VARIANCES = ("shrunken", "global", "per_record", "paper")
# How many models the global variance weighs: simulated with 4 to 256
# references, 4 is never far from the best.
PRIOR = 4.0
# The paper takes a record's own variance from so many models on.
PAPER_MODELS = 64
# Only guards a division: margins that differ by less do not differ.
LEAST_SPREAD = 1e-6


def online_scores(
    inputs: AttackInputs, *, variance: str = "shrunken"
) -> np.ndarray:
    """The log-likelihood ratio against in- and out-models.

    Returns: float64 [N], NaN where a record has no in-model or no out-model,
        with its own variance where it has not two of each.
    """
    references = references_of(inputs)
    masks = references.inside, references.outside
    inside, outside = _normals(inputs, masks, variance)
    return likelihood_ratio(margin.margins(inputs.outputs), inside, outside)


def offline_scores(
    inputs: AttackInputs, *, variance: str = "shrunken"
) -> np.ndarray:
    """The one-sided tail against out-models alone.

    Returns: float64 [N], NaN where a record has no out-model, with its own
        variance where it has not two.
    """
    masks = [references_of(inputs).outside]
    [outside] = _normals(inputs, masks, variance)
    return tail(margin.margins(inputs.outputs), outside)


def likelihood_ratio(target, inside, outside) -> np.ndarray:
    """Log N(t; m_in, s_in) - log N(t; m_out, s_out), the online attack.

    Args:
        target: float [N], the target's margins.
        inside: (centers, spreads), float [N] each or broadcast, spreads
            above 0: of models trained on the record.
        outside: the same, of models that were not.
    Source: Carlini et al., arXiv:2112.03570, algorithm 1.
    """
    (m_in, s_in), (m_out, s_out) = inside, outside
    z_in, z_out = (target - m_in) / s_in, (target - m_out) / s_out
    return (z_out * z_out - z_in * z_in) / 2 + np.log(s_out / s_in)


def tail(target, outside) -> np.ndarray:
    """-log P(an out-model's margin > t), the offline attack, 0 or more.

    It ranks as the paper's P(margin <= t) does, which ties where it is near
    1: there a low false positive rate is decided. One-sided, as the paper has
    it: a margin far below the out-models' is no sign of a member. The
    two-sided density of some implementations takes it for one. Arguments as
    of likelihood_ratio.

    Source: Carlini et al., arXiv:2112.03570, eq. 4.
    """
    centers, spreads = outside
    return -special.log_ndtr((centers - target) / spreads)


def global_variance(margin_moments: Moments) -> float:
    """sum(q) / sum(n - 1), NaN if no record has two models.

    q are sums of squares around each record's own center, so differences
    between records never count as spread.
    """
    freedom = np.maximum(margin_moments.counts - 1, 0).sum()
    if not freedom:
        return np.nan
    return float(np.nansum(margin_moments.squares) / freedom)


def common_variances(all_moments: list[Moments]) -> np.ndarray:
    """The global variance of each side, float64 [len(all_moments)].

    With one model a record on a side, the other side's is the best guess;
    with one on each, any common variance gives the same ranking: 1.
    """
    common = np.array([global_variance(some) for some in all_moments])
    known = common[~np.isnan(common)]
    common[np.isnan(common)] = known[0] if known.size else 1.0
    return common


def spreads(
    margin_moments: Moments,
    common: float,
    *,
    variance: str = "shrunken",
    floor=0,
) -> np.ndarray:
    """The standard deviation of the models' margins of each record.

    With q_i the sum of squared residuals around record i's own center, n_i
    the number of models and p the global variance:
        per_record  s_i^2 = q_i / (n_i - 1)
        global      s_i^2 = p
        shrunken    s_i^2 = (q_i + n_0 p) / (n_i - 1 + n_0), n_0 = PRIOR
    With few models a record's own variance is noise, and the global one is
    coarse with any number. Shrunken needs no switch between them: it starts
    as the global one and becomes the record's own as n_i grows.

    Args:
        margin_moments: of the in-models, or of the out-models.
        common: p.
        variance: one of the three.
        floor: float or float [N], the least spread; for quantized outputs
            what rounding alone does to a margin.
    Returns: float64 [N]; NaN where there is no model, with per_record where
        there are fewer than 2.
    """
    counts, squares = margin_moments.counts, margin_moments.squares
    least = 2 if variance == "per_record" else 1
    freedom = np.where(counts >= least, counts - 1.0, np.nan)
    prior = {"per_record": 0.0, "shrunken": PRIOR, "global": np.inf}[variance]
    if np.isinf(prior):
        squared = np.where(counts > 0, common, np.nan)
    else:
        squared = (squares + prior * common) / (freedom + prior)
    return np.maximum(np.sqrt(squared), np.maximum(floor, LEAST_SPREAD))


def _normals(inputs, masks, variance):
    """Returns (centers, spreads) for each of the masks."""
    if variance not in VARIANCES:
        raise ValueError(
            f"variance must be one of {', '.join(VARIANCES)}, got {variance!r}"
        )
    margins = inputs.references.margins
    if variance == "paper":
        many = len(margins) >= PAPER_MODELS
        variance = "per_record" if many else "global"
    all_moments = [moments(margins, mask) for mask in masks]
    floor = margin.rounding(inputs.outputs)
    return [
        (some.centers, spreads(some, p, variance=variance, floor=floor))
        for some, p in zip(
            all_moments, common_variances(all_moments), strict=True
        )
    ]


SHARED = {
    "source": "Carlini et al., arXiv:2112.03570",
    "needs": ("probabilities", "references"),
    "family": "lira",
    "options": (
        Option(
            "variance",
            "shrunken",
            "of the models' margins: one for all records, each record's own, "
            "shrunken from the first to the second as models are added, or as "
            f"the paper: each record's own from {PAPER_MODELS} models on",
            "Carlini et al., arXiv:2112.03570, section VI; shrunken: here",
            words=VARIANCES,
        ),
    ),
}
ONLINE = Attack("lira_online", "LiRA online", online_scores, **SHARED)
OFFLINE = Attack("lira_offline", "LiRA offline", offline_scores, **SHARED)
