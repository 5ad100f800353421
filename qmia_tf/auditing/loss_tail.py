"""LOSS-TNR: the nonmembers where hardly any member is, among high losses.

Training takes members out of the high losses and leaves nonmembers there. How
many are alone there needs no reference model. It is a description of two
distributions and no attack, and says nothing of what LiRA would find.
"""

import dataclasses

import numpy as np

from qmia_tf.attacks.losses import losses
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.intervals import Estimate
from qmia_tf.statistics.low_fpr_rates import tpr_at_fpr

RATES = (0.01, 0.001)


@dataclasses.dataclass(frozen=True)
class LossTnr:
    """How many nonmembers have a loss that few members reach.

    Attributes:
        rate: the share of members that may reach it.
        tnr: the share of nonmembers that do, at the least loss with which
            the share of members does not exceed `rate`.
        attained: that share of members; 0 where none reaches it.
        members: how many there are.
        expected: rate * members; below 1 the value is the share of nonmembers
            whose loss is above every member's.
        threshold: that loss; None if nobody reaches it.
    """

    rate: float
    tnr: Estimate
    attained: float
    members: int
    expected: float
    threshold: float | None


def loss_tnr(outputs: Outputs, *, seed: int) -> list[LossTnr]:
    """The TNR of the loss attack where it loses few members, at RATES.

    It is the TPR at low FPR with the roles of the two sides swapped.

    Args:
        outputs: of a target.
        seed: of the bootstrap.
    Source: Dodd et al., arXiv:2510.19773.
    """
    return [
        LossTnr(
            rate=found.rate,
            tnr=found.tpr,
            attained=found.attained,
            members=found.nonmembers,
            expected=found.expected,
            threshold=found.threshold,
        )
        for found in tpr_at_fpr(
            losses(outputs), np.logical_not(outputs.members), RATES, seed=seed
        )
    ]
