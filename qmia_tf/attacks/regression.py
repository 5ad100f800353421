"""Linear models on standardized features, for attacks that learn.

Each is fitted by Newton's method from a fixed start until nothing improves, so
the same records give the same model, on every processor. Penalties are as
scikit-learn's with C = 1/ridge: ridge/2 times the squared coefficients added
to the sum of the losses; intercepts are free.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import threadpoolctl
from scipy import linalg, special

RIDGE = 1.0
# Of the coefficients of a log spread, as if drawn with a deviation of 0.3: with
# fewer records than some ten a feature, spreads otherwise follow the noise.
SPREAD_RIDGE = 10.0
ITERATIONS = 200
# The fit ends where a step would gain less than this part of the mean loss.
GAIN = 1e-13
# Added to squared residuals, in squared spreads of the values: where features
# explain all, the likelihood has no maximum without it.
NOISE = 1e-4


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
        return np.logaddexp(0, odds).sum() - odds @ y

    def derivatives(weights):
        p = special.expit(x @ weights)
        hessian = x.T @ (x * (p * (1 - p))[:, None])
        return x.T @ (p - y), hessian, hessian

    decay = np.full(x.shape[1], ridge)
    decay[0] = 0
    weights = _minimize(loss, derivatives, decay)
    return lambda new: _products(scale(new), weights)


def fit_gaussian(
    features: np.ndarray,
    values: np.ndarray,
    *,
    ridge: float = RIDGE,
    spread_ridge: float = SPREAD_RIDGE,
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Fits a normal distribution whose mean and log spread are linear in x.

    loss: sum log s + (r^2 + NOISE)/(2 s^2), r = t - w x, s = exp(v x)
    gradient: -X^T (r/s^2) by w, X^T (1 - (r^2 + NOISE)/s^2) by v

    Args:
        features: float [N, F].
        values: float [N], t, finite.
        ridge: 0 or more; the values are brought to spread 1 first.
        spread_ridge: the same for the coefficients of the log spread.
    Returns: float [M, F] -> (means, spreads), float64 [M] each. The
        spreads stay within those of the records fitted on: a record unlike
        all of them gets no spread that nobody has.
    """
    scale = scaling(features)
    x = scale(features)
    middle, unit = values.mean(), values.std() or 1.0
    t, count = (values - middle) / unit, x.shape[1]

    def parts(both):
        log_spreads = x @ both[count:]
        precisions = np.exp(-2 * log_spreads)
        return log_spreads, precisions, t - x @ both[:count]

    def loss(both):
        log_spreads, precisions, residuals = parts(both)
        squares = residuals**2 + NOISE
        return (log_spreads + squares * precisions / 2).sum()

    def derivatives(both):
        _, precisions, residuals = parts(both)
        squares = (residuals**2 + NOISE) * precisions
        slope = np.concatenate(
            [-x.T @ (residuals * precisions), x.T @ (1 - squares)]
        )
        by_mean, mixed, by_spread = (
            x.T @ (x * weights[:, None])
            for weights in (
                precisions,
                2 * residuals * precisions,
                2 * squares,
            )
        )
        return (
            slope,
            np.block([[by_mean, mixed], [mixed.T, by_spread]]),
            linalg.block_diag(by_mean, 2 * x.T @ x),
        )

    decay = np.repeat([ridge, spread_ridge], count)
    decay[[0, count]] = 0
    both = _minimize(loss, derivatives, decay)
    log_spreads = x @ both[count:]
    ends = log_spreads.min(), log_spreads.max()

    def predict(new):
        rows = scale(new)
        spreads = np.exp(np.clip(_products(rows, both[count:]), *ends))
        return middle + unit * _products(rows, both[:count]), unit * spreads

    return predict


def _products(rows, weights):
    """Equal rows get equal products, which a product of BLAS's may not give."""
    return (rows * weights).sum(axis=1)


def _minimize(loss, derivatives, decay):
    """Minimizes loss + decay w^2 / 2 by damped Newton steps from 0.

    Args:
        loss: callable, weights -> sum of the losses.
        derivatives: callable, weights -> its gradient, its Hessian, and a
            matrix that is positive semidefinite and takes the Hessian's place
            where that is not (the Fisher information).
        decay: float64 [W], the penalty of each weight, 0 or more.
    Returns: float64 [W].
    """
    weights = np.zeros(decay.size)

    def total(w):
        return loss(w) + decay @ (w * w) / 2

    # The products are small: on busy cores two threads mostly wait for each
    # other, and the sums would depend on how many there are.
    one_thread = _libraries().limit(limits=1, user_api="blas")
    # A step that goes much too far has an infinite loss, and is halved.
    with one_thread, np.errstate(over="ignore"):
        best = total(weights)
        for _ in range(ITERATIONS):
            slope, hessian, information = derivatives(weights)
            slope = slope + decay * weights
            step = _step(slope, hessian, information, decay)
            gain, part = slope @ step, 1.0
            if gain <= GAIN * max(abs(best), 1.0):
                break
            # Armijo's rule: the loss falls by a share of what was promised.
            while total(weights - part * step) > best - 1e-4 * part * gain:
                part /= 2
                if part < 1e-9:
                    return weights
            weights = weights - part * step
            best = total(weights)
    return weights


def _step(slope, hessian, information, decay):
    """Solves for the Newton step, by the first matrix that is definite."""
    for matrix in (hessian, information):
        matrix = matrix + np.diag(decay)
        # A constant feature has a column of zeros and keeps its weight of 0.
        empty = np.diag(matrix) == 0
        matrix[empty, empty] = 1.0
        try:
            return linalg.cho_solve(linalg.cho_factor(matrix), slope)
        except linalg.LinAlgError:
            continue
    # Features that follow from each other, without a penalty.
    return linalg.lstsq(matrix, slope)[0]


@functools.cache
def _libraries():
    """Those that compute products: finding them takes as long as a fit."""
    return threadpoolctl.ThreadpoolController()
