"""An .npz file of outputs, of which most arrays may be missing.

probabilities, logits   floats [N, C], one of them or both
labels or y             the true classes [N], see data.labels
class_names             text [C], of the columns, for labels that are names
members                 booleans [N], who trained the model
record_ids              integers [N], distinct
info                    JSON, see outputs.Outputs
"""

import numpy as np

from qmia_tf import files, outputs
from qmia_tf.data import labels as own_labels
from qmia_tf.errors import InputError

LABELS = ("labels", "y")
CLASS_NAMES = "class_names"
ONE_NUMBER = (
    ": of one number a record give those of both classes, [1 - p, p] of a "
    "probability and [0, z] of a logit"
)


def read(path) -> dict[str, np.ndarray]:
    """Reads the arrays that are there; labels under that name.

    Raises: InputError if the file is damaged, holds no outputs, or an array
        does not fit them.
    """
    arrays = files.read_npz(path)
    answers = [name for name in outputs.ANSWERS if name in arrays]
    if not answers:
        raise InputError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: a file of "
            "outputs holds probabilities or logits [records, classes], and "
            "labels or y"
        )
    label_arrays = [name for name in LABELS if name in arrays]
    if label_arrays:
        arrays["labels"] = _classes(arrays, label_arrays[0], path)
    known = (*outputs.ANSWERS, *outputs.ARRAYS)
    by_name = {name: arrays[name] for name in known if name in arrays}
    for name in answers:
        is_one = by_name[name].shape[1:] in ((), (1,))
        if is_one or by_name[name].ndim != 2 or by_name[name].dtype.kind != "f":
            raise InputError(
                f"{path}: {name} are {by_name[name].dtype} "
                f"{list(by_name[name].shape)}, not floats [records, classes]"
                + (ONE_NUMBER if is_one else "")
            )
    rows = len(by_name[answers[0]])
    for name, array in by_name.items():
        if name != "info" and array.shape[:1] != (rows,):
            raise InputError(
                f"{path}: {name} has shape {list(array.shape)}, but there "
                f"are {rows} rows of outputs"
            )
        if name == "record_ids" and array.dtype.kind not in "iu":
            raise InputError(f"{path}: {name} are {array.dtype}, not integers")
    return by_name


def _classes(arrays, name, path):
    """The labels as numbers of columns."""
    labels = own_labels.read(arrays[name], f"{path}, {name}")
    if labels.names is None:
        return labels.numbers
    columns = arrays.get(CLASS_NAMES, np.array([], str)).tolist()
    strange = [label for label in labels.names if label not in columns]
    if strange:
        raise InputError(
            f"{path}: {name} has a class {strange[0]!r}, and which column that "
            f"is is not known: add an array {CLASS_NAMES} [classes] that "
            "names the columns in order"
        )
    places = np.array([columns.index(label) for label in labels.names])
    return places[labels.numbers]
