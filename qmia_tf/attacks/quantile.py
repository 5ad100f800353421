"""Quantile regression: how sure is the target of such a record otherwise?

From the features of a record follows what the target would make of it as a
nonmember; a member scores above that. No reference model is needed, one helps.
"""

import numpy as np

from qmia_tf.attacks import folds, regression
from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.margin import margins
from qmia_tf.attacks.reference_moments import mean, references_of


def scores(
    inputs: AttackInputs, *, ridge: float = regression.RIDGE
) -> np.ndarray:
    """(s(x) - m(x)) / d(x): nonmembers' mean and spread taken off.

    m and the logarithm of d are linear in the features (design), fitted by
    likelihood on nonmembers of the calibration half. One score for every
    false-positive rate: the quantile of rate alpha is m + z_alpha d.

    Without features and references the class alone describes a record. The
    ridge is that of regression.fit_gaussian.

    Returns: float64 [N], NaN where a record has references but no out-model,
        or all if there are too few nonmembers to learn from.
    Source: Bertran et al., arXiv:2307.03694, the Gaussian model.
    """
    rows, own = design(inputs), margins(inputs.outputs)
    known = np.isfinite(rows).all(axis=1)
    rows, own = rows[known], own[known]
    members = inputs.outputs.members[known]

    def learn(chosen):
        nonmembers = chosen & ~members
        fitted = regression.fit_gaussian(
            rows[nonmembers], own[nonmembers], ridge=ridge
        )
        means, spreads = fitted(rows)
        return (own - means) / spreads

    dealt = folds.draw(inputs.calibration[known], members, seed=inputs.seed)
    standardized = np.full(known.size, np.nan)
    standardized[known] = folds.out_of_fold(learn, dealt)
    return standardized


def design(inputs: AttackInputs) -> np.ndarray:
    """What is known of a record without the target and without membership.

    Its class, inputs.features, and the mean m of the out-models' margins
    with m^2. What the target predicts is left out: members are mostly
    predicted right, so it would explain away what is looked for.

    Returns: float64 [N, F], rows with NaN where a record has no out-model.
    """
    outputs = inputs.outputs
    parts = [np.eye(outputs.classes)[outputs.labels]]
    if inputs.features is not None:
        parts.append(inputs.features)
    if inputs.references is not None:
        references = references_of(inputs)
        m = mean(references.margins, references.outside)
        parts += [m, m * m]
    return np.column_stack(parts)


QUANTILE = Attack(
    "quantile",
    "quantile regression",
    scores,
    source="Bertran et al., arXiv:2307.03694",
    needs=("probabilities", "features"),
    learns=True,
    options=(
        Option(
            "ridge",
            regression.RIDGE,
            "penalty on the squared coefficients of the regression",
            "Bertran et al., arXiv:2307.03694 (weight decay)",
            numbers=(0, 1e6),
        ),
    ),
)
