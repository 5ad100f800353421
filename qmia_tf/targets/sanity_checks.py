"""Checks that reveal a wrong option, before anything is attacked."""

from collections.abc import Callable

import numpy as np

from qmia_tf.data.records import Records
from qmia_tf.errors import InputError, option
from qmia_tf.outputs import Outputs

# Of 100 normal numbers 95 lie so many deviations from their mean.
NORMAL_95 = 1.959964


def require_classes(
    classes: int,
    records: Records,
    *,
    name: str,
    advice: str = "",
    hint: Callable[[], str] = str,
) -> None:
    """Compares how many numbers a target outputs with the labels.

    Args:
        advice: ends the message where the classes are others.
        hint: gives what ends it where a label is too large.
    Raises: InputError if they are not of one set of classes.
    """
    known, most = records.classes, int(records.labels.max())
    if known is not None and classes != known:
        raise InputError(
            f"target {name!r} outputs {classes} classes, the labels are of "
            f"{known}: is it a model of this data?{advice}"
        )
    if most >= classes:
        raise InputError(
            f"target {name!r} outputs {classes} classes, but there is a "
            f"label {most}: " + (hint() or "is it a model of this data?")
        )


def require_above_chance(
    outputs: Outputs, hint: Callable[[], str] = str
) -> None:
    """Refuses a model that is right on its members as chance would be.

    Args:
        hint: gives what ends the message.
    Raises: InputError if it is right no more often than 97.5 % of models
        that name the same classes in any other order; see chance.
    """
    labels = outputs.labels[outputs.members]
    named = outputs.predicted[outputs.members]
    right = np.mean(labels == named)
    low, high = chance(labels, named, outputs.classes)
    if right > high:
        return
    hint = hint()
    input_range = outputs.info.get("input_range")
    range_note = ""
    if input_range:
        range_note = f" (pixels were taken as {input_range})"
    raise InputError(
        f"target {outputs.target!r} is right on {100 * right:.1f} % of "
        f"{labels.size} members, and chance is {100 * low:.1f} to "
        f"{100 * high:.1f} %: check {option('input_range')}{range_note}, the "
        f"order of the classes {option('class_names')}, and that labels and "
        f"members are this model's; {option('allow_chance', True)} goes on all "
        f"the same{hint and '; '}{hint}"
    )


def chance(
    labels: np.ndarray, named: np.ndarray, classes: int
) -> tuple[float, float]:
    """How often guesses are right that have nothing to do with the records.

    The guesses are dealt to the records anew: with a_c records of class c
    and b_c guesses of c, S = sum a_c b_c of n^2 pairs agree, so that S/n are
    right on average, with variance

        (S - sum a_c b_c^2 / n - sum a_c^2 b_c / n + S^2 / n^2) / (n - 1)

    Where all labels are the same this says nothing; then each class is
    named with probability 1/classes.

    Args:
        labels: int [N], true classes.
        named: int [N], the guesses.
    Returns: the interval that 95 % of such guesses lie in, in 0..1.
    Source: Hoeffding, Ann. Math. Stat. 22 (1951), 558, of permuted sums.
    """
    n = len(labels)
    a = np.bincount(labels, minlength=classes).astype(np.float64)
    b = np.bincount(named, minlength=classes).astype(np.float64)
    if a.max() == n:
        mean, variance = n / classes, n / classes * (1 - 1 / classes)
    else:
        pairs = a @ b
        mean = pairs / n
        variance = pairs - (a @ b**2 + a**2 @ b) / n + mean**2
        variance = max(variance, 0) / (n - 1)
    spread = NORMAL_95 * np.sqrt(variance)
    return max(mean - spread, 0) / n, min(mean + spread, n) / n
