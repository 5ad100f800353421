"""Columns of files of outputs in one order of classes; bad rows named."""

import numpy as np

from qmia_tf import outputs
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs, kinds, validation
from qmia_tf.outputs.csv_file import CLASSES, ROWS
from qmia_tf.outputs.logits import softmax


def answers(arrays):
    """The outputs of a file: its probabilities, or its logits."""
    return arrays[next(name for name in outputs.ANSWERS if name in arrays)]


def aligned(sides, paths):
    """Gives the second side the first's order of classes, if both name them."""
    names = [side.get(CLASSES) for side in sides]
    if names[0] == names[1]:
        return sides
    if None in names or set(names[0]) != set(names[1]):
        ours, theirs = (
            ", ".join(class_names or ("p0, p1, ..",)) for class_names in names
        )
        raise InputError(
            f"{paths[0]} has the columns {ours}, {paths[1]} {theirs}: name the "
            "columns of both files alike"
        )
    return [sides[0], ordered(sides[1], names[0])]


def as_known(arrays, names, path):
    """Gives columns that classes name the order of the records' classes."""
    if CLASSES not in arrays or names is None:
        return arrays
    if set(arrays[CLASSES]) != set(names):
        raise InputError(
            f"{path} has the columns {', '.join(arrays[CLASSES])}, the "
            f"classes of the records are {', '.join(names)}"
        )
    return ordered(arrays, names)


def ordered(arrays, names):
    """Gives columns that classes name another order, and labels with them."""
    place = [arrays[CLASSES].index(name) for name in names]
    changed = {
        name: arrays[name][:, place]
        for name in outputs.ANSWERS
        if name in arrays
    }
    changed["labels"] = np.argsort(place)[arrays["labels"]]
    return {**arrays, **changed, CLASSES: names}


def check_rows(arrays, info, path):
    """Refuses a row that cannot be outputs, by its number in its own file."""
    rows = answers(arrays)
    common = {
        "labels": arrays["labels"],
        "members": np.ones(len(rows), bool),
        "record_ids": arrays.get("record_ids", np.arange(len(rows))),
        "info": info,
    }
    # Whether logits are some is seen by all rows together.
    is_softmax = kinds.PROBABILITIES in arrays
    shares = rows.astype(np.float32) if is_softmax else softmax(rows)
    file_outputs = Outputs(probabilities=shares, **common)
    validation.check_values(file_outputs, path, rows=arrays.get(ROWS))


def row(arrays, index):
    """The number of a row in its file."""
    return arrays[ROWS][index] if ROWS in arrays else index
