"""How far a model's confidence is from how often it is right."""

import numpy as np

BINS = 15


def calibration_error(
    confidences: np.ndarray, right: np.ndarray, *, bins: int = BINS
) -> float:
    """The expected calibration error, in 0..1.

    sum_b n_b/N |mean of right in b - mean of confidence in b|, over bins of
    equal width, ](b - 1)/B, b/B], the first with 0.

    It is 0 or more by its making: a model without any error still has some of
    it, about the more the fewer records a bin has.

    Args:
        confidences: float [N], the probability of the class that is named.
        right: bool [N], whether that class is the true one.
    Source: Naeini et al., AAAI 2015; Guo et al., arXiv:1706.04599, eq. 3, who
        take 15 bins.
    """
    confidences = np.asarray(confidences, np.float64)
    inner = np.arange(1, bins) / bins
    place = np.searchsorted(inner, confidences, side="left")
    apart = np.bincount(place, np.asarray(right) - confidences, minlength=bins)
    return float(np.abs(apart).sum() / confidences.size)
