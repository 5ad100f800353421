"""Simulated audits for benchmarks/verdict.py, with truths that are known."""

import dataclasses
import functools

import numpy as np
from scipy import special, stats

from qmia_tf.attacks import folds, likelihood
from qmia_tf.data import draws
from qmia_tf.statistics import membership_permutations
from qmia_tf.statistics.held_out_thresholds import calibration_half

CLASSES = 10
# Of an accuracy of 84 %: right where the margin exceeds this.
RIGHT = -1.0
# Records of a grid that the truths are computed on.
GRID = 20_001
# Attacks that see the margin through noise: margin + factor * noise.
BLURRED = {"modified_entropy": 0.3, "entropy": 1.0, "weak": 5.0}


@dataclasses.dataclass(frozen=True)
class Leak:
    """What members' margins have above nonmembers', normal(0, 1).

    Attributes:
        name: for people.
        shift: what is added.
        share: to how many of the members.
    """

    name: str
    shift: float
    share: float = 1.0

    @classmethod
    def of_auc(cls, auc) -> "Leak":
        """All members alike, so that the margin has this AUC."""
        shift = np.sqrt(2) * stats.norm.ppf(auc)
        return cls(f"AUC {auc:.3g}", float(shift))


# One member in a hundred stands above everybody.
FEW = Leak("1 % of the members", 8.0, 0.01)


@dataclasses.dataclass(frozen=True, eq=False)
class Simulated:
    """One audit's scores.

    Attributes:
        scores: dict name -> float64 [N], of all records.
        members: bool [N].
        half: bool [N], the calibration half.
        strata: int [N], class and half.
        truths: dict name -> AUC of these scores on endlessly many records.
    """

    scores: dict
    members: np.ndarray
    half: np.ndarray
    strata: np.ndarray
    truths: dict

    def counted(self) -> dict:
        """The scores that may be judged: of learned ones the other half."""
        held_out = np.where(self.half, np.nan, self.scores["likelihood"])
        return {**self.scores, "likelihood": held_out}


FIXED = ("gap",)
OF_MARGIN = {
    "margin": lambda m: m,
    "true_confidence": lambda m: np.round(256 * special.expit(2 * m)) / 256,
    "confidence": lambda m: np.abs(m - RIGHT),
    "gap": lambda m: (m > RIGHT).astype(np.float64),
}


def simulate(records, leak, *, seed) -> Simulated:
    """Draws an audit of eight attacks, split by class as this project does.

    Args:
        records: int, of each side; even.
        leak: Leak.
        seed: int.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, 2 * records)
    members = draws.stratified(labels, 0.5, rng)
    margins = rng.normal(size=2 * records)
    known = rng.permutation(np.flatnonzero(members))
    margins[known[: round(leak.share * records)]] += leak.shift
    half = calibration_half(members, seed=seed)
    scores = {name: f(margins) for name, f in OF_MARGIN.items()}
    for name, factor in BLURRED.items():
        scores[name] = margins + factor * rng.normal(size=margins.size)
    dealt = folds.draw(half, members, seed=seed)
    scores["likelihood"] = folds.out_of_fold(
        lambda rows: likelihood.density_ratio(margins[rows], members[rows])(
            margins
        ),
        dealt,
    )
    learned = likelihood.density_ratio(margins[half], members[half])
    truths = {**fixed_truths(leak), "likelihood": true_auc(learned, leak)}
    return Simulated(
        scores,
        members,
        half,
        membership_permutations.strata_of(labels, half),
        truths,
    )


@functools.cache
def fixed_truths(leak) -> dict:
    """AUCs of the attacks that do not learn."""
    truths = {name: true_auc(f, leak) for name, f in OF_MARGIN.items()}
    return truths | {
        name: blurred_auc(factor, leak) for name, factor in BLURRED.items()
    }


def true_auc(score, leak) -> float:
    """AUC of a function of the margin, to about 1e-5.

    Args:
        score: callable, float [K] -> float [K].
        leak: Leak.
    """
    grid = stats.norm.ppf((np.arange(GRID) + 0.5) / GRID)
    outside = np.sort(score(grid))
    area = 0.0
    for shift, share in ((leak.shift, leak.share), (0.0, 1 - leak.share)):
        inside = score(grid + shift)
        above = np.searchsorted(outside, inside, side="left")
        above = above + np.searchsorted(outside, inside, side="right")
        area += share * above.mean() / (2 * GRID)
    return float(area)


def blurred_auc(factor, leak) -> float:
    """AUC of margin + factor * noise: Phi(shift / sqrt(2 + 2 factor^2))."""
    known = stats.norm.cdf(leak.shift / np.sqrt(2 + 2 * factor**2))
    return float(leak.share * known + (1 - leak.share) * 0.5)
