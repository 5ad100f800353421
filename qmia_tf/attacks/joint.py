"""The joint attack: two artefacts of one training run, queried together."""

import numpy as np

from qmia_tf.attacks import folds, gap, regression
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.confidence import scores as largest
from qmia_tf.attacks.losses import modified_entropies
from qmia_tf.attacks.margin import margins
from qmia_tf.outputs import Outputs


def features(outputs: Outputs) -> np.ndarray:
    """Computes what the attacker is trained on, from one artefact.

    Whether it is right, its largest confidence, its modified entropy, and its
    margin, straight and as its squared distance from the median: members are
    often surer than nonmembers up to a point only.

    Args:
        outputs: N records.
    Returns: float64 [N, 5].
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


def joint_features(first: Outputs, second: Outputs) -> np.ndarray:
    """The features of two artefacts, and how far their margins are apart.

    The difference itself is a sum of what is there already; its size is not.

    Args:
        first: N records.
        second: the same records.
    Returns: float64 [N, 11].
    Raises: ValueError if they are not of the same records in one order.
    """
    if not np.array_equal(first.record_ids, second.record_ids):
        raise ValueError(
            "the two artefacts were queried about different records"
        )
    apart = np.abs(margins(first) - margins(second))
    return np.column_stack([features(first), features(second), apart])


def scores(inputs: AttackInputs) -> np.ndarray:
    """Log-odds of membership, learned from the outputs of both artefacts.

    A logistic regression, fitted on the calibration half with its
    memberships; out-of-fold there.

    Args:
        inputs: with second_outputs.
    Returns: float64 [N]; all NaN if there are too few records to learn from.
    Raises: ValueError if there are no second outputs, or they are of other
        records.
    Source: the idea of Li et al. (CompLeak), arXiv:2507.16872.
    """
    if inputs.second_outputs is None:
        raise ValueError("this attack needs the outputs of a second artefact")
    rows = joint_features(inputs.outputs, inputs.second_outputs)
    return _learned(rows, inputs)


def single_scores(inputs: AttackInputs) -> np.ndarray:
    """The scores of the same attacker with the first artefact only.

    Args:
        inputs: any.
    Returns: as scores.
    """
    return _learned(features(inputs.outputs), inputs)


def _learned(rows, inputs):
    members = inputs.outputs.members

    def learn(chosen):
        fitted = regression.fit_logistic(rows[chosen], members[chosen])
        return fitted(rows)

    dealt = folds.draw(inputs.calibration, members, seed=inputs.seed)
    return folds.out_of_fold(learn, dealt)
