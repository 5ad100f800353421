"""How well a model did on some records, and when that is clear.

A wrong range is seldom at chance: a network without batch norms is nearly as
often right about 255 times its pixels, only its probabilities are all 0 or 1.
So two exact paired tests compare a reading with another on the same records:

right    b members are classified right with the other reading only, c with
         the first only: McNemar's exact test, P[Bin(b + c, 1/2) >= b].
loss     the same with b and c the records of both sides whose loss
         -log p_y is more than 1 lower with one of them, provided that the
         members' mean loss is hardly higher with the other reading, and that
         the first knows less than nothing (its mean loss is above log C) or
         is less often right about the members (p <= 0.05). A temperature
         alone does not pass: one that sharpens right outputs improves no
         model that knows something, and one that dulls them raises the loss
         of the members towards log C, which training had brought down.

A reading that nothing else says is taken if it is clearly right:

chance   of n members k are right, and the most frequent class has the share
         q: P[Bin(n, q) >= k] is at most the level, and k / n is beyond the
         middle of q and 1. Guesses that do not depend on the record are
         right with a probability of q at most, so a model at chance in each
         of R readings, each judged at LEVEL / R, is taken for right in one
         of them with a probability of LEVEL at most.
others   it is clearly better than each other reading.
"""

import dataclasses

import numpy as np
from scipy import special, stats

from qmia_tf.outputs import Outputs
from qmia_tf.outputs.kinds import LOGITS, PROBABILITIES

# How often any of the tests may stop a rightly read model where the readings
# do equally well, and how often a model at chance may pass for right.
LEVEL = 0.001
NOMINAL = 0.05
# Losses are apart from there, in nats; the members' may rise by that part of
# log C.
APART, HARDLY = 1.0, 0.15
LEAST_PROBABILITY = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class TrialResult:
    """How well a model did on some records, read in one way.

    Attributes:
        named: int [N], the classes that it named; -1 where it named none.
        labels: int [N], the true classes, of the model's or not.
        losses: float [N], -log of the true class's probability.
        members: bool [N].
        classes: how many numbers it outputs.
    """

    named: np.ndarray
    labels: np.ndarray
    losses: np.ndarray
    members: np.ndarray
    classes: int

    @classmethod
    def of(
        cls,
        rows: np.ndarray,
        labels: np.ndarray,
        members: np.ndarray,
        *,
        outputs: str,
        step: float,
    ) -> "TrialResult":
        """Scores outputs [N, C]; what is not finite is wrong."""
        rows = np.asarray(rows, np.float64)
        finite = np.isfinite(rows).all(axis=1)
        rows = np.where(finite[:, None], rows, 0.0)
        if outputs == LOGITS:
            rows = special.softmax(rows, axis=1)
        least = max(step / 2, LEAST_PROBABILITY)
        classes = rows.shape[1]
        own = rows[np.arange(len(labels)), np.minimum(labels, classes - 1)]
        known = finite & (labels < classes)
        return cls(
            named=np.where(finite, rows.argmax(axis=1), -1),
            labels=labels,
            losses=-np.log(np.clip(np.where(known, own, 0), least, 1)),
            members=members,
            classes=classes,
        )

    @classmethod
    def of_outputs(cls, outputs: Outputs) -> "TrialResult":
        """Scores what a target outputs for all records."""
        return cls.of(
            outputs.probabilities,
            outputs.labels,
            outputs.members,
            outputs=PROBABILITIES,
            step=outputs.probability_step,
        )

    def relabelled(self, labels: np.ndarray) -> "TrialResult":
        """The same with other labels; the losses are not known then."""
        losses = np.zeros(len(labels))
        return dataclasses.replace(self, labels=labels, losses=losses)

    def take(self, rows: np.ndarray) -> "TrialResult":
        """The same of some of the records: bool [N]."""
        return dataclasses.replace(
            self,
            named=self.named[rows],
            labels=self.labels[rows],
            losses=self.losses[rows],
            members=self.members[rows],
        )

    @property
    def right(self) -> np.ndarray:
        """Where the true class is named, bool [N]."""
        return self.named == self.labels

    @property
    def count(self) -> int:
        """How many members there are."""
        return int(self.members.sum())

    @property
    def members_right(self) -> int:
        """How many members are classified right."""
        return int(self.right[self.members].sum())

    @property
    def guessed_right(self) -> int:
        """How many members naming one class alone gets right."""
        labels = self.labels[self.members]
        return int(np.unique(labels, return_counts=True)[1].max(initial=0))

    @property
    def knows_nothing(self) -> bool:
        """Whether naming every class alike would lose less."""
        return bool(self.losses.mean() > np.log(self.classes))

    def can_be_beaten(self, level: float) -> bool:
        """Whether any outputs at all could be clearly better."""
        if not self.is_enough(level):
            return False
        wrong = self.count - self.members_right
        return self.knows_nothing or sign_test(wrong, 0) <= NOMINAL

    def is_enough(self, level: float) -> bool:
        """Whether so many records can show anything."""
        return sign_test(len(self.right), 0) <= level

    def is_far_above_chance(self, level: float) -> bool:
        """Whether the members are right as guesses never are."""
        count, right, guessed = self.count, self.members_right, 0.0
        if count:
            guessed = self.guessed_right / count
        by_chance = stats.binom.sf(right - 1, count, guessed)
        return bool(by_chance <= level and 2 * right > count * (1 + guessed))


def sign_test(more: int, fewer: int) -> float:
    """McNemar's exact test, one-sided: P[Bin(more + fewer, 1/2) >= more]."""
    return float(stats.binom.sf(more - 1, more + fewer, 0.5))


def is_clearly_better(
    other: TrialResult, first: TrialResult, level: float
) -> bool:
    """Whether one reading is better than the first on the same records.

    Args:
        level: of each of the two tests.
    """
    members = first.members
    if other.members_right <= other.guessed_right:
        return False
    gained = (other.right & ~first.right)[members].sum()
    lost = (first.right & ~other.right)[members].sum()
    by_right = sign_test(gained, lost)
    if by_right <= level:
        return True
    if not (first.knows_nothing or by_right <= NOMINAL):
        return False
    gap = first.losses - other.losses
    allowed = HARDLY * np.log(first.classes)
    if lost > gained or gap[members].mean() < -allowed:
        return False
    return sign_test((gap > APART).sum(), (gap < -APART).sum()) <= level


def is_clearly_right(
    result: TrialResult, others: list[TrialResult], level: float
) -> bool:
    """Whether one of several readings is to be taken without a question.

    Args:
        others: of the other readings, on the same records.
        level: of each test.
    """
    return result.is_far_above_chance(level) and all(
        is_clearly_better(result, other, level) for other in others
    )
