"""A trained white-box attacker: it learns from all that lies inside."""

import numpy as np

from qmia_tf.attacks import folds
from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.exact_logits import inside_of, seen_inside
from qmia_tf.attacks.losses import losses
from qmia_tf.attacks.margin import margins
from qmia_tf.outputs.inside import Inside

# Of the logits as of the activations: the largest, and those that vary most.
MOST_LOGITS, UNITS = 10, 32
# Small trees, and few: a calibration half has some hundreds of records.
TREES = {
    "max_iter": 100,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "early_stopping": False,
}


def scores(inputs: AttackInputs, *, units: float = UNITS) -> np.ndarray:
    """Log-odds of membership, by gradient boosting on `features`.

    It learns on the calibration half with its memberships, and is out of fold
    there.

    Returns: float64 [N]; all NaN if there are too few records to learn from.
    Raises: ValueError if the inside is not known.
    Source: the attacker of Nasr et al., arXiv:1812.00910, with trees in the
        place of networks.
    """
    # Not before it is used: no other attack needs scikit-learn.
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, members = features(inputs, units=int(units)), inputs.outputs.members
    # Sums in another order make other trees.
    order = np.argsort(inputs.outputs.record_ids, kind="stable")

    def learn(chosen):
        own = order[chosen[order]]
        fitted = HistGradientBoostingClassifier(
            **TREES, random_state=inputs.seed
        ).fit(rows[own], members[own])
        return fitted.decision_function(rows)

    dealt = folds.draw(inputs.calibration, members, seed=inputs.seed)
    return folds.out_of_fold(learn, dealt)


def features(inputs: AttackInputs, *, units: int = UNITS) -> np.ndarray:
    """What the attacker learns from, float64 [N, F].

    The margin and the loss of the exact logits, the gradient norm of the last
    layer, the logits from the largest on, 10 at most, and the activations
    that vary most over the calibration half, so many as units says.
    """
    inside, outputs = inside_of(inputs), seen_inside(inputs).outputs
    largest = -np.sort(-inside.logits, axis=1)[:, :MOST_LOGITS]
    return np.column_stack(
        [
            margins(outputs),
            losses(outputs),
            inside.gradient_norms(outputs.labels),
            largest,
            _activations(inside, inputs.calibration, units),
        ]
    )


def _activations(inside: Inside, calibration: np.ndarray, units: int):
    """The activations that vary most where one may learn, float64 [N, U]."""
    count, width = int(calibration.sum()), inside.activations
    if not units or not count or inside.stored is None:
        return np.empty((len(calibration), 0))
    sums, squares = np.zeros(width), np.zeros(width)
    for part, values in inside.blocks():
        half = values[calibration[part]]
        sums += half.sum(axis=0)
        squares += np.square(half).sum(axis=0)
    spreads = squares / count - np.square(sums / count)
    chosen = np.sort(np.argsort(-spreads, kind="stable")[:units])
    return np.concatenate([values[:, chosen] for _, values in inside.blocks()])


WHITE_BOX = Attack(
    "white_box",
    "trained white-box attacker",
    scores,
    source="after Nasr et al., arXiv:1812.00910",
    needs=("inside",),
    modules=("sklearn",),
    learns=True,
    options=(
        Option(
            "units",
            UNITS,
            "how many activations into the last layer it learns from, of "
            "those that vary most",
            "Nasr et al., arXiv:1812.00910, section III (activations)",
            numbers=(0, 4096),
        ),
    ),
)
