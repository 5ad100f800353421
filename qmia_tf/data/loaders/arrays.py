"""Records of one side as arrays, from Python: a pair (values, labels)."""

import numpy as np

from qmia_tf.data.loaders import Loader
from qmia_tf.data.sides import Side, checked_values
from qmia_tf.errors import InputError
from qmia_tf.files import is_path


def _load_side(pair, **_):
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(
            "members and nonmembers are paths or pairs (values, labels), got "
            f"{type(pair).__name__}"
        )
    values, labels = pair
    return Side.of("arrays", np.asarray(values), labels, taken="values, labels")


def _load_values(source):
    if hasattr(source, "__array__"):
        return checked_values("arrays", np.asarray(source))
    return _load_side(source).values


LOADER = Loader(
    is_side=lambda source: not is_path(source),
    load_side=_load_side,
    load_values=_load_values,
)
