"""Linear models on standardized features, for attacks that learn.

Each is fitted by L-BFGS from a fixed start, so the same records give the same
model. Penalties are as scikit-learn's with C = 1/ridge: ridge/2 times the
squared coefficients added to the sum of the losses; intercepts are free.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import threadpoolctl
from scipy import optimize, special

RIDGE = 1.0
ITERATIONS = 500
# Spreads stay between a thousandth and a thousand of the values' own: where
# features explain all, the likelihood has no maximum.
LIMIT = np.log(1000)


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    """Takes features to mean 0 and spread 1, and adds a 1 in front."""

    means: np.ndarray
    spreads: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Float [N, F] -> float64 [N, 1 + F]."""
        scaled = (features - self.means) / self.spreads
        return np.column_stack([np.ones(len(scaled)), scaled])


def scaling(features: np.ndarray) -> Scaling:
    """Returns the Scaling of float [N, F]; a constant feature becomes 0."""
    spreads = features.std(axis=0)
    # A column of equal floats can show a spread of a rounding error.
    constant = spreads <= 1e-9 * np.abs(features).max(axis=0, initial=0)
    return Scaling(features.mean(axis=0), np.where(constant, 1.0, spreads))


def fit_logistic(
    features: np.ndarray, positive: np.ndarray, *, ridge: float = RIDGE
) -> Callable[[np.ndarray], np.ndarray]:
    """Fits log-odds w x: sum log(1 + exp(-s w x)) + ridge/2 |w|^2, s = +-1.

    gradient: X^T (sigmoid(w x) - y) + ridge w

    Args:
        features: float [N, F].
        positive: bool [N], some True and some False.
        ridge: 0 or more.
    Returns: float [M, F] -> float64 [M], the log-odds.
    """
    scale = scaling(features)
    x, y = scale(features), positive.astype(np.float64)

    def loss(weights):
        odds = x @ weights
        value = np.logaddexp(0, odds).sum() - odds @ y
        return value, x.T @ (special.expit(odds) - y)

    weights = _minimize(loss, np.zeros(x.shape[1]), ridge, len(x))
    return lambda new: scale(new) @ weights


def fit_gaussian(
    features: np.ndarray, values: np.ndarray, *, ridge: float = RIDGE
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Fits a normal distribution whose mean and log spread are linear in x.

    loss: sum log s + z^2/2, z = (t - w x)/s, s = exp(v x)
    gradient: -X^T (z/s) by w, X^T (1 - z^2) by v

    Args:
        features: float [N, F].
        values: float [N], t, finite.
        ridge: 0 or more; the values are brought to spread 1 first.
    Returns: float [M, F] -> (means, spreads), float64 [M] each. The spreads
        stay within those of the records fitted on: a record unlike all of
        them gets no spread that nobody has.
    """
    scale = scaling(features)
    x = scale(features)
    middle, unit = values.mean(), values.std() or 1.0
    t, count = (values - middle) / unit, x.shape[1]

    def loss(both):
        raw = x @ both[count:]
        log_spreads = np.clip(raw, -LIMIT, LIMIT)
        powers = np.exp(-log_spreads)
        z = (t - x @ both[:count]) * powers
        free = (1 - z * z) * (raw == log_spreads)
        slope = np.concatenate([-x.T @ (z * powers), x.T @ free])
        return (log_spreads + z * z / 2).sum(), slope

    both = _minimize(loss, np.zeros(2 * count), ridge, len(x), intercepts=2)
    ends = np.clip(np.quantile(x @ both[count:], [0, 1]), -LIMIT, LIMIT)

    def predict(new):
        rows = scale(new)
        spreads = np.exp(np.clip(rows @ both[count:], *ends))
        return middle + unit * (rows @ both[:count]), unit * spreads

    return predict


def _minimize(loss, start, ridge, records, *, intercepts=1):
    """Minimizes the mean loss; intercepts are the first of equal parts."""
    penalized = np.ones(start.size)
    penalized[:: start.size // intercepts] = 0

    def mean_loss(weights):
        value, slope = loss(weights)
        decay = ridge * penalized * weights
        return (
            (value + decay @ weights / 2) / records,
            (slope + decay) / records,
        )

    options = {"maxiter": ITERATIONS, "ftol": 1e-10, "gtol": 1e-6}
    # The products are small: on busy cores two threads mostly wait for each
    # other, and the sums would depend on how many there are.
    with _libraries().limit(limits=1, user_api="blas"):
        optimum = optimize.minimize(
            mean_loss, start, jac=True, method="L-BFGS-B", options=options
        )
    return optimum.x


@functools.cache
def _libraries():
    """Those that compute products: finding them takes as long as a fit."""
    return threadpoolctl.ThreadpoolController()
