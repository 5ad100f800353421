"""Outputs as an app may give them: the label, the top class, fewer digits.

Made of outputs that are stored; no target is queried again. In every form the
class is named first, before anything is rounded, so none costs accuracy.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from qmia_tf.outputs import Outputs

LABEL = "label"
# As the target outputs it, and what who holds it computes.
FULL, PROBABILITIES = "full", "probabilities"
LOGITS, INSIDE = "logits", "inside"
OF_HOLDER = (PROBABILITIES, LOGITS, INSIDE)


def rounded(
    probabilities: np.ndarray, levels: int, *, largest: int | None = None
) -> np.ndarray:
    """Rounds to multiples of 1/levels: min(round(levels p), largest)/levels.

    Halves go to the even one.

    Args:
        probabilities: float [N, C], in 0..1.
        largest: the highest code; None leaves it at levels.
    Returns: float32 [N, C].
    """
    codes = np.rint(probabilities * np.float32(levels))
    highest = levels if largest is None else largest
    grid = np.minimum(codes, highest) / np.float32(levels)
    return grid.astype(np.float32)


def label(outputs: Outputs) -> Outputs:
    """The class alone: its probability is 1."""
    p = np.zeros_like(outputs.probabilities)
    p[np.arange(len(p)), outputs.predicted] = 1
    return _of(outputs, p, step=1.0)


def top_1(outputs: Outputs) -> Outputs:
    """The class and its probability p; others share the rest equally.

    So the attacker takes for p_y what is seen, p, if the class is y, and
    (1 - p)/(C - 1) if not: less than p in any case.
    """
    others = outputs.classes - 1
    rows, top = np.arange(outputs.labels.size), outputs.predicted
    seen = outputs.probabilities[rows, top]
    rest = (1 - seen.astype(np.float64)) / others
    # Rounded rows may sum to less than 1; float32 ends of 1 to more.
    rest = np.clip(
        rest.astype(np.float32), 0, np.nextafter(seen, np.float32(0))
    )
    p = np.repeat(rest[:, None], outputs.classes, axis=1)
    p[rows, top] = seen
    return _of(outputs, p, step=outputs.probability_step / others)


def one_digit(outputs: Outputs) -> Outputs:
    """Every probability, rounded to one digit."""
    return _of(outputs, rounded(outputs.probabilities, 10), step=0.1)


def two_digits(outputs: Outputs) -> Outputs:
    """Every probability, rounded to two digits."""
    return _of(outputs, rounded(outputs.probabilities, 100), step=0.01)


def probabilities(outputs: Outputs) -> Outputs:
    """The probabilities in float32, without the logits."""
    return _of(outputs, outputs.probabilities, step=outputs.probability_step)


# What an app can give instead of what its model outputs, coarsest first.
COARSE: dict[str, Callable[[Outputs], Outputs]] = {
    LABEL: label,
    "top_1": top_1,
    "one_digit": one_digit,
    "two_digits": two_digits,
}
# In the order of tables: each form shows more than those before.
FORMS = (*COARSE, FULL, *OF_HOLDER)


def _of(outputs, p, *, step):
    info = {
        **outputs.info,
        "probability_step": step,
        "outputs": PROBABILITIES,
    }
    return dataclasses.replace(outputs, probabilities=p, logits=None, info=info)
