"""Labels that may mean other outputs of a model: what the members say.

Nothing is relabelled: the messages have the numbers and the option to add.
"""

from collections.abc import Iterable

import numpy as np
from scipy import optimize

from qmia_tf.data.records import Records
from qmia_tf.data.sides import SORTED
from qmia_tf.errors import InputError, option
from qmia_tf.outputs import Outputs
from qmia_tf.targets.trial_result import LEVEL, TrialResult, sign_test

# Classes that a message counts.
SHOWN = 4


def of_results(results: Iterable[TrialResult], records: Records) -> str:
    """Says what other labels would explain what a model names.

    Args:
        results: of the same records, read in several ways.
    Returns: a clause that ends a message, or nothing.
    """
    results = list(results)
    for find in (_first_label, _class_order):
        hints = [
            find(result, records, LEVEL / len(results)) for result in results
        ]
        right, hint = max(hints, default=(0, ""))
        if right:
            return hint
    return ""


def of_outputs(outputs: Outputs, records: Records) -> str:
    """The same of what a target outputs for all records."""
    return of_results([TrialResult.of_outputs(outputs)], records)


def require_order(result: TrialResult, records: Records, name: str) -> str:
    """Says how right the alphabetical order of the classes is.

    Args:
        result: of members.
        name: the target's.
    Raises: InputError if it is not clearly right: the numbers, and what to
        give.
    """
    other, hint = _class_order(result, records, LEVEL)
    counts = f"{result.members_right} of {result.count} members"
    if result.is_far_above_chance(LEVEL) and not other:
        return (
            f"in alphabetical order {counts} are right (naming one class: "
            f"{result.guessed_right})"
        )
    raise InputError(
        f"which output of target {name!r} is which class is not known: in "
        f"alphabetical order {counts} are right; "
        f"{_confusion(result, records)}: "
        + (
            hint
            or f"give {option('class_names')} in the order of the outputs, "
            f"or {option('class_names', SORTED)}"
        )
    )


def _first_label(result, records, level):
    """How many members are right if the labels start at 1; and in words."""
    if records.labels.min() < 1 or records.class_names:
        return 0, ""
    result = result.take(result.members)
    moved = result.relabelled(result.labels - 1)
    gained = (moved.right & ~result.right).sum()
    lost = (result.right & ~moved.right).sum()
    if not moved.is_far_above_chance(level) or sign_test(gained, lost) > level:
        return 0, ""
    return moved.members_right, (
        f"the labels may start at 1: of {result.count} members "
        f"{result.members_right} are right as they are, {moved.members_right} "
        f"with labels - 1: give {option('first_label', 1)}"
    )


def _class_order(result, records, level):
    """The same of another order of the class names.

    The order is read off every other member and judged on the rest.
    """
    names, result = records.class_names, result.take(result.members)
    if not names or len(names) != result.classes or result.count < 2:
        return 0, ""
    # Where several classes have no members their places are not known.
    if len(np.unique(result.labels)) < len(names) - 1:
        return 0, ""
    drawn = np.arange(result.count) % 2 == 0
    order = _assignment(result.take(drawn))
    judged = result.take(~drawn)
    moved = judged.relabelled(order[judged.labels])
    gained = (moved.right & ~judged.right).sum()
    lost = (judged.right & ~moved.right).sum()
    if not moved.is_far_above_chance(level) or sign_test(gained, lost) > level:
        return 0, ""
    places = np.argsort(_assignment(result))
    return moved.members_right, (
        f"in the order below {moved.members_right} of {moved.count} members "
        f"that it was not read off are right, instead of "
        f"{judged.members_right}: give "
        f"{option('class_names', [names[place] for place in places])}"
    )


def _assignment(result):
    """By class, the output that it agrees with, each one once."""
    counts = np.zeros((result.classes, result.classes))
    known = (result.named >= 0) & (result.labels < result.classes)
    np.add.at(counts, (result.labels[known], result.named[known]), 1)
    return optimize.linear_sum_assignment(-counts)[1]


def _confusion(result, records):
    """Which output the members of the first classes get most often."""
    parts = []
    for label, name in enumerate(records.class_names[:SHOWN]):
        named = result.named[(result.labels == label) & result.members]
        named = named[named >= 0]
        if named.size:
            counts = np.bincount(named)
            parts.append(
                f"{name} is output {counts.argmax()} for {counts.max()} of "
                f"{named.size}"
            )
    more = ", ..." if len(records.class_names) > SHOWN else ""
    return ", ".join(parts) + more
