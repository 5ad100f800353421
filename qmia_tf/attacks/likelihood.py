"""The likelihood ratio of the margin: what margin do members have?

A threshold on the margin takes the surest records for members. A network that
has memorized its members is as sure of all of them, and surer still of some
records that it never saw; then who lies in between is a member, and no
threshold says so. The ratio of the two densities does, whatever their shape.
"""

import numpy as np

from qmia_tf.attacks import folds
from qmia_tf.attacks.attack import Attack
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.margin import margins

# Added to each count, so that an empty bin is no proof.
PRIOR = 1.0


def scores(inputs: AttackInputs) -> np.ndarray:
    """Log f(margin | member) - log f(margin | nonmember).

    By Neyman and Pearson's lemma no other function of the margin tells the
    two better apart at any false-positive rate, but for what the densities,
    estimated on the calibration half, miss.

    Returns: float64 [N], all NaN if there are too few records to learn from.
    Source: the likelihood ratio of Song and Mittal's privacy risk score,
        arXiv:2003.10595, section 5, of the margin and for all classes alike.
    """
    own, members = margins(inputs.outputs), inputs.outputs.members
    dealt = folds.draw(inputs.calibration, members, seed=inputs.seed)
    return folds.out_of_fold(
        lambda chosen: density_ratio(own[chosen], members[chosen])(own), dealt
    )


def density_ratio(values, members):
    """Estimates log f(value | member) - log f(value | nonmember).

    In n^(1/3) bins with about as many values each; equal values stay
    together. Of M members a bin holds k, of U nonmembers l; with B bins
        log (k + 1)/(M + B) - log (l + 1)/(U + B)
    at the bin's mean, straight lines between, constant beyond the ends.

    Args:
        values: float [n], finite.
        members: bool [n].
    Returns: callable, float [N] values -> float64 [N].
    """
    values = np.asarray(values, np.float64)
    count = max(2, round(values.size ** (1 / 3)))
    inner = np.quantile(values, np.arange(1, count) / count)
    place = np.searchsorted(np.unique(inner), values, side="right")
    _, place = np.unique(place, return_inverse=True)
    total = np.bincount(place)
    inside = np.bincount(place, members, minlength=total.size)
    centers = np.bincount(place, values) / total
    shares = [
        np.log((hits + PRIOR) / (hits.sum() + PRIOR * total.size))
        for hits in (inside, total - inside)
    ]
    return lambda margins: np.interp(margins, centers, shares[0] - shares[1])


LIKELIHOOD = Attack(
    "likelihood",
    "likelihood ratio",
    scores,
    source="after Song and Mittal, arXiv:2003.10595",
    learns=True,
)
