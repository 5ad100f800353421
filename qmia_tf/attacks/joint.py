"""The joint attack: artefacts of one training run, queried together."""

import numpy as np

from qmia_tf.attacks import folds, gap, regression
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.confidence import scores as largest
from qmia_tf.attacks.entropy import modified_entropies
from qmia_tf.attacks.margin import margins
from qmia_tf.outputs import Outputs


def scores(inputs: AttackInputs) -> np.ndarray:
    """Log-odds of membership, learned from the outputs of all artefacts.

    A logistic regression on the features of each and on how far their margins
    are from the first's, fitted on the calibration half with its memberships;
    out-of-fold there. The difference itself is a sum of what is there already;
    its size is not.

    Returns: float64 [N]; all NaN if there are too few records to learn from.
    Raises: ValueError if there are no other outputs, or they are of other
        records.
    Source: the idea of Li et al. (CompLeak), arXiv:2507.16872.
    """
    first, others = inputs.outputs, inputs.other_outputs
    if not others:
        raise ValueError("this attack needs the outputs of a second artefact")
    parts = [features(first)]
    for other in others:
        if not np.array_equal(first.record_ids, other.record_ids):
            raise ValueError(
                "the two artefacts were queried about different records"
            )
        parts += [features(other), np.abs(margins(first) - margins(other))]
    return _learned(np.column_stack(parts), inputs)


def single_scores(inputs: AttackInputs) -> np.ndarray:
    """The scores of the same attacker with the first artefact only."""
    return _learned(features(inputs.outputs), inputs)


def features(outputs: Outputs) -> np.ndarray:
    """What the attacker is trained on, from one artefact, float64 [N, 5].

    Whether it is right, its largest confidence, its modified entropy, and its
    margin, straight and as its squared distance from the median: members are
    often surer than nonmembers up to a point only.
    """
    m = margins(outputs)
    return np.column_stack(
        [
            gap.scores(outputs),
            largest(outputs),
            modified_entropies(outputs),
            m,
            np.square(m - np.median(m)),
        ]
    )


def _learned(rows, inputs):
    members = inputs.outputs.members

    def learn(chosen):
        fitted = regression.fit_logistic(rows[chosen], members[chosen])
        return fitted(rows)

    dealt = folds.draw(inputs.calibration, members, seed=inputs.seed)
    return folds.out_of_fold(learn, dealt)
